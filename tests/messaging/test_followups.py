"""The next turn of a message that surely failed: once, in time, and only while it is still wanted."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from nurseline.aftercare import calling_off, changes
from nurseline.aftercare.again import CALLED_OFF
from nurseline.aftercare.service import REPLACED
from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.messaging.call_reports import CallReport, apply_call_report
from nurseline.messaging.decisions import NotPossibleError, decide
from nurseline.messaging.followups import LATER, after_failure, follow
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.outcomes import NotSent, RefusalClass, Refused
from nurseline.parts import Parts
from nurseline.staff.queries.messages import messages_to_check, why_not_again
from tests.messaging.support import force, report
from tests.support.line import (
    FakeGateway,
    at_once,
    fetch,
    history,
    make_contact,
    make_injection,
    messages_of,
    minutes,
    plan_one,
    say_start,
    say_stop,
)

DAY = timedelta(days=1)


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def failed_reminder(parts: Parts, contact: Contact, clock: SetClock) -> uuid.UUID:
    """The first message of an injection, which the carrier could not send: it does not count as gone."""
    make_injection(parts, contact)
    clock.advance(DAY)
    first = messages_of(parts, contact)[0]
    force(parts, first.id, status="failed", sending_at=clock.now())
    return first.id


def undelivered(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock, step: str
) -> OutboundMessage:
    """A message of a new injection that went when it was due, and was then reported as undelivered."""
    make_injection(parts, contact)
    for one in messages_of(parts, contact):
        clock.instant = one.send_after
        sender.send_due()
        if one.step == step:
            break
    sid = str(fetch(parts, one.id).provider_sid)
    assert report(parts, sid, "undelivered", reference=one.id, error_code=30003)
    return fetch(parts, one.id)


def fail(parts: Parts, message_id: uuid.UUID, meaning: RefusalClass) -> uuid.UUID | None:
    """What follows from a failure of this kind, just now."""
    with parts.db.begin() as session:
        row = session.get_one(OutboundMessage, message_id)
        consent.holds(session, row.number_hash)
        return after_failure(session, row, meaning, at=parts.clock.now())


def channel_of(parts: Parts, contact: Contact) -> str:
    with parts.db.begin() as session:
        return session.scalars(sa.select(Contact.channel).where(Contact.id == contact.id)).one()


def test_a_failure_that_may_pass_is_followed_by_one_text_an_hour_later(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    first = failed_reminder(parts, contact, clock)
    again = fail(parts, first, "later")
    assert again is not None
    row, before = fetch(parts, again), fetch(parts, first)
    assert (row.injection_id, row.step, row.turn) == (before.injection_id, "day1", 1)
    assert (row.channel, row.purpose, row.priority, row.content_id) == (
        "text",
        "reminder",
        5,
        "reminder.day1",
    )
    assert (row.send_after, row.send_before) == (clock.now() + LATER, before.send_before)
    assert history(parts, again) == ["scheduled"]
    assert fail(parts, again, "later") is None, "a third text would be one too many"


def test_an_alert_is_followed_two_minutes_later(parts: Parts, contact: Contact, clock: SetClock) -> None:
    alert = plan_one(parts, contact, "alert")
    again = fail(parts, alert, "later")
    assert again is not None
    assert fetch(parts, again).send_after == clock.now() + minutes(2)


def test_a_number_that_cannot_be_texted_is_called_and_so_is_everything_after(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(DAY)
    gateway.script = [Refused(21614, "no_texts")]
    sender.send_due()
    first = messages_of(parts, contact)[0]
    assert (first.status, first.error_code) == ("failed", 21614)
    assert channel_of(parts, contact) == "call"
    (call,) = gateway.calls
    assert call.reference != first.id
    row = fetch(parts, call.reference)
    assert (row.step, row.turn, row.channel, row.status) == ("day1", 1, "call", "sent")
    assert len(gateway.sends) == 1
    clock.advance(2 * DAY)
    sender.send_due()
    assert len(gateway.calls) == 2
    assert len(gateway.sends) == 1


def test_an_answer_to_a_number_that_cannot_be_texted_is_not_read_out_by_a_call(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    plan_one(parts, contact, "staff")
    gateway.script = [Refused(21614, "no_texts")]
    sender.send_due()
    assert gateway.calls == []
    assert len(messages_of(parts, contact)) == 1
    assert channel_of(parts, contact) == "call"


@pytest.mark.parametrize("meaning", ["recipient", "configuration", "content", "ambiguous", "unlisted", "now"])
def test_nothing_follows_from_other_failures(
    parts: Parts, contact: Contact, clock: SetClock, meaning: RefusalClass
) -> None:
    assert fail(parts, failed_reminder(parts, contact, clock), meaning) is None
    assert channel_of(parts, contact) == "text"


def test_nothing_follows_after_a_stop_even_if_a_start_comes_after_it(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    first = failed_reminder(parts, contact, clock)
    say_stop(parts, contact)
    assert fail(parts, first, "later") is None
    say_start(parts, contact)
    assert [row.status for row in messages_of(parts, contact)] == ["failed", "cancelled", "cancelled"]


def test_nothing_follows_when_a_later_injection_has_taken_over(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    first = failed_reminder(parts, contact, clock)
    make_injection(parts, contact)
    assert fail(parts, first, "later") is None
    assert fail(parts, first, "no_texts") is None


def called_off(parts: Parts, contact: Contact, injection: uuid.UUID) -> None:
    with parts.db.begin() as session:
        assert calling_off.call_off(session, injection, actor="staff-1", now=parts.clock.now()) == 2


def died(parts: Parts, contact: Contact, injection: uuid.UUID) -> None:
    with parts.db.begin() as session:
        now = parts.clock.now()
        assert calling_off.call_off(session, injection, actor="x", now=now, gives_back=False) == 2


def stopped(parts: Parts, contact: Contact, injection: uuid.UUID) -> None:
    with parts.db.begin() as session:
        assert changes.stop_all(session, contact, staff="staff-1", now=parts.clock.now()) == 2


def replaced(parts: Parts, contact: Contact, injection: uuid.UUID) -> None:
    assert make_injection(parts, contact).replaced == 2


def stop_and_start(parts: Parts, contact: Contact, injection: uuid.UUID) -> None:
    say_stop(parts, contact)
    say_start(parts, contact)


ENDINGS = [called_off, stopped, replaced, stop_and_start]
Ending = Callable[[Parts, Contact, uuid.UUID], None]


@pytest.mark.parametrize("end", ENDINGS)
def test_what_was_on_its_way_when_the_rest_was_cancelled_is_not_tried_again_if_it_never_arrived(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock, end: Ending
) -> None:
    injection = make_injection(parts, contact).injection_id
    clock.advance(DAY)

    def meanwhile(_: object) -> NotSent:
        end(parts, contact, injection)
        return NotSent("no connection", 0.0)

    gateway.script = [meanwhile]
    sender.send_due()
    (asked,) = gateway.sends
    row = fetch(parts, asked.reference)
    assert row.status == "cancelled"
    assert row.reason in {CALLED_OFF, changes.STOPPED, REPLACED, "opted out"}
    assert history(parts, row.id) == ["scheduled", "claimed", "sending", "sending", "scheduled", "cancelled"]
    clock.advance(timedelta(hours=1))
    sender.send_due()
    assert len(gateway.sends) == 1


@pytest.mark.parametrize("end", ENDINGS)
def test_nothing_follows_a_failure_that_is_learnt_when_the_rest_was_cancelled(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock, end: Ending
) -> None:
    injection = make_injection(parts, contact).injection_id
    clock.advance(DAY)
    sender.send_due()
    first = messages_of(parts, contact)[0]
    end(parts, contact, injection)
    assert report(parts, str(first.provider_sid), "failed", error_code=30003)
    assert fetch(parts, first.id).status == "failed"
    assert not [row for row in messages_of(parts, contact) if row.turn]


@pytest.mark.parametrize("end", [called_off, died, stopped])
def test_what_failed_before_the_rest_was_ended_cannot_be_sent_again(
    parts: Parts, contact: Contact, clock: SetClock, end: Ending
) -> None:
    injection = make_injection(parts, contact)
    clock.advance(timedelta(hours=24))
    first = messages_of(parts, contact)[0]
    force(parts, first.id, status="failed", sending_at=clock.now(), attempts=1)
    end(parts, contact, injection.injection_id)
    with parts.db.begin() as session, pytest.raises(NotPossibleError):
        decide(session, session.get_one(OutboundMessage, first.id), "again", actor="x", now=clock.now())


def test_what_failed_before_the_injection_was_called_off_can_be_sent_again_when_it_is_enrolled_again(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    performed = clock.now()
    injection = make_injection(parts, contact, performed_at=performed)
    clock.advance(timedelta(hours=24))
    first = messages_of(parts, contact)[0]
    force(parts, first.id, status="failed", sending_at=clock.now(), attempts=1)
    called_off(parts, contact, injection.injection_id)
    make_injection(parts, contact, performed_at=performed)
    with parts.db.begin() as session:
        row = session.get_one(OutboundMessage, first.id)
        assert decide(session, row, "again", actor="x", now=clock.now()) is not None


def test_nobody_is_called_a_second_time_for_an_injection_that_was_called_off(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    made = make_injection(parts, contact, channel="call")
    clock.advance(timedelta(days=1))
    sender.send_due()
    clock.advance(timedelta(days=6))
    sender.send_due()
    week = next(row for row in messages_of(parts, contact) if row.step == "week1")
    assert [call.reference for call in gateway.calls][-1] == week.id
    with parts.db.begin() as session:
        calling_off.call_off(session, made.injection_id, actor="staff-1", now=clock.now())
    ended = CallReport(str(week.provider_sid), "no-answer", clock.now(), week.id)
    with parts.db.begin() as session:
        assert apply_call_report(session, ended, ZoneInfo("America/New_York"))
    assert not [row for row in messages_of(parts, contact) if row.turn]


def test_an_injection_that_was_called_off_and_enrolled_again_has_its_failures_followed(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock
) -> None:
    made, performed = make_injection(parts, contact), clock.now()
    clock.advance(DAY)
    sender.send_due()
    first = messages_of(parts, contact)[0]
    called_off(parts, contact, made.injection_id)
    again = make_injection(parts, contact, performed_at=performed)
    assert again.injection_id == made.injection_id
    assert report(parts, str(first.provider_sid), "failed", error_code=30003)
    assert [row.turn for row in messages_of(parts, contact) if row.step == "day1"] == [0, 1]


def test_nothing_follows_that_would_come_too_late(parts: Parts, contact: Contact, clock: SetClock) -> None:
    first = failed_reminder(parts, contact, clock)
    until = fetch(parts, first).send_before
    assert until is not None
    clock.instant = until - LATER
    assert fail(parts, first, "later") is None
    assert fail(parts, first, "no_texts") is not None, "a call can go at once"


@pytest.mark.parametrize("step", ["day1", "day3"])
def test_what_the_caps_would_hold_back_until_it_is_too_late_is_left_to_staff(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock, step: str
) -> None:
    one = undelivered(parts, sender, contact, clock, step)
    assert one.status == "undelivered"
    assert not [row for row in messages_of(parts, contact) if row.turn]
    with parts.db.begin() as session:
        assert [check.message.id for check in messages_to_check(session, now=clock.now()).rows] == [one.id]
        assert why_not_again(session, session.get_one(OutboundMessage, one.id), clock.now()) == "too_soon"


def test_where_there_is_time_after_the_caps_an_undelivered_one_goes_once_more_a_day_later(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    week = undelivered(parts, sender, contact, clock, "week1")
    for hours, sends in ((1, 3), (22, 3), (1, 4)):
        clock.advance(timedelta(hours=hours))
        sender.send_due()
        assert len(gateway.sends) == sends
    (again,) = [row for row in messages_of(parts, contact) if row.turn]
    assert (again.step, again.status) == (week.step, "sent")


def test_a_next_turn_goes_by_the_clock_that_the_patient_has_by_now(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    clock.instant = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)  # 9:30 in New York, 4:30 in Honolulu
    first = failed_reminder(parts, contact, clock)
    moved = changes.Choices("Pacific/Honolulu", "es", "text")
    with parts.db.begin() as session:
        changes.follow(session, session.get_one(Contact, contact.id), moved, staff="staff-1", now=clock.now())
    again = fail(parts, first, "no_texts")
    assert again is not None
    assert (fetch(parts, again).timezone, fetch(parts, again).language) == ("Pacific/Honolulu", "es")
    clock.advance(LATER)
    sender.send_due()
    assert gateway.calls == []
    assert fetch(parts, again).send_after == datetime(2026, 3, 4, 19, 0, tzinfo=UTC)


def test_who_wishes_texts_by_now_is_not_called_a_second_time(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact, channel="call")
    for step in messages_of(parts, contact):
        clock.instant = step.send_after
        sender.send_due()
    week = fetch(parts, step.id)
    texts = changes.Choices("America/New_York", "en", "text")
    with parts.db.begin() as session:
        changes.follow(session, session.get_one(Contact, contact.id), texts, staff="staff-1", now=clock.now())
    with parts.db.begin() as session:
        missed = CallReport(str(week.provider_sid), "no-answer", clock.now(), week.id)
        assert apply_call_report(session, missed, ZoneInfo("America/New_York"))
    (again,) = [row for row in messages_of(parts, contact) if row.turn]
    assert again.channel == "text"


def test_a_reply_is_not_sent_again_out_of_nowhere(parts: Parts, contact: Contact) -> None:
    reply = plan_one(parts, contact, "reply")
    force(parts, reply, status="undelivered")
    assert fail(parts, reply, "later") is None


def test_what_staff_wrote_is_sent_once_more_in_the_same_words(parts: Parts, contact: Contact) -> None:
    message = plan_one(parts, contact, "staff", body="What staff wrote.")
    force(parts, message, status="undelivered")
    again = fail(parts, message, "later")
    assert again is not None
    assert fetch(parts, again).body == "What staff wrote."
    assert fail(parts, message, "later") is None
    assert fail(parts, again, "later") is None


@pytest.mark.parametrize("purpose", ["reminder", "staff"])
def test_two_who_learn_of_a_failure_at_once_plan_one_turn(
    parts: Parts, contact: Contact, clock: SetClock, purpose: str
) -> None:
    if purpose == "reminder":
        message = failed_reminder(parts, contact, clock)
    else:
        message = plan_one(parts, contact, "staff")
        force(parts, message, status="undelivered")
    made = at_once(*[partial(fail, parts, message, "later")] * 5)
    assert sum(isinstance(one, uuid.UUID) for one in made) == 1
    assert made.count(None) == 4


def test_one_answer_that_was_sent_again_does_not_keep_those_to_others_from_it(
    parts: Parts, contact: Contact
) -> None:
    others = [make_contact(parts, number, agreed=True) for number in ("+12025550188", "+12025550189")]
    turns = []
    for someone in (contact, *others):
        message = plan_one(parts, someone, "staff")
        force(parts, message, status="undelivered", sending_at=parts.clock.now())
        turns.append(fail(parts, message, "later"))
        assert fail(parts, message, "later") is None, "once only"
    assert None not in turns
    assert len(set(turns)) == 3


def test_a_call_can_follow_a_text_that_followed_a_text(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    second = fail(parts, failed_reminder(parts, contact, clock), "later")
    assert second is not None
    force(parts, second, status="failed")
    third = fail(parts, second, "no_texts")
    assert third is not None
    assert (fetch(parts, third).turn, fetch(parts, third).channel) == (2, "call")


def test_a_further_call_is_planned_when_it_is_asked_for_and_only_once(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    first = failed_reminder(parts, contact, clock)
    at = clock.now() + timedelta(hours=3)

    def second_call() -> uuid.UUID | None:
        with parts.db.begin() as session:
            row = session.get_one(OutboundMessage, first)
            return follow(session, row, channel="call", at=at, cause="nobody answered", now=clock.now())

    made = second_call()
    assert made is not None
    assert (fetch(parts, made).send_after, fetch(parts, made).created_at) == (at, clock.now())
    assert second_call() is None


@pytest.mark.parametrize("code", [30006, 21614])
def test_a_text_that_could_reach_nobody_does_not_count_towards_the_caps(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock, code: int
) -> None:
    before = plan_one(parts, contact)
    force(parts, before, status="undelivered", error_code=code, sending_at=clock.now())
    plan_one(parts, contact)
    sender.send_due()
    assert len(gateway.sends) == 1


def test_a_text_that_was_not_delivered_for_another_reason_counts(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    before = plan_one(parts, contact)
    force(parts, before, status="undelivered", error_code=30003, sending_at=clock.now())
    plan_one(parts, contact)
    sender.send_due()
    assert gateway.sends == []


def test_where_staff_know_no_zone_any_more_a_next_turn_has_none(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact, timezone="Pacific/Honolulu")
    clock.instant = datetime(2026, 3, 5, 0, 30, tzinfo=UTC)
    sender.send_due()
    first = messages_of(parts, contact)[0]
    assert first.status == "sent"
    with parts.db.begin() as session:
        not_known = changes.Choices(None, "en", "text")
        there = session.get_one(Contact, contact.id)
        changes.follow(session, there, not_known, staff="staff-1", now=clock.now())
    report(parts, first.provider_sid or "", "failed", reference=first.id, error_code=30003)
    (second,) = [one for one in messages_of(parts, contact) if one.turn == 1]
    assert second.timezone is None
