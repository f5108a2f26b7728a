"""The callback queue on a real database: raising, claiming, releasing, closing, and everybody at once."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
import sqlalchemy as sa

from nurseline.callbacks import service as callbacks
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackWords
from nurseline.callbacks.promises import Reason, promised_at
from nurseline.callbacks.service import (
    LEASE,
    MOVES,
    NOTE_LONGEST,
    OUTCOMES,
    UNREACHED,
    QueueError,
    Raised,
    Staff,
)
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.support.line import NUMBER, OTHER_NUMBER, at_once, make_contact, minutes

ADA, BEA = Staff("staff-a", "Nurse A"), Staff("staff-b", "Nurse B")
STATUSES = ("new", "claimed", "calling", "waiting_retry", "snoozed", "done", "cancelled")
LEGAL = {
    ("new", "claimed"),
    ("new", "cancelled"),
    ("claimed", "new"),
    ("claimed", "calling"),
    ("claimed", "waiting_retry"),
    ("claimed", "snoozed"),
    ("claimed", "done"),
    ("claimed", "cancelled"),
    ("calling", "new"),
    ("calling", "waiting_retry"),
    ("calling", "done"),
    ("waiting_retry", "new"),
    ("waiting_retry", "claimed"),
    ("waiting_retry", "cancelled"),
    ("snoozed", "new"),
    ("snoozed", "claimed"),
    ("snoozed", "cancelled"),
}


def ask(parts: Parts, reason: Reason = "nurse", number: str = NUMBER, **changed: object) -> Raised:
    """A patient asks for a person."""
    contact = make_contact(parts, number)
    now = parts.clock.now()
    due = promised_at(reason, now, parts.hours)
    wish = callbacks.Request(reason, "text", "please call me", due, contact.number_hash, contact)
    with parts.db.begin() as session:
        return callbacks.request(session, replace(wish, **changed), now=now)


def claim(parts: Parts, item: uuid.UUID, staff: Staff) -> CallbackItem:
    with parts.db.begin() as session:
        return callbacks.claim(session, item, staff, now=parts.clock.now())


def release(parts: Parts, item: uuid.UUID, staff: Staff) -> None:
    with parts.db.begin() as session:
        callbacks.release(session, item, staff, now=parts.clock.now())


def finish(
    parts: Parts, item: uuid.UUID, staff: Staff, outcome: str = "reached_resolved", note: str = ""
) -> None:
    with parts.db.begin() as session:
        callbacks.finish(session, item, staff, outcome=outcome, note=note, now=parts.clock.now())


def give_back(parts: Parts) -> int:
    with parts.db.begin() as session:
        return callbacks.give_back_expired(session, now=parts.clock.now())


def item_of(parts: Parts, item: uuid.UUID) -> CallbackItem:
    with parts.db.begin() as session:
        return session.get_one(CallbackItem, item)


def history(parts: Parts, item: uuid.UUID) -> list[tuple[str, str, str]]:
    """Status, cause and actor of each step an item took."""
    query = sa.select(CallbackEvent).where(CallbackEvent.subject_id == item).order_by(CallbackEvent.id)
    with parts.db.begin() as session:
        return [(e.status, e.cause, e.actor) for e in session.scalars(query)]


def words_of(parts: Parts, item: uuid.UUID) -> list[str]:
    query = sa.select(CallbackWords).where(CallbackWords.item_id == item).order_by(CallbackWords.id)
    with parts.db.begin() as session:
        return [w.words for w in session.scalars(query)]


def queue(parts: Parts) -> list[uuid.UUID]:
    with parts.db.begin() as session:
        return [item.id for item in callbacks.queue(session)]


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


@pytest.mark.parametrize("status", ["claimed", "calling", "waiting_retry", "snoozed"])
def test_whatever_is_still_open_takes_the_new_words(parts: Parts, status: str) -> None:
    first = ask(parts)
    with parts.db.begin() as session:
        session.execute(sa.update(CallbackItem).values(status=status))
    assert ask(parts).item_id == first.item_id
    assert item_of(parts, first.item_id).status == status


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
        assert closed is None
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
        assert (status, closed) == ("done", None) or (status == "new" and isinstance(closed, QueueError))
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
