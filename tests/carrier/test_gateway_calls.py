"""Making a call, finding it again and asking where it stands, over real sockets."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from nurseline.carrier.errors import meaning_of
from nurseline.carrier.gateway import TwilioGateway
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Refused
from tests.carrier.wire import Behaviour, answer, hang_up, wire
from tests.support.line import NUMBER

ACCOUNT, TOKEN, SID = "AC" + "0" * 32, "only-for-tests", "CA" + "1" * 32
REFERENCE = uuid.UUID(int=7)
BASE = "https://line.example.org/voice/reminder"
OVERRIDES = "#ct=3000&rc=3&rp=ct,rt,5xx"
SINCE = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
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


def refused(code: int, status: int = 400) -> Behaviour:
    return answer(status, {"message": f"no {NUMBER}", "more_info": "", "status": status, "code": code})


def listed(sid: str, seconds: float = 1.0, **changed: Any) -> dict[str, Any]:
    made = format_datetime(SINCE + timedelta(seconds=seconds))
    usual = {"sid": sid, "status": "queued", "direction": "outbound-api", "date_created": made}
    return {**usual, "duration": None, **changed}


def page(*calls: dict[str, Any]) -> Behaviour:
    return answer(200, {"calls": list(calls), "next_page_uri": None, "page_size": 50})


def test_a_call_waits_for_who_answers_and_carries_our_reference(make: Make) -> None:
    with wire(answer(201, {"sid": SID, "status": "queued"})) as carrier:
        assert make(carrier.url).call(to=NUMBER, reference=REFERENCE) == Accepted(SID)
    (request,) = carrier.requests
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
    assert request.form == {
        "To": [NUMBER],
        "From": ["+12025550100"],
        "Url": [f"{BASE}?ref={REFERENCE}{OVERRIDES}"],
        "Method": ["POST"],
        "StatusCallback": [f"{BASE}/status?ref={REFERENCE}{OVERRIDES}"],
        "StatusCallbackEvent": ["initiated", "completed"],
        "MachineDetection": ["DetectMessageEnd"],
        "Timeout": ["30"],
    }


def test_without_a_number_to_call_from_nothing_is_asked_and_a_person_is_told(make: Make) -> None:
    with wire(hang_up) as carrier:
        service_only = make(carrier.url, from_number="", messaging_service_sid="MG" + "2" * 32)
        assert service_only.call(to=NUMBER, reference=REFERENCE) == Refused(21213, "configuration")
        assert carrier.requests == []


@pytest.mark.parametrize("code", [21210, 21212, 21213, 21215, 21216, 13227])
def test_an_account_that_may_not_call_is_a_matter_for_a_person(make: Make, code: int) -> None:
    with wire(refused(code)) as carrier:
        assert make(carrier.url).call(to=NUMBER, reference=REFERENCE) == Refused(code, "configuration")


def test_a_number_that_is_none_is_refused_for_good() -> None:
    assert {meaning_of(code) for code in (21211, 21214, 21217)} == {"recipient"}


@pytest.mark.parametrize("behave", [refused(20500, 500), hang_up, answer(201, {}), answer(201, "ok")])
def test_whatever_leaves_a_doubt_is_ambiguous_and_asked_once(make: Make, behave: Behaviour) -> None:
    with wire(behave) as carrier:
        assert isinstance(make(carrier.url).call(to=NUMBER, reference=REFERENCE), Ambiguous)
    assert len(carrier.requests) == 1


def test_too_many_calls_surely_did_not_arrive(make: Make) -> None:
    with wire(refused(20429, 429)) as carrier:
        assert isinstance(make(carrier.url).call(to=NUMBER, reference=REFERENCE), NotSent)


def test_our_calls_to_the_number_made_since_are_found_the_oldest_first(make: Make) -> None:
    calls = [
        listed("CA3", 30, status="completed", duration="21"),
        listed("CA1", -30),  # clocks differ
        listed("CA5", direction="inbound"),
        listed("CA6", direction="outbound-dial"),  # staff who called back
        listed("CA7", -600),
        listed("CA8", 3600),
        listed("CA9", date_created=None),
    ]
    with wire(page(*calls)) as carrier:
        listing = make(carrier.url).find_calls(to=NUMBER, since=SINCE)
    assert [(one.sid, one.status, one.seconds) for one in listing.found] == [
        ("CA1", "queued", None),
        ("CA3", "completed", 21),
    ]
    assert listing.complete
    assert carrier.requests[0].query["To"] == [NUMBER]
    assert not any(name.startswith("StartTime") for name in carrier.requests[0].query)


def test_where_a_call_stands_is_told_with_how_long_it_lasted(make: Make) -> None:
    with wire(answer(200, listed(SID, status="completed", duration="37"))) as carrier:
        standing = make(carrier.url).look_at_call(SID)
    assert standing is not None
    assert (standing.sid, standing.status, standing.seconds) == (SID, "completed", 37)
    assert carrier.requests[0].path.endswith(f"/Calls/{SID}.json")


def test_a_call_that_the_carrier_does_not_know_is_none(make: Make) -> None:
    with wire(refused(20404, 404)) as carrier:
        assert make(carrier.url).look_at_call(SID) is None


UNREADABLE = page(listed("CA1", duration="long"))


@pytest.mark.parametrize(
    "behave", [refused(20500, 500), hang_up, answer(200, "no json"), answer(200, {}), UNREADABLE]
)
def test_a_carrier_that_cannot_tell_raises_one_kind_of_error(make: Make, behave: Behaviour) -> None:
    with wire(behave) as carrier, pytest.raises(OSError, match=r"^[A-Za-z]+$"):
        make(carrier.url).look_at_call(SID)
    with wire(behave) as carrier, pytest.raises(OSError, match=r"^[A-Za-z]+$") as broken:
        make(carrier.url).find_calls(to=NUMBER, since=SINCE)
    assert NUMBER[1:] not in str(broken.value)
