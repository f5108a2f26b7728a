"""Reminders by call, with a real worker and the carrier's own SDK, heard at the phone."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.aftercare.service import Channel, Enrolment, enrol
from nurseline.callbacks.service import queue
from nurseline.consent import service as consent
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact, OutboundMessage
from tests.e2e.conftest import Line
from tests.support.waiting import wait_for

PATIENT = "+12025550123"
PLEASE_CALL = "Please call 2 0 2, 5 5 5, 0 1 0 0. Thank you."
SPANISH = [{"OFFER_UNSIGNED_LANGUAGES": "1"}]
LIMIT = 120  # seconds; a busy machine starts a worker slowly
pytestmark = pytest.mark.timeout(600)


def handset(line: Line, number: str = PATIENT, **model: Any) -> None:
    """How the patient's telephone behaves; by hand, so that no time passes by itself."""
    line.phone.ask("PUT", f"/handsets/{number}", pace="hand", **model)


def enrolled(line: Line, **entry: Any) -> None:
    """Enrol an injection whose message is due now, and let a worker see to it."""
    enrol_one(line, PATIENT, **entry)
    work(line)


def enrol_one(
    line: Line, number: str, *, ago: timedelta, channel: Channel | None = "call", language: str = "en"
) -> None:
    now = line.parts.clock.now()
    entry = Enrolment(now - ago, "America/New_York", language, True, "wording", "2", "test", channel)
    with line.parts.db.begin() as session:
        enrol(session, contact_for(session, line.parts.keyring, number, at=now), entry, now=now)


def work(line: Line) -> None:
    line.start_worker()
    line.start_beat()


def messages(line: Line, step: str) -> list[OutboundMessage]:
    """Every turn of a step, the first one first."""
    query = sa.select(OutboundMessage).where(OutboundMessage.step == step)
    with line.parts.db.begin() as session:
        return list(session.scalars(query.order_by(OutboundMessage.turn)))


def calls(line: Line, number: str = PATIENT) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line.phone.ask("GET", f"/calls?handset={number}")["calls"]
    return found


def ringing(line: Line) -> str:
    """Wait for the telephone to ring; the call."""

    def rings() -> str | None:
        return next((call["sid"] for call in calls(line) if call["phase"] == "ringing"), None)

    return str(wait_for(rings, LIMIT, "the patient's telephone to ring"))


def said(answer: dict[str, Any]) -> str:
    return " ".join(answer["said"])


def transcript(line: Line, call: str) -> str:
    """The call as text, as the phone tells it."""
    with urllib.request.urlopen(f"{line.phone.url}/phone/api/calls/{call}/text", timeout=10) as answer:
        return str(answer.read().decode())


def becomes(line: Line, step: str, check: Callable[[OutboundMessage], bool], what: str) -> OutboundMessage:
    def found() -> OutboundMessage | None:
        return next((row for row in messages(line, step) if check(row)), None)

    try:
        return wait_for(found, LIMIT, what)
    except AssertionError as error:
        stands = [(row.turn, row.channel, row.status, row.reason, row.answer) for row in messages(line, step)]
        raise AssertionError(f"{error}; it stands so: {stands}; the phone: {line.phone.errors()}") from error


def test_a_person_answers_hears_the_question_and_says_worse_by_key(line: Line) -> None:
    handset(line)
    enrolled(line, ago=timedelta(hours=25))
    call = ringing(line)
    question = said(line.phone.ask("POST", f"/calls/{call}/answer"))
    assert question.startswith("This is ")
    assert "In an emergency, hang up and call nine one one. How are you after your visit?" in question
    sorry = said(line.phone.ask("POST", f"/calls/{call}/press", digits="3"))
    assert "We are sorry to hear that. A nurse will call you" in sorry
    line.phone.ask("POST", f"/calls/{call}/hangup")
    row = becomes(line, "day1", lambda row: row.status == "delivered", "the reminder to count as delivered")
    assert (row.channel, row.answer, row.provider_sid) == ("call", "worse", call)
    assert row.body == question
    with line.parts.db.begin() as session:
        assert [item.reason for item in queue(session)] == ["clinical"]
    assert len(calls(line)) == 1
    assert line.phone.errors() == []
    assert "caller presses: 3" in transcript(line, call)


def test_a_machine_is_asked_to_call_and_tried_again_on_another_day(line: Line) -> None:
    handset(line, call={"answer": "machine", "after": 0.1})
    enrolled(line, ago=timedelta(days=7, hours=1))
    row = becomes(line, "week1", lambda row: row.status == "undelivered", "the call to end")
    assert row.reason == "no person answered"
    (call,) = calls(line)
    heard = [entry["text"] for entry in call["lines"] if entry["kind"] == "say"]
    assert len(heard) == 1
    assert heard[0].endswith(PLEASE_CALL)
    assert "visit" not in heard[0]
    assert call["answered_by"] == "machine_end_beep"
    again = becomes(line, "week1", lambda row: row.turn == 1, "the second try to be planned")
    assert (again.status, again.channel) == ("scheduled", "call")
    assert row.sending_at is not None
    assert again.send_after >= row.sending_at + timedelta(hours=24)
    assert line.phone.errors() == []


