"""Tables of the clinic."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from nurseline.db import Base, Encrypted, UtcDateTime


class ClinicSetting(Base):
    """One thing that staff have set, instead of what the environment says."""

    __tablename__ = "clinic_settings"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    value: Mapped[str] = mapped_column(sa.String(400))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(sa.String(64))  # staff id


class ClinicDay(Base):
    """A date whose opening hours differ from those of its weekday: a holiday, a short day, an extra one."""

    __tablename__ = "clinic_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    intervals: Mapped[str] = mapped_column(sa.String(100))  # 08:00-12:00,13:00-17:00; empty: closed
    label: Mapped[str] = mapped_column(sa.String(60))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(sa.String(64))


class StaffPhone(Base):
    """A telephone at which somebody of the clinic answers: for callers, for alarms, or both."""

    __tablename__ = "staff_phones"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(sa.String(80))
    number: Mapped[str] = mapped_column(Encrypted)  # E.164
    position: Mapped[int] = mapped_column(sa.SmallInteger)  # who is tried first
    shift: Mapped[str] = mapped_column(
        sa.String(200), default=""
    )  # weekly hours; empty: while the clinic is open
    rings: Mapped[bool] = mapped_column(default=True)  # for callers who want a person
    on_call: Mapped[bool] = mapped_column(default=False)  # for alarms and promises that are about to break
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(sa.String(64))


class ContentReview(Base):
    """A clinician's or translator's signature under one version of one answer. Appended to only."""

    __tablename__ = "content_reviews"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    content_id: Mapped[str] = mapped_column(sa.String(80))
    language: Mapped[str] = mapped_column(sa.String(8))
    version: Mapped[str] = mapped_column(sa.String(40))
    reviewer: Mapped[str] = mapped_column(sa.String(80))
    reviewed_on: Mapped[date]
    next_review_on: Mapped[date]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[str] = mapped_column(sa.String(64))  # whose account signed

    __table_args__ = (sa.Index(None, "content_id", "language"),)
