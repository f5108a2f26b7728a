"""Tables of consent: an append-only ledger and the state that follows from it."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from nurseline.db import Base, Encrypted, UtcDateTime
from nurseline.ids import new_id


class ConsentEvent(Base):
    """One thing somebody said about messages. Never changed, never deleted."""

    __tablename__ = "consent_events"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number_hash: Mapped[str] = mapped_column(sa.String(64), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(sa.String(16))  # opt_in | opt_out
    method: Mapped[str] = mapped_column(sa.String(24))  # text | carrier | staff | key | error_21610
    words: Mapped[str] = mapped_column(Encrypted)  # what was said, or the wording that was agreed to
    wording_version: Mapped[str] = mapped_column(sa.String(40), default="")
    language: Mapped[str] = mapped_column(sa.String(8), default="en")
    actor: Mapped[str] = mapped_column(sa.String(64))  # patient, carrier, or a staff id
    provider_sid: Mapped[str] = mapped_column(sa.String(34), default="")


class ConsentState(Base):
    """Where the ledger stands for one number. Absent row: never asked, so nothing automated may go."""

    __tablename__ = "consent_states"

    number_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    status: Mapped[str] = mapped_column(sa.String(16))  # opted_in | opted_out
    carrier_blocked: Mapped[bool] = mapped_column(default=False)  # the carrier itself refuses messages to it
    since: Mapped[datetime] = mapped_column(UtcDateTime)
