"""Calling a patient back: the staff member's own telephone rings first, then the patient's.

An attempt is committed before the carrier is asked, and the carrier is asked once. What became of it is told
by reports about both telephones, which come late, twice, in any order or never. So a report only ever adds
what is not known yet: `CallbackAttempt.result` moves on from "" (the staff member's telephone rings) over
``dialled`` (1 was pressed) and ``connected`` or ``machine`` to what it is when ``ended_at`` is set. Then it
changes only where it was guessed from the other telephone (`_GUESSED`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from nurseline.callbacks.models import CallbackAttempt, CallbackEvent, CallbackItem
from nurseline.callbacks.service import LEASE, MOVES, QueueError, Staff, not_yours
from nurseline.clock import Clock
from nurseline.db import Database
from nurseline.outcomes import Accepted, Ambiguous, SendOutcome, Standing
from nurseline.phone import parse

log = structlog.get_logger(__name__)

LONGEST_TALK = timedelta(hours=2)  # then the carrier ends the call
SPARE = timedelta(minutes=5)
SOON = timedelta(seconds=15)  # far above what the carrier takes to ring a telephone
GIVEN_UP = LONGEST_TALK + timedelta(minutes=15)  # then a call is over, even if the carrier cannot be asked

CALL_ENDED = "call ended: "  # in an item's history, before the result

Stage = Literal["asked", "unsure", "staff_rings", "patient_rings", "talking", "machine", "over"]
FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})  # Twilio, "call progress"
_UNDER_WAY = frozenset({"queued", "initiated", "ringing"})
LASTING = frozenset({"", "dialled"})

# How the patient's call ended, by Twilio's word for it. `completed` was answered.
_PATIENT = {
    "completed": "connected",
    "busy": "busy",
    "no-answer": "no_answer",
    "failed": "failed",
    "canceled": "caller_gone",
}
# Before 1 was pressed. A mobile phone that declines is reported as busy.
_STAFF = {
    "completed": "staff_declined",
    "busy": "staff_declined",
    "no-answer": "staff_no_answer",
    "failed": "staff_failed",
    "canceled": "staff_no_answer",
}
_OF_PATIENT = frozenset({*_PATIENT.values(), "machine"})
# What a later report about the patient's telephone may correct.
_GUESSED = {
    "staff_declined": _OF_PATIENT,
    "staff_no_answer": _OF_PATIENT,
    "unknown": _OF_PATIENT,
    "caller_gone": _OF_PATIENT,
    "connected": frozenset({"machine"}),
}
# The outcome that staff most likely record.
_SUGGESTED = {
    "no_answer": "no_answer",
    "busy": "busy_or_failed",
    "failed": "busy_or_failed",
    "machine": "left_voicemail",
}


class Telephone(Protocol):
    """The carrier, as far as calling back needs it. `nurseline.carrier` has the real one."""

    def ring_staff(self, *, to: str, reference: uuid.UUID) -> SendOutcome:
        """Ask once for a call to a staff member. Never raises, and answers within seconds."""

    def look_at_call(self, sid: str) -> Standing | None:
        """Where the call ``sid`` stands now; None if the carrier does not know it.

        Raises OSError if it cannot be asked.
        """


@dataclass(frozen=True, slots=True)
class LegReport:
    """What the carrier says about one of the two calls. ``seconds``: from the answer to the end."""

    call_sid: str
    status: str
    at: datetime
    seconds: int | None = None


def start(
    session: Session, item_id: uuid.UUID, staff: Staff, *, regions: frozenset[str], now: datetime
) -> CallbackAttempt:
    """Begin to call back about an item that this person has claimed.

    ``regions``: where numbers may be that the line calls. Raises QueueError if the item is not theirs, has no
    number that can be called, or is being called already: of two who press at once, one begins.
    """
    item = session.get(CallbackItem, item_id, populate_existing=True)
    if item is None:
        raise QueueError("There is no such item.")
    if item.contact is None:
        raise QueueError("No number is known for this item, so nobody can be called.")
    if parse(item.contact.number, regions=regions).kind != "person":
        raise QueueError("The line does not call this kind of number. Use another telephone.")
    moved = MOVES.move(
        session,
        [item_id],
        "calling",
        at=now,
        cause="call begun",
        actor=staff.id,
        only_if=[CallbackItem.claimed_by == staff.id],
        values={"lease_until": sa.func.greatest(CallbackItem.lease_until, now + LEASE)},
    )
    if not moved:
        session.refresh(item)
        if item.status == "calling" and item.claimed_by == staff.id:
            raise QueueError("This call has begun already. Your phone rings only once.")
        raise QueueError(not_yours(item))
    _nobody_calls(session, item_id, staff, now)
    attempt = CallbackAttempt(
        id=uuid.uuid4(), item_id=item_id, staff_id=staff.id, staff_name=staff.name, started_at=now, result=""
    )
    session.add(attempt)
    session.flush()
    return attempt


def _nobody_calls(session: Session, item_id: uuid.UUID, staff: Staff, now: datetime) -> None:
    """Raise QueueError while a call about the item lasts, begun before it was given back and taken again."""
    under_way = open_attempts().where(
        CallbackAttempt.item_id == item_id, CallbackAttempt.started_at > now - GIVEN_UP
    )
    other = session.scalar(under_way.limit(1))
    if other is not None:
        who = "Your last call" if other.staff_id == staff.id else f"{other.staff_name}'s call"
        raise QueueError(f"{who} about this item has not ended yet. Try again in a few minutes.")


def ring(db: Database, clock: Clock, telephone: Telephone, attempt_id: uuid.UUID, to: str) -> SendOutcome:
    """Ask the carrier, once, to ring the staff member's telephone, and write down what it said.

    Nobody knows after an ambiguous answer; the telephone may ring all the same, and is never rung again
    by itself.
    """
    outcome = telephone.ring_staff(to=to, reference=attempt_id)
    with db.begin() as session:
        attempt = locked(session, attempt_id)
        if attempt is None:
            return outcome
        if isinstance(outcome, Accepted):
            attempt.staff_call_sid = attempt.staff_call_sid or outcome.sid
        elif not isinstance(outcome, Ambiguous) and attempt.staff_call_sid is None:
            end(session, attempt, "not_started", clock.now())
    return outcome


def picked_up(session: Session, attempt_id: uuid.UUID, call_sid: str) -> CallbackAttempt | None:
    """The attempt whose staff member's telephone was picked up; None if the call is not wanted any more."""
    attempt = _of_staff(session, attempt_id, call_sid)
    if attempt is None or attempt.ended_at is not None or not _wanted(session, attempt):
        return None
    return attempt


