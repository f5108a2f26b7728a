"""The mark of the queue changes with whatever a page of it could show, and is cheap."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks import marks, work
from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.clock import SetClock
from nurseline.parts import Parts
from tests.callbacks.queueing import ADA, BEA, ask, claim, do, finish, mine, release, snooze
from tests.support.line import OTHER_NUMBER, minutes


def mark(parts: Parts) -> str:
    with parts.db.begin() as session:
        return marks.queue_mark(session, parts.clock.now())


@pytest.mark.parametrize(
    "change",
    [
        lambda parts, _: ask(parts, "urgent", OTHER_NUMBER),
        lambda parts, _: ask(parts, words="more"),
        lambda parts, item: release(parts, item, ADA),
        lambda parts, item: finish(parts, item, ADA),
        lambda parts, item: finish(parts, item, ADA, "no_answer"),
        lambda parts, item: snooze(parts, item, parts.clock.now() + minutes(9)),
        lambda parts, item: do(parts, work.hand_over, item, ADA, BEA),
        lambda parts, item: do(parts, work.cancel, item, why="not needed"),
        lambda parts, item: do(parts, work.change_reason, item, ADA, "admin", hours=parts.hours),
        lambda parts, item: do(parts, work.merge, item, ask(parts, "admin").item_id, ADA),
    ],
)
def test_the_mark_changes_with_the_queue(parts: Parts, change: Callable[[Parts, object], object]) -> None:
    item = mine(parts)
    before = mark(parts)
    assert mark(parts) == before
    change(parts, item)
    assert mark(parts) != before


def test_the_mark_changes_each_minute(parts: Parts, clock: SetClock) -> None:
    before = mark(parts)
    clock.advance(timedelta(seconds=59))
    assert mark(parts) == before
    clock.advance(timedelta(seconds=1))
    assert mark(parts) != before


def test_a_change_that_is_committed_after_a_later_one_is_seen(parts: Parts) -> None:
    one, two = ask(parts).item_id, ask(parts, "schedule").item_id
    with parts.db.session() as slow:
        work.cancel(slow, one, ADA, why="slow", now=parts.clock.now())
        claim(parts, two, BEA)
        before = mark(parts)
        slow.commit()
    assert mark(parts) != before


def test_the_mark_reads_a_few_rows_however_long_the_history_is(parts: Parts) -> None:
    item = ask(parts).item_id
    now = parts.clock.now()
    with parts.db.begin() as session:
        lines = [
            {"subject_id": item, "at": now, "status": "new", "cause": "test", "actor": "line"}
            for _ in range(marks.LAST * 5)
        ]
        session.execute(sa.insert(CallbackEvent), lines)
    with parts.db.begin() as session:
        session.execute(sa.text("ANALYZE callback_events"))
        plan = "\n".join(session.scalars(sa.text(f"EXPLAIN {_written(session.get_bind())}")))
    assert "Seq Scan on callback_events" not in plan, plan
    assert CallbackItem.__tablename__ not in plan


def _written(bind: sa.Engine | sa.Connection) -> str:
    return str(marks._MARK.compile(bind, compile_kwargs={"literal_binds": True}))
