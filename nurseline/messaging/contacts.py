"""Contacts and their conversations."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.crypto import Keyring
from nurseline.messaging.models import Contact, Conversation


def contact_for(session: Session, keyring: Keyring, e164: str, *, at: datetime) -> Contact:
    """The contact with this number, made if it is new. Two at once get the same row."""
    known = find_contact(session, keyring, e164)  # nearly always; looking writes nothing
    if known is not None:
        return known
    number_hash = keyring.number_hash(e164)
    new = insert(Contact).values(number_hash=number_hash, number=e164, language="en", first_seen_at=at)
    session.execute(new.on_conflict_do_nothing(index_elements=[Contact.number_hash]))
    return session.scalars(sa.select(Contact).where(Contact.number_hash == number_hash)).one()


def find_contact(session: Session, keyring: Keyring, e164: str) -> Contact | None:
    """The contact with this number, if it ever wrote, called or was enrolled."""
    return session.scalar(sa.select(Contact).where(Contact.number_hash == keyring.number_hash(e164)))


def locked_conversation(session: Session, contact: Contact) -> Conversation:
    """The contact's conversation, locked until the transaction ends: texts are answered one after another."""
    new = insert(Conversation).values(contact_id=contact.id, state="")
    session.execute(new.on_conflict_do_nothing(index_elements=[Conversation.contact_id]))
    query = sa.select(Conversation).where(Conversation.contact_id == contact.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