def pressed(session: Session, attempt_id: uuid.UUID, call_sid: str, *, now: datetime) -> CallbackItem | None:
    """1 was pressed: the patient's telephone may ring. None if it may not: the call is not wanted any more.

    A repeat gives the item again, until somebody has answered.
    """
    attempt = picked_up(session, attempt_id, call_sid)
    if attempt is None or attempt.result not in LASTING:
        return None
    if attempt.result == "":
        attempt.result = "dialled"
        _tried(session, attempt, now)
        _keep(session, attempt, until=now + LONGEST_TALK + SPARE)
    return session.get_one(CallbackItem, attempt.item_id)


def not_pressed(session: Session, attempt_id: uuid.UUID, call_sid: str, *, keys: bool, now: datetime) -> None:
    """1 was not pressed: another key, or none at all, as with a mailbox."""
    attempt = _of_staff(session, attempt_id, call_sid)
    if attempt is not None and attempt.ended_at is None and attempt.result == "":
        end(session, attempt, "staff_declined" if keys else "staff_no_answer", now)


def staff_moved(session: Session, attempt_id: uuid.UUID, report: LegReport) -> None:
    """The call to the staff member's telephone moved on or ended."""
    attempt = _of_staff(session, attempt_id, report.call_sid)
    if attempt is None or attempt.ended_at is not None or report.status not in FINAL:
        return
    if attempt.result == "":
        end(session, attempt, _STAFF[report.status], report.at)
    elif attempt.result == "dialled":
        end(session, attempt, "caller_gone", report.at)
    else:
        end(session, attempt, attempt.result, report.at)


