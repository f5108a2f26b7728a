"""Messages that the carrier took, but of which no final report came: the carrier is asked by their sids."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from nurseline.messaging.checks import ASKING, next_check
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import MOVES
from nurseline.messaging.reports import STATUS, Report, advance
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Standing

log = structlog.get_logger(__name__)

WIDTH = 4  # requests at once: sending comes first
SECONDS = 20.0  # of one call; what is left is taken by the next
FORGOTTEN = "the carrier does not know it any more"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A message and what the carrier said. ``reached`` False: it could not be asked."""

    id: uuid.UUID
    standing: Standing | None
    reached: bool


def poll_sent(sender: Sender, *, limit: int = 100, seconds: float = SECONDS) -> int:
    """Ask about messages whose time has come, ``limit`` at once, for some ``seconds``; how many moved."""
    moved, until = 0, time.monotonic() + seconds
    with ThreadPoolExecutor(WIDTH) as pool:
        while taken := _take(sender, limit):
            asked = list(pool.map(lambda one: _ask(sender, *one), taken))
            for one in asked:
                with sender.db.begin() as session:
                    moved += _note(sender, session, one)
            if len(taken) < limit or time.monotonic() > until or not all(one.reached for one in asked):
                break
    return moved


def _take(sender: Sender, limit: int) -> list[tuple[uuid.UUID, str]]:
    """Those whose time has come, kept from other processes while we ask."""
    now = sender.clock.now()
    due = (
        sa.select(OutboundMessage.id)
        .where(
            OutboundMessage.check_after.is_not(None),
            OutboundMessage.check_after <= now,
            OutboundMessage.status == "sent",
            OutboundMessage.channel == "text",
            OutboundMessage.provider_sid.is_not(None),
        )
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
    with sender.db.begin() as session:
        return [(message_id, str(sid)) for message_id, sid in session.execute(taken)]


def _ask(sender: Sender, message_id: uuid.UUID, sid: str) -> _Asked:
    try:
        return _Asked(message_id, sender.gateway.look(sid), reached=True)
    except OSError:
        log.warning("poll.unreachable")
        return _Asked(message_id, None, reached=False)


def _note(sender: Sender, session: Session, asked: _Asked) -> int:
    """Apply what the carrier said as a report would; else write down when to ask again."""
    message = session.get(OutboundMessage, asked.id)
    if message is None or message.status != "sent" or not asked.reached:
        return 0
    now, standing = sender.clock.now(), asked.standing
    if standing is not None and standing.status in STATUS:
        report = Report(
            standing.sid, standing.status, now, error_code=standing.error_code, meaning=standing.meaning
        )
        if advance(session, message, report, cause=f"asked: {standing.status}"):
            return 1
    again = None if standing is None else next_check("sent", message.sending_at, now)
    still = sa.update(OutboundMessage).where(
        OutboundMessage.id == message.id, OutboundMessage.status == "sent"
    )
    session.execute(still.values(check_after=again))
    if standing is None:
        MOVES.note(session, [message.id], "sent", at=now, cause=FORGOTTEN)
    return 0
