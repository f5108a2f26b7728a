"""Whether every queue is worked: the last sign of life of each, and telling people when one has stopped.

A worker can live and yet take nothing from its queue. So each task writes down that it came through the
broker; the workers of other queues look for these signs, and so do the staff pages and ``/healthz/queues``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement, SQLColumnExpression

from nurseline.crypto import Keyring
from nurseline.db import UtcDateTime
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import LANES, PRIORITY, SCHEDULED
from nurseline.messaging.telling import tell
from nurseline.wakeups import HOUSEKEEPING, QUEUES, REMINDERS, URGENT
from nurseline.watch.models import Heartbeat

LIMIT = timedelta(seconds=60)  # without a sign of life; each queue gets one every few seconds
# So long a queue may be silent before people are told although nothing waits: by then a worker that was stuck
# has begun anew.
TOLD_AFTER = timedelta(seconds=180)
# A sign of life further ahead is of a clock that was wrong. Far above what the clocks of hosts may
# differ by, and above what a worker that was held up may be late with an older sign.
AHEAD = timedelta(minutes=5)
# So long something urgent may be due although its queue is worked: a burst waits for the sender's rate.
OVERDUE = timedelta(minutes=3)
AGAIN = timedelta(minutes=15)  # a queue that stops and starts does not call people each time
ALERT = "alert.late"  # the words that people get


@dataclass(frozen=True, slots=True)
class Silence:
    """A queue without a sign of life. ``since``: the last one, None if there never was one to be believed.

    Or one that is worked and yet sends nothing (`overdue`); ``since`` it should have.
    """

    queue: str
    since: datetime | None


def beat(session: Session, queue: str, *, at: datetime) -> None:
    """Write down that a task came through this queue, unless there is a later sign that can be true."""
    sign = insert(Heartbeat).values(queue=queue, at=at)
    news = sa.or_(Heartbeat.at < at, Heartbeat.at > at + AHEAD)
    session.execute(
        sign.on_conflict_do_update(index_elements=["queue"], set_={"at": sign.excluded.at}, where=news)
    )


def last_signs(session: Session) -> dict[str, datetime | None]:
    """The last sign of life of each queue, None where there never was any."""
    known = {row.queue: row.at for row in session.execute(sa.select(Heartbeat.queue, Heartbeat.at))}
    return {queue: known.get(queue) for queue in QUEUES}


def silent(session: Session, *, now: datetime) -> list[Silence]:
    """The queues without a sign of life for longer than `LIMIT`, or with one that cannot be true."""
    signs = last_signs(session).items()
    believed = {queue: at if at and at <= now + AHEAD else None for queue, at in signs}
    return [Silence(queue, at) for queue, at in believed.items() if at is None or at < now - LIMIT]


def stale(session: Session, *, now: datetime) -> list[Silence]:
    """The queues because of which messages go late, or not at all.

    Those that are silent while work has waited for longer than `LIMIT`, or one that is worked in vain.
    """
    found = _silent_with_work(session, now)
    since = overdue(session, now=now)
    if since and URGENT not in {one.queue for one in found}:
        found.insert(0, Silence(URGENT, since))
    return found


def overdue(session: Session, *, now: datetime) -> datetime | None:
    """Since when something urgent has been due for longer than `OVERDUE`, whoever works its queue.

    An alert is due from when it was planned, however often it was tried in vain since or taken by a worker
    that died. The texts of `alarm` do not count: they may wait behind what they tell of.
    """
    message, before = OutboundMessage, now - OVERDUE
    others = message.content_id != ALERT
    alert = sa.and_(message.priority == PRIORITY["alert"], message.created_at <= before, others)
    # In the order of the index on due rows: one look at its beginning, whatever the planner has counted.
    in_order = (message.priority, message.send_after, message.id)
    due = sa.select(message.send_after).where(
        SCHEDULED, LANES["urgent"], message.send_after <= before, others
    )
    planned = sa.select(message.created_at).where(SCHEDULED, alert)
    taken = sa.select(message.created_at).where(message.lease_until.is_not(None), alert)
    found = (due.order_by(*in_order).limit(1), planned.order_by(*in_order).limit(1), taken.limit(1))
    return session.scalar(sa.select(sa.func.least(*(each.scalar_subquery() for each in found))))


def _silent_with_work(session: Session, now: datetime) -> list[Silence]:
    quiet = silent(session, now=now)
    if not quiet:
        return []
    before = now - LIMIT
    late: dict[str, list[ColumnElement[bool]]] = {
        URGENT: [SCHEDULED, LANES["urgent"], OutboundMessage.send_after <= before],
        REMINDERS: [SCHEDULED, LANES["reminders"], OutboundMessage.send_after <= before],
        HOUSEKEEPING: [OutboundMessage.lease_until <= before],
    }
    waits = session.execute(sa.select(*(sa.exists().where(*late[one.queue]) for one in quiet))).one()
    return [one for one, waiting in zip(quiet, waits, strict=True) if waiting]


def alarm(session: Session, keyring: Keyring, numbers: Iterable[str], *, now: datetime) -> list[str]:
    """Text ``numbers`` (E.164) about queues that have stopped, once for each time they stop; which queues."""
    _begin(session, now)
    late = {one.queue for one in _silent_with_work(session, now)}
    late |= {one.queue for one in silent(session, now=now) if one.since and one.since < now - TOLD_AFTER}
    stopped = sa.and_(Heartbeat.queue.in_(late), Heartbeat.at < now - LIMIT, _news(Heartbeat.at, now))
    if since := overdue(session, now=now):
        in_vain = sa.and_(Heartbeat.queue == URGENT, _news(sa.literal(since, UtcDateTime), now))
        stopped = sa.or_(stopped, in_vain)
    told = session.scalars(
        sa.update(Heartbeat).where(stopped).values(alarmed_at=now).returning(Heartbeat.queue)
    ).all()
    if told:
        tell(session, keyring, numbers, ALERT, at=now)
    return sorted(told)


def _begin(session: Session, now: datetime) -> None:
    """From now on a queue without a sign of life that can be true is one that falls silent like any other."""
    first = insert(Heartbeat).values([{"queue": queue, "at": now} for queue in QUEUES])
    session.execute(first.on_conflict_do_nothing())
    session.execute(sa.update(Heartbeat).where(Heartbeat.at > now + AHEAD).values(at=now))


def _news(since: SQLColumnExpression[datetime], now: datetime) -> ColumnElement[bool]:
    """Whether people were last told before this began, and not just now."""
    return sa.or_(
        Heartbeat.alarmed_at.is_(None),
        Heartbeat.alarmed_at > now + AHEAD,
        sa.and_(Heartbeat.alarmed_at < since, Heartbeat.alarmed_at <= now - AGAIN),
    )