def patient_moved(session: Session, attempt_id: uuid.UUID, report: LegReport) -> None:
    """The call to the patient moved on or ended."""
    attempt = _of_patient(session, attempt_id, report.call_sid)
    if attempt is None:
        return
    _tried(session, attempt, report.at)
    if report.status in FINAL:
        _patient_ended(session, attempt, report)
    elif attempt.ended_at is not None:
        return
    elif report.status in _UNDER_WAY and attempt.result == "":
        attempt.result = "dialled"
    elif report.status == "in-progress":
        attempt.connected_at = attempt.connected_at or report.at
        attempt.result = "connected" if attempt.result in LASTING else attempt.result


def machine_answered(session: Session, attempt_id: uuid.UUID, call_sid: str, *, at: datetime) -> None:
    """The carrier took who answered the patient's telephone for a machine."""
    attempt = _of_patient(session, attempt_id, call_sid)
    if attempt is None:
        return
    if attempt.ended_at is None:
        attempt.connected_at, attempt.result = attempt.connected_at or at, "machine"
    elif "machine" in _GUESSED.get(attempt.result, frozenset()):
        attempt.result = "machine"


def _patient_ended(session: Session, attempt: CallbackAttempt, report: LegReport) -> None:
    result = _PATIENT[report.status]
    if result == "connected":
        result = "machine" if attempt.result == "machine" else "connected"
        attempt.connected_at = attempt.connected_at or report.at - timedelta(seconds=report.seconds or 0)
        attempt.seconds = report.seconds if report.seconds is not None else attempt.seconds
    if attempt.ended_at is None:
        end(session, attempt, result, report.at)
    elif result in _GUESSED.get(attempt.result, frozenset()):
        attempt.result = result


def attempts_of(session: Session, item_id: uuid.UUID) -> Sequence[CallbackAttempt]:
    """All calls about an item, oldest first."""
    by_time = (CallbackAttempt.started_at, CallbackAttempt.id)
    query = sa.select(CallbackAttempt).where(CallbackAttempt.item_id == item_id)
    return session.scalars(query.order_by(*by_time)).all()


def unrecorded(session: Session, item_id: uuid.UUID, staff_id: str) -> CallbackAttempt | None:
    """This person's last call about an item since it was in the queue: its outcome is to be recorded."""
    settled = sa.select(sa.func.max(CallbackEvent.at)).where(
        CallbackEvent.subject_id == item_id,
        CallbackEvent.status.in_(("new", "waiting_retry", "snoozed", "done", "cancelled")),
    )
    since = session.scalar(settled)
    query = sa.select(CallbackAttempt).where(
        CallbackAttempt.item_id == item_id, CallbackAttempt.staff_id == staff_id
    )
    if since is not None:
        query = query.where(CallbackAttempt.started_at >= since)
    return session.scalar(query.order_by(CallbackAttempt.started_at.desc()).limit(1))


def stage(attempt: CallbackAttempt, now: datetime) -> Stage:
    """Where a call stands, in words that pages and tests share."""
    if attempt.ended_at is not None:
        return "over"
    match attempt.result:
        case "dialled":
            return "patient_rings"
        case "connected":
            return "talking"
        case "machine":
            return "machine"
    if attempt.staff_call_sid is not None:
        return "staff_rings"
    return "asked" if now - attempt.started_at < SOON else "unsure"


