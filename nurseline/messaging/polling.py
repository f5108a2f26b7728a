"""Messages that the carrier took, but of which no final report came: the carrier is asked by their sids."""

from __future__ import annotations

import time
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.messaging.asking import SECONDS, ask_all
from nurseline.messaging.checks import ASKING, next_check
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import MOVES
from nurseline.messaging.reports import STATUS, Report, advance
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Standing

FORGOTTEN = "the carrier does not know it any more"


def poll_sent(sender: Sender, *, limit: int = 100, seconds: float = SECONDS) -> int:
    """Ask about messages whose time has come, ``limit`` at a time, for some ``seconds``; how many moved."""
    moved, until, whole = 0, time.monotonic() + seconds, True
    while whole and (taken := _take(sender, limit)):
        answers, whole = ask_all(taken, lambda one: sender.gateway.look(one[1]), until=until)
        for (message_id, _), standing in answers:
            with sender.db.begin() as session:
                moved += _note(session, sender, message_id, standing)
        if len(taken) < limit or time.monotonic() > until:
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


def _note(session: Session, sender: Sender, message_id: uuid.UUID, standing: Standing | None) -> int:
    """Apply what the carrier said as a report would; else write down when to ask again."""
    now = sender.clock.now()
    message = session.get(OutboundMessage, message_id)
    if message is None or message.status != "sent":
        return 0  # a report was faster
    if standing is not None and standing.status in STATUS:
        report = Report(
            standing.sid, standing.status, now, error_code=standing.error_code, meaning=standing.meaning
        )
        if advance(session, message, report, cause=f"asked: {standing.status}", alarm=sender.alarm):
            return 1
    again = None if standing is None else next_check("sent", message.sending_at, now)
    still = sa.update(OutboundMessage).where(
        OutboundMessage.id == message.id, OutboundMessage.status == "sent"
    )
    session.execute(still.values(check_after=again))
    if standing is None:
        MOVES.note(session, [message.id], "sent", at=now, cause=FORGOTTEN)
    return 0
