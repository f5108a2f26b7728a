"""Reminders by call: which go as calls, what follows from their end, and asking the carrier about them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from nurseline.clock import SetClock
from nurseline.messaging.call_checks import check_calls
from nurseline.messaging.call_reports import AGAIN, NO_TIME, CallReport, apply_call_report
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.reconcile import NOT_THERE
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Ambiguous, Refused, Standing
from nurseline.parts import Parts
from tests.messaging.support import causes, checked_next, damage
from tests.support.line import (
    NUMBER,
    OTHER_NUMBER,
    FakeGateway,
    fetch,
    history,
    make_contact,
    make_injection,
    messages_of,
    minutes,
    say_stop,
    sid,
)

EASTERN = ZoneInfo("America/New_York")
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts)


def called(parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, ago: timedelta) -> uuid.UUID:
    """Enrol an injection of so long ago for calls, and make the call that is due; the message's id."""
    performed = {"performed_at": parts.clock.now() - ago, "channel": "call"}
    make_injection(parts, contact, **performed)
    before = len(gateway.calls)
    sender.send_due()
    (made,) = gateway.calls[before:]
    assert gateway.sends == []
    return made.reference


def report(parts: Parts, message: uuid.UUID, status: str, seconds: int | None = None) -> bool:
    call_sid = fetch(parts, message).provider_sid or "CA" + "f" * 32
    with parts.db.begin() as session:
        said = CallReport(call_sid, status, parts.clock.now(), message, seconds)
        return apply_call_report(session, said, EASTERN)


def turns(parts: Parts, contact: Contact, step: str) -> list[OutboundMessage]:
    return sorted((row for row in messages_of(parts, contact) if row.step == step), key=lambda row: row.turn)


# Which go as calls


