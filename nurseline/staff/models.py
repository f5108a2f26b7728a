"""Tables of the staff pages: accounts, roles, sign-in sessions, and who looked at what."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from flask_security import RoleMixin, UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nurseline.db import Base, Encrypted, UtcDateTime

staff_user_roles = sa.Table(
    "staff_user_roles",
    Base.metadata,
    sa.Column("user_id", sa.ForeignKey("staff_users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("role_id", sa.ForeignKey("staff_roles.id"), primary_key=True),
)


class StaffRole(Base, RoleMixin):
    """A role: scheduler, nurse, supervisor or admin."""

    __tablename__ = "staff_roles"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20), unique=True)


class StaffUser(Base, UserMixin):
    """One person's account. Column names are those that Flask-Security looks for."""

    __tablename__ = "staff_users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)  # type: ignore[assignment]
    email: Mapped[str] = mapped_column(sa.String(255), unique=True)  # lower case
    name: Mapped[str] = mapped_column(sa.String(80))  # as colleagues see it
    password: Mapped[str] = mapped_column(sa.String(255))  # argon2
    active: Mapped[bool]
    fs_uniquifier: Mapped[str] = mapped_column(sa.String(64), unique=True)  # a new one ends every session
    phone: Mapped[str | None] = mapped_column(Encrypted)  # E.164; rings when this person calls a patient back
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Second step of signing in; names again are Flask-Security's.
    tf_primary_method: Mapped[str | None] = mapped_column(sa.String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(Encrypted)
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(sa.JSON)  # hashes; a used one is taken out
    totp_counter: Mapped[int | None] = mapped_column(sa.BigInteger)  # of the last code used: none works twice
    invite_hash: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    invite_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    roles: Mapped[list[StaffRole]] = relationship(  # type: ignore[assignment]
        secondary=staff_user_roles, lazy="selectin"
    )


class StaffSession(Base):
    """One sign-in. The cookie only names it, so that it can be ended here."""

    __tablename__ = "staff_sessions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("staff_users.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_active_at: Mapped[datetime] = mapped_column(
        UtcDateTime
    )  # pages that refresh themselves do not count
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffAudit(Base):
    """Who did, or saw, what. Appended to only. What is done to an item stands in the item's own history."""

    __tablename__ = "staff_audit"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[str] = mapped_column(sa.String(64))  # a staff id, or `command`
    what: Mapped[str] = mapped_column(sa.String(32))
    item_id: Mapped[uuid.UUID | None]
    contact_id: Mapped[uuid.UUID | None]
    injection_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID | None]

    __table_args__ = (
        sa.Index(None, "staff_id", "what", "at"),
        sa.Index(None, "contact_id", "at"),
        sa.Index(None, "item_id", "at"),
    )


class ContactNote(Base):
    """What staff wrote down about a contact, outside any item. Appended to only."""

    __tablename__ = "contact_notes"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contacts.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[str] = mapped_column(sa.String(64))
    note: Mapped[str] = mapped_column(Encrypted)

    __table_args__ = (sa.Index(None, "contact_id", "at"),)
