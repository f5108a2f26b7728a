"""Calls to patients whose end was never reported: the carrier is asked, and nothing stays open for ever."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from nurseline.callbacks.calling import (
    FINAL,
    GIVEN_UP,
    LASTING,
    LegReport,
    Telephone,
    end,
    locked,
    open_attempts,
    patient_moved,
    staff_moved,
)
from nurseline.callbacks.models import CallbackAttempt
from nurseline.clock import Clock
from nurseline.db import Database, apart
from nurseline.outcomes import Standing

log = structlog.get_logger(__name__)

QUIET = timedelta(minutes=2)  # without an end for so long, the carrier is asked; a telephone rings for 30 s


def look_after(db: Database, clock: Clock, telephone: Telephone, *, limit: int = 50) -> int:
    """End calls whose end was never reported, as the carrier tells it when asked; how many ended.

    One that the carrier never told anything about, not even that it took it, counts as not known.
    """
    now = clock.now()
    silent = open_attempts().where(CallbackAttempt.started_at < now - QUIET)
    query = silent.order_by(CallbackAttempt.started_at).limit(limit)
    with db.begin() as session:
        open_ones = [(row.id, row.staff_call_sid, row.patient_call_sid) for row in session.scalars(query)]
    ended = 0
    for attempt_id, staff_sid, patient_sid in open_ones:
        with apart(_not_ended):
            ended += _look_at(db, telephone, attempt_id, (staff_sid, patient_sid), now)
    return ended


def _not_ended(error: Exception) -> None:
    log.error("callback_call.not_ended", error=type(error).__name__)


def _look_at(
    db: Database,
    telephone: Telephone,
    attempt_id: uuid.UUID,
    sids: tuple[str | None, str | None],
    now: datetime,
) -> int:
    """End one call, as the carrier tells it of the staff member's telephone and of the patient's."""
    try:
        staff_leg, patient_leg = (telephone.look_at_call(sid) if sid else None for sid in sids)
    except OSError:
        log.warning("callback_call.unreachable")
        return _give_up(db, attempt_id, now)
    with db.begin() as session:
        return _settle(session, attempt_id, staff_leg, patient_leg, now)


def _settle(
    session: Session,
    attempt_id: uuid.UUID,
    staff_leg: Standing | None,
    patient_leg: Standing | None,
    now: datetime,
) -> int:
    if patient_leg is not None and patient_leg.status in FINAL:
        patient_moved(
            session, attempt_id, LegReport(patient_leg.sid, patient_leg.status, now, patient_leg.seconds)
        )
    if staff_leg is not None:
        staff_moved(session, attempt_id, LegReport(staff_leg.sid, staff_leg.status, now, staff_leg.seconds))
    attempt = locked(session, attempt_id)
    if attempt is None:
        return 0
    if attempt.ended_at is None and staff_leg is None:
        end(session, attempt, "unknown" if attempt.result in LASTING else attempt.result, now)
    return int(attempt.ended_at is not None)


def _give_up(db: Database, attempt_id: uuid.UUID, now: datetime) -> int:
    """End a call about which nothing can be learnt, once it cannot last any more."""
    with db.begin() as session:
        attempt = locked(session, attempt_id)
        if attempt is None or attempt.ended_at is not None or attempt.started_at > now - GIVEN_UP:
            return 0
        end(session, attempt, "unknown" if attempt.result in LASTING else attempt.result, now)
        return 1
