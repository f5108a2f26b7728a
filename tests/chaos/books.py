"""What the database says, read past the proxy."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from nurseline.callbacks.models import CallbackItem
from nurseline.consent.models import ConsentEvent
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.parts import Parts
from nurseline.staff.queries.messages import messages_to_check

AHEAD = timedelta(minutes=20)  # what is planned for later than this is not of this run


@dataclass(frozen=True, slots=True)
class Moved:
    """One line of a row's history."""

    at: datetime
    status: str
    cause: str


@dataclass(frozen=True, slots=True)
class Row:
    """One outbound message."""

    id: str
    to: str
    purpose: str
    content: str
    channel: str
    status: str
    reason: str
    injection: str | None
    step: str | None
    turn: int
    sid: str | None
    due: datetime
    lease_until: datetime | None
    history: tuple[Moved, ...]


class Books:
    """Questions to the database of a run."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def progress(self) -> tuple[int, int] | None:
        """(reminders that have left the plan, rows under way); None while the database does not answer."""
        m = OutboundMessage
        left = sa.func.count().filter(
            m.purpose == "reminder", m.status.not_in(("scheduled", "claimed", "sending"))
        )
        under_way = sa.func.count().filter(m.status.in_(("claimed", "sending")))
        try:
            with self._parts.db.begin() as session:
                found = session.execute(sa.select(left, under_way)).one()
        except SQLAlchemyError:
            return None
        return int(found[0]), int(found[1])

    def rows(self) -> list[Row]:
        """Every outbound message with its history."""
        m = OutboundMessage
        columns = (
            m.purpose,
            m.content_id,
            m.channel,
            m.status,
            m.reason,
            m.injection_id,
            m.step,
            m.turn,
            m.provider_sid,
        )
        query = sa.select(m.id, Contact.number, *columns, m.send_after, m.lease_until).join(
            Contact, Contact.id == m.contact_id
        )
        events: dict[uuid.UUID, list[Moved]] = defaultdict(list)
        history = sa.select(
            OutboundEvent.subject_id, OutboundEvent.at, OutboundEvent.status, OutboundEvent.cause
        ).order_by(OutboundEvent.id)
        with self._parts.db.begin() as session:
            found = session.execute(query).all()
            for one in session.execute(history):
                events[one.subject_id].append(Moved(one.at, one.status, one.cause))
        return [_row(one, tuple(events[one.id])) for one in found]

    def shown_to_staff(self) -> set[str]:
        """What stands on the pages of messages to check, all of them."""
        shown, page, pages = set(), 1, 1
        with self._parts.db.begin() as session:
            while page <= pages:
                checks = messages_to_check(session, now=self._parts.clock.now(), page=page)
                shown |= {str(check.message.id) for check in checks.rows}
                page, pages = page + 1, checks.pages
        return shown

    def opted_out(self) -> set[str]:
        """Numbers' hashes with an opt-out in the ledger of consent."""
        query = sa.select(ConsentEvent.number_hash).where(ConsentEvent.kind == "opt_out").distinct()
        with self._parts.db.begin() as session:
            return set(session.scalars(query))

    def emergencies(self) -> set[str]:
        """Numbers' hashes for which staff have an item about an emergency."""
        query = sa.select(CallbackItem.number_key).where(CallbackItem.reason == "emergency")
        with self._parts.db.begin() as session:
            return set(session.scalars(query))

    def hash_of(self, number: str) -> str:
        return self._parts.keyring.number_hash(number)


def _row(one: sa.Row[tuple[object, ...]], history: tuple[Moved, ...]) -> Row:
    return Row(
        str(one.id),
        one.number,
        one.purpose,
        one.content_id,
        one.channel,
        one.status,
        one.reason,
        str(one.injection_id) if one.injection_id else None,
        one.step,
        one.turn,
        one.provider_sid,
        one.send_after,
        one.lease_until,
        history,
    )
