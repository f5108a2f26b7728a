"""What the tests of the callback queue do: ask, claim, give back, close, and look."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurseline.callbacks import outcomes, work
from nurseline.callbacks import service as callbacks
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackWords
from nurseline.callbacks.outcomes import Closing
from nurseline.callbacks.promises import Reason, promised_at
from nurseline.callbacks.service import Raised, Staff
from nurseline.parts import Parts
from tests.support.line import NUMBER, make_contact

ADA, BEA = Staff("staff-a", "Nurse A"), Staff("staff-b", "Nurse B")


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
    parts: Parts,
    item: uuid.UUID,
    staff: Staff,
    outcome: str = "reached_resolved",
    note: str = "",
    **more: Any,
) -> Closing:
    """Record an outcome with what it needs, unless told otherwise."""
    needed: dict[str, Any] = {}
    if outcome in outcomes.REACHED:
        needed["identity"] = "two_identifiers"
    if outcome == "reached_scheduled":
        needed |= {"appointment_at": parts.clock.now() + timedelta(days=3), "appointment_place": "Room 2"}
    if outcome == "unreached_closed":
        note = note or "The number does not exist any more."
    recorded = outcomes.Recorded(outcome, note, **(needed | more))
    with parts.db.begin() as session:
        return outcomes.finish(session, item, staff, recorded, now=parts.clock.now(), hours=parts.hours)


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


def do(parts: Parts, what: Callable[..., Any], item: uuid.UUID, *more: Any, **named: Any) -> Any:
    """One step of Ada's, unless it is said whose."""
    with parts.db.begin() as session:
        return what(session, item, *(more or (ADA,)), now=parts.clock.now(), **named)


def take(parts: Parts, staff: Staff = ADA, **named: Any) -> uuid.UUID | None:
    with parts.db.begin() as session:
        item = work.take_next(session, staff, now=parts.clock.now(), **named)
        return item.id if item else None


def come_back(parts: Parts) -> int:
    with parts.db.begin() as session:
        return callbacks.come_back(session, now=parts.clock.now())


def mine(parts: Parts, reason: Any = "nurse", number: str = NUMBER) -> uuid.UUID:
    """An item that Ada has."""
    item = ask(parts, reason, number).item_id
    claim(parts, item, ADA)
    return item


def snooze(parts: Parts, item: uuid.UUID, until: datetime, staff: Staff = ADA) -> None:
    with parts.db.begin() as session:
        work.snooze(session, item, staff, until=until, now=parts.clock.now())
