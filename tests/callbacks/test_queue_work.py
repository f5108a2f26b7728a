"""Working the callback queue on a real database: claiming, releasing, closing, and everybody at once."""

import uuid

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.callbacks.outcomes import OUTCOMES, UNREACHED, Closing
from nurseline.callbacks.service import LEASE, MOVES, NOTE_LONGEST, QueueError, Staff
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, BEA, ask, claim, finish, give_back, history, item_of, queue, release
from tests.support.line import NUMBER, OTHER_NUMBER, at_once, minutes

STATUSES = ("new", "claimed", "calling", "waiting_retry", "snoozed", "done", "cancelled")
LEGAL = {
    ("new", "claimed"),
    ("new", "cancelled"),
    ("new", "snoozed"),
    ("claimed", "new"),
    ("claimed", "calling"),
    ("claimed", "waiting_retry"),
    ("claimed", "snoozed"),
    ("claimed", "done"),
    ("claimed", "cancelled"),
    ("calling", "new"),
    ("calling", "claimed"),
    ("calling", "waiting_retry"),
    ("calling", "done"),
    ("waiting_retry", "new"),
    ("waiting_retry", "claimed"),
    ("waiting_retry", "cancelled"),
    ("snoozed", "new"),
    ("snoozed", "claimed"),
    ("snoozed", "cancelled"),
}


# Claiming


def test_a_claim_is_a_lease_in_the_name_of_who_took_it(parts: Parts, clock: SetClock) -> None:
    item = claim(parts, ask(parts).item_id, ADA)
    assert (item.status, item.claimed_by, item.claimed_name) == ("claimed", ADA.id, ADA.name)
    assert item.lease_until == clock.now() + LEASE
    assert history(parts, item.id)[-1] == ("claimed", "claimed", ADA.id)


def test_of_sixteen_people_at_once_one_gets_the_item_and_the_others_are_told_who(parts: Parts) -> None:
    item = ask(parts).item_id
    people = [Staff(f"staff-{n}", f"Nurse {n}") for n in range(16)]
    got = at_once(*[lambda one=one: claim(parts, item, one) for one in people])
    winners = [one for one in got if isinstance(one, CallbackItem)]
    assert len(winners) == 1
    told = {str(one) for one in got if isinstance(one, QueueError)}
    assert told == {f"{winners[0].claimed_name} has this item."}
    assert [isinstance(one, QueueError) for one in got].count(True) == 15
    assert [status for status, _, _ in history(parts, item)] == ["new", "claimed"]


def test_the_same_person_clicking_many_times_has_the_item_once(parts: Parts) -> None:
    item = ask(parts).item_id
    got = at_once(*[lambda: claim(parts, item, ADA)] * 8)
    assert all(isinstance(one, CallbackItem) for one in got), got
    assert len(history(parts, item)) == 2


def test_claiming_ones_own_item_again_extends_the_lease(parts: Parts, clock: SetClock) -> None:
    item = ask(parts).item_id
    claim(parts, item, ADA)
    clock.advance(minutes(10))
    assert claim(parts, item, ADA).lease_until == clock.now() + LEASE
    assert len(history(parts, item)) == 2


def test_somebody_elses_item_can_be_neither_claimed_nor_released_nor_closed(parts: Parts) -> None:
    item = ask(parts).item_id
    claim(parts, item, ADA)
    for attempt in (claim, release, finish):
        with pytest.raises(QueueError, match="Nurse A has this item"):
            attempt(parts, item, BEA)
    stands = item_of(parts, item)
    assert (stands.status, stands.claimed_by, stands.outcome) == ("claimed", ADA.id, None)


def test_what_does_not_exist_cannot_be_worked_on(parts: Parts) -> None:
    for attempt in (claim, release, finish):
        with pytest.raises(QueueError, match="no such item"):
            attempt(parts, uuid.uuid4(), ADA)


def test_a_closed_item_says_who_closed_it(parts: Parts) -> None:
    item = ask(parts).item_id
    claim(parts, item, ADA)
    finish(parts, item, ADA)
    for attempt in (claim, release, finish):
        with pytest.raises(QueueError, match="closed by Nurse A already"):
            attempt(parts, item, BEA)


# Giving back


def test_a_released_item_keeps_its_promise_and_its_place(parts: Parts, clock: SetClock) -> None:
    raised = ask(parts)
    clock.advance(minutes(1))
    other = ask(parts, "clinical", OTHER_NUMBER)
    claim(parts, raised.item_id, ADA)
    clock.advance(minutes(5))
    release(parts, raised.item_id, ADA)
    item = item_of(parts, raised.item_id)
    assert (item.status, item.claimed_by, item.claimed_name, item.lease_until) == ("new", None, None, None)
    assert item.promised_at == raised.promised_at
    assert queue(parts) == [raised.item_id, other.item_id]
    assert history(parts, item.id)[-1] == ("new", "released", ADA.id)
    assert claim(parts, item.id, BEA).claimed_by == BEA.id


def test_a_claim_that_ran_out_goes_back_with_its_original_promise(parts: Parts, clock: SetClock) -> None:
    raised = ask(parts)
    claim(parts, raised.item_id, ADA)
    clock.advance(LEASE)
    assert give_back(parts) == 0
    clock.advance(minutes(0.1))
    assert give_back(parts) == 1
    item = item_of(parts, raised.item_id)
    assert (item.status, item.claimed_by, item.promised_at) == ("new", None, raised.promised_at)
    assert history(parts, item.id)[-1] == ("new", "claim ran out", "line")
    assert give_back(parts) == 0
    for attempt in (release, finish):
        with pytest.raises(QueueError, match="back in the queue"):
            attempt(parts, item.id, ADA)


