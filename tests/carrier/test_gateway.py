"""What the gateway makes of everything that a carrier and a network can do, over real sockets."""

import ipaddress
import logging
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nurseline.carrier import gateway as gateway_module
from nurseline.carrier.gateway import TwilioGateway
from nurseline.outcomes import Accepted, Ambiguous, Listing, NotSent, Refused, SendOutcome, Standing
from tests.carrier.wire import Behaviour, answer, hang_up, reset, say, wire
from tests.support.line import NUMBER
from tests.support.waiting import wait_for

ACCOUNT, TOKEN, SID = "AC" + "0" * 32, "only-for-tests", "SM" + "1" * 32
REFERENCE = uuid.UUID(int=7)
BODY = "How is your shoulder? <1> & 2 \u00e9"
CREATED = {"sid": SID, "status": "queued", "error_code": None}
Make = Callable[..., TwilioGateway]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a gateway; its connections are closed at the end."""
    made = []

    def build(url: str, **changed: str) -> TwilioGateway:
        usual = {
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "public_base_url": "https://line.example.org",
            "from_number": "+12025550100",
        }
        made.append(TwilioGateway(api_base_url=url, **{**usual, **changed}))
        return made[-1]

    yield build
    for one in made:
        one._client.http_client.session.close()


def send(one: TwilioGateway) -> SendOutcome:
    return one.send(to=NUMBER, body=BODY, reference=REFERENCE)


def refused(code: int | None, status: int = 400) -> Behaviour:
    body: dict[str, Any] = {"message": f"no {NUMBER}", "more_info": "", "status": status}
    return answer(status, body if code is None else {**body, "code": code})


def test_an_accepted_message_has_a_sid_and_carried_our_reference(make: Make) -> None:
    with wire(answer(201, CREATED)) as carrier:
        assert send(make(carrier.url)) == Accepted(SID)
    (request,) = carrier.requests
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert request.login == f"{ACCOUNT}:{TOKEN}"
    assert request.form == {
        "To": [NUMBER],
        "From": ["+12025550100"],
        "Body": [BODY],
        "StatusCallback": [f"https://line.example.org/status?ref={REFERENCE}#ct=3000&rc=3&rp=ct,rt,5xx"],
    }


def test_a_messaging_service_takes_the_place_of_the_number(make: Make) -> None:
    service = "MG" + "2" * 32
    with wire(answer(201, CREATED)) as carrier:
        send(make(carrier.url, messaging_service_sid=service))
    form = carrier.requests[0].form
    assert form["MessagingServiceSid"] == [service]
    assert "From" not in form


REFUSALS: list[tuple[str, Behaviour, SendOutcome]] = [
    ("opted out", refused(21610), Refused(21610, "opted_out")),
    ("wrong number", refused(21211), Refused(21211, "recipient")),
    ("login", refused(20003, 401), Refused(20003, "configuration")),
    ("unlisted", refused(99999), Refused(99999, "unlisted")),
    ("without a code", refused(None), Refused(0, "unlisted")),
    ("not json", answer(403, "<h1>Forbidden</h1>", kind="text/html"), Refused(0, "unlisted")),
    ("redirect", say(b"HTTP/1.1 302 X\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), Refused(0, "unlisted")),
    (
        "problem details",
        answer(400, {"type": "t", "title": "t", "status": 400, "code": 21614}),
        Refused(21614, "no_texts"),
    ),
]
AMBIGUOUS: list[tuple[str, Behaviour]] = [
    ("500", refused(20500, 500)),
    ("503", refused(20503, 503)),
    ("502 of a proxy", answer(502, "<h1>Bad gateway</h1>", kind="text/html")),
    ("408 of a proxy", answer(408, "", kind="text/html")),
    ("problem details 500", answer(500, {"type": "t", "title": "t", "status": 500, "code": 20500})),
    ("hung up", hang_up),
    ("reset", reset),
    ("half a head", say(b"HTTP/1.1 201 Crea")),
    ("half a body", say(b'HTTP/1.1 201 X\r\nContent-Length: 400\r\n\r\n{"sid": "SM')),
    ("no http", say(b"\x00\x01\x02 what is this\r\n\r\n")),
    ("not json", answer(201, "thank you", kind="text/plain")),
    ("empty", answer(201, "")),
    ("a list", answer(201, [1, 2])),
    ("a number", answer(201, "7")),
    ("no sid", answer(201, {"status": "queued"})),
    ("a sid of nothing", answer(201, {"sid": None})),
]


@pytest.mark.parametrize(("behave", "outcome"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_a_refusal_is_told_with_its_code(make: Make, behave: Behaviour, outcome: SendOutcome) -> None:
    with wire(behave) as carrier:
        assert send(make(carrier.url)) == outcome
    assert len(carrier.requests) == 1


@pytest.mark.parametrize("behave", [a[1] for a in AMBIGUOUS], ids=[a[0] for a in AMBIGUOUS])
def test_whatever_leaves_a_doubt_is_ambiguous_and_asked_once(make: Make, behave: Behaviour) -> None:
    with wire(behave) as carrier:
        outcome = send(make(carrier.url))
    assert isinstance(outcome, Ambiguous), outcome
    assert len(carrier.requests) == 1
    assert len(outcome.why) <= 40, "it is stored in a column of that width"


def test_too_many_requests_surely_did_not_arrive_and_wait_a_little(make: Make) -> None:
    with wire(refused(20429, 429)) as carrier:
        outcome = send(make(carrier.url))
    assert isinstance(outcome, NotSent)
    assert 1.0 <= outcome.wait_seconds <= 3.0
    assert outcome.crowded == 0.0
    assert len(carrier.requests) == 1


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("86400", 60.0), ("0", 0.0), ("soon", 0.0), ("-3", 0.0), ("", 0.0)]
)
def test_a_carrier_that_says_how_long_it_wants_to_be_left_alone_is_believed_for_a_minute(
    make: Make, said: str, seconds: float
) -> None:
    with wire(
        say(f"HTTP/1.1 429 X\r\nRetry-After: {said}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    ) as carrier:
        outcome = send(make(carrier.url))
    assert isinstance(outcome, NotSent)
    assert outcome.crowded == seconds
    assert seconds + 1.0 <= outcome.wait_seconds <= seconds + 3.0


def test_a_silent_carrier_is_ambiguous_after_the_time_to_read(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "READ_SECONDS", 0.2)
    with wire(hang_up) as carrier:
        carrier.behaviours = [carrier.silence]
        assert send(make(carrier.url)) == Ambiguous("no answer")
        assert len(carrier.requests) == 1


def test_a_refused_connection_surely_did_not_arrive(make: Make, free_port: int) -> None:
    assert send(make(f"http://127.0.0.1:{free_port}")) == NotSent("no connection", 0.0)


def test_a_host_without_an_address_surely_did_not_arrive(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert send(make("http://nobody.invalid")) == NotSent("no connection", 0.0)


def test_a_carrier_that_takes_no_connection_surely_did_not_get_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "CONNECT_SECONDS", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        try:
            assert send(make(f"http://127.0.0.1:{full.getsockname()[1]}")) == NotSent("no connection", 0.0)
        finally:
            for one in waiting:
                one.close()


def test_a_connection_that_the_carrier_closed_meanwhile_is_made_anew(make: Make) -> None:
    with wire(answer(201, CREATED)) as carrier:
        one = make(carrier.url)
        for closed in (1, 2, 3):
            assert send(one) == Accepted(SID)
            wait_for(lambda closed=closed: carrier.closed == closed, what="the carrier closing")
    assert (len(carrier.requests), carrier.connections) == (3, 3)


def test_a_connection_is_kept_for_the_next_message(make: Make) -> None:
    with wire(answer(201, CREATED), close_each=False) as carrier:
        one = make(carrier.url)
        assert [send(one) for _ in range(3)] == [Accepted(SID)] * 3
        one._client.http_client.session.close()
    assert (len(carrier.requests), carrier.connections) == (3, 1)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for loopback that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, pem


def test_a_carrier_with_a_wrong_certificate_gets_nothing(
    make: Make, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    with wire(answer(201, CREATED), tls=certificate[0]) as carrier:
        assert send(make(carrier.url)) == NotSent("no connection", 0.0)
    assert carrier.requests == []


def test_an_encrypted_connection_that_breaks_after_the_request_is_ambiguous(
    make: Make, certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, pem = certificate
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))

    def break_the_record(connection: socket.socket) -> None:
        with socket.socket(fileno=socket.dup(connection.fileno())) as raw:
            raw.sendall(b"not a record of TLS at all, to be sure")

    with wire(answer(201, CREATED), break_the_record, hang_up, tls=context) as carrier:
        one = make(carrier.url)
        assert send(one) == Accepted(SID)
        wait_for(lambda: carrier.closed == 1, what="the carrier closing")
        assert isinstance(send(one), Ambiguous)
        assert isinstance(send(one), Ambiguous)
    assert len(carrier.requests) == 3


def test_the_address_is_ours_whatever_region_the_environment_names(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    with wire(answer(201, CREATED)) as carrier:
        assert send(make(carrier.url)) == Accepted(SID)


def test_nothing_of_a_patient_is_logged_by_sending_or_looking(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "twilio"), wire(answer(201, CREATED), refused(21211)) as carrier:
        one = make(carrier.url)
        send(one)
        send(one)
        with pytest.raises(OSError, match=r"^[A-Za-z]+$") as broken:
            one.find(to=NUMBER, body=BODY, since=datetime.now(UTC))
    said = [record.getMessage() for record in caplog.records if record.name.startswith("twilio")]
    assert said == []
    assert NUMBER[1:] not in str(broken.value)
    assert broken.value.__cause__ is None


# Looking up

SINCE = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)


def listed(sid: str, seconds: float = 1.0, **changed: Any) -> dict[str, Any]:
    made = format_datetime(SINCE + timedelta(seconds=seconds))
    usual = {"sid": sid, "body": BODY, "direction": "outbound-api", "date_created": made, "status": "queued"}
    return {**usual, "date_sent": None, **changed}


def page(*messages: dict[str, Any]) -> Behaviour:
    return answer(200, {"messages": list(messages), "next_page_uri": None, "page_size": 50})


def find(one: TwilioGateway) -> Listing:
    return one.find(to=NUMBER, body=BODY, since=SINCE)


def sids(listing: Listing) -> list[str]:
    return [standing.sid for standing in listing.found]


def test_messages_with_these_words_made_since_are_found_the_oldest_first(make: Make) -> None:
    messages = [
        listed("SM3", 30),
        listed("SM2", 2, direction="outbound-reply"),
        listed("SM1", -30),  # clocks differ
        listed("SM4", body=BODY + "!"),
        listed("SM5", direction="inbound"),
        listed("SM6", -600),
        listed("SM7", 3600),
        listed("SM8", date_created=None),
    ]
    with wire(page(*messages)) as carrier:
        listing = find(make(carrier.url))
    assert sids(listing) == ["SM1", "SM2", "SM3"]
    assert listing.complete
    (request,) = carrier.requests
    assert request.method == "GET"
    assert request.query["To"] == [NUMBER]
    assert not any(name.startswith("DateSent") for name in request.query)


def test_what_is_found_tells_where_it_stands(make: Make) -> None:
    failed = listed("SM2", 2, status="undelivered", error_code=30003)
    with wire(page(listed("SM1"), failed)) as carrier:
        first, second = find(make(carrier.url)).found
    assert (first.status, first.error_code, first.meaning) == ("queued", None, None)
    assert first.made_at == SINCE + timedelta(seconds=1)
    assert (second.status, second.error_code, second.meaning) == ("undelivered", 30003, "later")


@pytest.mark.parametrize(
    "held",
    [
        'Sent from your Twilio trial account - It\'s "so" - done...',
        "It\u2019s \u201cso\u201d \u2013 done\u2026",
    ],
    ids=["of a trial account", "other signs"],
)
def test_words_are_known_again_for_all_that_the_carrier_does_to_them(make: Make, held: str) -> None:
    with wire(page(listed("SM1", body=held))) as carrier:
        listing = make(carrier.url).find(to=NUMBER, body='It\'s "so" - done...', since=SINCE)
    assert sids(listing) == ["SM1"]


def test_a_list_that_hides_words_is_not_complete(make: Make) -> None:
    hidden, inbound = listed("SM1", body=""), listed("SM2", body="", direction="inbound")
    for held, complete in ((hidden, False), (inbound, True)):
        with wire(page(held)) as carrier:
            assert find(make(carrier.url)) == Listing([], complete=complete)


def test_a_list_that_is_too_long_is_not_complete(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "LIST_MOST", 3)
    with wire(page(*(listed(f"SM{n}", 3600) for n in range(3)))) as carrier:
        assert find(make(carrier.url)) == Listing([], complete=False)


def test_nothing_found_is_no_error(make: Make) -> None:
    with wire(page()) as carrier:
        assert find(make(carrier.url)) == Listing([], complete=True)


def test_a_message_can_be_asked_about_by_its_sid(make: Make) -> None:
    with wire(answer(200, listed("SM1", status="delivered"))) as carrier:
        assert make(carrier.url).look("SM1") == Standing("SM1", "delivered", SINCE + timedelta(seconds=1))
    assert carrier.requests[0].path.endswith("/Messages/SM1.json")


def test_a_message_that_the_carrier_does_not_know_is_none(make: Make) -> None:
    with wire(refused(20404, 404)) as carrier:
        assert make(carrier.url).look("SM2") is None


@pytest.mark.parametrize(
    "behave",
    [
        refused(20500, 500),
        refused(20003, 401),
        hang_up,
        answer(200, "no json"),
        answer(200, [1]),
        answer(200, {}),
        page(listed("SM1", error_code="thirty")),
    ],
    ids=["500", "401", "hung up", "no json", "a list", "empty", "one that cannot be read"],
)
@pytest.mark.parametrize("ask", [find, lambda one: one.look("SM1")], ids=["find", "look"])
def test_a_carrier_that_cannot_tell_raises_one_kind_of_error(
    make: Make, behave: Behaviour, ask: Callable[[TwilioGateway], object]
) -> None:
    with wire(behave) as carrier, pytest.raises(OSError, match=r"^[A-Za-z]+$") as broken:
        ask(make(carrier.url))
    assert NUMBER[1:] not in str(broken.value)