def test_the_patients_choice_of_calls_holds_for_each_reminder(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = called(parts, sender, gateway, contact, DAY)
    row = fetch(parts, message)
    assert (row.channel, row.status, row.body) == ("call", "sent", None), "worded when somebody answers"
    clock.advance(2 * DAY)
    assert sender.send_due() == 1
    assert [call.to for call in gateway.calls] == [NUMBER, NUMBER]


def test_a_choice_is_kept_until_another_is_made(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    called(parts, sender, gateway, contact, DAY)
    clock.advance(timedelta(days=8))
    make_injection(parts, contact, performed_at=clock.now() - DAY)
    sender.send_due()
    assert len(gateway.calls) == 2
    clock.advance(timedelta(days=8))
    make_injection(parts, contact, performed_at=clock.now() - DAY, channel="text")
    sender.send_due()
    assert (len(gateway.calls), len(gateway.sends)) == (2, 1)


def test_a_number_that_cannot_be_texted_is_called_from_then_on(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    gateway.script = [Refused(21614, "no_texts")]
    make_injection(parts, contact, performed_at=clock.now() - DAY)
    sender.send_due()
    sender.send_due()
    first, second = turns(parts, contact, "day1")
    assert (first.status, first.channel) == ("failed", "text")
    assert (second.status, second.channel) == ("sent", "call")
    assert [call.reference for call in gateway.calls] == [second.id]


@pytest.mark.parametrize(("hour", "calls"), [(8, 0), (9, 1), (19, 1), (20, 0), (21, 0)])
def test_calls_keep_the_hours_of_texts(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    hour: int,
    calls: int,
) -> None:
    clock.advance(clock.now().astimezone(EASTERN).replace(hour=hour, minute=1) - clock.now())
    make_injection(parts, contact, performed_at=clock.now() - DAY, channel="call")
    sender.send_due()
    assert len(gateway.calls) == calls


def test_a_stop_ends_calls_too(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    make_injection(parts, contact, performed_at=clock.now() - timedelta(hours=20), channel="call")
    say_stop(parts, contact)
    clock.advance(timedelta(hours=5))
    sender.send_due()
    assert gateway.calls == []


# The second try


def test_who_was_not_reached_is_called_once_more_and_never_a_third_time(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    first = called(parts, sender, gateway, contact, WEEK)
    assert report(parts, first, "no-answer")
    assert not report(parts, first, "no-answer"), "a repeat changes nothing"
    _, again = turns(parts, contact, "week1")
    assert (again.status, again.channel, again.turn) == ("scheduled", "call", 1)
    assert again.send_after.astimezone(EASTERN).hour == 13, "another part of the next day"
    assert AGAIN in causes(parts, again.id)
    clock.advance(again.send_after - clock.now())
    assert sender.send_due() == 1
    assert gateway.calls[-1].reference == again.id
    assert report(parts, again.id, "busy")
    assert len(turns(parts, contact, "week1")) == 2
    assert history(parts, again.id)[-1] == "undelivered"


def test_two_tries_are_the_most_also_where_there_is_time_for_more(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    first = called(parts, sender, gateway, contact, WEEK)
    report(parts, first, "failed")
    _, again = turns(parts, contact, "week1")
    clock.advance(again.send_after - clock.now())
    assert sender.send_due() == 1
    assert report(parts, again.id, "failed")
    assert len(turns(parts, contact, "week1")) == 2


def test_a_call_that_rang_is_the_message_of_its_day_so_the_first_ones_have_no_second_try(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = called(parts, sender, gateway, contact, DAY)
    report(parts, message, "no-answer")
    assert len(turns(parts, contact, "day1")) == 1
    assert causes(parts, message)[-1] == NO_TIME, "staff can read why"


def test_a_call_that_never_rang_is_made_up_for_on_the_same_day(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = called(parts, sender, gateway, contact, DAY)
    report(parts, message, "failed")
    _, again = turns(parts, contact, "day1")
    assert again.send_after == clock.now() + timedelta(hours=4)
    clock.advance(again.send_after - clock.now())
    sender.send_due()
    assert fetch(parts, again.id).status == "sent", "it does not count towards the caps"


def test_after_an_opt_out_nobody_is_called_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = called(parts, sender, gateway, contact, WEEK)
    say_stop(parts, contact)
    report(parts, message, "no-answer")
    assert len(turns(parts, contact, "week1")) == 1


def test_a_call_that_rang_keeps_the_next_message_a_day_away(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = called(parts, sender, gateway, contact, timedelta(hours=35))
    report(parts, message, "no-answer")
    clock.advance(timedelta(hours=12))
    make_injection(parts, contact, performed_at=clock.now() - DAY)
    sender.send_due()
    assert len(gateway.calls) == 1, "calls and texts count together"


# Asking the carrier


def unknown(parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact) -> uuid.UUID:
    gateway.script = [Ambiguous("no answer")]
    return called(parts, sender, gateway, contact, WEEK)


def test_a_call_of_unknown_outcome_is_found_among_the_calls_to_its_number(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message, there = unknown(parts, sender, gateway, contact), sid("CA")
    asked = clock.now()
    gateway.calls_held = [Standing(there, "in-progress", asked)]
    clock.advance(minutes(2))
    assert check_calls(sender) == 1
    row = fetch(parts, message)
    assert (row.status, row.provider_sid) == ("sent", there)
    assert gateway.looked_up == [(NUMBER, "", asked)]
    assert len(gateway.calls) == 1, "it is never made again by itself"


def test_one_that_has_ended_by_then_is_settled_at_once(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown(parts, sender, gateway, contact)
    gateway.calls_held = [Standing(sid("CA"), "no-answer", clock.now(), seconds=0)]
    clock.advance(minutes(2))
    check_calls(sender)
    row = fetch(parts, message)
    assert (row.status, row.reason) == ("undelivered", "no answer")
    assert len(turns(parts, contact, "week1")) == 2


def test_one_that_the_carrier_does_not_have_stays_unknown_for_staff(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown(parts, sender, gateway, contact)
    for _ in range(8):
        clock.advance(timedelta(minutes=20))
        assert check_calls(sender) == 0
    row = fetch(parts, message)
    assert (row.status, row.reason) == ("unknown", NOT_THERE)
    assert len(gateway.calls) == 1


def test_a_sid_of_another_message_is_not_taken(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    other = make_contact(parts, "+12025550124")
    earlier = called(parts, sender, gateway, other, DAY)
    taken = fetch(parts, earlier).provider_sid
    message = unknown(parts, sender, gateway, contact)
    assert taken is not None
    gateway.calls_held = [Standing(taken, "completed", clock.now(), seconds=9)]
    clock.advance(minutes(2))
    check_calls(sender)
    assert fetch(parts, message).status == "unknown"


@pytest.mark.parametrize(
    ("standing", "becomes"),
    [("ringing", "sent"), ("no-answer", "undelivered"), ("completed", "undelivered"), ("failed", "failed")],
)
def test_a_call_whose_end_was_never_reported_is_asked_about(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    standing: str,
    becomes: str,
) -> None:
    message = called(parts, sender, gateway, contact, WEEK)
    known = fetch(parts, message).provider_sid
    assert known is not None
    assert check_calls(sender) == 0
    gateway.stands[known] = Standing(known, standing, clock.now(), seconds=0)
    clock.advance(timedelta(minutes=20))
    check_calls(sender)
    assert fetch(parts, message).status == becomes


def test_a_carrier_that_cannot_be_asked_changes_nothing(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown(parts, sender, gateway, contact)
    gateway.down = True
    clock.advance(minutes(2))
    assert check_calls(sender) == 0
    gateway.down = False
    gateway.calls_held = [Standing(sid("CA"), "queued", clock.now() - minutes(2))]
    clock.advance(minutes(6))
    assert check_calls(sender) == 1
    assert fetch(parts, message).status == "sent"


def test_a_call_to_a_number_that_no_key_opens_keeps_no_other_from_being_asked_about(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    damaged = called(parts, sender, gateway, contact, WEEK)
    other = called(parts, sender, gateway, make_contact(parts, OTHER_NUMBER), WEEK)
    known = fetch(parts, other).provider_sid or ""
    gateway.stands[known] = Standing(known, "no-answer", clock.now(), seconds=0)
    damage(parts, damaged, number=True)
    clock.advance(minutes(16))
    assert check_calls(sender) == 1
    assert fetch(parts, other).status == "undelivered"
    assert checked_next(parts, damaged) == clock.now() + minutes(44)