def suggested(attempt: CallbackAttempt) -> str:
    """The outcome that most likely fits how a call ended; empty where only a person can tell."""
    return _SUGGESTED.get(attempt.result, "") if attempt.ended_at is not None else ""


def open_attempts() -> sa.Select[CallbackAttempt]:
    """Calls that are not known to be over."""
    return sa.select(CallbackAttempt).where(CallbackAttempt.ended_at.is_(None))


def locked(session: Session, attempt_id: uuid.UUID) -> CallbackAttempt | None:
    """The attempt, for this transaction alone: reports about one call wait for each other."""
    query = sa.select(CallbackAttempt).where(CallbackAttempt.id == attempt_id).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def _of_staff(session: Session, attempt_id: uuid.UUID, call_sid: str) -> CallbackAttempt | None:
    """The attempt, locked, whose call to staff this is. The first call that is heard of is the one."""
    attempt = locked(session, attempt_id)
    if attempt is not None and attempt.staff_call_sid is None:
        attempt.staff_call_sid = call_sid
    if attempt is None or attempt.staff_call_sid != call_sid:
        log.warning("callback_call.unmatched")
        return None
    return attempt


def _of_patient(session: Session, attempt_id: uuid.UUID, call_sid: str) -> CallbackAttempt | None:
    """The attempt, locked, whose call to the patient this is. ``call_sid`` empty: the carrier named none."""
    attempt = locked(session, attempt_id)
    if attempt is not None and attempt.patient_call_sid is None:
        attempt.patient_call_sid = call_sid or None
    if attempt is None or (call_sid and attempt.patient_call_sid != call_sid):
        log.warning("callback_call.unmatched")
        return None
    return attempt


def _wanted(session: Session, attempt: CallbackAttempt) -> bool:
    """Whether the item is still with who called: not given back, closed, or with somebody else."""
    item = session.get_one(CallbackItem, attempt.item_id, populate_existing=True)
    return item.status == "calling" and item.claimed_by == attempt.staff_id


def end(session: Session, attempt: CallbackAttempt, result: str, now: datetime) -> None:
    """The call is over: its outcome is now for the staff member to record, who still has the item."""
    attempt.result, attempt.ended_at = result, now
    if result in {"connected", "machine"} and attempt.seconds is None and attempt.connected_at is not None:
        attempt.seconds = max(0, int((now - attempt.connected_at).total_seconds()))
    session.flush()
    newer = open_attempts().where(
        CallbackAttempt.item_id == attempt.item_id, CallbackAttempt.started_at > attempt.started_at
    )
    mine = [
        CallbackItem.status == "calling",
        CallbackItem.claimed_by == attempt.staff_id,
        ~newer.exists(),  # a report about an old call, given up long ago, says nothing about a new one
    ]
    cause, values = f"{CALL_ENDED}{result}", {"lease_until": now + LEASE}
    if not MOVES.move(
        session, [attempt.item_id], "claimed", at=now, cause=cause, only_if=mine, values=values
    ):
        stands = session.scalars(sa.select(CallbackItem.status).where(CallbackItem.id == attempt.item_id))
        MOVES.note(session, [attempt.item_id], stands.one(), at=now, cause=cause)


def _tried(session: Session, attempt: CallbackAttempt, at: datetime) -> None:
    """The patient's telephone was called: the first time counts for the reports and keeps the promise."""
    first = (CallbackItem.id == attempt.item_id, CallbackItem.first_attempt_at.is_(None))
    session.execute(sa.update(CallbackItem).where(*first).values(first_attempt_at=at))


def _keep(session: Session, attempt: CallbackAttempt, *, until: datetime) -> None:
    """Let nobody else take the item while the two talk."""
    theirs = (CallbackItem.id == attempt.item_id, CallbackItem.claimed_by == attempt.staff_id)
    session.execute(sa.update(CallbackItem).where(*theirs).values(lease_until=until))
