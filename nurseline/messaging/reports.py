"""What the carrier says about a message of ours, and moving the message forward by it.

Reports come in any order, more than once, late, or before we know the message by the carrier's sid. Each is
stored as it came. Moves are only ever forward, so a repeat or a late one changes nothing; one that nobody
can place yet is kept and applied when the message is known (`apply_kept`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.consent import service as consent
from nurseline.messaging.checks import next_check
from nurseline.messaging.followups import ALARMING, Alarm, after_failure, next_turn_id
from nurseline.messaging.models import DeliveryReport, OutboundMessage
from nurseline.messaging.outbox import MOVES, NO_CLAIM, OPEN, cancel, learn_opt_out
from nurseline.outcomes import RefusalClass

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
FAILED = frozenset({"undelivered", "failed"})
FINAL = FAILED | {"delivered"}
ARRIVED_LATE = "the one before did arrive after all"  # at most 40 letters, like every reason


@dataclass(frozen=True, slots=True)
class Report:
    """What the carrier says about one message, by callback or when asked.

    ``reference``: our message's id from the callback address, if it carried one. ``error_code`` and
    ``meaning``: of a failure.
    """

    provider_sid: str
    status: str
    at: datetime
    reference: uuid.UUID | None = None
    error_code: int | None = None
    meaning: RefusalClass | None = None


def apply_report(session: Session, report: Report, *, alarm: Alarm | None = None) -> bool:
    """Store a status callback and move the message forward as it says; True if the message moved."""
    news = _keep(session, report)
    message = _message(session, report, news=news)
    if message is None or report.status not in STATUS:
        log.warning("report.unmatched", status=report.status, known_status=report.status in STATUS)
        return False
    moved = advance(session, message, report, cause=f"callback {report.status}", alarm=alarm)
    if news and not moved and message.status in FINAL and STATUS[report.status] in FINAL - {message.status}:
        if STATUS[report.status] == "delivered":
            _end_next(session, message, report.at)
        cause = f"too late: the carrier reports {report.status}"
        MOVES.note(session, [message.id], message.status, at=report.at, cause=cause, actor="carrier")
    return moved


def advance(
    session: Session, message: OutboundMessage, report: Report, *, cause: str, alarm: Alarm | None = None
) -> bool:
    """Move ``message`` to where the carrier says it stands, and do what follows; True if it moved.

    One that by our own book has not gone yet (the book was restored, or a request that "surely never
    arrived" did arrive) counts as gone from then on: the carrier has it, so it must not go again.
    """
    to = STATUS[report.status]
    if message.status not in {*MOVES.legal[to], *OPEN}:
        return False
    if report.meaning == "opted_out":
        learn_opt_out(session, message.number_hash, report.at, asked=message.sending_at)
    elif to in FAILED:  # what follows reads the ledger, and everybody locks that first
        consent.holds(session, message.number_hash)
    sending_at = message.sending_at
    if message.status in OPEN:
        sending_at = report.at
        _has_gone(session, message, report.at)
    values: dict[str, object] = {
        "provider_sid": report.provider_sid,
        "reason": "",
        "check_after": None if to in FINAL else next_check("sent", sending_at, report.at),
        **NO_CLAIM,
    }
    if report.error_code is not None:
        values |= {"error_code": report.error_code, "reason": f"carrier error {report.error_code}"}
    moved = MOVES.move(session, [message.id], to, at=report.at, cause=cause, actor="carrier", values=values)
    if moved and to in FAILED and report.meaning is not None:
        after_failure(session, message, report.meaning, at=report.at)
        if alarm is not None and report.error_code is not None and report.meaning in ALARMING:
            alarm(session, report.error_code, report.at)
    return bool(moved)


def _end_next(session: Session, message: OutboundMessage, at: datetime) -> None:
    """What was to go once more is not needed: the patient would have it twice."""
    consent.holds(session, message.number_hash)  # everybody locks the ledger first
    cancel(session, [next_turn_id(message)], at=at, reason=ARRIVED_LATE, actor="carrier")


_KEPT = sa.select(DeliveryReport.__table__.c.provider_sid).where(
    DeliveryReport.__table__.c.provider_sid == sa.any_(sa.bindparam("sids", type_=sa.ARRAY(sa.Text)))
)


def apply_kept(session: Session, provider_sids: Collection[str], *, at: datetime) -> int:
    """Apply reports that came before it was known whose sid this is; how many messages moved.

    Call it when sids were written into messages. A failure is not applied from here but asked about at once,
    since what follows from it depends on what the carrier says then.
    """
    if not provider_sids or not session.scalars(_KEPT, {"sids": list(provider_sids)}).first():
        return 0
    kept = session.execute(
        sa.select(DeliveryReport, OutboundMessage)
        .join(OutboundMessage, OutboundMessage.provider_sid == DeliveryReport.provider_sid)
        .where(DeliveryReport.provider_sid.in_(list(provider_sids)), OutboundMessage.status == "sent")
    ).all()
    moved = 0
    for one, message in kept:
        to = STATUS.get(one.status)
        if to == "delivered":
            report = Report(one.provider_sid, one.status, at)
            moved += advance(session, message, report, cause=f"callback {one.status}, kept")
        elif to in FINAL:
            soon = sa.update(OutboundMessage).where(
                OutboundMessage.id == message.id, OutboundMessage.status == "sent"
            )
            session.execute(soon.values(check_after=at))
    return moved


def _keep(session: Session, report: Report) -> bool:
    """Store a report as it came; False if the same one was stored before."""
    row = {
        "provider_sid": report.provider_sid,
        "status": report.status,
        "message_id": report.reference,
        "error_code": report.error_code,
        "at": report.at,
    }
    stored = insert(DeliveryReport).values(row).on_conflict_do_nothing()
    return session.scalar(stored.returning(DeliveryReport.provider_sid)) is not None


def _message(session: Session, report: Report, *, news: bool) -> OutboundMessage | None:
    """Whose report it is: by our reference, else by the sid."""
    by_sid = sa.select(OutboundMessage).where(OutboundMessage.provider_sid == report.provider_sid)
    if report.reference is None:
        return session.scalar(by_sid)
    message = session.get(OutboundMessage, report.reference)
    if message is None or message.provider_sid == report.provider_sid:
        return message
    # Of two messages with the same words the list may have given this sid to the other one.
    holder = session.scalar(by_sid)
    if holder is not None:
        return holder
    if message.provider_sid is None:
        return message
    if news:  # the patient may have it twice: staff can read it in the history
        log.error("report.second_sid", message=str(message.id))
        cause = f"the carrier reports another one of it: {report.status}"
        MOVES.note(session, [message.id], message.status, at=report.at, cause=cause[:80], actor="carrier")
    return None


def _has_gone(session: Session, message: OutboundMessage, at: datetime) -> None:
    """Take a message that the carrier has out of the plan, and out of the hands of a worker."""
    values = {"sending_at": at, "attempts": OutboundMessage.attempts + 1, **NO_CLAIM}
    for to in ("claimed", "sending"):
        MOVES.move(
            session,
            [message.id],
            to,
            at=at,
            cause="the carrier has it",
            actor="carrier",
            values=values if to == "sending" else {},
        )
