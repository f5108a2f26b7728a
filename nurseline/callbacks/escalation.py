"""Promises that are about to break: the work moves up, people on call are told, and the patient is told.

Levels of an item that nobody has (rules 4 of the clinic; the queue puts level 2 and 3 before their like):

1. The promise is near. Pages show it.
2. It has passed. Whoever is on duty gets a text (`alert.due`).
3. Still nobody has taken it, `AGAIN` after the last alarm: everybody on the list gets a text
   (`alert.unclaimed`), and again each time `AGAIN` has passed, until somebody claims it.

A grave item whose patient was not reached in three tries is not overdue: somebody has to decide what is next.
It rises to level 3 with words of its own (`alert.decide`); an urgent one while the clinic is open.

When nobody on the list is on duty at level 2, that is an alarm of its own to everybody (`alert.off_shift`).
Emergency and urgent items alarm day and night, others while the clinic is open. Claims that ran out are freed
first. An item that came back after it was put off, or for another try, is near and late anew (`SPARE`).

Levels are raised by conditional updates in the same transaction as the alarms: whoever comes second, or again
after a worker died, changes nothing and tells nobody.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, defer, selectinload
from sqlalchemy.sql import ColumnElement

from nurseline.callbacks.ladder import TRIES
from nurseline.callbacks.models import CallbackAttempt, CallbackEvent, CallbackItem
from nurseline.callbacks.outcomes import UNREACHED
from nurseline.callbacks.service import IS_OPEN, MOVES, OURS, PUT_THROUGH, REOPENED, give_back_expired
from nurseline.callbacks.texts import text_patient
from nurseline.clinic import service as clinic
from nurseline.clinic.hours import Hours
from nurseline.crypto import Keyring
from nurseline.db import Database, apart
from nurseline.messaging.contacts import UNREAD
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.telling import tell

log = structlog.get_logger(__name__)

# By priority: 0 emergency, 1 urgent, 2 clinical, 3 scheduling and the rest.
NEAR = (timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=60), timedelta(minutes=120))
AGAIN = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60), timedelta(minutes=240))
SPARE = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=4), timedelta(hours=8))
DAY_AND_NIGHT = 1  # the last priority that alarms at any hour
# Items that are not urgent become late many at a time: one text then stands for all of them.
TOGETHER = timedelta(minutes=15)
LATE_BEFORE = timedelta(minutes=5)  # so long before a promise nobody has begun to keep, it will break
LATE_AFTER = timedelta(hours=1)  # so long after it, telling the patient is of no use any more
LATE_OF_USE = timedelta(hours=2)
MOST = 500  # items of one run
DUE, UNCLAIMED, OFF_SHIFT, DECIDE = "alert.due", "alert.unclaimed", "alert.off_shift", "alert.decide"
TO_DECIDE = sa.and_(
    CallbackItem.attempts >= TRIES, sa.func.coalesce(CallbackItem.outcome, "").in_(tuple(UNREACHED))
)


@dataclass(frozen=True, slots=True)
class Escalation:
    """What escalating needs. ``listed``: alert numbers, E.164; ``regions``: those of patients' numbers."""

    keyring: Keyring
    listed: Sequence[str]
    hours: Hours
    regions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Raised:
    """What one run did: items that rose to each level, and patients who are told."""

    near: int = 0
    due: int = 0
    unclaimed: int = 0
    told: int = 0


def run(db: Database, with_: Escalation, *, now: datetime) -> Raised:
    """Free claims that ran out, raise levels, alarm, and tell patients; each in a transaction of its own.

    One that fails keeps none of the others from its turn.
    """
    near = due = unclaimed = told = 0
    with apart(partial(_failed, "expired")), db.begin() as session:
        give_back_expired(session, now=now)
    with apart(partial(_failed, "levels")), db.begin() as session:
        near, due, unclaimed = escalate(session, with_, now=now)
    with apart(partial(_failed, "late")), db.begin() as session:
        told = tell_late(session, with_, now=now)
    return Raised(near, due, unclaimed, told)


