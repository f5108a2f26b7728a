"""The queue as its page shows it: which items, in which order, and how many of each kind there are."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.sql import ColumnElement

from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.callbacks.service import IS_OPEN, ORDER, RESTING
from nurseline.messaging.models import Contact
from nurseline.phone import national
from nurseline.staff.queries.items import held_by, lateness, masked, resting_until

SHOWN = 100  # rows on one page
# What part of the queue is shown: everything, what can be taken, the viewer's own, what rests until later.
VIEWS = ("all", "free", "mine", "later")
_LATER = CallbackItem.status.in_(RESTING)


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants to see of the queue. ``reason`` empty: all of them. ``page`` counts from 1."""

    view: str = "all"
    reason: str = ""
    page: int = 1

    def address(self, **changed: str | int) -> dict[str, str | int]:
        """The same choice, changed, as arguments of an address; what is usual is left out."""
        wanted = {"view": self.view, "reason": self.reason, "page": 1, **changed}
        usual = {"view": "all", "reason": "", "page": 1}
        return {name: value for name, value in wanted.items() if value != usual[name]}


@dataclass(frozen=True, slots=True)
class Row:
    """One open item in the queue. ``number`` is masked; ``holder`` is empty while nobody has it."""

    id: uuid.UUID
    reference: int
    contact_id: uuid.UUID | None
    reason: str
    status: str
    words: str
    more_words: int
    source: str
    best_time: str
    name: str
    number: str
    created_at: datetime
    promised_at: datetime
    resting_until: datetime | None
    lateness: str  # "overdue", "soon" or ""
    minutes: int  # until, or since, the promise
    waited_minutes: int
    attempts: int
    escalation: int
    holder: str
    mine: bool

    @property
    def urgent(self) -> bool:
        """Whether it stands on top whatever was promised."""
        return self.reason in {"emergency", "urgent"}


@dataclass(frozen=True, slots=True)
class Counts:
    """How many open items there are. ``views``: by part of the queue, ``reasons``: of the part shown.

    ``alarms``: emergencies that nobody has taken.
    """

    views: Mapping[str, int]
    reasons: Mapping[str, int]
    overdue: int
    alarms: int

    @property
    def total(self) -> int:
        """All open items."""
        return self.views["all"]


