"""What patients answer to a reminder, and that they did not answer.

A reminder asks one thing. What counts as its answer: the first text after it, as long as nothing was written
in between and the reminder is not older than a week; and what follows while the line still asks (`State`
remembers the reminder). An answer can be a number or words that stand for one (``well``, ``question``,
``worse``), or anything else (``words``), which is read like every other text.
"""

from __future__ import annotations

import uuid
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


def in_view(
    session: Session, contact: Contact, *, last_text: datetime | None, now: datetime
) -> OutboundMessage | None:
    """The reminder that a text which just came in answers: the newest after the patient's last text.

    ``last_text``: when the patient wrote before this, if ever. One that may not have arrived (``sending``,
    ``unknown``) does not interrupt a menu in which the patient is just choosing.
    """
    arrived = ["sent", "delivered"]
    if last_text is None or now - last_text > MENU_FOR:
        arrived += ["sending", "unknown"]
    since = now - OPEN_FOR if last_text is None else max(last_text, now - OPEN_FOR)
    return session.scalar(
        sa.select(OutboundMessage)
        .where(
            to_contact(contact.id),
            REMINDERS,
            OutboundMessage.channel == "text",
            OutboundMessage.status.in_(arrived),
            OutboundMessage.sending_at > since,
        )
        .order_by(OutboundMessage.sending_at.desc())
        .limit(1)
    )


def note_answer(session: Session, reminder_id: uuid.UUID, answer: Answer, *, at: datetime) -> bool:
    """Write the answer into the reminder and its history; True if it was news.

    An answer takes the place of silence, and one that is a choice that of mere words.
    """
    replaced = [SILENCE] if answer == "words" else [SILENCE, "words"]
    open_for_it = sa.or_(OutboundMessage.answer.is_(None), OutboundMessage.answer.in_(replaced))
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