def test_a_call_that_nobody_takes_is_told_to_staff(line: Line) -> None:
    outcomes = {
        "+12025550131": ("busy", "undelivered", "busy"),
        "+12025550132": ("no-answer", "undelivered", "no answer"),
        "+12025550133": ("failed", "failed", "the call could not be put through"),
    }
    for number, (answer, _, _) in outcomes.items():
        handset(line, number, call={"answer": answer, "after": 0.1})
        enrol_one(line, number, ago=timedelta(hours=25))
    work(line)

    def told() -> bool:
        rows = messages(line, "day1")
        found = {(row.status, row.reason) for row in rows if row.turn == 0}
        return found == {(status, reason) for _, status, reason in outcomes.values()}

    wait_for(told, LIMIT, "the three calls to end")
    for number in outcomes:
        (call,) = calls(line, number)
        assert [entry for entry in call["lines"] if entry["kind"] == "say"] == [], "not a word was said"
    assert line.phone.errors() == []


def test_a_landline_refuses_the_text_and_is_called_at_once(line: Line) -> None:
    handset(line, delivery={"outcome": "fail", "code": 30006})
    enrolled(line, ago=timedelta(hours=25), channel=None)
    call = ringing(line)
    assert "How are you" in said(line.phone.ask("POST", f"/calls/{call}/answer"))
    line.phone.ask("POST", f"/calls/{call}/press", digits="1")
    becomes(line, "day1", lambda row: row.status == "delivered", "the call to count as delivered")
    text, voice = messages(line, "day1")
    assert (text.status, text.channel, voice.channel, voice.turn) == ("undelivered", "text", "call", 1)
    with line.parts.db.begin() as session:
        assert session.scalars(sa.select(Contact.channel)).all() == ["call"], "it is known from now on"
    assert line.phone.errors() == []


def test_who_is_not_known_to_be_a_person_presses_a_key_raises_an_alarm_and_ends_calls(line: Line) -> None:
    handset(line)
    enrolled(line, ago=timedelta(hours=25))
    call = ringing(line)
    first = said(line.phone.ask("POST", f"/calls/{call}/answer", by="unknown"))
    assert first.endswith("To go on, press 1.")
    assert "visit" not in first
    line.phone.ask("POST", f"/calls/{call}/silence")
    assert "How are you after your visit" in said(line.phone.ask("POST", f"/calls/{call}/press", digits="1"))
    alarm = line.phone.ask("POST", f"/calls/{call}/speak", text="I can't breathe")
    assert said(alarm).startswith("This may be an emergency. Hang up and call nine one one now.")
    ended = line.phone.ask("POST", f"/calls/{call}/press", digits="9")
    assert said(ended).startswith("You will get no more automatic texts or calls from us.")
    with line.parts.db.begin() as session:
        contact = session.scalars(sa.select(Contact).where(Contact.channel == "call")).one()
        ledger = consent.state_of(session, contact.number_hash)
        assert ledger is not None
        assert ledger.status == "opted_out"
        assert [item.reason for item in queue(session)] == ["emergency"]
    assert {row.status for step in ("day3", "week1") for row in messages(line, step)} == {"cancelled"}
    assert line.phone.errors() == []


@pytest.mark.parametrize("line", SPANISH, indirect=True)
def test_where_spanish_is_offered_the_call_is_spanish(line: Line) -> None:
    handset(line)
    enrolled(line, ago=timedelta(hours=25), language="es")
    call = ringing(line)
    first = said(line.phone.ask("POST", f"/calls/{call}/answer"))
    assert first.startswith("Le llama ")
    assert "cuelgue y llame al nueve uno uno" in first
    assert "Una enfermera le llama" in said(line.phone.ask("POST", f"/calls/{call}/press", digits="2"))
    voices = {entry["voice"] for entry in line.phone.ask("GET", f"/calls/{call}")["lines"] if entry["voice"]}
    assert voices == {"Polly.Lupe"}
    assert line.phone.errors() == []


def test_a_create_that_was_accepted_and_lost_is_settled_by_the_call_itself(line: Line) -> None:
    handset(line)
    line.phone.ask("PUT", "/faults", seed=1, drop_after=1.0)
    enrolled(line, ago=timedelta(hours=25))
    call = ringing(line)
    row = becomes(line, "day1", lambda row: row.status == "sent", "the report of the call's begin")
    assert row.provider_sid == call
    line.phone.ask("POST", f"/calls/{call}/answer")
    line.phone.ask("POST", f"/calls/{call}/press", digits="1")
    becomes(line, "day1", lambda row: row.answer == "well", "the answer to be noted")
    assert len(calls(line)) == 1, "nobody is called twice for one message"
