"""Status callbacks of the carrier, and looking up messages of which nobody knows what became."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.messaging.models import DeliveryReport, OutboundMessage
from nurseline.messaging.outbox import MOVES, NO_CLAIM
from nurseline.messaging.sending import Sender, learn_opt_out

log = structlog.get_logger(__name__)

# What the carrier calls a state -> what we call it. Twilio, "outbound message status".
STATUS = {
    "accepted": "sent",
    "queued": "sent",
    "sending": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
}
OPTED_OUT = 21610
LOOK_AFTER = timedelta(seconds=60)  # the carrier's own request limit is about 26 s; its list lags
LOOK_UNTIL = timedelta(hours=24)  # then only staff can tell


@dataclass(frozen=True, slots=True)
class Report:
    """One status callback. ``reference``: our message's id from the callback address, if it carried one."""

    provider_sid: str
    status: str
    at: datetime
    reference: uuid.UUID | None = None
    error_code: int | None = None


def apply_report(session: Session, report: Report) -> bool:
    """Move the message forward as the report says; True if anything changed.

    Repeats, late and out-of-order reports change nothing: moves are only ever forward.
    """
    row = {
        "provider_sid": report.provider_sid,
        "status": report.status,
        "message_id": report.reference,
        "error_code": report.error_code,
        "at": report.at,
    }
    stored = (
        insert(DeliveryReport).values(row).on_conflict_do_nothing().returning(DeliveryReport.provider_sid)
    )
    if session.scalar(stored) is None:
        return False
    to = STATUS.get(report.status)
    message = _message(session, report)
    if to is None or message is None:
        log.warning("report.unmatched", status=report.status, known_status=to is not None)
        return False
    if report.error_code == OPTED_OUT:
        learn_opt_out(session, message.number_hash, report.at)
    values: dict[str, object] = {"provider_sid": report.provider_sid, "reason": "", **NO_CLAIM}
    if report.error_code is not None:
        values |= {"error_code": report.error_code, "reason": f"carrier error {report.error_code}"}
    moved = MOVES.move(
        session,
        [message.id],
        to,
        at=report.at,
        cause=f"callback {report.status}",
        actor="carrier",
        values=values,
    )
    return bool(moved)


def _message(session: Session, report: Report) -> OutboundMessage | None:
    if report.reference is not None:
        message = session.get(OutboundMessage, report.reference)
        known = message.provider_sid if message is not None else None
        return message if known in {None, report.provider_sid} else None
    query = sa.select(OutboundMessage).where(OutboundMessage.provider_sid == report.provider_sid)
    return session.scalar(query)


def look_up_unknown(sender: Sender, *, limit: int = 50) -> int:
    """Ask the carrier for messages of unknown outcome; how many it had.

    One that the carrier has becomes ``sent``. Others stay ``unknown`` for staff to decide.
    """
    now = sender.clock.now()
    with sender.db.begin() as session:
        rows = session.scalars(
            sa.select(OutboundMessage)
            .where(
                OutboundMessage.status == "unknown",
                OutboundMessage.sending_at < now - LOOK_AFTER,
                OutboundMessage.sending_at > now - LOOK_UNTIL,
            )
            .order_by(sa.func.random())  # so that those nobody will find do not stand before the others
            .limit(limit)
        ).all()
        wanted = [(row.id, row.contact.number, row.body or "", row.sending_at or now) for row in rows]
    found = 0
    for message_id, to, body, since in wanted:
        try:
            sids = sender.gateway.find(to=to, body=body, since=since)
        except OSError:
            log.warning("lookup.unreachable")
            break
        if sids:
            found += _settle(sender, message_id, sids)
    return found


def _settle(sender: Sender, message_id: uuid.UUID, sids: Sequence[str]) -> int:
    """Give the message the first sid that is not another row's: the same words may go to a number twice."""
    with sender.db.begin() as session:
        query = sa.select(OutboundMessage.provider_sid).where(OutboundMessage.provider_sid.in_(sids))
        taken = set(session.scalars(query))
        sid = next((sid for sid in sids if sid not in taken), None)
        if sid is None:
            return 0
        now = sender.clock.now()
        values = {"provider_sid": sid, "reason": ""}
        moved = MOVES.move(session, [message_id], "sent", at=now, cause="found at the carrier", values=values)
        return len(moved)
