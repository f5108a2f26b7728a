"""Messages that the carrier is asked about: taken by one process at a time, and each dealt with by itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.sql import ColumnElement

from nurseline.clock import Clock
from nurseline.db import Database, apart
from nurseline.messaging.checks import ASKING, next_check
from nurseline.messaging.models import OutboundMessage

log = structlog.get_logger(__name__)


def take_due(
    db: Database, *which: ColumnElement[bool], now: datetime, limit: int
) -> list[tuple[uuid.UUID, str | None]]:
    """Ids and sids of those ``which`` it is time to ask about, kept from other processes while we ask.

    Nothing encrypted is read: what no key opens must not keep others from being asked about.
    """
    due = (
        sa.select(OutboundMessage.id)
        .where(OutboundMessage.check_after.is_not(None), OutboundMessage.check_after <= now, *which)
        .order_by(OutboundMessage.check_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        sa.update(OutboundMessage)
        .where(OutboundMessage.id.in_(due.scalar_subquery()))
        .values(check_after=now + ASKING)
        .returning(OutboundMessage.id, OutboundMessage.provider_sid)
    )
    with db.begin() as session:
        return [(row.id, row.provider_sid) for row in session.execute(taken)]


@contextmanager
def one_of_many(db: Database, clock: Clock, message_id: uuid.UUID) -> Iterator[None]:
    """Around what is done about one message: if that fails it is put off, and the others go on."""
    with apart(partial(_put_off, db, clock, message_id)):
        yield


def _put_off(db: Database, clock: Clock, message_id: uuid.UUID, error: Exception) -> None:
    """As if the carrier had been asked and had nothing new to say: somebody may put it right by then."""
    log.error("message.not_checked", message=str(message_id), error=type(error).__name__)
    columns = (OutboundMessage.status, OutboundMessage.sending_at)
    with db.begin() as session:
        status, sending_at = session.execute(
            sa.select(*columns).where(OutboundMessage.id == message_id)
        ).one()
        if status not in {"sent", "unknown"}:
            return
        again = next_check("sent" if status == "sent" else "unknown", sending_at, clock.now())
        still = (OutboundMessage.id == message_id, OutboundMessage.status == status)
        session.execute(sa.update(OutboundMessage).where(*still).values(check_after=again))