@dataclass(frozen=True, slots=True)
class Queue:
    """One page of the queue. ``fitting``: how many items the choice fits, on all pages."""

    rows: Sequence[Row]
    counts: Counts
    choice: Choice
    fitting: int
    shown: int = SHOWN  # rows that fit on one page

    @property
    def pages(self) -> int:
        """How many pages there are; one even if it is empty."""
        return max(1, -(-self.fitting // self.shown))


def queue_page(
    session: Session, viewer_id: str, choice: Choice, *, now: datetime, limit: int = SHOWN
) -> Queue:
    """One page of the open items, what to do next first. A page behind the last one gives the last."""
    # The planner takes some thousand rows for much work; to start workers for them takes longer than they do.
    session.execute(sa.text("SET LOCAL max_parallel_workers_per_gather = 0"))
    counts = _counts(session, viewer_id, choice.view, now)
    fitting = counts.reasons.get(choice.reason, 0) if choice.reason else counts.views[choice.view]
    page = min(max(choice.page, 1), max(1, -(-fitting // limit)))
    wanted = [_parts(viewer_id, now)[choice.view]]
    if choice.reason:
        wanted.append(CallbackItem.reason == choice.reason)
    # The ids first: sorting some thousand whole rows, each with its contact, takes five times as long.
    ids = sa.select(CallbackItem.id).where(*wanted).order_by(*ORDER).limit(limit).offset((page - 1) * limit)
    chosen = ids.cte("chosen").prefix_with("MATERIALIZED")
    items = session.scalars(
        sa.select(CallbackItem)
        .join(chosen, chosen.c.id == CallbackItem.id)
        .options(joinedload(CallbackItem.contact))
        .order_by(*ORDER)
    ).all()
    words = _latest_words(session, [item.id for item in items])
    rows = [_row(item, *words.get(item.id, ("", 0)), viewer_id, now) for item in items]
    return Queue(rows, counts, Choice(choice.view, choice.reason, page), fitting, limit)


def alarms(session: Session) -> int:
    """How many emergencies nobody has taken."""
    query = sa.select(sa.func.count()).select_from(CallbackItem)
    return session.scalar(query.where(IS_OPEN, _alarm())) or 0


def numbers_of(session: Session, contact_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The numbers of contacts, as people write them."""
    if not contact_ids:
        return {}
    rows = session.execute(sa.select(Contact.id, Contact.number).where(Contact.id.in_(contact_ids)))
    return {row.id: national(row.number) for row in rows}


def _alarm() -> ColumnElement[bool]:
    """An emergency that nobody has. Who was tried and rests until the next try gives no alarm meanwhile."""
    untaken = CallbackItem.status.not_in(("claimed", "calling"))
    return sa.and_(CallbackItem.priority == 0, untaken, ~_LATER)


def _parts(viewer_id: str, now: datetime) -> dict[str, ColumnElement[bool]]:
    """For each part of the queue the condition that an item belongs to it."""
    held = sa.and_(CallbackItem.status.in_(("claimed", "calling")), CallbackItem.lease_until >= now)
    return {
        "all": IS_OPEN,
        "free": sa.and_(IS_OPEN, ~sa.func.coalesce(held, sa.false()), ~_LATER),
        "mine": sa.and_(IS_OPEN, held, CallbackItem.claimed_by == viewer_id),
        "later": sa.and_(IS_OPEN, _LATER),
    }


def _counts(session: Session, viewer_id: str, view: str, now: datetime) -> Counts:
    parts = _parts(viewer_id, now)
    count = sa.func.count()
    late = sa.and_(CallbackItem.promised_at < now, ~_LATER)
    rows = session.execute(
        sa.select(
            CallbackItem.reason,
            *(count.filter(parts[name]).label(name) for name in VIEWS),
            count.filter(late).label("late"),
            count.filter(_alarm()).label("alarm"),
        )
        .where(IS_OPEN)
        .group_by(CallbackItem.reason)
    ).all()
    return Counts(
        views={name: sum(getattr(row, name) for row in rows) for name in VIEWS},
        reasons={row.reason: getattr(row, view) for row in rows},
        overdue=sum(row.late for row in rows),
        alarms=sum(row.alarm for row in rows),
    )


def _latest_words(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[str, int]]:
    """The latest words of each item, and how many there were before."""
    if not ids:
        return {}
    item = CallbackWords.item_id
    newest_first = (CallbackWords.at.desc(), CallbackWords.id.desc())
    numbered = (
        sa.select(
            item,
            CallbackWords.words,
            sa.func.row_number().over(partition_by=item, order_by=newest_first).label("place"),
            sa.func.count().over(partition_by=item).label("all"),
        )
        .where(item.in_(ids))
        .subquery()
    )
    rows = session.execute(sa.select(numbered).where(numbered.c.place == 1))
    return {row.item_id: (row.words, row.all - 1) for row in rows}


def _row(item: CallbackItem, words: str, more: int, viewer_id: str, now: datetime) -> Row:
    holder, mine = held_by(item, viewer_id, now)
    return Row(
        id=item.id,
        reference=item.reference,
        contact_id=item.contact_id,
        reason=item.reason,
        status=item.status,
        words=words,
        more_words=more,
        source=item.source,
        best_time=item.best_time,
        name=(item.contact.name or "") if item.contact else "",
        number=masked(item),
        created_at=item.created_at,
        promised_at=item.promised_at,
        resting_until=resting_until(item),
        lateness=lateness(item, now),
        minutes=int(abs(item.promised_at - now).total_seconds() // 60),
        waited_minutes=int((now - item.created_at).total_seconds() // 60),
        attempts=item.attempts,
        escalation=item.escalation,
        holder=holder,
        mine=mine,
    )
