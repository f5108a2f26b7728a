"""Ringing a staff member's telephone, over real sockets: somebody waits for the answer on a page."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nurseline.carrier.gateway import NO_CALLING_NUMBER, PROMPT, TwilioGateway
from nurseline.outcomes import Accepted, Ambiguous, Refused
from tests.carrier.wire import answer, hang_up, wire

OWN_PHONE, REFERENCE, SID = "+12025550199", uuid.UUID(int=7), "CA" + "1" * 32
OVERRIDES = "#ct=3000&rc=3&rp=ct,rt,5xx"
Make = Callable[..., TwilioGateway]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a gateway; its connections are closed at the end."""
    made = []

    def build(url: str, **changed: Any) -> TwilioGateway:
        usual = {
            "account_sid": "AC" + "0" * 32,
            "auth_token": "only-for-tests",
            "public_base_url": "https://line.example.org",
            "from_number": "+12025550100",
        }
        made.append(TwilioGateway(api_base_url=url, **{**usual, **changed}))
        return made[-1]

    yield build
    for one in made:
        one._client.http_client.session.close()


def test_the_clinics_number_rings_the_phone_and_every_address_carries_the_reference(make: Make) -> None:
    with wire(answer(201, {"sid": SID, "status": "queued"})) as carrier:
        outcome = make(carrier.url, limits=PROMPT).ring_staff(to=OWN_PHONE, reference=REFERENCE)
    assert outcome == Accepted(SID)
    (request,) = carrier.requests
    assert request.path.endswith("/Calls.json")
    assert request.form == {
        "To": [OWN_PHONE],
        "From": ["+12025550100"],
        "Url": [f"https://line.example.org/voice/callback?ref={REFERENCE}{OVERRIDES}"],
        "Method": ["POST"],
        "StatusCallback": [f"https://line.example.org/voice/callback/status?ref={REFERENCE}{OVERRIDES}"],
        "StatusCallbackEvent": ["initiated", "completed"],
        "Timeout": ["30"],
    }


def test_without_a_number_to_call_from_nobody_is_asked(make: Make) -> None:
    with wire(hang_up) as carrier:
        outcome = make(carrier.url, from_number="").ring_staff(to=OWN_PHONE, reference=REFERENCE)
        assert carrier.requests == []
    assert outcome == Refused(NO_CALLING_NUMBER, "configuration")


def test_a_silent_carrier_is_waited_for_as_long_as_the_limits_say_and_asked_once(make: Make) -> None:
    assert sum(PROMPT) <= 10, "who pressed a button on a page does not wait longer"
    with wire(hang_up) as carrier:
        carrier.behaviours = [carrier.silence]
        impatient = make(carrier.url, limits=(2.0, 0.3))
        assert impatient.ring_staff(to=OWN_PHONE, reference=REFERENCE) == Ambiguous("no answer")
        assert len(carrier.requests) == 1


def test_a_connection_lost_after_the_request_is_not_asked_again(make: Make) -> None:
    with wire(hang_up) as carrier:
        outcome = make(carrier.url, limits=PROMPT).ring_staff(to=OWN_PHONE, reference=REFERENCE)
        assert len(carrier.requests) == 1
    assert outcome == Ambiguous("connection lost")
