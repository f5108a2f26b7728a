"""A caller who hides the number has confirmed one: what the call left before belongs to that number."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.callbacks.models import OPEN, CallbackItem, CallbackWords, Voicemail
from nurseline.callbacks.service import FREE, MOVES, standing
from nurseline.messaging.models import Contact


def adopt(session: Session, call_key: str, contact: Contact, *, now: datetime) -> None:
    """Give the open items of a call to the number, joined to those that are open there."""
    query = sa.select(CallbackItem).where(CallbackItem.number_key == call_key, CallbackItem.status.in_(OPEN))
    for item in session.scalars(query.with_for_update()).all():
        other = standing(session, contact.number_hash, item.reason)
        if other is None:
            item.number_key, item.contact_id = contact.number_hash, contact.id
            MOVES.note(session, [item.id], item.status, at=now, cause="number keyed in")
        else:
            _join(session, item, other, now)
    session.flush()


def _join(session: Session, item: CallbackItem, other: CallbackItem, now: datetime) -> None:
    values = {**FREE, "closed_at": now, "merged_into": other.id}
    if not MOVES.move(session, [item.id], "cancelled", at=now, cause="number keyed in", values=values):
        return
    other.promised_at = min(other.promised_at, item.promised_at)
    _hand_over(session, item.id, other.id)
    MOVES.note(session, [other.id], other.status, at=now, cause=f"item {item.reference} joined")


def _hand_over(session: Session, item_id: uuid.UUID, into: uuid.UUID) -> None:
    for model in (CallbackWords, Voicemail):
        session.execute(sa.update(model).where(model.item_id == item_id).values(item_id=into))
