"""The same message once more after it surely failed: a row of its own, the next turn of its step.

* A refusal that may pass (the handset was off, a queue was full): one more text, an hour later; of an alert
  two minutes later, for somebody is waiting.
* A number that cannot be texted (Twilio 21614, 30006): from now on its automated messages are calls, and so
  is the next turn of this one.

Nothing follows after the latest useful time, after an opt-out, when a later injection has replaced the plan,
when the injection was called off or staff have stopped its messages, or on a reply, which would come out of
nowhere. Nothing follows either where the caps would hold it back until it is too late: a text that was
reported as undelivered counts as the one of its day. Then it is for staff to decide (`decisions`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.consent import service as consent
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.outbox import ANSWERS, OPEN, ORDERED, REMINDERS, Plan, plan, why_not_again
from nurseline.messaging.past import others_to
from nurseline.messaging.timing import after_caps, useful
from nurseline.messaging.to_contact import to_contact
from nurseline.outcomes import RefusalClass
from nurseline.zones import zone

LATER = timedelta(hours=1)
LATER_ALERT = timedelta(minutes=2)
ONCE_MORE = "once more later"  # the cause of a next turn, and the reason of what it follows
Alarm = Callable[[Session, int, datetime], None]  # tells people of an error code, within the transaction
# What becomes of messages that came back into the plan, within the transaction: some are not wanted any more.
Returned = Callable[[Session, Collection[uuid.UUID], datetime], None]
ALARMING: frozenset[RefusalClass] = frozenset({"configuration", "content"})  # only a person can change that


def after_failure(
    session: Session, row: OutboundMessage, meaning: RefusalClass, *, at: datetime
) -> uuid.UUID | None:
    """Do what follows from a failure of this kind at ``at``; the id of the next turn, if there is one.

    Lock the ledger (`consent.holds`) before the message is moved: everybody locks in this order.
    """
    if row.channel != "text":
        return None
    if meaning == "no_texts":
        session.execute(sa.update(Contact).where(Contact.id == row.contact_id).values(channel="call"))
        if row.purpose in ANSWERS:
            return None
        return follow(session, row, channel="call", at=at, cause="cannot be texted: call instead", now=at)
    if meaning == "later" and row.turn == 0:
        followed = follow(session, row, channel="text", at=at + later(row.purpose), cause=ONCE_MORE, now=at)
        if followed is not None and row.injection_id is None:  # no injection and step say so
            mark = sa.update(OutboundMessage).where(OutboundMessage.id == row.id)
            session.execute(mark.values(reason=ONCE_MORE))
        return followed
    return None


def later(purpose: str) -> timedelta:
    """How long after a refusal that may pass a message of this purpose is tried once more."""
    return LATER_ALERT if purpose == "alert" else LATER


def follow(
    session: Session,
    row: OutboundMessage,
    *,
    channel: str,
    at: datetime,
    cause: str,
    now: datetime | None = None,
) -> uuid.UUID | None:
    """Plan the next turn of ``row`` for ``at`` as a text or call; its id, or None where nothing may follow.

    ``now``: the present instant, if it is not ``at``. Once only: a turn that exists is not planned again.
    """
    if row.purpose == "reply" or not useful(row.send_before, at):
        return None
    contact = session.get_one(Contact, row.contact_id)
    automated = row.purpose not in ANSWERS
    if automated and not (_still_wanted(session, row) and in_time(session, row, contact, at)):
        return None
    # Of two who learn of the failure at once the second sees the turn of the first.
    session.execute(sa.select(OutboundMessage.id).where(OutboundMessage.id == row.id).with_for_update())
    if _has_next(session, row):
        return None
    same_words = channel == row.channel
    again = Plan(
        row.purpose,
        row.content_id,
        row.language if same_words and row.body else contact.language,
        at,
        row.send_before,
        contact.timezone,  # what staff have changed since it went holds
        row.body if same_words else None,
        row.content_version if same_words else "",
        row.injection_id,
        row.step,
        row.turn + 1,
        channel,
        next_turn_id(row),
        row.written_by,
        ORDERED if cause == ORDERED else "",
    )
    return plan(session, contact, [again], at=now or at, cause=cause)[0]


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn that may be planned, as the caps look at it."""

    id: uuid.UUID
    contact_id: uuid.UUID
    injection_id: uuid.UUID | None
    send_before: datetime | None


def in_time(
    session: Session, row: OutboundMessage, contact: Contact, at: datetime, *, has_gone: bool = True
) -> bool:
    """Whether the caps let a further turn of ``row``, wanted ``at``, go before it is too late for it.

    ``has_gone`` False: as if ``row`` itself had never gone. Hours are looked at when it is due.
    """
    turn = _Turn(next_turn_id(row) if has_gone else row.id, row.contact_id, row.injection_id, row.send_before)
    zones = [zone(contact.timezone)] if contact.timezone else []
    first, _ = after_caps(others_to(session, [turn], now=at)[turn.id].went, zones, at)
    return useful(row.send_before, first)


def next_turn_id(row: OutboundMessage) -> uuid.UUID:
    """The id that the turn after ``row`` has, if there is or will be one."""
    return uuid.uuid5(row.id, f"turn {row.turn + 1}")


def _has_next(session: Session, row: OutboundMessage) -> bool:
    same = sa.and_(
        # What belongs to no injection is known by its id alone; compared here, all of it would be the same.
        OutboundMessage.injection_id.is_not(None),
        OutboundMessage.injection_id == row.injection_id,
        OutboundMessage.step == row.step,
        OutboundMessage.turn == row.turn + 1,
    )
    there = sa.exists().where(sa.or_(OutboundMessage.id == next_turn_id(row), same))
    return bool(session.scalar(sa.select(there)))


def _still_wanted(session: Session, row: OutboundMessage) -> bool:
    """Whether the number still agrees, nobody ended this one, and no other injection has taken over."""
    if not consent.holds(session, row.number_hash) or why_not_again(session, [row.id]):
        return False
    replaced = sa.exists().where(
        to_contact(row.contact_id),
        REMINDERS,
        OutboundMessage.status.in_(OPEN),
        OutboundMessage.injection_id != row.injection_id,
    )
    return not session.scalar(sa.select(replaced))
