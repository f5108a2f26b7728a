"""How the calls of a period ended, and how fast a person took those that were connected.

What a caller did with keys is known from the words that the line said, which are encrypted: they are read
only for calls that neither raised an item nor are otherwise known, and for those that a person took.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from statistics import fmean, median, quantiles

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.messaging.models import Call, CallStep
from nurseline.reports.figures import Calls, Ending, Spread, ending, waited

LONGEST_OPEN = timedelta(days=90)  # an item that was open for longer is not looked for
LATER = timedelta(minutes=1)  # an item that follows from hanging up may be stored this long after the end
Said = list[tuple[datetime, Collection[str]]]


def calls(session: Session, start: datetime, end: datetime) -> Calls:
    """Calls of patients that began from ``start`` to before ``end`` and are over."""
    ended = _ended(start, end)
    found = session.execute(_touched(ended, start, end)).all()
    taken = {row.id: row.taken for row in found if row.taken is not None}
    asked = {row.id for row in found if row.asked}
    ids = session.scalars(sa.select(ended.c.id)).all()
    said = _said(session, [one for one in ids if one in taken or one not in asked])
    endings: Counter[Ending] = Counter()
    for one in ids:
        heard = {entry for _, entries in said[one] for entry in entries}
        endings[ending(taken=one in taken, asked=one in asked, heard=heard)] += 1
    waits = [wait for one, at in taken.items() if (wait := waited(at, said[one])) is not None]
    return Calls(dict(endings), spread(waits))


def spread(seconds: list[float]) -> Spread:
    """Median, 90th percentile (as PostgreSQL's percentile_cont has it) and average."""
    if not seconds:
        return Spread()
    ninetieth = quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Spread(len(seconds), median(seconds), ninetieth, fmean(seconds))


def _ended(start: datetime, end: datetime) -> sa.Subquery:
    columns = (Call.id, Call.call_sid, Call.contact_id, Call.started_at, Call.ended_at)
    within = (Call.started_at >= start, Call.started_at < end)
    return (
        sa.select(*columns).where(*within, Call.ended_at.is_not(None), Call.message_id.is_(None)).subquery()
    )


def _touched(
    ended: sa.Subquery, start: datetime, end: datetime
) -> sa.Select[tuple[uuid.UUID, datetime, bool]]:
    """For each call that led to something: when a person took it, and whether an item was raised."""
    item, event = CallbackItem, CallbackEvent
    of_number = sa.select(ended, item.id.label("item_id")).join(
        item,
        sa.and_(
            item.contact_id == ended.c.contact_id,
            item.created_at <= ended.c.ended_at + sa.literal(LATER, sa.Interval()),
            item.created_at >= ended.c.started_at - sa.literal(LONGEST_OPEN, sa.Interval()),
        ),
    )
    # Without caller ID an item has the call's own key, and at most one such item is raised in a call.
    of_call = sa.select(ended, item.id.label("item_id")).join(
        item, item.number_key == sa.func.concat("call:", ended.c.call_sid)
    )
    nameless = (
        item.contact_id.is_(None),
        item.created_at >= start,
        item.created_at < end + timedelta(days=1),
    )
    both = sa.union_all(of_number, of_call.where(*nameless)).subquery()
    during = sa.and_(
        event.at >= both.c.started_at, event.at <= both.c.ended_at + sa.literal(LATER, sa.Interval())
    )
    is_taken = event.cause.startswith("taken by ")
    is_asked = event.cause.in_(("requested by call", "asked again by call"))
    taken = sa.func.min(event.at).filter(is_taken).label("taken")
    asked = sa.func.bool_or(is_asked).label("asked")
    query = sa.select(both.c.id, taken, asked).join(event, event.subject_id == both.c.item_id)
    return query.where(during, sa.or_(is_taken, is_asked)).group_by(both.c.id)


def _said(session: Session, ids: list[uuid.UUID]) -> defaultdict[uuid.UUID, Said]:
    """The entries that were said in each step of these calls, in order."""
    steps = sa.select(CallStep.call_id, CallStep.at, CallStep.said).where(
        CallStep.call_id == sa.any_(sa.cast(sa.literal(ids, sa.ARRAY(sa.Uuid)), sa.ARRAY(sa.Uuid)))
    )
    said: defaultdict[uuid.UUID, Said] = defaultdict(list)
    for call_id, at, runs in session.execute(steps.order_by(CallStep.call_id, CallStep.step)):
        said[call_id].append((at, _entries(runs)))
    return said


def _entries(runs: str) -> set[str]:
    """The names of entries in ``said`` of a step: a list of [names with versions, words]."""
    found = json.loads(runs) if runs else []
    return {entry.partition(":")[0] for versions, _ in found for entry in versions.split()}
