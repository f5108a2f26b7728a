"""Messages that a person should look at: of unknown outcome, failed, or not delivered."""

from __future__ import annotations

import math
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
from nurseline.staff.words import CALLS, REFUSALS

TO_CHECK = ("unknown", "failed", "undelivered")
BACK = timedelta(days=30)
SHOWN = 200  # on one page


@dataclass(frozen=True, slots=True)
class Check:
    """One such message. ``number`` is masked; ``known`` says what is known in plain words."""

    message: OutboundMessage
    number: str
    at: datetime
    known: str
    events: Sequence[OutboundEvent]


@dataclass(frozen=True, slots=True)
class Checks:
    """One page of them. ``page`` counts from 1; ``count`` is of all pages."""

    rows: Sequence[Check]
    page: int
    pages: int
    count: int


def messages_to_check(session: Session, *, now: datetime, page: int = 1) -> Checks:
    """Those of the last 30 days: unknown ones first, then the newest. The last page, if there is no such."""
    wanted = (OutboundMessage.status.in_(TO_CHECK), OutboundMessage.created_at > now - BACK)
    count = session.scalar(sa.select(sa.func.count()).select_from(OutboundMessage).where(*wanted)) or 0
    pages = max(1, math.ceil(count / SHOWN))
    page = min(max(page, 1), pages)
    unknown_first = sa.case((OutboundMessage.status == "unknown", 0), else_=1)
    rows = session.scalars(
        sa.select(OutboundMessage)
        .where(*wanted)
        .order_by(unknown_first, OutboundMessage.created_at.desc(), OutboundMessage.id)
        .options(selectinload(OutboundMessage.contact))
        .offset((page - 1) * SHOWN)
        .limit(SHOWN)
    ).all()
    events: dict[uuid.UUID, list[OutboundEvent]] = {row.id: [] for row in rows}
    if rows:
        of_these = sa.select(OutboundEvent).where(OutboundEvent.subject_id.in_(list(events)))
        for event in session.scalars(of_these.order_by(OutboundEvent.at, OutboundEvent.id)):
            events[event.subject_id].append(event)
    checks = [
        Check(row, parse(row.contact.number).masked, went_at(row), known(row), events[row.id]) for row in rows
    ]
    return Checks(checks, page, pages, count)


def known(message: OutboundMessage) -> str:
    """What is known about a message that did not arrive, or may not have."""
    if message.status == "unknown":
        return (
            "It may have reached the patient: the carrier gave no clear answer. "
            "It is not sent again by itself. Ask the patient, or look it up at the carrier."
        )
    if message.error_code:
        return REFUSALS[meaning_of(message.error_code)]
    if message.channel == "call" and message.reason in CALLS:
        return CALLS[message.reason]
    if message.reason.startswith("given up"):
        return "The carrier could not be reached in time."
    return "The carrier reported that it did not arrive, without a reason."
