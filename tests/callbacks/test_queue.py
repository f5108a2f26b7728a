"""Raising callback items on a real database, their order, and everybody at once."""

from datetime import timedelta
from typing import get_args

import pytest
import sqlalchemy as sa

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.outcomes import Closing
from nurseline.callbacks.promises import Reason, promised_at
from nurseline.callbacks.service import Raised
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, ask, claim, finish, history, item_of, queue, words_of
from tests.support.line import NUMBER, OTHER_NUMBER, at_once, make_contact, minutes

# Raising


def test_a_request_becomes_an_item_with_its_promise_and_words(parts: Parts) -> None:
    raised = ask(parts, "schedule", best_time="mornings")
    item = item_of(parts, raised.item_id)
    assert raised.new
    assert (item.reason, item.status, item.source, item.best_time) == ("schedule", "new", "text", "mornings")
    assert item.promised_at == raised.promised_at == promised_at("schedule", parts.clock.now(), parts.hours)
    assert words_of(parts, raised.item_id) == ["please call me"]
    assert history(parts, raised.item_id) == [("new", "requested by text", "line")]


def test_a_second_request_adds_its_words_to_the_open_item_and_keeps_the_promise(
    parts: Parts, clock: SetClock
) -> None:
    first = ask(parts)
    clock.advance(minutes(90))
    second = ask(parts, words="still waiting", source="call", best_time="after four")
    assert (second.item_id, second.promised_at, second.new) == (first.item_id, first.promised_at, False)
    assert words_of(parts, first.item_id) == ["please call me", "still waiting"]
    assert item_of(parts, first.item_id).best_time == "after four"
    ask(parts, words="")
    assert item_of(parts, first.item_id).best_time == "after four", "nothing said does not erase what was"
    assert len(words_of(parts, first.item_id)) == 2
    assert len(history(parts, first.item_id)) == 1


def test_each_reason_and_each_number_has_an_item_of_its_own(parts: Parts) -> None:
    raised = [ask(parts, reason, number) for reason in get_args(Reason) for number in (NUMBER, OTHER_NUMBER)]
    assert len({one.item_id for one in raised}) == 12
    assert all(one.new for one in raised)


@pytest.mark.parametrize("status", ["claimed", "calling"])
def test_whatever_is_still_open_takes_the_new_words(parts: Parts, status: str) -> None:
    first = ask(parts)
    with parts.db.begin() as session:
        session.execute(sa.update(CallbackItem).values(status=status))
    assert ask(parts).item_id == first.item_id
    assert item_of(parts, first.item_id).status == status


@pytest.mark.parametrize("status", ["waiting_retry", "snoozed"])
@pytest.mark.parametrize(
    ("source", "stands"), [("text", "new"), ("call", "new"), ("staff", ""), ("line", "")]
)
def test_who_asks_again_is_not_kept_waiting_for_what_staff_had_in_mind(
    parts: Parts, status: str, source: str, stands: str
) -> None:
    first = ask(parts)
    with parts.db.begin() as session:
        session.execute(sa.update(CallbackItem).values(status=status))
    assert ask(parts, source=source).promised_at == first.promised_at
    assert item_of(parts, first.item_id).status == (stands or status)
    news = [("new", f"asked again by {source}", "line")] if stands else []
    assert history(parts, first.item_id)[1:] == news


@pytest.mark.parametrize("status", ["done", "cancelled"])
def test_after_an_item_was_closed_a_request_raises_a_new_one(parts: Parts, status: str) -> None:
    first = ask(parts)
    with parts.db.begin() as session:
        session.execute(sa.update(CallbackItem).values(status=status))
    second = ask(parts)
    assert second.new
    assert second.item_id != first.item_id


def test_requests_at_once_raise_one_item_and_keep_all_words(parts: Parts) -> None:
    make_contact(parts)
    raised = at_once(*[lambda n=n: ask(parts, "emergency", words=f"help {n}") for n in range(8)])
    assert all(isinstance(one, Raised) for one in raised), raised
    assert len({one.item_id for one in raised}) == 1
    assert len({one.promised_at for one in raised}) == 1
    assert [one.new for one in raised].count(True) == 1
    assert sorted(words_of(parts, raised[0].item_id)) == [f"help {n}" for n in range(8)]
    assert len(history(parts, raised[0].item_id)) == 1


def test_a_request_while_its_item_is_being_closed_is_never_lost(parts: Parts) -> None:
    for round_ in range(10):
        first = ask(parts)
        claim(parts, first.item_id, ADA)
        asked, closed = at_once(
            lambda round_=round_: ask(parts, words=f"again {round_}"),
            lambda first=first: finish(parts, first.item_id, ADA),
        )
        assert isinstance(closed, Closing), closed
        assert isinstance(asked, Raised), asked
        assert f"again {round_}" in words_of(parts, asked.item_id)
        if asked.new:
            assert item_of(parts, asked.item_id).status == "new"
            claim(parts, asked.item_id, ADA)
            finish(parts, asked.item_id, ADA)
        else:
            assert asked.item_id == first.item_id


def test_very_long_words_are_kept_as_far_as_a_text_goes(parts: Parts) -> None:
    raised = ask(parts, words="\u202ea" + "x" * 5000)
    assert len(words_of(parts, raised.item_id)[0]) == 1600


def test_an_item_without_a_number_is_known_by_its_call(parts: Parts) -> None:
    raised = ask(parts, contact=None, number_key="call:CA1")
    assert item_of(parts, raised.item_id).contact_id is None
    with parts.db.begin() as session:
        standing = callbacks.standing(session, "call:CA1", "nurse")
        assert standing is not None
        assert standing.id == raised.item_id
        assert callbacks.standing(session, "call:CA1", "urgent") is None


# The order of the queue


def test_emergencies_stand_first_then_urgent_then_the_oldest_promise(parts: Parts, clock: SetClock) -> None:
    schedule = ask(parts, "schedule").item_id
    nurse = ask(parts, "nurse").item_id
    clock.advance(timedelta(days=3))
    clinical = ask(parts, "clinical").item_id
    urgent = ask(parts, "urgent").item_id
    emergency = ask(parts, "emergency").item_id
    clock.advance(minutes(10))
    second_emergency = ask(parts, "emergency", OTHER_NUMBER).item_id
    assert queue(parts) == [emergency, second_emergency, urgent, nurse, schedule, clinical]


def test_closed_items_leave_the_queue_and_claimed_ones_stay(parts: Parts) -> None:
    one, two = ask(parts).item_id, ask(parts, "schedule").item_id
    claim(parts, one, ADA)
    claim(parts, two, ADA)
    finish(parts, two, ADA)
    assert queue(parts) == [one]
