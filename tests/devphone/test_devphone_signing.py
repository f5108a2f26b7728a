"""Signatures as Twilio makes them, and what a webhook's address may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from nurseline.devphone.signing import signature, signed_url, split_overrides, usable_address


def test_the_official_vector_comes_out():
    # https://www.twilio.com/docs/usage/webhooks/webhooks-security
    params = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ]
    assert (
        signature("12345", "https://example.com/myapp.php?foo=1&bar=2", params)
        == "L/OH5YylLD5NRKLltdqwSvS0BnU="
    )


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    st.sampled_from(["http://127.0.0.1:8000/sms", "https://line.example.org/voice?a=1&b=2"]),
)
def test_the_sdk_accepts_every_signature(params, url):
    assert RequestValidator("token").validate(url, params, signature("token", url, params.items()))


@pytest.mark.parametrize(
    ("url", "channel", "expected"),
    [
        ("http://line.example.org:8000/sms", "text", "http://line.example.org:8000/sms"),
        ("http://line.example.org:8000/voice", "voice", "http://line.example.org:8000/voice"),
        ("https://line.example.org:8443/sms", "text", "https://line.example.org:8443/sms"),
        ("https://line.example.org:8443/voice", "voice", "https://line.example.org/voice"),
        ("https://user:secret@line.example.org/sms", "text", "https://line.example.org/sms"),
        ("https://line.example.org/sms?a=1#rc=2", "text", "https://line.example.org/sms?a=1"),
    ],
)
def test_the_signed_address_drops_what_twilio_drops(url, channel, expected):
    assert signed_url(url, channel) == expected


def test_the_fragment_sets_timeouts_and_retries_and_is_not_sent():
    url, overrides = split_overrides(
        "https://line.example.org/status?ref=1#ct=2000&rt=3000&tt=4000&rc=3&rp=5xx,rt"
    )
    assert url == "https://line.example.org/status?ref=1"
    assert (overrides.connect, overrides.read, overrides.total, overrides.retries) == (2.0, 3.0, 4.0, 3)
    assert overrides.retries_after("5xx")
    assert not overrides.retries_after("4xx")


def test_without_a_fragment_only_a_failed_connection_is_retried_once():
    _, overrides = split_overrides("https://line.example.org/sms")
    assert overrides.retries == 1
    assert overrides.retries_after("ct")
    assert not overrides.retries_after("5xx")


@pytest.mark.parametrize("fragment", ["rc=9", "ct=1", "rt=99999", "tt=x", "rp=never"])
def test_an_override_out_of_range_is_named_and_not_used(fragment):
    _, overrides = split_overrides(f"https://line.example.org/sms#{fragment}")
    assert overrides.wrong == (fragment,)
    assert (overrides.connect, overrides.read, overrides.total, overrides.retries) == (5.0, 15.0, 15.0, 1)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/status",
        "ftp://a.example.org/",
        "http://",
        "http://under_score.example.org/",
        "http://a.example.org/a b",
        "http://a.example.org:99999/",
        "http://a.example.org/" + "x" * 4000,
    ],
)
def test_an_address_the_carrier_cannot_call_is_known(url):
    assert not usable_address(url)
