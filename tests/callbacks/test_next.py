"""The next item: the best one that nobody has, never the same for two people."""

import uuid
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.callbacks import work
from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.callbacks.service import LEASE, Staff
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, BEA, ask, do, history, item_of, mine, queue, take
from tests.support.line import OTHER_NUMBER, at_once, minutes


def test_next_hands_out_what_stands_on_top_of_the_queue(parts: Parts, clock: SetClock) -> None:
    ask(parts, "schedule")
    ask(parts, "nurse")
    clock.advance(timedelta(days=3))
    for reason in ("clinical", "urgent", "emergency"):
        ask(parts, reason, OTHER_NUMBER)
    expected = queue(parts)
    assert [take(parts) for _ in range(6)] == [*expected, None]
    item = item_of(parts, expected[0])
    assert (item.reason, item.status, item.claimed_by) == ("emergency", "claimed", ADA.id)
    assert item.lease_until == clock.now() + LEASE
    assert item.first_claimed_at == clock.now()
    assert history(parts, item.id)[-1] == ("claimed", "claimed", ADA.id)


def test_next_can_be_asked_for_certain_reasons(parts: Parts) -> None:
    ask(parts, "nurse")
    item = ask(parts, "schedule").item_id
    assert take(parts, reasons=("schedule", "admin")) == item
    assert take(parts, reasons=("schedule", "admin")) is None


def test_next_leaves_alone_what_waits_and_takes_what_ran_out(parts: Parts, clock: SetClock) -> None:
    item = mine(parts)
    do(parts, work.snooze, item, until=clock.now() + minutes(60))
    assert take(parts) is None
    other = mine(parts, "schedule")
    clock.advance(LEASE + minutes(1))
    assert take(parts, BEA) == other
    assert item_of(parts, other).claimed_by == BEA.id


def test_next_waits_for_a_patient_who_is_just_adding_words(parts: Parts) -> None:
    item = ask(parts).item_id
    with parts.db.begin() as session:
        session.execute(sa.select(CallbackItem.id).where(CallbackItem.id == item).with_for_update())
        asked = at_once(lambda: _taken_while_held(parts, session))
    assert asked == [item]


def _taken_while_held(parts: Parts, holder: Any) -> uuid.UUID | None:
    """Ask for the next item; the lock is let go once the other waits for it."""
    got: list[uuid.UUID | None] = []
    asking = Thread(target=lambda: got.append(take(parts)))
    asking.start()
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    while asking.is_alive():
        with parts.db.begin() as session:
            if session.scalar(waiting):
                break
    holder.commit()
    asking.join()
    return got[0]


@pytest.mark.parametrize(("people", "items"), [(20, 200), (20, 7)])
def test_many_who_ask_for_the_next_item_never_get_the_same_one(parts: Parts, people: int, items: int) -> None:
    made = [ask(parts, "nurse", f"+1202555{number:04d}").item_id for number in range(items)]
    staff = [Staff(f"staff-{n}", f"Nurse {n}") for n in range(people)]

    def work_all(one: Staff) -> list[uuid.UUID]:
        return list(iter(lambda: take(parts, one), None))

    got = at_once(*[lambda one=one: work_all(one) for one in staff])
    assert not [one for one in got if isinstance(one, BaseException)]
    taken = [item for some in got for item in some]
    assert sorted(taken) == sorted(made), "each once, and nobody was told 'nothing' too early"
    with parts.db.begin() as session:
        stands = {
            row.id: row.claimed_by
            for row in session.execute(sa.select(CallbackItem.id, CallbackItem.claimed_by))
        }
        claims = sa.select(sa.func.count()).where(CallbackEvent.status == "claimed")
        assert session.scalar(claims) == items
    for one, some in zip(staff, got, strict=True):
        assert all(stands[item] == one.id for item in some)