def test_a_claim_that_ran_out_can_be_taken_over_at_once(parts: Parts, clock: SetClock) -> None:
    item = ask(parts).item_id
    claim(parts, item, ADA)
    clock.advance(LEASE + minutes(1))
    assert claim(parts, item, BEA).claimed_by == BEA.id
    assert [status for status, _, _ in history(parts, item)] == ["new", "claimed", "new", "claimed"]


def test_who_is_late_but_whose_item_nobody_took_can_still_close_it(parts: Parts, clock: SetClock) -> None:
    item = ask(parts).item_id
    claim(parts, item, ADA)
    clock.advance(LEASE + minutes(1))
    finish(parts, item, ADA)
    assert item_of(parts, item).status == "done"
    assert give_back(parts) == 0


def test_closing_and_running_out_at_once_end_in_one_of_the_two(parts: Parts, clock: SetClock) -> None:
    for _ in range(8):
        item = ask(parts).item_id
        claim(parts, item, ADA)
        clock.advance(LEASE + minutes(1))
        closed, returned = at_once(lambda item=item: finish(parts, item, ADA), lambda: give_back(parts))
        status = item_of(parts, item).status
        assert (status, type(closed)) in {("done", Closing), ("new", QueueError)}
        assert returned == (0 if status == "done" else 1)
        with parts.db.begin() as session:
            session.execute(sa.update(CallbackItem).values(status="cancelled", lease_until=None))


# Closing


@pytest.mark.parametrize("outcome", sorted(OUTCOMES.keys() - UNREACHED.keys()))
def test_each_outcome_closes_the_item_with_its_note(parts: Parts, clock: SetClock, outcome: str) -> None:
    item = ask(parts).item_id
    claim(parts, item, ADA)
    clock.advance(minutes(3))
    finish(parts, item, ADA, outcome, "spoke for a minute \u00e9\U0001f642\x00")
    closed = item_of(parts, item)
    assert (closed.status, closed.outcome, closed.closed_at) == ("done", outcome, clock.now())
    assert closed.lease_until is None
    with parts.db.begin() as session:
        last = session.scalars(sa.select(CallbackEvent).order_by(CallbackEvent.id.desc())).first()
        assert last is not None
        assert (last.status, last.cause, last.actor) == ("done", outcome, ADA.id)
        assert last.note == "spoke for a minute \u00e9\U0001f642\x00"


@pytest.mark.parametrize("outcome", sorted(UNREACHED))
def test_who_was_not_reached_stays_in_the_queue_with_the_promise(
    parts: Parts, clock: SetClock, outcome: str
) -> None:
    raised = ask(parts)
    claim(parts, raised.item_id, ADA)
    finish(parts, raised.item_id, ADA, outcome, "rang for long")
    item = item_of(parts, raised.item_id)
    assert (item.status, item.attempts, item.claimed_by) == ("waiting_retry", 1, None)
    assert (item.promised_at, item.closed_at) == (raised.promised_at, None)
    assert item.due_again_at is not None
    claim(parts, raised.item_id, ADA)


@pytest.mark.parametrize(
    ("outcome", "note", "words"),
    [("gone fishing", "", "outcome"), ("", "", "outcome"), ("no_answer", "x" * (NOTE_LONGEST + 1), "2001")],
)
def test_a_wrong_outcome_or_a_note_too_long_changes_nothing(
    parts: Parts, outcome: str, note: str, words: str
) -> None:
    item = ask(parts).item_id
    claim(parts, item, ADA)
    with pytest.raises(QueueError, match=words):
        finish(parts, item, ADA, outcome, note)
    assert item_of(parts, item).status == "claimed"


def test_an_item_is_closed_only_by_who_has_claimed_it(parts: Parts) -> None:
    item = ask(parts).item_id
    with pytest.raises(QueueError, match="Claim it first"):
        finish(parts, item, ADA)
    assert item_of(parts, item).status == "new"


# The table of moves


def test_each_pair_of_statuses_moves_if_and_only_if_it_is_legal(parts: Parts) -> None:
    for before in STATUSES:
        for after in STATUSES:
            item = ask(parts).item_id
            with parts.db.begin() as session:
                session.execute(sa.update(CallbackItem).where(CallbackItem.id == item).values(status=before))
                moved = MOVES.move(session, [item], after, at=parts.clock.now(), cause="test")
            assert bool(moved) == ((before, after) in LEGAL), f"{before} -> {after}"
            assert item_of(parts, item).status == (after if moved else before)
            with parts.db.begin() as session:
                session.execute(sa.update(CallbackItem).values(status="cancelled"))


def test_what_patients_and_staff_wrote_is_unreadable_in_the_tables(parts: Parts) -> None:
    item = ask(parts, words="my shoulder", best_time="mornings").item_id
    claim(parts, item, ADA)
    finish(parts, item, ADA, note="talked about the shoulder")
    with parts.db.begin() as session:
        for table in ("callback_items", "callback_words", "callback_events"):
            rows = " ".join(session.scalars(sa.text(f"SELECT {table}::text FROM {table}")))
            for word in ("shoulder", "mornings", NUMBER, "talked"):
                assert word not in rows
                assert word.encode().hex() not in rows
