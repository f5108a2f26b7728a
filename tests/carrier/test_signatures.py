"""Webhook signatures: Twilio's own example, odd fields, two tokens, and everything that must not pass."""

import base64
import hashlib
import hmac

import pytest
from werkzeug.datastructures import MultiDict

from nurseline.carrier.signature import SignatureCheck

BASE, TOKEN, OLD = "https://line.example.org", "the-token-of-today", "the-token-of-yesterday"


def sign(url: str, form: list[tuple[str, str]], token: str = TOKEN) -> str:
    """Twilio's algorithm from its documentation: URL, then each key and its distinct values in order."""
    keys = sorted({key for key, _ in form})
    tail = "".join(key + value for key in keys for value in sorted({v for k, v in form if k == key}))
    return base64.b64encode(hmac.new(token.encode(), (url + tail).encode(), hashlib.sha1).digest()).decode()


def check(*tokens: str, base: str = BASE) -> SignatureCheck:
    return SignatureCheck(base, tokens or (TOKEN,))


def test_the_example_of_the_documentation_passes() -> None:
    form = MultiDict(
        {
            "CallSid": "CA1234567890ABCDE",
            "Caller": "+14158675310",
            "Digits": "1234",
            "From": "+14158675310",
            "To": "+18005551212",
        }
    )
    known = SignatureCheck("https://example.com", ["12345"])
    assert known.passes("/myapp.php", "foo=1&bar=2", form, "L/OH5YylLD5NRKLltdqwSvS0BnU=")
    assert not known.passes("/myapp.php", "bar=2&foo=1", form, "L/OH5YylLD5NRKLltdqwSvS0BnU=")
    assert not known.passes("/myapp.php", "", form, "L/OH5YylLD5NRKLltdqwSvS0BnU=")


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("Body", ""), ("FromCity", ""), ("FromZip", "")],
        [("Body", "a"), ("Body", "b"), ("Body", "a"), ("To", "+12025550100")],
        [("b", "1"), ("B", "2"), ("a", "3"), ("_", "4")],
        [("Body", "\u00a1Hola! \u4f60\u597d \U0001f642 \u202e abc + & = %41"), ("New", "unknown to us")],
        [("Body", "line one\nline two\ttab ")],
    ],
    ids=["nothing", "empty fields", "doubled keys", "case of keys", "every alphabet", "white space"],
)
def test_whatever_fields_come_they_are_signed_over_as_they_are(form: list[tuple[str, str]]) -> None:
    signature = sign(f"{BASE}/sms", form)
    assert check().passes("/sms", "", MultiDict(form), signature)
    assert not check().passes("/sms", "", MultiDict([*form, ("Extra", "")]), signature)
    assert not check().passes("/voice", "", MultiDict(form), signature)
    for changed in range(len(form)):
        other = [(k, v + "x") if i == changed else (k, v) for i, (k, v) in enumerate(form)]
        if sign(f"{BASE}/sms", other) != signature:
            assert not check().passes("/sms", "", MultiDict(other), signature)


def test_both_tokens_are_accepted_while_they_rotate() -> None:
    form = [("Body", "hi")]
    both = check(TOKEN, OLD)
    assert both.passes("/sms", "", MultiDict(form), sign(f"{BASE}/sms", form, TOKEN))
    assert both.passes("/sms", "", MultiDict(form), sign(f"{BASE}/sms", form, OLD))
    assert not both.passes("/sms", "", MultiDict(form), sign(f"{BASE}/sms", form, "a-stranger"))
    assert not check(TOKEN).passes("/sms", "", MultiDict(form), sign(f"{BASE}/sms", form, OLD))


def test_without_any_token_nothing_starts() -> None:
    with pytest.raises(ValueError, match="auth token"):
        SignatureCheck(BASE, [])


@pytest.mark.parametrize(
    "signature", ["", " ", "0", "L/OH5YylLD5NRKLltdqwSvS0BnU=", "\u00e9" * 28, "a" * 5000]
)
def test_no_other_signature_passes(signature: str) -> None:
    assert not check().passes("/sms", "", MultiDict({"Body": "hi"}), signature)


def test_a_part_of_the_right_signature_does_not_pass() -> None:
    right = sign(f"{BASE}/sms", [])
    for length in range(len(right)):
        assert not check().passes("/sms", "", MultiDict(), right[:length])
    assert not check().passes("/sms", "", MultiDict(), right + "=")


@pytest.mark.parametrize("base", ["http://127.0.0.1:8000", "https://line.example.org:8443", BASE])
def test_the_public_address_counts_with_or_without_its_usual_port(base: str) -> None:
    one = check(base=base)
    assert one.passes("/status", "ref=1", MultiDict(), sign(f"{base}/status?ref=1", []))
    assert not one.passes("/status", "ref=2", MultiDict(), sign(f"{base}/status?ref=1", []))
    assert check().passes("/sms", "", MultiDict(), sign(f"{BASE}:443/sms", []))


def test_a_hash_of_a_body_in_the_query_opens_no_back_door() -> None:
    query = "bodySHA256=" + "0" * 64
    assert not check().passes("/sms", query, MultiDict({"Body": "hi"}), sign(f"{BASE}/sms?{query}", []))