def _failed(step: str, error: Exception) -> None:
    log.error("escalation.failed", step=step, error=type(error).__name__)


def escalate(session: Session, with_: Escalation, *, now: datetime) -> tuple[int, int, int]:
    """Raise the levels of items that nobody has, and alarm; how many rose to level 1, 2 and 3 or again."""
    free = CallbackItem.status == "new"
    since_alarm = now - _by_priority(AGAIN)
    waited = sa.or_(CallbackItem.escalated_at.is_(None), CallbackItem.escalated_at <= since_alarm)
    at_work = with_.hours.is_open(now)
    may_alarm = sa.true() if at_work else CallbackItem.priority <= DAY_AND_NIGHT
    # The last first, so that nothing rises twice in one run.
    again = [free, CallbackItem.escalation >= 2, waited]
    may_decide = sa.true() if at_work else CallbackItem.priority == 0
    undecided = _raise(session, 3, [*again, TO_DECIDE, may_decide], now, cause="not reached: told to decide")
    unclaimed = _raise(session, 3, [*again, sa.not_(TO_DECIDE), may_alarm], now)
    late = [free, CallbackItem.escalation < 2, _due() <= now, may_alarm]
    due = _raise(session, 2, late, now)
    soon = [free, CallbackItem.escalation < 1, _due() - _by_priority(NEAR) <= now]
    near = _raise(session, 1, soon, now)
    for content_id, raised in ((DECIDE, undecided), (UNCLAIMED, unclaimed)):
        if raised:
            _alarm(session, with_, content_id, _everybody(session, with_), raised, now)
    if due:
        duty, everybody = on_duty(session, with_.hours, now), _everybody(session, with_)
        # Without a list of shifts, those whom every alert goes to are always on duty.
        told_now = [*duty, *with_.listed] if duty or set(everybody) == set(with_.listed) else []
        _alarm(session, with_, DUE if told_now else OFF_SHIFT, told_now or everybody, due, now)
    return len(near), len(due), len(unclaimed) + len(undecided)


def on_duty(session: Session, hours: Hours, now: datetime) -> list[str]:
    """The numbers on the on-call list whose shift it is (`clinic.service.on_duty_of`)."""
    return [phone.number for phone in clinic.on_duty_of(clinic.phones(session), hours, now)]


def tell_late(session: Session, with_: Escalation, *, now: datetime) -> int:
    """Text patients whose promise breaks, once for each item; how many texts.

    Not about emergencies, where a text would be no help, and only about what they asked for themselves. An
    item counts as late when nobody has it shortly before the promise, or nobody has called by then.
    """
    told: set[uuid.UUID] = set()
    for item in session.scalars(_about_to_break(now)).all():
        with apart(_late_not_told), session.begin_nested():
            again = item.contact_id in told  # one text stands for all that this patient waits for
            if again or _tell_one(session, with_, item, now):
                item.told_late_at = now
                MOVES.note(session, [item.id], item.status, at=now, cause="patient told that it is late")
                told |= {item.contact_id} if item.contact_id else set()
    return len(told)


def _tell_one(session: Session, with_: Escalation, item: CallbackItem, now: datetime) -> bool:
    return text_patient(
        session,
        item.contact,
        "promise_late",
        now=now,
        zone=with_.hours.zone,
        regions=with_.regions,
        until=now + LATE_OF_USE,
    )


def _late_not_told(error: Exception) -> None:
    log.error("escalation.late_not_told", error=type(error).__name__)


def _about_to_break(now: datetime) -> sa.Select[CallbackItem]:
    """Promises to patients that break, or just broke, of which nobody has told them; locked."""
    nobody = sa.case((CallbackItem.status == "claimed", timedelta()), else_=LATE_BEFORE)
    return (
        sa.select(CallbackItem)
        .where(
            IS_OPEN,
            CallbackItem.status.in_(("new", "claimed", "snoozed")),
            CallbackItem.promised_at > now - LATE_AFTER,
            CallbackItem.promised_at <= now + nobody,
            CallbackItem.told_late_at.is_(None),
            _untried(),
            CallbackItem.reason != "emergency",
            CallbackItem.source.not_in(OURS),
            CallbackItem.contact_id.is_not(None),
        )
        .order_by(CallbackItem.promised_at)
        .limit(MOST)
        # What is encrypted is read for each by itself: one that no key opens keeps nobody from being told.
        .options(defer(CallbackItem.best_time), selectinload(CallbackItem.contact).options(*UNREAD))
        .with_for_update(skip_locked=True, of=CallbackItem)
    )


