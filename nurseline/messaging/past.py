"""What else automated went to a number lately, or comes before a message: what caps and order look at."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.db import UtcDateTime
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import OPEN, REMINDERS
from nurseline.messaging.timing import LOOK_BACK, NOTHING_BEFORE, Earlier, Past
from nurseline.messaging.to_contact import to_contacts
from nurseline.outcomes import NO_TEXTS

WENT = frozenset({"sent", "delivered", "undelivered", "unknown"})


class Capped(Protocol):
    """What the caps look at in a message."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def contact_id(self) -> uuid.UUID: ...
    @property
    def injection_id(self) -> uuid.UUID | None: ...
    @property
    def send_before(self) -> datetime | None: ...


_MESSAGE = OutboundMessage.__table__.c
_OTHERS = sa.select(
    _MESSAGE.id,
    _MESSAGE.contact_id,
    _MESSAGE.status,
    _MESSAGE.sending_at,
    _MESSAGE.send_after,
    _MESSAGE.send_before,
    _MESSAGE.injection_id,
    _MESSAGE.error_code,
).where(
    to_contacts(sa.bindparam("contacts", type_=sa.ARRAY(sa.Uuid))),
    REMINDERS,
    sa.or_(_MESSAGE.sending_at > sa.bindparam("since", type_=UtcDateTime), _MESSAGE.status.in_(OPEN)),
)


def others_to(session: Session, rows: Sequence[Capped], *, now: datetime) -> dict[uuid.UUID, Past]:
    """For each of ``rows``, what else automated went to its number lately, or comes before it."""
    if not rows:
        return {}
    found: dict[uuid.UUID, list[Any]] = {}
    wanted = {"contacts": list({row.contact_id for row in rows}), "since": now - LOOK_BACK}
    for one in session.execute(_OTHERS, wanted):
        found.setdefault(one.contact_id, []).append(one)
    return {row.id: _past_of(row, found.get(row.contact_id, [])) for row in rows}


def _past_of(row: Capped, found: Sequence[Any]) -> Past:
    others = [one for one in found if one.id != row.id]
    if not others:
        return NOTHING_BEFORE
    return Past(
        # A number that cannot be texted has received nothing, whatever else is known about the message.
        went=[
            one.sending_at
            for one in others
            if one.sending_at and one.status in WENT and one.error_code not in NO_TEXTS
        ],
        under_way=[one.sending_at for one in others if one.sending_at and one.status == "sending"],
        earlier=[
            Earlier(one.send_after, one.send_before)
            for one in others
            if one.status in OPEN
            and row.injection_id
            and one.injection_id == row.injection_id
            # The latest useful time gives the order: a due time moves when a message waits.
            and one.send_before
            and row.send_before
            and one.send_before < row.send_before
        ],
    )
