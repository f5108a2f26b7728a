"""One contact: what is known, what is open, whether staff may text them, and one page of what happened."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.aftercare.changes import Window, window_of
from nurseline.callbacks.models import OPEN, CallbackItem
from nurseline.consent import service as consent
from nurseline.consent.models import ConsentState
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.staff_texts import Leave, Seen, leave, seen_by_now
from nurseline.messaging.to_contact import to_contact
from nurseline.staff.queries.numbers import masked
from nurseline.staff.queries.timeline import PLANNED, Grave, Timeline, grave, mark, timeline

ASKED_BY_STAFF = frozenset({"staff", "line"})  # sources of items that no patient asked for


@dataclass(frozen=True, slots=True)
class ContactPage:
    """All that is known about one number. ``planned``: how many messages are; ``windows``: of those shown."""

    contact: Contact
    number: str  # masked
    happened: Timeline
    mark: str
    planned: int
    windows: Mapping[uuid.UUID, Window]
    open_items: Sequence[CallbackItem]
    grave: Sequence[Grave]
    consent: ConsentState | None
    leave: Leave
    seen: Seen

    @property
    def asks(self) -> bool:
        """Whether a request of the patient's own is open."""
        return asks(self.open_items)


def contact_page(
    session: Session, contact_id: uuid.UUID, *, now: datetime, page: int = 1
) -> ContactPage | None:
    """One contact; None if there is none with this id."""
    contact = session.get(Contact, contact_id)
    if contact is None:
        return None
    stands = mark(
        session, contact_id, contact.number_hash
    )  # before the rest: what comes in between is seen by the next refresh
    happened = timeline(session, contact, page=page)
    shown = [entry.row for entry in happened.entries if entry.planned and entry.row.injection_id]
    items = open_items(session, contact_id)
    return ContactPage(
        contact,
        masked(contact.number),
        happened,
        stands,
        planned_count(session, contact_id),
        {message.id: window_of(session, message) for message in shown},
        items,
        grave(session, contact, now=now),
        consent.state_of(session, contact.number_hash),
        leave(session, contact, now=now, asks=asks(items)),
        seen_by_now(session, contact_id),
    )


def open_items(session: Session, contact_id: uuid.UUID) -> Sequence[CallbackItem]:
    """What is still to be done for this contact, the most pressing first."""
    query = sa.select(CallbackItem).where(
        CallbackItem.contact_id == contact_id, CallbackItem.status.in_(OPEN)
    )
    return session.scalars(query.order_by(CallbackItem.priority, CallbackItem.promised_at)).all()


def asks(items: Sequence[CallbackItem]) -> bool:
    """Whether one of these was asked for by the patient."""
    return any(item.source not in ASKED_BY_STAFF for item in items)


def planned_count(session: Session, contact_id: uuid.UUID) -> int:
    """How many aftercare messages are planned."""
    query = sa.select(sa.func.count()).where(
        to_contact(contact_id),
        OutboundMessage.purpose == "reminder",
        OutboundMessage.status.in_(PLANNED),
    )
    return session.scalar(query) or 0


def went_at(message: OutboundMessage) -> datetime:
    """When a message went out, or would have gone."""
    return message.sending_at or max(message.send_after, message.created_at)
