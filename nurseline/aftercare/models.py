"""Tables of aftercare."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nurseline.db import Base, Encrypted, EncryptedBytes, UtcDateTime
from nurseline.ids import new_id
from nurseline.messaging.models import Contact


class Injection(Base):
    """An injection that was performed, and whose patient agreed to follow-up messages."""

    __tablename__ = "injections"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contacts.id"))
    performed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    timezone: Mapped[str] = mapped_column(sa.String(64))  # IANA; where the patient is
    language: Mapped[str] = mapped_column(sa.String(8))
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    enrolled_by: Mapped[str] = mapped_column(sa.String(64))
    # What the clinic's own system calls it, where it came from there; the keyed hash finds it again.
    outside_reference: Mapped[str | None] = mapped_column(Encrypted)
    outside_key: Mapped[str | None] = mapped_column(sa.String(64), unique=True)

    contact: Mapped[Contact] = relationship()

    __table_args__ = (sa.UniqueConstraint("contact_id", "performed_at"), sa.Index(None, "enrolled_at"))


class InjectionFile(Base):
    """A file of injections that somebody handed in: looked at first, imported only once confirmed."""

    __tablename__ = "injection_files"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[str] = mapped_column(sa.String(64))
    content: Mapped[bytes | None] = mapped_column(EncryptedBytes)  # none once imported or given up
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    enrolled: Mapped[int | None]  # how many injections it brought
