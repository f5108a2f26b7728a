"""What staff decide about a message that did not arrive, or of which nobody knows whether it did.

Each decision is one conditional update, so of two people who decide at once one wins and the other is told.
Knowledge changes the status (it arrived, it did not); wishes do not: a message that is left as it is, or
made up for by a call, keeps what is known of it, and a report that still comes is believed.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from nurseline.consent import service as consent
from nurseline.messaging.answers import SILENCE
from nurseline.messaging.followups import follow
from nurseline.messaging.models import OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import ANSWERS, MOVES, ORDERED

Decision = Literal["arrived", "again", "call", "leave"]
TO_CHECK = ("unknown", "failed", "undelivered")
BY_STAFF = "staff: "  # begins the reason and the cause of what staff decided
CAUSES: dict[Decision, str] = {
    "arrived": "staff: it arrived",
    "again": "staff: it did not arrive",
    "call": "staff: call instead",
    "leave": "staff: left as it is",
}


class DecisionError(ValueError):
    """Why a decision could not be carried out."""


class NotPossibleError(DecisionError):
    """The message cannot be sent again: too late, the patient has ended messages, or it was replaced."""


class DecidedError(DecisionError):
    """Something was faster. ``actor``: who, ``cause``: what; ``stands``: the status of the message now."""

    def __init__(self, stands: str, actor: str, cause: str) -> None:
        super().__init__(f"{stands}: {cause}")
        self.stands, self.actor, self.cause = stands, actor, cause


def undecided() -> ColumnElement[bool]:
    """SQL condition: staff have something to decide about this message.

    Not about a call that the patient answered, by key or in words: they heard it. The report that they hung
    up during the words may overtake the answer, and is final.
    """
    # Written out, so that the planner knows that the index on these fits.
    waiting: sa.BindParameter[str] = sa.bindparam("waiting", TO_CHECK, expanding=True, literal_execute=True)
    unanswered = sa.or_(OutboundMessage.answer.is_(None), OutboundMessage.answer == SILENCE)
    return sa.and_(
        OutboundMessage.status.in_(waiting),
        OutboundMessage.reason.not_like(f"{BY_STAFF}%", escape="\\"),
        sa.or_(OutboundMessage.channel != "call", unanswered),
    )


def decide(
    session: Session, row: OutboundMessage, decision: Decision, *, actor: str, now: datetime
) -> uuid.UUID | None:
    """Carry out what ``actor`` (a staff id) decided about ``row``; the id of the message that goes instead.

    Raises DecidedError if it is decided already, or a report came meanwhile, and NotPossibleError if it
    cannot be sent again; the caller then rolls back.
    """
    if decision in {"arrived", "again"} and row.purpose not in ANSWERS:
        consent.holds(session, row.number_hash)  # everybody locks the ledger first, then messages
    if not _settle(session, row, decision, actor, now):
        raise _overtaken(session, row.id)
    if decision != "again":
        return None
    channel = row.contact.channel if row.purpose not in ANSWERS else "text"
    instead = follow(session, row, channel=channel, at=now, cause=ORDERED)
    if instead is None:
        raise NotPossibleError
    return instead


def _settle(session: Session, row: OutboundMessage, decision: Decision, actor: str, now: datetime) -> bool:
    cause = CAUSES[decision]
    unknown = [OutboundMessage.status == "unknown", undecided()]
    if decision == "arrived":
        values: dict[str, object] = {"reason": cause, "check_after": None}
        moved = MOVES.move(
            session, [row.id], "delivered", at=now, cause=cause, actor=actor, only_if=unknown, values=values
        )
        return bool(moved)
    if decision == "again" and row.status == "unknown":
        values = {"reason": cause, "check_after": None}
        moved = MOVES.move(
            session, [row.id], "failed", at=now, cause=cause, actor=actor, only_if=unknown, values=values
        )
        return bool(moved)
    mark = sa.update(OutboundMessage).where(OutboundMessage.id == row.id, undecided())
    status = session.scalar(mark.values(reason=cause).returning(OutboundMessage.status))
    if status is not None:
        MOVES.note(session, [row.id], status, at=now, cause=cause, actor=actor)
    return status is not None


def _overtaken(session: Session, message_id: uuid.UUID) -> DecidedError:
    last = session.scalars(
        sa.select(OutboundEvent)
        .where(OutboundEvent.subject_id == message_id)
        .order_by(OutboundEvent.id.desc())
        .limit(1)
    ).one()
    return DecidedError(last.status, last.actor, last.cause)
