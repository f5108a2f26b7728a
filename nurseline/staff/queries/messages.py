"""Messages that a person should look at: of unknown outcome, failed, or not delivered."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from nurseline.carrier.errors import meaning_of
from nurseline.messaging.models import OutboundEvent, OutboundMessage
from nurseline.phone import parse
from nurseline.staff.queries.contacts import went_at
from nurseline.staff.words import REFUSALS

TO_CHECK = ("unknown", "failed", "undelivered")
BACK = timedelta(days=30)
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Check:
    """One such message. ``number`` is masked; ``known`` says what is known in plain words."""

    message: OutboundMessage
    number: str
    at: datetime
    known: str
    events: Sequence[OutboundEvent]


def messages_to_check(session: Session, *, now: datetime) -> list[Check]:
    """Those of the last 30 days: unknown ones first, then the newest."""
    unknown_first = sa.case((OutboundMessage.status == "unknown", 0), else_=1)
    rows = session.scalars(
        sa.select(OutboundMessage)
        .where(OutboundMessage.status.in_(TO_CHECK), OutboundMessage.created_at > now - BACK)
        .order_by(unknown_first, OutboundMessage.created_at.desc())
        .options(selectinload(OutboundMessage.contact))
        .limit(SHOWN)
    ).all()
    events: dict[uuid.UUID, list[OutboundEvent]] = {row.id: [] for row in rows}
    if rows:
        of_these = sa.select(OutboundEvent).where(OutboundEvent.subject_id.in_(list(events)))
        for event in session.scalars(of_these.order_by(OutboundEvent.at, OutboundEvent.id)):
            events[event.subject_id].append(event)
    return [
        Check(row, parse(row.contact.number).masked, went_at(row), known(row), events[row.id]) for row in rows
    ]


def known(message: OutboundMessage) -> str:
    """What is known about a message that did not arrive, or may not have."""
    if message.status == "unknown":
        return (
            "It may have reached the patient: the carrier gave no clear answer. "
            "It is not sent again by itself. Ask the patient, or look it up at the carrier."
        )
    if message.error_code:
        return REFUSALS[meaning_of(message.error_code)]
    if message.reason.startswith("given up"):
        return "The carrier could not be reached in time."
    return "The carrier reported that it did not arrive, without a reason."
