"""Tables of aftercare."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nurseline.db import Base, UtcDateTime
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

    contact: Mapped[Contact] = relationship()

    __table_args__ = (sa.UniqueConstraint("contact_id", "performed_at"), sa.Index(None, "enrolled_at"))
