"""Messages that the carrier took, but of which no final report came: the carrier is asked by their sids."""

from __future__ import annotations

import time
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.messaging.asking import SECONDS, ask_all
from nurseline.messaging.checking import one_of_many, take_due
from nurseline.messaging.checks import next_check
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
            with one_of_many(sender.db, sender.clock, message_id), sender.db.begin() as session:
                moved += _note(session, sender, message_id, standing)
        if len(taken) < limit or time.monotonic() > until:
            break
    return moved


def _take(sender: Sender, limit: int) -> list[tuple[uuid.UUID, str]]:
    """Texts whose time has come, with their sids."""
    taken = take_due(
        sender.db,
        OutboundMessage.status == "sent",
        OutboundMessage.channel == "text",
        OutboundMessage.provider_sid.is_not(None),
        now=sender.clock.now(),
        limit=limit,
    )
    return [(message_id, str(sid)) for message_id, sid in taken]


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
