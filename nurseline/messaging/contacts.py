"""Contacts and their conversations.

A contact is found by the hash of its number. What is encrypted of it is read when somebody asks for it: a
number that no key opens keeps nothing from being stored for its contact, nor planned.
"""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, defer

from nurseline.crypto import Keyring
from nurseline.messaging.models import Contact, Conversation

UNREAD = (defer(Contact.number), defer(Contact.name))


def contact_for(session: Session, keyring: Keyring, e164: str, *, at: datetime) -> Contact:
    """The contact with this number, made if it is new. Two at once get the same row."""
    known = find_contact(session, keyring, e164)  # nearly always; looking writes nothing
    if known is not None:
        return known
    number_hash = keyring.number_hash(e164)
    new = insert(Contact).values(number_hash=number_hash, number=e164, language="en", first_seen_at=at)
    session.execute(new.on_conflict_do_nothing(index_elements=[Contact.number_hash]))
    return session.scalars(_with_hash(number_hash)).one()


def find_contact(session: Session, keyring: Keyring, e164: str) -> Contact | None:
    """The contact with this number, if it ever wrote, called or was enrolled."""
    return session.scalar(_with_hash(keyring.number_hash(e164)))


def contact_of(session: Session, contact_id: uuid.UUID | None) -> Contact | None:
    """The contact with this id; None where there is no id."""
    return session.get_one(Contact, contact_id, options=UNREAD) if contact_id else None


def _with_hash(number_hash: str) -> sa.Select[Contact]:
    return sa.select(Contact).where(Contact.number_hash == number_hash).options(*UNREAD)


def locked_conversation(session: Session, contact: Contact) -> Conversation:
    """The contact's conversation, locked until the transaction ends: texts are answered one after another."""
    new = insert(Conversation).values(contact_id=contact.id, state="")
    session.execute(new.on_conflict_do_nothing(index_elements=[Conversation.contact_id]))
    query = sa.select(Conversation).where(Conversation.contact_id == contact.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
