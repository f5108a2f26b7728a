"""Handing over, putting off, joining, opening again, another reason, cancelling: on a real database."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.callbacks import work
from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.callbacks.promises import promised_at
from nurseline.callbacks.service import LEASE, NOTE_LONGEST, QueueError, Staff
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.callbacks.calls import begin
from tests.callbacks.queueing import (
    ADA,
    BEA,
    ask,
    claim,
    come_back,
    do,
    finish,
    give_back,
    history,
    item_of,
    mine,
    queue,
    release,
    take,
    words_of,
)
from tests.support.line import OTHER_NUMBER, at_once, minutes


def last_note(parts: Parts) -> tuple[str, str | None]:
    with parts.db.begin() as session:
        event = session.scalars(sa.select(CallbackEvent).order_by(CallbackEvent.id.desc())).first()
        assert event is not None
        return event.cause, event.note


# Keeping


def test_work_keeps_a_claim_alive(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    for _ in range(4):
        clock.advance(minutes(10))
        assert do(parts, work.extend, item) == clock.now() + LEASE
        assert give_back(parts) == 0
    with pytest.raises(QueueError, match="Nurse A has this item"):
        do(parts, work.extend, item, BEA)
    release(parts, item, ADA)
    with pytest.raises(QueueError, match="back in the queue"):
        do(parts, work.extend, item)


# Handing over


def test_a_colleague_has_what_was_handed_over(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    clock.advance(minutes(5))
    do(parts, work.hand_over, item, ADA, BEA, note="you know her")
    stands = item_of(parts, item)
    assert (stands.status, stands.claimed_by, stands.claimed_name) == ("claimed", BEA.id, BEA.name)
    assert stands.lease_until == clock.now() + LEASE
    assert stands.first_claimed_at == clock.now() - minutes(5)
    assert last_note(parts) == ("handed over to Nurse B", "you know her")
    with pytest.raises(QueueError, match="Nurse B has this item"):
        do(parts, work.hand_over, item, ADA, BEA)
    finish(parts, item, BEA)


def test_only_ones_own_item_is_handed_over_and_not_during_a_call(parts: Parts) -> None:
    item = mine(parts)
    with pytest.raises(QueueError, match="have this item already"):
        do(parts, work.hand_over, item, ADA, ADA)
    begin(parts, item)
    with pytest.raises(QueueError, match="End the call first"):
        do(parts, work.hand_over, item, ADA, BEA)


def test_a_very_long_name_fits_into_the_history(parts: Parts) -> None:
    item = mine(parts)
    do(parts, work.hand_over, item, ADA, Staff("staff-c", "x" * 80))
    assert len(history(parts, item)[-1][1]) == 80


# Putting off


def test_what_was_put_off_comes_back_by_itself_with_its_promise(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    promise = item_of(parts, item).promised_at
    other = ask(parts, "schedule", OTHER_NUMBER).item_id
    do(parts, work.snooze, item, until=clock.now() + minutes(60), note="in a meeting")
    stands = item_of(parts, item)
    assert (stands.status, stands.claimed_by, stands.promised_at) == ("snoozed", None, promise)
    assert last_note(parts) == ("put off", "in a meeting")
    assert queue(parts) == [other, item], "what waits stands after what can be done now"
    clock.advance(minutes(59))
    assert come_back(parts) == 0
    clock.advance(minutes(1))
    assert come_back(parts) == 1
    assert come_back(parts) == 0
    stands = item_of(parts, item)
    assert (stands.status, stands.promised_at) == ("new", promise)
    assert history(parts, item)[-1] == ("new", "its time has come", "line")
    assert queue(parts) == [item, other]


@pytest.mark.parametrize(
    ("reason", "for_", "says"),
    [
        ("nurse", timedelta(0), "still to come"),
        ("nurse", timedelta(days=61), "60 days"),
        ("urgent", timedelta(hours=3), "two hours"),
        ("emergency", timedelta(minutes=1), "cannot be put off"),
    ],
)
def test_what_cannot_be_put_off_stays(
    parts: Parts, clock: SetClock, reason: Any, for_: timedelta, says: str
) -> None:
    item = mine(parts, reason)
    with pytest.raises(QueueError, match=says):
        do(parts, work.snooze, item, until=clock.now() + for_)
    assert item_of(parts, item).status == "claimed"


def test_coming_back_and_a_claim_at_once_end_in_a_claim(parts: Parts, clock: SetClock) -> None:
    for _ in range(8):
        item = mine(parts)
        do(parts, work.snooze, item, until=clock.now() + minutes(1))
        clock.advance(minutes(1))
        got, back = at_once(lambda item=item: claim(parts, item, BEA), lambda: come_back(parts))
        assert isinstance(got, CallbackItem), got
        assert back in {0, 1}
        assert item_of(parts, item).claimed_by == BEA.id
        finish(parts, item, BEA)


# Another reason


def test_a_more_urgent_reason_brings_the_promise_forward(parts: Parts) -> None:
    item = mine(parts, "schedule")
    do(parts, work.change_reason, item, ADA, "urgent", hours=parts.hours)
    stands = item_of(parts, item)
    assert (stands.reason, stands.priority, stands.status) == ("urgent", 1, "claimed")
    assert stands.promised_at == promised_at("urgent", parts.clock.now(), parts.hours)
    assert history(parts, item)[-1] == ("claimed", "reason changed: schedule to urgent", ADA.id)


def test_a_less_urgent_reason_does_not_put_the_promise_off(parts: Parts) -> None:
    item = mine(parts, "urgent")
    promise = item_of(parts, item).promised_at
    do(parts, work.change_reason, item, ADA, "schedule", hours=parts.hours)
    stands = item_of(parts, item)
    assert (stands.reason, stands.priority, stands.promised_at) == ("schedule", 3, promise)
    do(parts, work.change_reason, item, ADA, "schedule", hours=parts.hours)
    assert len(history(parts, item)) == 3


def test_a_reason_that_another_open_item_has_is_refused(parts: Parts) -> None:
    other = ask(parts, "urgent").item_id
    item = mine(parts)
    reference = item_of(parts, other).reference
    with pytest.raises(QueueError, match=f"Item {reference} of this number is open for that already"):
        do(parts, work.change_reason, item, ADA, "urgent", hours=parts.hours)
    with pytest.raises(QueueError, match="from the list"):
        do(parts, work.change_reason, item, ADA, "gossip", hours=parts.hours)
    with pytest.raises(QueueError, match="Nurse A has this item"):
        do(parts, work.change_reason, item, BEA, "admin", hours=parts.hours)
    assert item_of(parts, item).reason == "nurse"


# Joining


def test_a_joined_item_closes_and_the_other_gets_its_words_reason_and_promise(parts: Parts) -> None:
    into = ask(parts, "schedule", words="a new visit").item_id
    item = ask(parts, "urgent", words="it is red and hot").item_id
    claim(parts, item, ADA)
    do(parts, work.merge, item, into, ADA)
    joined, other = item_of(parts, item), item_of(parts, into)
    assert (joined.status, joined.outcome, joined.merged_into) == ("done", "duplicate", into)
    assert (other.status, other.reason, other.priority) == ("claimed", "urgent", 1)
    assert (other.claimed_by, other.promised_at) == (ADA.id, joined.promised_at)
    assert words_of(parts, into) == ["a new visit", "it is red and hot"]
    assert words_of(parts, item) == ["it is red and hot"]
    assert history(parts, into)[-1] == ("claimed", f"item {joined.reference} joined", ADA.id)


def test_what_cannot_be_joined_stays_as_it_is(parts: Parts) -> None:
    item, stranger = mine(parts), ask(parts, "nurse", OTHER_NUMBER).item_id
    with pytest.raises(QueueError, match="to itself"):
        do(parts, work.merge, item, item, ADA)
    with pytest.raises(QueueError, match="about another number"):
        do(parts, work.merge, item, stranger, ADA)
    closed = mine(parts, "admin")
    finish(parts, closed, ADA)
    with pytest.raises(QueueError, match="is closed"):
        do(parts, work.merge, item, closed, ADA)
    with pytest.raises(QueueError, match="no such item"):
        do(parts, work.merge, item, uuid.uuid4(), ADA)
    with pytest.raises(QueueError, match="Nurse A has this item"):
        do(parts, work.merge, item, ask(parts, "schedule").item_id, BEA)
    assert item_of(parts, item).status == "claimed"


def test_a_call_without_a_number_may_be_joined_to_the_item_of_who_it_was(parts: Parts) -> None:
    known = ask(parts, "nurse").item_id
    ask(parts, "urgent")
    call = ask(parts, "nurse", contact=None, number_key="call:CA1").item_id
    claim(parts, call, ADA)
    do(parts, work.merge, call, known, ADA)
    assert item_of(parts, known).reason == "nurse"
    urgent_call = ask(parts, "urgent", contact=None, number_key="call:CA2").item_id
    claim(parts, urgent_call, ADA)
    with pytest.raises(QueueError, match="is open for that already"):
        do(parts, work.merge, urgent_call, known, ADA)


def test_what_a_colleague_has_is_not_joined_by_two_at_once(parts: Parts) -> None:
    one, two = ask(parts, "nurse").item_id, ask(parts, "schedule").item_id
    claim(parts, one, ADA)
    claim(parts, two, BEA)
    got = at_once(
        lambda: do(parts, work.merge, one, two, ADA),
        lambda: do(parts, work.merge, two, one, BEA),
    )
    assert [type(each).__name__ for each in got] == ["QueueError", "QueueError"], got
    assert [item_of(parts, each).status for each in (one, two)] == ["claimed", "claimed"]


# Opening again


def test_a_closed_item_opens_again_with_its_history(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    promise = item_of(parts, item).promised_at
    finish(parts, item, ADA)
    do(parts, work.reopen, item, BEA, why="she called again")
    stands = item_of(parts, item)
    assert (stands.status, stands.outcome, stands.closed_at, stands.claimed_by) == ("new", None, None, None)
    assert stands.promised_at == promise
    assert last_note(parts) == ("opened again", "she called again")
    assert [status for status, _, _ in history(parts, item)] == ["new", "claimed", "done", "new"]
    claim(parts, item, ADA)
    finish(parts, item, ADA)
    clock.advance(timedelta(days=4))
    do(parts, work.reopen, item, BEA, why="again", hours=parts.hours)
    assert item_of(parts, item).promised_at == promised_at("nurse", clock.now(), parts.hours)


def test_a_cancelled_item_opens_again(parts: Parts) -> None:
    item = mine(parts)
    do(parts, work.cancel, item, why="asked by mistake")
    do(parts, work.reopen, item, BEA, why="it was no mistake")
    assert item_of(parts, item).status == "new"


def test_an_item_does_not_open_again_beside_another_one(parts: Parts) -> None:
    item = mine(parts)
    with pytest.raises(QueueError, match="open already"):
        do(parts, work.reopen, item, BEA, why="hm")
    finish(parts, item, ADA)
    with pytest.raises(QueueError, match="Say why"):
        do(parts, work.reopen, item, BEA, why="  ")
    other = ask(parts).item_id
    with pytest.raises(QueueError, match=f"Item {item_of(parts, other).reference} of this number"):
        do(parts, work.reopen, item, BEA, why="she called again")
    assert item_of(parts, item).status == "done"


def test_of_a_new_request_and_opening_again_at_once_nothing_is_lost(parts: Parts) -> None:
    for _ in range(8):
        item = mine(parts)
        finish(parts, item, ADA)
        opened, asked = at_once(
            lambda item=item: do(parts, work.reopen, item, BEA, why="once more"), lambda: ask(parts)
        )
        assert isinstance(opened, QueueError | None), opened
        assert not isinstance(asked, BaseException), asked
        (open_item,) = queue(parts)
        assert open_item == asked.item_id
        claim(parts, open_item, ADA)
        finish(parts, open_item, ADA)


def test_no_other_move_opens_a_closed_item(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    finish(parts, item, ADA)
    with pytest.raises(QueueError):
        release(parts, item, ADA)
    clock.advance(timedelta(days=9))
    assert (give_back(parts), come_back(parts), take(parts)) == (0, 0, None)
    assert item_of(parts, item).status == "done"


# Cancelling


def test_an_item_is_cancelled_with_a_reason(parts: Parts, clock: SetClock) -> None:
    free = ask(parts).item_id
    with pytest.raises(QueueError, match="Say why"):
        do(parts, work.cancel, free, why="")
    with pytest.raises(QueueError, match=f"{NOTE_LONGEST} fit"):
        do(parts, work.cancel, free, why="x" * (NOTE_LONGEST + 1))
    do(parts, work.cancel, free, why="somebody else's number")
    stands = item_of(parts, free)
    assert (stands.status, stands.closed_at) == ("cancelled", clock.now())
    assert last_note(parts) == ("cancelled", "somebody else's number")
    with pytest.raises(QueueError, match="cancelled"):
        do(parts, work.cancel, free, why="twice")


def test_what_somebody_else_has_is_not_cancelled(parts: Parts) -> None:
    item = mine(parts)
    with pytest.raises(QueueError, match="Nurse A has this item"):
        do(parts, work.cancel, item, BEA, why="no")
    begin(parts, item)
    with pytest.raises(QueueError, match="End the call first"):
        do(parts, work.cancel, item, why="no")


def test_cancelling_and_claiming_at_once_end_in_one_of_the_two(parts: Parts) -> None:
    for _ in range(8):
        item = ask(parts).item_id
        cancelled, claimed = at_once(
            lambda item=item: do(parts, work.cancel, item, BEA, why="not needed"),
            lambda item=item: claim(parts, item, ADA),
        )
        stands = item_of(parts, item).status
        assert (stands == "cancelled") == (cancelled is None), (cancelled, claimed)
        assert (stands == "claimed") == isinstance(claimed, CallbackItem), (cancelled, claimed)
        if stands == "claimed":
            finish(parts, item, ADA)


# What nothing may do


@pytest.mark.parametrize(
    "step",
    [
        lambda parts, item: do(parts, work.extend, item),
        lambda parts, item: do(parts, work.hand_over, item, ADA, BEA),
        lambda parts, item: do(parts, work.snooze, item, until=parts.clock.now() + minutes(9)),
        lambda parts, item: do(parts, work.change_reason, item, ADA, "admin", hours=parts.hours),
        lambda parts, item: do(parts, work.merge, item, ask(parts, "schedule").item_id, ADA),
        lambda parts, item: finish(parts, item, ADA),
    ],
)
def test_whoever_lost_an_item_changes_nothing(parts: Parts, clock: SetClock, step: Any) -> None:
    item = mine(parts)
    clock.advance(LEASE + minutes(1))
    claim(parts, item, BEA)
    before = history(parts, item)
    with pytest.raises(QueueError, match="Nurse B has this item"):
        step(parts, item)
    assert history(parts, item) == before
