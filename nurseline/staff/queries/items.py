"""The queue and its items, as the pages show them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import service, voicemail
from nurseline.callbacks.calling import CALL_ENDED
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackWords, Voicemail
from nurseline.callbacks.outcomes import OUTCOMES
from nurseline.messaging.models import OutboundMessage
from nurseline.phone import parse
from nurseline.staff.queries.people import names_of
from nurseline.staff.queries.replies import replies_to
from nurseline.staff.words import ASKED_BY, CALL_RESULTS, ITEM_STATUS, said

SOON = timedelta(minutes=15)
SHOWN = 200  # rows of the queue on one page


@dataclass(frozen=True, slots=True)
class Row:
    """One open item in the queue. ``number`` is masked; ``holder`` is empty while nobody has it."""

    id: uuid.UUID
    contact_id: uuid.UUID | None
    reason: str
    status: str
    words: str
    more_words: int
    source: str
    best_time: str
    number: str
    created_at: datetime
    promised_at: datetime
    lateness: str  # "overdue", "soon" or ""
    minutes: int  # until, or since, the promise
    waited_minutes: int
    holder: str
    mine: bool

    @property
    def urgent(self) -> bool:
        """Whether it stands on top whatever was promised."""
        return self.reason in {"emergency", "urgent"}


@dataclass(frozen=True, slots=True)
class Queue:
    """The rows of one page, and how many open items there are in all."""

    rows: Sequence[Row]
    total: int

    @property
    def fingerprint(self) -> str:
        """Changes whenever the page would look different."""
        seen = repr([astuple(row) for row in self.rows]) + str(self.total)
        return hashlib.sha256(seen.encode("utf-8", "replace")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of an item's history."""

    at: datetime
    what: str
    who: str
    note: str


@dataclass(frozen=True, slots=True)
class ItemPage:
    """An item with all that was said and done. ``holder`` is empty while nobody has it."""

    item: CallbackItem
    words: Sequence[CallbackWords]
    history: Sequence[Happening]
    number: str  # masked
    holder: str
    mine: bool
    lateness: str
    others: Sequence[CallbackItem]  # other open items of the same contact
    voicemail: Sequence[Voicemail] = ()
    replies_to: Mapping[int, OutboundMessage] = field(default_factory=dict)  # words' id: what they answer

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.item.status not in {"done", "cancelled"}


def queue_page(session: Session, viewer_id: str, *, now: datetime, limit: int = SHOWN) -> Queue:
    """Open items, what to do next first."""
    items = service.queue(session, limit=limit)
    total = len(items)
    if total == limit:
        open_items = CallbackItem.status.not_in(("done", "cancelled"))
        total = (
            session.scalar(sa.select(sa.func.count()).select_from(CallbackItem).where(open_items)) or total
        )
    latest = _latest_words(session, [item.id for item in items])
    return Queue([_row(item, *latest.get(item.id, ("", 0)), viewer_id, now) for item in items], total)


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
        contact_id=item.contact_id,
        reason=item.reason,
        status=item.status,
        words=words,
        more_words=more,
        source=item.source,
        best_time=item.best_time,
        number=masked(item),
        created_at=item.created_at,
        promised_at=item.promised_at,
        lateness=lateness(item, now),
        minutes=int(abs(item.promised_at - now).total_seconds() // 60),
        waited_minutes=int((now - item.created_at).total_seconds() // 60),
        holder=holder,
        mine=mine,
    )


def held_by(item: CallbackItem, viewer_id: str, now: datetime) -> tuple[str, bool]:
    """Who has an item now, and whether that is the viewer. A claim that ran out counts no more."""
    if item.status not in {"claimed", "calling"} or item.lease_until is None or item.lease_until < now:
        return "", False
    return item.claimed_name or "Somebody", item.claimed_by == viewer_id


def masked(item: CallbackItem) -> str:
    """The number as a page may show it before it is revealed."""
    return parse(item.contact.number).masked if item.contact else "no number"


def lateness(item: CallbackItem, now: datetime) -> str:
    """``overdue`` once the promise has passed, ``soon`` shortly before."""
    if item.status in {"done", "cancelled"}:
        return ""
    if now > item.promised_at:
        return "overdue"
    return "soon" if item.promised_at - now <= SOON else ""


def item_page(session: Session, item_id: uuid.UUID, viewer_id: str, *, now: datetime) -> ItemPage | None:
    """One item; None if there is none with this id."""
    item = session.get(CallbackItem, item_id)
    if item is None:
        return None
    by_time = (CallbackWords.at, CallbackWords.id)
    words = session.scalars(
        sa.select(CallbackWords).where(CallbackWords.item_id == item_id).order_by(*by_time)
    ).all()
    events = session.scalars(
        sa.select(CallbackEvent)
        .where(CallbackEvent.subject_id == item_id)
        .order_by(CallbackEvent.at, CallbackEvent.id)
    ).all()
    names = names_of(session, (event.actor for event in events))
    holder, mine = held_by(item, viewer_id, now)
    history = [
        Happening(e.at, _what(e), "" if e.actor == "line" else names[e.actor], e.note or "") for e in events
    ]
    return ItemPage(
        item,
        words,
        history,
        masked(item),
        holder,
        mine,
        lateness(item, now),
        _others(session, item),
        voicemail.of_item(session, item_id),
        replies_to(session, item, words),
    )


def _what(event: CallbackEvent) -> str:
    """A history line in plain words: the outcome where there is one, else status and cause."""
    if event.status == "done":
        return OUTCOMES.get(event.cause, event.cause)
    if event.cause == "released":
        return "Given back"
    if event.cause == "claim ran out":
        return "Back in the queue: the claim ran out"
    if event.cause == "call begun":
        return "Call begun"
    if event.cause.startswith(CALL_ENDED):
        return f"Call ended: {said(CALL_RESULTS, event.cause.removeprefix(CALL_ENDED))}"
    if event.cause.startswith("requested by"):
        return said(ASKED_BY, event.cause.removeprefix("requested by "))
    status = said(ITEM_STATUS, event.status)
    return status if event.cause == event.status else f"{status}: {event.cause}"


def _others(session: Session, item: CallbackItem) -> Sequence[CallbackItem]:
    if item.contact_id is None:
        return []
    query = sa.select(CallbackItem).where(
        CallbackItem.contact_id == item.contact_id,
        CallbackItem.id != item.id,
        CallbackItem.status.not_in(("done", "cancelled")),
    )
    return session.scalars(query.order_by(CallbackItem.priority, CallbackItem.promised_at)).all()


def holds_claim(session: Session, contact_id: uuid.UUID, staff_id: str, *, now: datetime) -> bool:
    """Whether this person has claimed an item of this contact."""
    query = sa.select(CallbackItem.id).where(
        CallbackItem.contact_id == contact_id,
        CallbackItem.claimed_by == staff_id,
        CallbackItem.status.in_(("claimed", "calling")),
        CallbackItem.lease_until >= now,
    )
    return session.scalar(query.limit(1)) is not None
