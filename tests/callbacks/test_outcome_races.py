"""Outcomes recorded while somebody else changes an item of the same number, on a real database."""

from datetime import timedelta
from threading import Thread

import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, ask, finish, item_of, mine
from tests.support.waiting import wait_for


def test_finishing_with_a_follow_up_locks_items_in_the_order_of_joining(
    parts: Parts, clock: SetClock
) -> None:
    numbers = (f"+1202555{last:04d}" for last in range(100, 200))
    pairs = ((ask(parts, "clinical", one).item_id, mine(parts, "urgent", one)) for one in numbers)
    clinical, urgent = next(pair for pair in pairs if pair[0] < pair[1])
    day = (clock.now() + timedelta(days=7)).date()
    ended = Thread(target=lambda: finish(parts, urgent, ADA, follow_up_on=day))
    with parts.db.begin() as session:  # a colleague joins the clinical item: its row is locked first
        held = sa.select(CallbackItem.id).where(CallbackItem.id == clinical)
        session.execute(held.with_for_update())
        ended.start()
        wait_for(lambda: somebody_waits(parts), what="the other to wait")
        # An order of its own would hold this one by now, and the two would wait for each other.
        other = sa.select(CallbackItem.id).where(CallbackItem.id == urgent)
        assert session.scalar(other.with_for_update(nowait=True)) == urgent
    ended.join()
    assert item_of(parts, urgent).status == "done"


def somebody_waits(parts: Parts) -> bool:
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with parts.db.begin() as session:
        return bool(session.scalar(waiting))
