"""Follow-ups: what is to be done again on a later day.

A follow-up is an item of its own that comes up on its day: for the same reason, or a clinical one after an
emergency or urgent item. It is due by closing time of that day, or of the next working day where the clinic
is closed. Where an item of that number and reason is open already:

* one that rests comes up on the earlier of the two days, with the earlier promise;
* one that is at work keeps the follow-up in its history; once it closes in any way, an item is raised for it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.callbacks.promises import Reason, as_reason
from nurseline.callbacks.service import MOVES, RESTING, Request, fresh, request, standing
from nurseline.clinic.hours import Hours

KEPT = "to be followed up on "  # in the history, then the day, and from when to when, ISO 8601
RAISED = "its follow-up is in the queue"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Where a follow-up is: with which item, and when that one comes up.

    ``how``: it is a new item; one that ``rests`` comes up for it; or it is ``kept`` with one at work.
    """

    item_id: uuid.UUID
    reference: int
    at: datetime
    how: Literal["new", "rests", "kept"]


@dataclass(frozen=True, slots=True)
class _Day:
    day: date
    opens: datetime
    closes: datetime


def hold(session: Session, item: CallbackItem) -> None:
    """Lock an item and the one its follow-up would add to, in the order in which joining locks two."""
    other = standing(session, item.number_key, _reason(item))
    both = {item.id, other.id} if other is not None else {item.id}
    for one in sorted(both):
        session.get_one(CallbackItem, one, populate_existing=True, with_for_update=True)


def arrange(session: Session, item: CallbackItem, day: date, now: datetime, hours: Hours) -> FollowUp:
    """Have a closed item followed up on ``day``."""
    return _put(session, item, _Day(day, *hours.working_day(day)), now)


def raise_kept(session: Session, item_id: uuid.UUID, now: datetime) -> None:
    """Raise what was to be followed up once this item, which now is closed, would close."""
    item = fresh(session, item_id)
    of_item = CallbackEvent.subject_id == item_id
    raised = sa.select(sa.func.max(CallbackEvent.id)).where(of_item, CallbackEvent.cause == RAISED)
    query = sa.select(CallbackEvent.cause).where(
        of_item,
        CallbackEvent.cause.startswith(KEPT),
        CallbackEvent.id > sa.func.coalesce(raised.scalar_subquery(), 0),
    )
    causes = session.scalars(query.order_by(CallbackEvent.id)).all()
    for cause in causes:
        day, opens, closes = cause.removeprefix(KEPT).split()
        due = _Day(date.fromisoformat(day), datetime.fromisoformat(opens), datetime.fromisoformat(closes))
        _put(session, item, due, now)
    if causes:
        MOVES.note(session, [item_id], item.status, at=now, cause=RAISED)


def _reason(item: CallbackItem) -> Reason:
    return "clinical" if item.priority <= 1 else as_reason(item.reason)


def _put(session: Session, item: CallbackItem, due: _Day, now: datetime) -> FollowUp:
    words = f"To follow up item {item.reference}."
    wish = Request(_reason(item), "staff", words, due.closes, item.number_key, item.contact, item.best_time)
    raised = request(session, wish, now=now)
    if raised.new:
        cause, values = "to be followed up", {"due_again_at": due.opens}
        MOVES.move(session, [raised.item_id], "snoozed", at=now, cause=cause, values=values)
        return FollowUp(raised.item_id, fresh(session, raised.item_id).reference, due.opens, "new")
    other = fresh(session, raised.item_id)
    if other.status in RESTING and other.due_again_at is not None:
        other.due_again_at = min(other.due_again_at, due.opens)
        other.promised_at = min(other.promised_at, due.closes)
        MOVES.note(session, [other.id], other.status, at=now, cause="to be followed up")
        session.flush()
        return FollowUp(other.id, other.reference, other.due_again_at, "rests")
    instants = (one.isoformat(timespec="minutes") for one in (due.opens, due.closes))
    cause = " ".join((f"{KEPT}{due.day.isoformat()}", *instants))
    MOVES.note(session, [other.id], other.status, at=now, cause=cause)
    return FollowUp(other.id, other.reference, due.opens, "kept")
