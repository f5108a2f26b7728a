"""What became of a call that was to read a reminder.

Reached is who answered as a person and heard the words: a key, words or a silence came after them, or the
call lasted as long as they take. A machine, nobody, or a line that was busy is not: the message then counts
as undelivered and is tried once more (`second_try`). A call that the carrier could not put through never
rang: it failed, and does not count towards the caps. Reports come in any order and more than once; moves are
only ever forward, so that changes nothing.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from nurseline.consent import service as consent
from nurseline.messaging.followups import follow
from nurseline.messaging.models import Call, CallStep, OutboundMessage
from nurseline.messaging.outbox import MOVES, NO_CLAIM
from nurseline.messaging.reports import Report, advance
from nurseline.messaging.second_try import MOST_TRIES, second_try
from nurseline.zones import zone

log = structlog.get_logger(__name__)

# Twilio, "call progress". `canceled`: somebody took it back while it waited or rang.
UNDER_WAY = frozenset({"queued", "initiated", "ringing", "in-progress"})
FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
WORDS_PER_SECOND = 2.5
AGAIN = "nobody was reached: second call"
BY_TEXT = "nobody was reached: by text now"
NO_TIME = "too late for a second call"


@dataclass(frozen=True, slots=True)
class CallReport:
    """What the carrier says about one call of ours, by callback or when asked.

    ``reference``: our message's id from the callback address. ``seconds``: from the answer to the end.
    """

    call_sid: str
    status: str
    at: datetime
    reference: uuid.UUID | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a call that ended means: the status, why in a few words, and whether to call once more."""

    to: str
    reason: str = ""
    again: bool = False
    rang: bool = True


def apply_call_report(session: Session, report: CallReport, clinic_zone: ZoneInfo) -> bool:
    """Move the message forward as the report says; True if it moved.

    ``clinic_zone``: where the patient is taken to be if no zone is known.
    """
    message = message_of(session, report.call_sid, report.reference)
    if message is None or report.status not in UNDER_WAY | FINAL:
        log.warning("call_report.unmatched", status=report.status)
        return False
    if report.status in FINAL:
        consent.holds(session, message.number_hash)  # everybody locks the ledger first, then messages
    has_begun = began(session, message, report.call_sid, report.at, cause=f"call {report.status}")
    if report.status in UNDER_WAY:
        return has_begun
    return _end(session, message, report, clinic_zone)


def message_of(session: Session, call_sid: str, reference: uuid.UUID | None) -> OutboundMessage | None:
    """The message that a call reads; None if it is not known, or is read by another call."""
    if reference is None:
        return session.scalar(sa.select(OutboundMessage).where(OutboundMessage.provider_sid == call_sid))
    message = session.get(OutboundMessage, reference)
    if message is None or message.provider_sid not in {None, call_sid}:
        return None
    return message


def began(session: Session, message: OutboundMessage, call_sid: str, at: datetime, *, cause: str) -> bool:
    """The carrier makes the call: a request of unknown outcome got through. True if the message moved."""
    if message.status not in {"sending", "unknown", "scheduled", "claimed"}:
        return False
    return advance(session, message, Report(call_sid, "sent", at, message.id), cause=cause)


def heard(session: Session, message: OutboundMessage, call_sid: str, at: datetime) -> bool:
    """A person has heard the words of the message. True if that was news."""
    values = {"provider_sid": call_sid, "reason": "", "check_after": None, **NO_CLAIM}
    return bool(
        MOVES.move(
            session,
            [message.id],
            "delivered",
            at=at,
            cause="a person heard it",
            actor="carrier",
            values=values,
        )
    )


def read_at(session: Session, call: Call, message: OutboundMessage) -> CallStep | None:
    """The step of a call at which the words of a message were first said."""
    steps = session.scalars(sa.select(CallStep).where(CallStep.call_id == call.id).order_by(CallStep.step))
    return next((step for step in steps if _says(step, message.content_id)), None)


def _says(step: CallStep, content_id: str) -> bool:
    """Whether the words of an entry were said. ``said`` is a list of [content versions, words]."""
    runs = json.loads(step.said) if step.said else []
    entries = [entry.partition(":")[0] for versions, _words in runs for entry in versions.split()]
    return content_id in entries


def _end(session: Session, message: OutboundMessage, report: CallReport, clinic_zone: ZoneInfo) -> bool:
    verdict = _verdict(session, message, report)
    moved = MOVES.move(
        session,
        [message.id],
        verdict.to,
        at=report.at,
        cause=f"call {report.status}: {verdict.reason}" if verdict.reason else f"call {report.status}",
        actor="carrier",
        values={
            "provider_sid": report.call_sid,
            "reason": verdict.reason,
            "check_after": None,
            **NO_CLAIM,
        },
    )
    if moved and verdict.again:
        _once_more(session, message, verdict, report.at, clinic_zone)
    return bool(moved)


def _verdict(session: Session, message: OutboundMessage, report: CallReport) -> _Verdict:
    match report.status:
        case "busy":  # a mobile phone that declines is reported as busy, too: it may have rung
            return _Verdict("undelivered", "busy", again=True)
        case "no-answer":
            return _Verdict("undelivered", "no answer", again=True)
        case "failed":
            return _Verdict("failed", "the call could not be put through", again=True, rang=False)
        case "canceled":
            return _Verdict("failed", "the call was taken back", rang=False)
    call = session.scalar(sa.select(Call).where(Call.call_sid == report.call_sid))
    read = read_at(session, call, message) if call is not None else None
    if call is None:
        return _Verdict("undelivered", "hung up before a word", again=True)
    if read is None:
        return _Verdict("undelivered", "no person answered", again=True)
    if _later(session, read) or (report.seconds or 0) >= _seconds(read.said):
        return _Verdict("delivered")
    return _Verdict("undelivered", "hung up during the words")  # a person who declines is not called again


def _later(session: Session, read: CallStep) -> bool:
    later = sa.exists().where(CallStep.call_id == read.call_id, CallStep.step > read.step)
    return bool(session.scalar(sa.select(later)))


def _seconds(said: str) -> float:
    """About how long it takes to say these runs of words."""
    return sum(len(words.split()) for _versions, words in json.loads(said)) / WORDS_PER_SECOND


def _once_more(
    session: Session, message: OutboundMessage, verdict: _Verdict, at: datetime, clinic_zone: ZoneInfo
) -> None:
    """Plan the second try, if this was the first and there is time. Who wishes texts by now gets one."""
    if message.injection_id is None or _tries(session, message) >= MOST_TRIES:
        return
    name = message.contact.timezone
    again = second_try(
        message.sending_at or at,
        zone(name) if name else clinic_zone,
        message.send_before,
        rang=verdict.rang,
    )
    if again is None:
        MOVES.note(session, [message.id], verdict.to, at=at, cause=NO_TIME)
        return
    channel = message.contact.channel
    follow(session, message, channel=channel, at=again, cause=AGAIN if channel == "call" else BY_TEXT, now=at)


def _tries(session: Session, message: OutboundMessage) -> int:
    """How many calls were made for this step of this injection."""
    made = sa.select(sa.func.count()).where(
        OutboundMessage.injection_id == message.injection_id,
        OutboundMessage.step == message.step,
        OutboundMessage.channel == "call",
        OutboundMessage.sending_at.is_not(None),
    )
    return session.scalar(made) or 0
