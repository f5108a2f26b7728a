"""What became of a call that reads a reminder: who was reached, and what later reports may still change."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from nurseline.messaging.rate import NoLimit
from nurseline.outcomes import Ambiguous
from nurseline.staff.queries.messages import known, messages_to_check
from nurseline.staff.words import CALLS
from tests.support.line import FakeGateway, make_contact, make_injection, messages_of
from tests.webhooks.support import PATIENT, Carrier, OurCall, Place, items, new_sid


@pytest.mark.parametrize(
    ("status", "becomes", "reason"),
    [
        ("busy", "undelivered", "busy"),
        ("no-answer", "undelivered", "no answer"),
        ("failed", "failed", "the call could not be put through"),
        ("canceled", "failed", "the call was taken back"),
    ],
)
def test_a_call_that_nobody_took_is_told_with_its_reason(
    place: Place, status: str, becomes: str, reason: str
) -> None:
    call = place()
    for told in ("initiated", "ringing", status, status, "ringing"):
        call.report(told, 0 if told == status else None)
    assert (call.row.status, call.row.reason, call.row.check_after) == (becomes, reason, None)
    assert reason in CALLS, "staff read a sentence"


def test_a_machine_was_not_reached(place: Place) -> None:
    call = place("machine_end_beep")
    call.ask()
    call.report("completed", 12)
    assert (call.row.status, call.row.reason) == ("undelivered", "no person answered")
    assert call.row.reason in CALLS


def test_whoever_hangs_up_before_a_word_was_not_reached(place: Place) -> None:
    call = place()
    call.report("completed", 2)
    assert (call.row.status, call.row.reason) == ("undelivered", "hung up before a word")
    assert call.row.reason in CALLS


def test_whoever_hears_the_words_and_hangs_up_was_reached(place: Place) -> None:
    call = place()
    said = call.says()
    assert call.row.status == "sent"
    call.report("completed", len(said.split()))
    assert call.row.status == "delivered"


def test_whoever_hangs_up_during_the_words_is_not_called_again(place: Place) -> None:
    call = place()
    call.ask()
    call.report("completed", 3)
    assert (call.row.status, call.row.reason) == ("undelivered", "hung up during the words")
    assert call.row.reason in CALLS
    contact = make_contact(call.carrier.parts, PATIENT)
    assert {row.turn for row in messages_of(call.carrier.parts, contact)} == {0}


@pytest.mark.parametrize(("key", "answer"), [("1", "well"), ("3", "worse")])
def test_an_answer_that_the_end_of_its_call_overtook_leaves_staff_nothing_to_check(
    place: Place, key: str, answer: str
) -> None:
    call = place()
    call.ask()
    call.report("completed", 3)
    assert to_check(call) == [call.message]
    call.key(key)
    assert call.row.answer == answer
    assert to_check(call) == []
    assert "did reach" in known(call.row)
    call.report("completed", 3)
    assert to_check(call) == []
    contact = make_contact(call.carrier.parts, PATIENT)
    assert {row.turn for row in messages_of(call.carrier.parts, contact)} == {0}, "nobody is called again"


def test_silence_that_the_end_of_a_call_overtook_is_no_answer(place: Place) -> None:
    call = place()
    call.ask()
    call.report("completed", 3)
    call.silence()
    assert to_check(call) == [call.message]


def to_check(call: OurCall) -> list[uuid.UUID]:
    """What staff find under "Messages to check"."""
    with call.carrier.parts.db.begin() as session:
        found = messages_to_check(session, now=call.carrier.clock.now())
        return [check.message.id for check in found.rows]


def test_a_late_report_takes_nothing_back(place: Place) -> None:
    call = place()
    call.ask()
    call.key("1")
    call.report("completed", 1)
    call.report("no-answer", 0)
    call.report("initiated")
    assert call.row.status == "delivered"


@pytest.mark.parametrize("first", ["initiated", "request"])
def test_a_call_of_unknown_outcome_is_settled_by_what_the_carrier_asks(carrier: Carrier, first: str) -> None:
    parts, gateway = carrier.parts, FakeGateway(script=[Ambiguous("no answer")])
    contact = make_contact(parts, PATIENT)
    performed = carrier.clock.now() - timedelta(hours=24)
    make_injection(parts, contact, performed_at=performed, channel="call")
    replace(parts.sender, gateway=gateway, rate=NoLimit()).send_due()
    call = OurCall(carrier, gateway.calls[0].reference, new_sid("CA"))
    assert call.row.status == "unknown"
    call.ask() if first == "request" else call.report("initiated")
    assert (call.row.status, call.row.provider_sid) == ("sent", call.sid)


def test_a_second_call_for_the_same_message_is_answered_but_changes_nothing_about_the_first(
    place: Place,
) -> None:
    first = place()
    first.ask()
    second = OurCall(first.carrier, first.message, new_sid("CA"))
    assert "How are you" in second.says()
    second.key("3")
    second.report("busy")
    assert (first.row.provider_sid, first.row.status) == (first.sid, "sent")
    assert [item.reason for item in items(first.carrier)] == ["clinical"]
