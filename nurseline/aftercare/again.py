"""Injections that were called off, and enrolling one of them again.

A called-off injection does not count as enrolled. Enrolled again, it gets anew those messages that are still
of use; one that was on its way before it was called off is not sent twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.aftercare.models import Injection
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.transitions import Each, Transitions

CALLED_OFF = "the injection was called off"
TOO_LATE = "enrolled again too late for this one"  # at most 40 letters, like every reason
ENROLLED_AGAIN = "the injection was enrolled again"
# Only for this: no other move leads out of what is cancelled.
REVIVING = Transitions(OutboundMessage, OutboundEvent, {"scheduled": frozenset({"cancelled"})})


def is_called_off() -> sa.ColumnElement[bool]:
    """Whether an injection of a query was called off: messages were cancelled for it, and none is planned."""
    mine = (
        sa.select(OutboundMessage.id).where(OutboundMessage.injection_id == Injection.id).correlate(Injection)
    )
    cancelled = mine.where(OutboundMessage.status == "cancelled", OutboundMessage.reason == CALLED_OFF)
    return sa.and_(cancelled.exists(), ~mine.where(OutboundMessage.status.in_(outbox.OPEN)).exists())


def called_off(session: Session, ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Those of some injections that were called off."""
    among = Injection.id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))
    return frozenset(session.scalars(sa.select(Injection.id).where(among, is_called_off())))


def plan_again(
    session: Session,
    contact: Contact,
    injection_id: uuid.UUID,
    plans: Sequence[outbox.Plan],
    *,
    at: datetime,
    actor: str,
) -> None:
    """Plan the messages of an injection that was called off: those of ``plans`` that have not gone yet."""
    ours = sa.select(OutboundMessage.id, OutboundMessage.step, OutboundMessage.status, OutboundMessage.reason)
    rows = session.execute(ours.where(OutboundMessage.injection_id == injection_id, outbox.REMINDERS)).all()
    ended = {row.step: row.id for row in rows if row.status == "cancelled" and row.reason == CALLED_OFF}
    there = {row.step for row in rows}
    for status in (*outbox.ON_ITS_WAY, *outbox.DID_NOT_ARRIVE):
        going = [row.id for row in rows if row.status == status]
        outbox.MOVES.note(session, going, status, at=at, cause=outbox.WANTED_AGAIN, actor=actor)
    revived = [
        Each(
            ended.pop(plan.step),
            ENROLLED_AGAIN,
            {
                "reason": "",
                "language": plan.language,
                "timezone": plan.timezone,
                "send_after": plan.send_after,
                "send_before": plan.send_before,
            },
        )
        for plan in plans
        if plan.step in ended
    ]
    if revived:
        REVIVING.move_each(session, revived, "scheduled", at=at, actor=actor)
    outbox.plan(session, contact, [one for one in plans if one.step not in there], at=at, actor=actor)
    if ended:
        late = OutboundMessage.id.in_(list(ended.values()))
        session.execute(sa.update(OutboundMessage).where(late).values(reason=TOO_LATE))
