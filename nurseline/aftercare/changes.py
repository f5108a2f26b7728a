"""What staff change of planned messages: stop them, move one, another zone, language or channel.

Planned messages follow the contact. A new zone: they keep their due times, which count elapsed hours, and
go within the allowed hours of the new zone; one that was waiting for the hours of the old zone is looked at
again at once. A new language: they are worded in it. A new channel: they come that way. A message that is
going out at this very moment, and one that repeats words which failed to arrive, keep what they have.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.aftercare.models import Injection
from nurseline.consent import service as consent
from nurseline.consent.allowed import AllowedHours
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import MOVES, NO_CLAIM, OPEN, REMINDERS, SCHEDULED
from nurseline.messaging.past import others_to
from nurseline.messaging.timing import QUIET_HOURS, Skip, Wait, decide
from nurseline.messaging.to_contact import to_contact

STOPPED = "stopped by staff"
MOVED = "moved by staff"
FOLLOWS = "changed with the contact"
# From when after the injection a message is of use (clinic.md 1.4); until when is the clinic's setting.
EARLIEST = {"day1": timedelta(hours=20), "day3": timedelta(hours=66), "week1": timedelta(hours=156)}
Why = Literal["gone", "past", "early", "late", "hours", "cap", "order"]


class MoveError(ValueError):
    """Why a message cannot go at the wanted time. ``limit``: the instant from, or until, which it could."""

    def __init__(self, why: Why, limit: datetime | None = None) -> None:
        super().__init__(why)
        self.why, self.limit = why, limit


@dataclass(frozen=True, slots=True)
class Window:
    """When a planned message is of use: from ``first`` up to, not including, ``until``."""

    first: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Choices:
    """How a contact wants messages. ``timezone``: IANA, None if not known; ``channel``: text or call."""

    timezone: str | None
    language: str
    channel: str


def stop(session: Session, contact: Contact, message_id: uuid.UUID, *, staff: str, now: datetime) -> bool:
    """Cancel one planned message of this contact; False if it has gone already, or is none of theirs."""
    consent.holds(session, contact.number_hash)  # everybody locks the ledger first, then messages
    if _planned(session, contact, message_id) is None:
        return False
    return bool(outbox.cancel(session, [message_id], at=now, reason=STOPPED, actor=staff))


def stop_all(session: Session, contact: Contact, *, staff: str, now: datetime) -> int:
    """Cancel every planned message to this contact; how many. Their agreement to messages stays."""
    consent.holds(session, contact.number_hash)
    number = contact.number_hash
    return outbox.cancel_planned(session, number, at=now, reason=STOPPED, actor=staff, failed_too=True)


def window_of(session: Session, message: OutboundMessage) -> Window:
    """When a planned message of an injection is of use."""
    injection = session.get_one(Injection, message.injection_id)
    performed = injection.performed_at
    first = performed + EARLIEST.get(message.step or "", timedelta(0))
    return Window(first, message.send_before or performed + timedelta(days=9))


def move(
    session: Session,
    contact: Contact,
    message_id: uuid.UUID,
    at: datetime,
    *,
    hours: AllowedHours,
    staff: str,
    now: datetime,
) -> None:
    """Have one planned message go at ``at``. Raises MoveError, and nothing is changed.

    It must be of use then, inside the hours allowed where the patient is, and not too soon after another.
    """
    consent.holds(session, contact.number_hash)
    row = _planned(session, contact, message_id, lock=True)
    if row is None:
        raise MoveError("gone")
    window = window_of(session, row)
    if at < now:
        raise MoveError("past")
    if at < window.first:
        raise MoveError("early", window.first)
    if at >= window.until:
        raise MoveError("late", window.until)
    _check_hours(session, row, contact, at, hours, now)
    values = {"send_after": at, **NO_CLAIM}
    if row.status == "claimed":
        MOVES.move(session, [row.id], "scheduled", at=now, cause=MOVED, actor=staff, values=values)
        return
    session.execute(sa.update(OutboundMessage).where(OutboundMessage.id == row.id).values(**values))
    MOVES.note(session, [row.id], "scheduled", at=now, cause=MOVED, actor=staff)


def follow(session: Session, contact: Contact, choices: Choices, *, staff: str, now: datetime) -> int:
    """Keep what a contact wants; planned messages follow. How many of them changed."""
    consent.holds(session, contact.number_hash)
    old = session.execute(
        sa.select(Contact.timezone, Contact.language, Contact.channel)
        .where(Contact.id == contact.id)
        .with_for_update(key_share=True)
    ).one()
    mine = (to_contact(contact.id), REMINDERS, OutboundMessage.status.in_(OPEN))
    new = (choices.timezone, choices.language, choices.channel)
    if new == tuple(old):
        return 0
    session.execute(
        sa.update(Contact)
        .where(Contact.id == contact.id)
        .values(timezone=choices.timezone, language=choices.language, channel=choices.channel)
    )
    back = _take_from_workers(session, mine, staff, now)
    changed: set[uuid.UUID] = set()
    if choices.timezone != old.timezone:
        _judge_again(session, mine, now)
        changed |= _set(session, mine, timezone=choices.timezone)
    if choices.language != old.language:
        changed |= _set(session, (*mine, OutboundMessage.body.is_(None)), language=choices.language)
    if choices.channel != old.channel:
        changed |= _set(session, mine, channel=choices.channel)
    scheduled = sa.select(OutboundMessage.id).where(OutboundMessage.id.in_(changed - back), SCHEDULED)
    ids = session.scalars(scheduled).all()
    MOVES.note(session, ids, "scheduled", at=now, cause=FOLLOWS, actor=staff)
    return len(changed)


def _take_from_workers(
    session: Session, mine: tuple[sa.ColumnElement[bool], ...], staff: str, now: datetime
) -> set[uuid.UUID]:
    """Put back what a worker has claimed and would decide from what it read before; which."""
    claimed = OutboundMessage.status == "claimed"
    ids = session.scalars(sa.select(OutboundMessage.id).where(*mine, claimed)).all()
    back = MOVES.move(session, ids, "scheduled", at=now, cause=FOLLOWS, actor=staff, values=NO_CLAIM)
    return set(back)


def _set(session: Session, which: tuple[sa.ColumnElement[bool], ...], **values: Any) -> set[uuid.UUID]:
    changed = sa.update(OutboundMessage).where(*which).values(**values).returning(OutboundMessage.id)
    return set(session.scalars(changed.execution_options(synchronize_session=False)))


def _judge_again(session: Session, which: tuple[sa.ColumnElement[bool], ...], now: datetime) -> None:
    """Let what waits for allowed hours be decided anew, on the clocks that count now."""
    last = (
        sa.select(OutboundEvent.cause)
        .where(OutboundEvent.subject_id == OutboundMessage.id)
        .order_by(OutboundEvent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    _set(session, (*which, SCHEDULED, last == QUIET_HOURS), send_after=now)


def _planned(
    session: Session, contact: Contact, message_id: uuid.UUID, *, lock: bool = False
) -> OutboundMessage | None:
    query = sa.select(OutboundMessage).where(
        OutboundMessage.id == message_id,
        OutboundMessage.contact_id == contact.id,
        REMINDERS,
        OutboundMessage.status.in_(OPEN),
    )
    if lock:
        query = query.with_for_update(of=OutboundMessage).execution_options(populate_existing=True)
    return session.scalar(query)


def _check_hours(
    session: Session,
    row: OutboundMessage,
    contact: Contact,
    at: datetime,
    hours: AllowedHours,
    now: datetime,
) -> None:
    """The decision that is made at sending, made for ``at``."""
    where = hours.where(contact.number, row.timezone or contact.timezone)
    past = others_to(session, [row], now=now)[row.id]
    match decide(row.send_before, where, past, at):
        case Wait(until, why):
            kind: Why = "order" if "earlier" in why else "hours" if why == QUIET_HOURS else "cap"
            raise MoveError(kind, until)
        case Skip(why):
            raise MoveError("hours" if QUIET_HOURS in why or "hours" in why else "cap")
        case _:
            return
