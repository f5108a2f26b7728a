"""Outcomes on a real database: rows that stay, what follows from each, and what each needs."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.callbacks import outcomes, work
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackOutcome
from nurseline.callbacks.outcomes import OUTCOMES, UNREACHED, RecordedError
from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.parts import Parts
from tests.callbacks.calls import FakeTelephone, call
from tests.callbacks.queueing import (
    ADA,
    BEA,
    ask,
    claim,
    come_back,
    do,
    finish,
    history,
    item_of,
    mine,
    queue,
    words_of,
)
from tests.support.line import NUMBER, OTHER_NUMBER, make_contact, minutes, plan_one, record, say_stop

DAY = timedelta(days=1)


def rows(parts: Parts, item: Any) -> list[CallbackOutcome]:
    with parts.db.begin() as session:
        return list(outcomes.recorded_for(session, item))


def texts(parts: Parts, content_id: str) -> list[OutboundMessage]:
    query = sa.select(OutboundMessage).where(OutboundMessage.content_id == content_id)
    with parts.db.begin() as session:
        return list(session.scalars(query))


def fail(parts: Parts, clock: SetClock, item: Any, outcome: str = "no_answer") -> outcomes.Closing:
    """One try that reaches nobody, as soon as the item has come back."""
    again = item_of(parts, item).due_again_at
    clock.instant = max(clock.instant, again or clock.instant)
    come_back(parts)
    claim(parts, item, ADA)
    return finish(parts, item, ADA, outcome, "rang")


# What is kept


def test_an_outcome_is_kept_with_all_that_was_said_and_agreed(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    at = clock.now() + 2 * DAY
    finish(
        parts,
        item,
        ADA,
        "reached_scheduled",
        "wants mornings",
        identity="number_on_file",
        advice=("answer.recovery:1", "answer.expect:2"),
        told_when_worse=True,
        appointment_at=at,
        appointment_place=" Room 2 ",
    )
    (row,) = rows(parts, item)
    assert (row.outcome, row.staff_id, row.at, row.note) == (
        "reached_scheduled",
        ADA.id,
        clock.now(),
        "wants mornings",
    )
    assert (row.identity, row.advice, row.told_when_worse) == (
        "number_on_file",
        "answer.recovery:1 answer.expect:2",
        True,
    )
    assert (row.appointment_at, row.appointment_place, row.follow_up_on) == (at, "Room 2", None)


def test_notes_and_places_are_unreadable_in_the_table(parts: Parts) -> None:
    finish(parts, mine(parts), ADA, "reached_scheduled", "sore shoulder", appointment_place="Main Street")
    with parts.db.begin() as session:
        stored = " ".join(session.scalars(sa.text("SELECT callback_outcomes::text FROM callback_outcomes")))
    for word in ("shoulder", "Main"):
        assert word not in stored
        assert word.encode().hex() not in stored


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"outcome": "gone fishing"}, "outcome"),
        ({"note": "x" * 2001}, "note"),
        ({"identity": ""}, "identity"),
        ({"identity": "by voice"}, "identity"),
        ({"outcome": "no_answer", "identity": "by voice"}, "identity"),
        ({"advice": ("answer.recovery:1",) * 30}, "advice"),
        ({"advice": ("two words",)}, "advice"),
        ({"outcome": "reached_scheduled"}, "appointment_at"),
        ({"outcome": "reached_scheduled", "appointment_at": timedelta(hours=-1)}, "appointment_at"),
        ({"outcome": "reached_scheduled", "appointment_at": DAY}, "appointment_place"),
        (
            {"outcome": "reached_scheduled", "appointment_at": DAY, "appointment_place": "x" * 121},
            "appointment_place",
        ),
        ({"appointment_place": "Room 2"}, "outcome"),
        ({"appointment_at": DAY}, "outcome"),
        ({"follow_up_on": date(2026, 3, 3)}, "follow_up_on"),
        ({"follow_up_on": date(2027, 3, 4)}, "follow_up_on"),
        ({"outcome": "no_answer", "follow_up_on": date(2026, 3, 9)}, "follow_up_on"),
        ({"outcome": "unreached_closed", "identity": ""}, "note"),
    ],
)
def test_a_wrong_entry_names_its_field_and_changes_nothing(
    parts: Parts, clock: SetClock, changed: dict[str, Any], field: str
) -> None:
    item = mine(parts)
    entry: dict[str, Any] = {"outcome": "reached_resolved", "identity": "two_identifiers", **changed}
    if isinstance(after := entry.get("appointment_at"), timedelta):
        entry["appointment_at"] = clock.now() + after
    recorded = outcomes.Recorded(**entry)
    with pytest.raises(RecordedError) as error, parts.db.begin() as session:
        outcomes.finish(session, item, ADA, recorded, now=clock.now(), hours=parts.hours)
    assert error.value.field == field
    assert item_of(parts, item).status == "claimed"
    assert rows(parts, item) == []


# The figures of the reports


def test_first_claim_first_try_and_first_contact_are_kept_once(parts: Parts, clock: SetClock) -> None:
    start = clock.now()
    item = ask(parts).item_id
    clock.advance(minutes(1))
    claim(parts, item, ADA)
    clock.advance(minutes(1))
    finish(parts, item, ADA, "no_answer")
    stands = item_of(parts, item)
    assert (stands.first_claimed_at, stands.first_attempt_at) == (start + minutes(1), start + minutes(2))
    assert (stands.attempts, stands.first_contact_at) == (1, None)
    clock.advance(minutes(1))
    claim(parts, item, BEA)
    finish(parts, item, BEA, "reached_resolved")
    stands = item_of(parts, item)
    assert (stands.first_claimed_at, stands.first_attempt_at) == (start + minutes(1), start + minutes(2))
    assert (stands.attempts, stands.first_contact_at) == (2, start + minutes(3))


def test_a_call_through_the_line_gives_the_first_try_and_the_first_contact(
    parts: Parts, clock: SetClock
) -> None:
    start = clock.now()
    talk = call(parts, FakeTelephone())
    assert item_of(parts, talk.item).first_attempt_at is None, "only the staff member's phone rings"
    clock.advance(minutes(1))
    talk.press()
    clock.advance(minutes(1))
    talk.patient("in-progress")
    clock.advance(minutes(3))
    talk.patient("completed", 180)
    finish(parts, talk.item, ADA)
    stands = item_of(parts, talk.item)
    assert stands.first_attempt_at == start + minutes(1)
    assert stands.first_contact_at == start + minutes(2)


def test_a_machine_is_no_contact(parts: Parts) -> None:
    talk = call(parts, FakeTelephone())
    talk.press()
    talk.patient("in-progress")
    talk.machine()
    talk.patient("completed", 20)
    finish(parts, talk.item, ADA, "left_voicemail")
    assert item_of(parts, talk.item).first_contact_at is None


@pytest.mark.parametrize("outcome", ["duplicate", "spam_or_test", "patient_called_back"])
def test_what_needs_no_call_counts_as_none(parts: Parts, outcome: str) -> None:
    item = mine(parts)
    finish(parts, item, ADA, outcome)
    stands = item_of(parts, item)
    assert (stands.attempts, stands.first_attempt_at) == (0, None)
    assert (stands.first_contact_at is not None) == (outcome == "patient_called_back")


# Nobody reached


def test_after_the_third_try_one_text_goes_and_the_item_closes(parts: Parts, clock: SetClock) -> None:
    raised = ask(parts)
    item = raised.item_id
    for attempts in (1, 2):
        closing = fail(parts, clock, item)
        stands = item_of(parts, item)
        assert (closing.closed, closing.text, closing.what) == (False, False, "again")
        assert (stands.status, stands.attempts, stands.claimed_by) == ("waiting_retry", attempts, None)
        assert closing.again_at == stands.due_again_at
        assert stands.promised_at == raised.promised_at
    closing = fail(parts, clock, item, "left_voicemail")
    assert (closing.closed, closing.text, closing.what) == (True, True, "unreached")
    stands = item_of(parts, item)
    assert (stands.status, stands.outcome, stands.attempts) == ("done", "unreached_closed", 3)
    assert (stands.closed_at, stands.texted_at) == (clock.now(), clock.now())
    (text,) = texts(parts, "unreached")
    assert (text.purpose, text.language, text.send_after) == ("notice", "en", clock.now())
    assert [row.outcome for row in rows(parts, item)] == [
        "no_answer",
        "no_answer",
        "left_voicemail",
        "unreached_closed",
    ]
    assert rows(parts, item)[-1].staff_id == outcomes.LINE
    assert [cause for _, cause, _ in history(parts, item)][-2:] == ["left_voicemail", "unreached_closed"]
    with parts.db.begin() as session:
        notes = sa.select(CallbackEvent.note).where(CallbackEvent.cause == "left_voicemail")
        assert session.scalar(notes) == "rang"


def test_the_last_text_is_in_the_patients_language(parts: Parts, clock: SetClock) -> None:
    contact = make_contact(parts)
    with parts.db.begin() as session:
        session.execute(sa.update(Contact).where(Contact.id == contact.id).values(language="es"))
    item = ask(parts).item_id
    for _ in range(3):
        fail(parts, clock, item)
    (text,) = texts(parts, "unreached")
    said, _ = parts.sender.words(text.content_id, text.language)
    assert "ENFERMERA" in said


@pytest.mark.parametrize("why", ["opted out", "landline", "no number"])
def test_no_text_goes_where_none_may_and_the_item_closes_all_the_same(
    parts: Parts, clock: SetClock, why: str
) -> None:
    contact = make_contact(parts)
    if why == "opted out":
        say_stop(parts, contact)
    if why == "landline":
        with parts.db.begin() as session:
            session.execute(sa.update(Contact).values(channel="call"))
    item = ask(parts, **({"contact": None, "number_key": "call:CA1"} if why == "no number" else {})).item_id
    for _ in range(2):
        fail(parts, clock, item)
    closing = fail(parts, clock, item)
    assert (closing.closed, closing.text) == (True, False)
    assert item_of(parts, item).texted_at is None
    assert texts(parts, "unreached") == []


def test_tries_count_anew_once_an_item_was_opened_again(parts: Parts, clock: SetClock) -> None:
    item = ask(parts).item_id
    for _ in range(3):
        fail(parts, clock, item)
    clock.advance(DAY)
    do(parts, work.reopen, item, BEA, why="she has another number")
    assert fail(parts, clock, item).what == "again"
    assert item_of(parts, item).attempts == 1


def test_an_urgent_item_is_not_closed_but_goes_to_who_decides(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "urgent").item_id
    for _ in range(2):
        assert fail(parts, clock, item).what == "again"
    closing = fail(parts, clock, item)
    assert (closing.closed, closing.again_at, closing.what) == (False, None, "decide")
    stands = item_of(parts, item)
    assert (stands.status, stands.claimed_by, stands.escalation, stands.escalated_at) == (
        "new",
        None,
        2,
        None,
    )
    assert texts(parts, "unreached") == []


def test_an_emergency_never_closes_by_itself(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "emergency").item_id
    for number in range(1, 7):
        closing = fail(parts, clock, item)
        assert (closing.closed, closing.text) == (False, False)
        assert closing.again_at == clock.now() + minutes(5)
        assert item_of(parts, item).escalation == (2 if number >= 3 else 0)
    assert texts(parts, "unreached") == []


def test_giving_up_by_hand_before_three_tries_needs_a_reason(parts: Parts, clock: SetClock) -> None:
    item = ask(parts).item_id
    fail(parts, clock, item)
    claim(parts, item, ADA)
    finish(parts, item, ADA, "unreached_closed", "the number is out of service")
    assert item_of(parts, item).status == "done"


# What an outcome does to messages


@pytest.mark.parametrize("outcome", sorted(outcomes.ENDS_MESSAGES))
def test_an_outcome_that_ends_messages_writes_the_ledger_and_cancels_what_is_planned(
    parts: Parts, outcome: str
) -> None:
    contact = make_contact(parts, agreed=True)
    planned = plan_one(parts, contact)
    finish(parts, mine(parts), ADA, outcome, "said so")
    with parts.db.begin() as session:
        state = consent.state_of(session, contact.number_hash)
        assert state is not None
        assert state.status == "opted_out"
        message = session.get_one(OutboundMessage, planned)
        assert (message.status, message.reason) == ("cancelled", "opted out")


@pytest.mark.parametrize("outcome", sorted(OUTCOMES.keys() - outcomes.ENDS_MESSAGES - UNREACHED.keys()))
def test_other_outcomes_leave_the_ledger_alone(parts: Parts, outcome: str) -> None:
    contact = make_contact(parts, agreed=True)
    finish(parts, mine(parts), ADA, outcome)
    with parts.db.begin() as session:
        assert consent.holds(session, contact.number_hash)


def test_an_outcome_that_is_refused_does_not_touch_the_ledger(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    item = mine(parts)
    with pytest.raises(outcomes.QueueError, match="Nurse A has this item"):
        finish(parts, item, BEA, "opted_out")
    with parts.db.begin() as session:
        assert consent.holds(session, contact.number_hash)
    assert record(parts, contact)


# Following up


def test_a_follow_up_is_a_new_item_that_comes_up_on_its_day(parts: Parts, clock: SetClock) -> None:
    first = mine(parts)
    day = date(2026, 3, 12)
    closing = finish(parts, first, ADA, follow_up_on=day)
    assert closing.follow_up is not None
    item = item_of(parts, closing.follow_up.item_id)
    opens, closes = parts.hours.working_day(day)
    assert (item.status, item.reason, item.source) == ("snoozed", "nurse", "staff")
    assert (item.due_again_at, item.promised_at) == (opens, closes)
    assert words_of(parts, item.id) == [f"To follow up item {item_of(parts, first).reference}."]
    assert item_of(parts, first).status == "done"
    clock.instant = opens
    assert come_back(parts) == 1
    assert queue(parts) == [item.id]


def test_a_follow_up_on_a_closed_day_comes_up_on_the_next_working_day(parts: Parts) -> None:
    closing = finish(parts, mine(parts), ADA, follow_up_on=date(2026, 3, 14))  # a Saturday
    assert closing.follow_up is not None
    monday = parts.hours.working_day(date(2026, 3, 16))
    assert item_of(parts, closing.follow_up.item_id).due_again_at == monday[0]


def test_the_follow_up_of_an_emergency_is_no_emergency(parts: Parts) -> None:
    closing = finish(parts, mine(parts, "emergency"), ADA, follow_up_on=date(2026, 3, 4))
    assert closing.follow_up is not None
    assert item_of(parts, closing.follow_up.item_id).reason == "clinical"


def test_a_follow_up_joins_what_is_open_already_and_does_not_put_it_off(parts: Parts) -> None:
    other = ask(parts, "clinical")
    closing = finish(parts, mine(parts, "urgent"), ADA, follow_up_on=date(2026, 3, 12))
    assert closing.follow_up is not None
    assert (closing.follow_up.item_id, closing.follow_up.how) == (other.item_id, "kept")
    stands = item_of(parts, other.item_id)
    assert (stands.status, stands.promised_at) == ("new", other.promised_at)
    ask(parts, "nurse", OTHER_NUMBER)
    with parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(CallbackItem)) == 3
    assert NUMBER