def _raise(
    session: Session, level: int, which: list[ColumnElement[bool]], now: datetime, cause: str = ""
) -> dict[uuid.UUID, int]:
    """Raise those to ``level`` that nobody is changing at this moment; priority by id."""
    query = (
        sa.select(CallbackItem.id)
        .where(IS_OPEN, *which)
        .order_by(CallbackItem.priority, CallbackItem.promised_at)
    )
    ids = session.scalars(query.limit(MOST).with_for_update(skip_locked=True)).all()
    if not ids:
        return {}
    raised = session.execute(
        sa.update(CallbackItem)
        .where(CallbackItem.id.in_(ids), *which)
        .values(escalation=level, escalated_at=now)
        .returning(CallbackItem.id, CallbackItem.priority)
        .execution_options(synchronize_session=False)
    )
    found = {row.id: row.priority for row in raised}
    MOVES.note(session, list(found), "new", at=now, cause=cause or CAUSES[level])
    return found


CAUSES = {1: "promise is near", 2: "promise has passed: on call told", 3: "nobody took it: everybody told"}


def _alarm(
    session: Session,
    with_: Escalation,
    content_id: str,
    numbers: Iterable[str],
    raised: Mapping[uuid.UUID, int],
    now: datetime,
) -> None:
    """One text to each number for all of ``raised``; items that are not urgent share one for a while."""
    wanted = list(dict.fromkeys(numbers))
    if not wanted:
        log.error("escalation.nobody_to_tell", count=len(raised))
        MOVES.note(session, list(raised), "new", at=now, cause="nobody is on the list to be told")
        return
    if min(raised.values()) > DAY_AND_NIGHT and _told_lately(session, content_id, now):
        return
    tell(session, with_.keyring, wanted, content_id, at=now)


def _told_lately(session: Session, content_id: str, now: datetime) -> bool:
    told = sa.select(OutboundMessage.id).where(
        OutboundMessage.content_id == content_id, OutboundMessage.created_at > now - TOGETHER
    )
    return session.scalar(told.limit(1)) is not None


def _everybody(session: Session, with_: Escalation) -> list[str]:
    return [*(phone.number for phone in clinic.phones(session) if phone.on_call), *with_.listed]


def _untried() -> ColumnElement[bool]:
    """Nobody has tried to call; of an item that was opened again, nobody since then."""
    item, event, attempt = CallbackItem, CallbackEvent, CallbackAttempt
    opened = (
        sa.select(sa.func.max(event.at))
        .where(event.subject_id == item.id, event.cause == REOPENED)
        .correlate(item)
        .scalar_subquery()
    )
    called = sa.exists().where(
        attempt.item_id == item.id, attempt.patient_call_sid.is_not(None), attempt.started_at >= opened
    )
    spoke = sa.exists().where(
        event.subject_id == item.id, event.cause.startswith(PUT_THROUGH), event.at >= opened
    )
    anew = sa.and_(item.first_attempt_at < opened, item.attempts == 0, ~called, ~spoke)
    return sa.or_(item.first_attempt_at.is_(None), anew)


def _due() -> ColumnElement[datetime]:
    """When somebody should have called: as promised, or a while after it came back to be worked on."""
    return sa.func.greatest(CallbackItem.promised_at, CallbackItem.due_again_at + _by_priority(SPARE))


def _by_priority(spans: Sequence[timedelta]) -> ColumnElement[timedelta]:
    return sa.case(dict(enumerate(spans[:-1])), value=CallbackItem.priority, else_=spans[-1])
