"""What the tests of the outbox share."""

import uuid
from typing import Any

import sqlalchemy as sa

from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import Lane, claim_due
from nurseline.messaging.reports import Report, apply_report
from nurseline.parts import Parts

STATUSES = (
    "scheduled",
    "claimed",
    "sending",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "unknown",
    "skipped",
    "cancelled",
)


def force(parts: Parts, message_id: uuid.UUID, **values: Any) -> None:
    """Put a row into any state, past all rules."""
    with parts.db.begin() as session:
        session.execute(sa.update(OutboundMessage).where(OutboundMessage.id == message_id).values(**values))


def claimed(parts: Parts, *, limit: int = 100, lane: Lane | None = None) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """Claim what is due, as a worker does, in a transaction of its own."""
    with parts.db.begin() as session:
        return claim_due(session, now=parts.clock.now(), limit=limit, lane=lane)


def report(parts: Parts, provider_sid: str, status: str, **more: Any) -> bool:
    """A status callback comes in."""
    with parts.db.begin() as session:
        return apply_report(session, Report(provider_sid, status, parts.clock.now(), **more))
