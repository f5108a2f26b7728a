"""Calling off the messages of an injection that did not happen, or was recorded by mistake."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.aftercare import identifiers
from nurseline.aftercare.again import CALLED_OFF
from nurseline.aftercare.bringing import outside_key
from nurseline.aftercare.models import Injection
from nurseline.consent import service as consent
from nurseline.crypto import Keyring
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundMessage


def find_outside(session: Session, keyring: Keyring, reference: str, system: str = "") -> uuid.UUID | None:
    """The injection that the clinic's own system calls so."""
    key = outside_key(keyring, reference, system)
    first = session.scalar(sa.select(Injection.id).where(Injection.outside_key == key))
    return first or identifiers.owners(session, [key]).get(key)


def take_back(
    session: Session, keyring: Keyring, injection_id: uuid.UUID, reference: str, system: str, *, now: datetime
) -> bool:
    """Remember that one name of an injection no longer stands; whether another one does."""
    key = outside_key(keyring, reference, system)
    return identifiers.take_back(session, key, injection_id, now=now)


def call_off(session: Session, injection_id: uuid.UUID, *, actor: str, now: datetime) -> int:
    """Cancel what is still planned for an injection; how many messages.

    One on its way is not called back, but not tried again either.
    """
    contact = sa.select(Contact.number_hash).join(Injection, Injection.contact_id == Contact.id)
    number_hash = session.scalar(contact.where(Injection.id == injection_id))
    if number_hash is None:
        return 0
    consent.holds(session, number_hash)  # locked like by everybody who changes what is planned
    going = outbox.on_their_way(session, OutboundMessage.injection_id == injection_id, at=now)
    outbox.not_again(session, going, at=now, reason=CALLED_OFF, actor=actor)
    planned = session.scalars(
        sa.select(OutboundMessage.id).where(
            OutboundMessage.injection_id == injection_id, OutboundMessage.status.in_(outbox.OPEN)
        )
    ).all()
    return len(outbox.cancel(session, planned, at=now, reason=CALLED_OFF, actor=actor))
