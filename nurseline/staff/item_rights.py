"""Holding what is sent from an item's page to who may decide about it."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from nurseline.callbacks import rights
from nurseline.callbacks.outcomes import Recorded, RecordedError
from nurseline.callbacks.service import QueueError, fresh
from nurseline.staff.access import Viewer


def hold_decision(session: Session, item_id: uuid.UUID, person: Viewer) -> None:
    """Raise QueueError unless this person may decide what becomes of the item."""
    if why := rights.may_decide(person.roles, fresh(session, item_id).reason):
        raise QueueError(why)


def hold_cancelling(session: Session, item_id: uuid.UUID, why: str) -> None:
    """Raise QueueError if ``why`` does not do as the reason for cancelling the item."""
    if wrong := rights.says_why(fresh(session, item_id).reason, why):
        raise QueueError(wrong)


def hold_outcome(session: Session, item_id: uuid.UUID, person: Viewer, recorded: Recorded) -> None:
    """Raise RecordedError unless this person may record this outcome of the item."""
    item = fresh(session, item_id)
    refusal = rights.refused(
        person.roles,
        item.reason,
        recorded.outcome,
        note=recorded.note,
        advice=recorded.advice,
        tries=item.attempts,
    )
    if refusal is not None:
        raise RecordedError(refusal.field, refusal.why)
