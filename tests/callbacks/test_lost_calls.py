"""Calls to patients that are given back, called again, or whose end is never reported."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.calling import GIVEN_UP, LONGEST_TALK
from nurseline.callbacks.lost_calls import QUIET, look_after
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.service import QueueError
from nurseline.clock import SetClock
from nurseline.outcomes import Standing
from nurseline.parts import Parts
from tests.callbacks.calls import FakeTelephone, Talk, begin, call, claimed
from tests.callbacks.queueing import ADA, BEA, claim, finish, give_back, item_of, release
from tests.support.line import OTHER_NUMBER


@pytest.fixture
def telephone() -> FakeTelephone:
    return FakeTelephone()


# Given back, closed, or called again meanwhile


@pytest.mark.parametrize("leave", [lambda talk: release(talk.parts, talk.item, ADA), None])
def test_a_call_that_is_not_wanted_any_more_reaches_no_patient(
    parts: Parts, telephone: FakeTelephone, leave: Callable[[Talk], None] | None
) -> None:
    talk = call(parts, telephone)
    (leave or (lambda one: finish(one.parts, one.item, ADA)))(talk)
    after = item_of(parts, talk.item).status
    assert not talk.pick_up()
    assert not talk.press()
    talk.staff("completed")
    assert talk.result == ("staff_declined", None)
    assert item_of(parts, talk.item).status == after


def test_while_a_call_lasts_nobody_else_calls_about_the_same_item(
    parts: Parts, telephone: FakeTelephone
) -> None:
    talk = call(parts, telephone)
    talk.press()
    talk.patient("in-progress")
    release(parts, talk.item, ADA)
    claim(parts, talk.item, BEA)
    with pytest.raises(QueueError, match="Nurse A's call about this item has not ended yet"):
        begin(parts, talk.item, BEA)
    assert item_of(parts, talk.item).status == "claimed"
    talk.patient("completed", 10)
    assert item_of(parts, talk.item).claimed_by == BEA.id
    begin(parts, talk.item, BEA)


def test_a_late_report_about_an_old_call_does_not_end_the_new_one(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    old = call(parts, telephone)
    old.press()
    clock.advance(QUIET + timedelta(seconds=1))
    look_after(parts.db, clock, telephone)
    assert old.result[0] == "unknown"
    new = call(parts, telephone, old.item)
    new.press()
    old.patient("completed", 20)
    old.staff("completed")
    assert old.result == ("connected", 20)
    assert new.stage == "patient_rings"
    assert item_of(parts, old.item).status == "calling"


def test_the_end_of_a_call_given_up_hours_ago_does_not_end_the_new_one(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    old = call(parts, telephone)
    clock.advance(GIVEN_UP + timedelta(minutes=1))  # no worker was there to end it
    give_back(parts)
    claim(parts, old.item, ADA)
    new = call(parts, telephone, old.item)
    old.staff("completed")
    assert old.result == ("staff_declined", None)
    assert new.stage == "staff_rings"
    assert item_of(parts, old.item).status == "calling"
    new.staff("no-answer")
    assert item_of(parts, old.item).status == "claimed"


# Ends that were never reported


def test_a_lost_end_is_asked_for_and_found(parts: Parts, clock: SetClock, telephone: FakeTelephone) -> None:
    talk = call(parts, telephone)
    talk.press()
    talk.patient("in-progress")
    telephone.stands = {
        talk.staff_sid: Standing(talk.staff_sid, "in-progress"),
        talk.patient_sid: Standing(talk.patient_sid, "in-progress"),
    }
    clock.advance(timedelta(minutes=5))
    assert look_after(parts.db, clock, telephone) == 0
    assert talk.stage == "talking"
    telephone.stands = {
        talk.staff_sid: Standing(talk.staff_sid, "completed", seconds=200),
        talk.patient_sid: Standing(talk.patient_sid, "completed", seconds=180),
    }
    assert look_after(parts.db, clock, telephone) == 1
    assert talk.result == ("connected", 180)
    assert item_of(parts, talk.item).status == "claimed"
    assert look_after(parts.db, clock, telephone) == 0


def test_a_carrier_that_cannot_be_asked_ends_nothing_until_no_call_can_last_so_long(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    talk, telephone.down = call(parts, telephone), True
    clock.advance(timedelta(minutes=30))
    assert look_after(parts.db, clock, telephone) == 0
    clock.advance(LONGEST_TALK)
    assert look_after(parts.db, clock, telephone) == 1
    assert talk.result == ("unknown", None)


def test_a_call_about_an_item_that_no_key_opens_ends_and_keeps_no_other_from_ending(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    unread = call(parts, telephone)
    other = call(parts, telephone, claimed(parts, number=OTHER_NUMBER))
    with parts.db.begin() as session:
        session.execute(
            sa.text("UPDATE callback_items SET best_time = 'x', status = 'new' WHERE id = :id"),
            {"id": unread.item},
        )
    clock.advance(timedelta(minutes=5))
    assert look_after(parts.db, clock, telephone) == 2
    assert unread.result[0] == other.result[0] == "unknown"


def test_what_goes_wrong_with_one_call_keeps_no_other_from_ending(
    parts: Parts, clock: SetClock, telephone: FakeTelephone, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = call(parts, telephone)
    other = call(parts, telephone, claimed(parts, number=OTHER_NUMBER))

    def look(sid: str) -> None:
        if sid == strange.staff_sid:
            raise ValueError

    monkeypatch.setattr(telephone, "look_at_call", look)
    clock.advance(timedelta(minutes=5))
    assert look_after(parts.db, clock, telephone) == 1
    assert other.stage == "over"


def test_calls_that_have_just_begun_are_not_asked_about(
    parts: Parts, clock: SetClock, telephone: FakeTelephone
) -> None:
    talk = call(parts, telephone)
    clock.advance(QUIET)
    assert look_after(parts.db, clock, telephone) == 0
    assert talk.stage == "staff_rings"
    with parts.db.begin() as session:
        assert session.get_one(CallbackItem, talk.item).status == "calling"
