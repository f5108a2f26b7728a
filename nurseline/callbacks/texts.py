"""Texts to patients about what they asked for. They answer a request, so they need no opt-in; but they go
only to numbers that take texts and have not ended them, up to the moment of sending, and by day."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from nurseline.consent import service as consent
from nurseline.consent.allowed import DAYTIME, AllowedHours
from nurseline.consent.hours import next_opening
from nurseline.messaging.models import Contact
from nurseline.messaging.outbox import Plan, plan
from nurseline.phone import parse

OF_USE = timedelta(hours=24)


def may_text(session: Session, contact: Contact, *, regions: frozenset[str]) -> bool:
    """Whether an answer to their own request may be texted to this number."""
    if contact.channel != "text" or parse(contact.number, regions=regions).kind != "person":
        return False
    known = consent.state_of(session, contact.number_hash)
    return known is None or not (known.status == "opted_out" or known.carrier_blocked)


def text_patient(
    session: Session,
    contact: Contact | None,
    content_id: str,
    *,
    now: datetime,
    zone: ZoneInfo,
    regions: frozenset[str],
    until: datetime | None = None,
) -> bool:
    """Put the clinic's words into the outbox, where they may go to this patient; whether they may.

    ``zone``: the clinic's. ``until``: after this the text is of no use, `OF_USE` later unless told.
    """
    if contact is None or not may_text(session, contact, regions=regions):
        return False
    where = AllowedHours(DAYTIME, zone).where(contact.number, contact.timezone)
    opening = next_opening(now, where.zones, where.week)
    until = until or now + OF_USE
    if opening is None or opening >= until:
        return False
    words = Plan("notice", content_id, contact.language, opening, send_before=until)
    plan(session, contact, [words], at=now, cause="for an item in the queue")
    return True
