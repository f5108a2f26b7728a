"""What patients answer to a reminder, and that they did not answer.

A reminder asks one thing. What counts as its answer: the first text that was read as one, as long as the
reminder is not older than a week; and what follows while the line still asks (`State` remembers the
reminder). An answer can be a number or words that stand for one (``well``, ``question``, ``worse``), or
anything else (``words``), which is read like every other text.

A number that says worse corrects a milder one for two days, as long as the line has asked nothing since: a
mistyped 1 is common, and the reminder still stands there. Nothing makes an answer milder.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.outbox import MOVES, REMINDERS
from nurseline.messaging.to_contact import to_contact

Answer = Literal["well", "question", "worse", "words"]
SILENCE = "silence"
# Two reminders of an injection lie at least two days apart, so when the next one asks, the silence after the
# one before is on record. An answer that comes later still counts and takes its place.
ANSWER_WITHIN = timedelta(hours=48)
OPEN_FOR = timedelta(days=7)  # older than that, a "1" is more likely meant for the menu
MENU_FOR = timedelta(minutes=30)  # a conversation that is younger goes on
_MAY_HAVE_ARRIVED = ("sent", "delivered", "sending", "unknown")
_UNSURE = frozenset({"sending", "unknown"})
_REPLACES: Mapping[Answer, tuple[str, ...]] = {
    "words": (SILENCE,),
    "well": (SILENCE, "words"),
    "question": (SILENCE, "words", "well"),
    "worse": (SILENCE, "words", "well", "question"),
}


def in_view(
    session: Session, contact: Contact, *, last_text: datetime | None, now: datetime
) -> OutboundMessage | None:
    """The reminder that a text which just came in answers: the newest, if no text has answered it yet.

    ``last_text``: when the patient wrote before this, if ever. One that may not have arrived (``sending``,
    ``unknown``) does not interrupt a menu in which the patient is just choosing; it stays open, since a text
    that was not read as its answer left nothing in it.
    """
    answered = OutboundMessage.answer != SILENCE  # so it arrived, whatever was reported later
    newest = session.scalar(
        sa.select(OutboundMessage)
        .where(
            to_contact(contact.id),
            REMINDERS,
            OutboundMessage.channel == "text",
            sa.or_(OutboundMessage.status.in_(_MAY_HAVE_ARRIVED), answered),
            OutboundMessage.sending_at > now - OPEN_FOR,
        )
        .order_by(OutboundMessage.sending_at.desc())
        .limit(1)
    )
    if newest is None or newest.answer not in (None, SILENCE):
        return None
    choosing = last_text is not None and now - last_text <= MENU_FOR
    return None if choosing and newest.status in _UNSURE else newest


def note_answer(session: Session, reminder_id: uuid.UUID, answer: Answer, *, at: datetime) -> bool:
    """Write the answer into the reminder and its history; True if it was news.

    An answer takes the place of silence, one that is a choice that of mere words, and of two choices the
    worse one stands.
    """
    open_for_it = sa.or_(OutboundMessage.answer.is_(None), OutboundMessage.answer.in_(_REPLACES[answer]))
    noted = (
        sa.update(OutboundMessage)
        .where(OutboundMessage.id == reminder_id, REMINDERS, open_for_it)
        .values(answer=answer, answer_until=None)
        .returning(OutboundMessage.status)
    )
    status = session.scalar(noted)
    if status is None:
        return False
    MOVES.note(session, [reminder_id], status, at=at, cause=f"answered: {answer}", actor="patient")
    return True


def record_silence(session: Session, *, now: datetime, limit: int = 1000) -> int:
    """Write down for which reminders the time to answer is over; how many were looked at.

    Only for one that arrived, as far as anybody knows: what did not arrive is not met with silence.
    """
    over = (
        sa.select(OutboundMessage.id)
        .where(OutboundMessage.answer_until.is_not(None), OutboundMessage.answer_until <= now)
        .order_by(OutboundMessage.answer_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    silent = sa.and_(
        OutboundMessage.answer.is_(None), OutboundMessage.status.in_(("sent", "delivered", "unknown"))
    )
    write = (
        sa.update(OutboundMessage)
        .where(OutboundMessage.id.in_(over.scalar_subquery()))
        .values(answer=sa.case((silent, SILENCE), else_=OutboundMessage.answer), answer_until=None)
        .returning(OutboundMessage.id)
    )
    return len(session.scalars(write).all())
