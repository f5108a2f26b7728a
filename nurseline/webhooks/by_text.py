"""A caller asked for an answer by text: once, to the number they call from, as they agreed to."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.consent import service as consent
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.to_contact import OF_NO_INJECTION
from nurseline.parts import Parts
from nurseline.phone import parse

FIRST = "by_text"
OF_USE = timedelta(hours=12)  # an answer that could not go by then would come out of nowhere
MOST_A_DAY = 3  # whoever fakes a caller's number must not flood it


def may_text(parts: Parts, session: Session, contact: Contact) -> bool:
    """Whether an answer may be texted to this number: it takes texts, has not ended them, was not flooded."""
    if contact.channel != "text" or parse(contact.number, regions=parts.settings.regions).kind != "person":
        return False
    known = consent.state_of(session, contact.number_hash)
    if known is not None and (known.status == "opted_out" or known.carrier_blocked):
        return False
    lately = sa.select(sa.func.count()).where(
        OutboundMessage.contact_id == contact.id,
        OF_NO_INJECTION,
        OutboundMessage.created_at > parts.clock.now() - timedelta(days=1),
        OutboundMessage.content_id.startswith(FIRST),
    )
    return (session.scalar(lately) or 0) < MOST_A_DAY


def send_by_text(
    parts: Parts, session: Session, contact: Contact, ids: tuple[str, ...], language: str
) -> None:
    """Put the words of ``ids`` into the outbox, after a line that says who texts and why."""
    # One message: two would arrive in any order.
    said = [parts.say(one, language) for one in (FIRST, *ids)]
    now = parts.clock.now()
    plan = outbox.Plan(
        "confirmation",
        " ".join(f"{one.id}:{one.version}" for one in said),
        language,
        now,
        now + OF_USE,
        body="\n".join(one.text for one in said),
    )
    outbox.plan(session, contact, [plan], at=now)
