"""One item of the queue, as its page shows it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks import voicemail
from nurseline.callbacks.calling import CALL_ENDED
from nurseline.callbacks.follow_ups import KEPT
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackOutcome, CallbackWords, Voicemail
from nurseline.callbacks.outcomes import OUTCOMES, recorded_for
from nurseline.callbacks.service import RESTING
from nurseline.messaging.models import OutboundMessage
from nurseline.phone import PhoneNumber
from nurseline.staff.queries.numbers import masked as masked_number
from nurseline.staff.queries.people import names_of
from nurseline.staff.queries.replies import replies_to
from nurseline.staff.words import ASKED_BY, CALL_RESULTS, ITEM_STATUS, REASONS, said

SOON = timedelta(minutes=15)
PLACE_LOOK_BACK = 500  # outcomes


# Causes in an item's history, as `nurseline.callbacks` writes them.
REASON_CHANGED = "reason changed: "
TOLD_IN_FULL = ("handed over to ", "asked again by ", "item ")
HISTORY = {
    "released": "Given back",
    "claim ran out": "Back in the queue: the claim ran out",
    "call begun": "Call begun",
    "put off": "Put off",
    "cancelled": "Cancelled",
    "opened again": "Opened again",
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of an item's history. ``recorded``: all that was entered with an outcome."""

    at: datetime
    what: str
    who: str
    note: str
    recorded: CallbackOutcome | None = None


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
    def name(self) -> str:
        """What the patient is called; empty if nobody wrote it down."""
        return (self.item.contact.name or "") if self.item.contact else ""

    @property
    def resting_until(self) -> datetime | None:
        """When it comes back by itself; None if it can be worked now."""
        return resting_until(self.item)

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.item.status not in {"done", "cancelled"}


def held_by(item: CallbackItem, viewer_id: str, now: datetime) -> tuple[str, bool]:
    """Who has an item now, and whether that is the viewer. A claim that ran out counts no more."""
    if item.status not in {"claimed", "calling"} or item.lease_until is None or item.lease_until < now:
        return "", False
    return item.claimed_name or "Somebody", item.claimed_by == viewer_id


def resting_until(item: CallbackItem) -> datetime | None:
    """When an item comes back that is put off or waits for the next try; None if it can be worked now."""
    return item.due_again_at if item.status in RESTING else None


def masked(item: CallbackItem) -> str:
    """The number as a page may show it before it is revealed."""
    if item.contact is None:
        return PhoneNumber("", "", "anonymous").masked
    return masked_number(item.contact.number)


def lateness(item: CallbackItem, now: datetime) -> str:
    """``overdue`` once the promise has passed, ``soon`` shortly before."""
    if item.status in {"done", "cancelled"}:
        return ""
    if now > item.promised_at:
        return "overdue"
    return "soon" if item.promised_at - now <= SOON else ""


def last_place(session: Session) -> str:
    """The place of the last of the appointments lately made; empty if there is none."""
    lately = sa.select(CallbackOutcome.id).order_by(CallbackOutcome.id.desc()).limit(PLACE_LOOK_BACK)
    query = sa.select(CallbackOutcome.appointment_place).where(
        CallbackOutcome.id.in_(lately), CallbackOutcome.appointment_at.is_not(None)
    )
    return session.scalar(query.order_by(CallbackOutcome.id.desc()).limit(1)) or ""


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
    entered = {(row.at, row.outcome): row for row in recorded_for(session, item_id)}
    history = [
        Happening(
            at=e.at,
            what=_what(e),
            who="" if e.actor == "line" else names[e.actor],
            note=e.note or "",
            recorded=entered.get((e.at, e.cause)),
        )
        for e in events
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
    cause = event.cause
    if cause in OUTCOMES:
        return OUTCOMES[cause]
    if cause.startswith(CALL_ENDED):
        return f"Call ended: {said(CALL_RESULTS, cause.removeprefix(CALL_ENDED))}"
    if cause.startswith("requested by"):
        return said(ASKED_BY, cause.removeprefix("requested by "))
    if cause.startswith(KEPT):
        return f"To be followed up on {cause.removeprefix(KEPT).partition(' ')[0]}"
    if cause.startswith(REASON_CHANGED):
        old, _, new = cause.removeprefix(REASON_CHANGED).partition(" to ")
        return f"Reason changed: from “{said(REASONS, old)}” to “{said(REASONS, new)}”"
    if cause in HISTORY or cause.startswith(TOLD_IN_FULL):
        return HISTORY.get(cause) or f"{cause[0].upper()}{cause[1:]}"
    status = said(ITEM_STATUS, event.status)
    return status if cause == event.status else f"{status}: {cause}"


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
