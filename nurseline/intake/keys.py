"""Keys of other systems: shown once, stored as a keyed hash, revocable at once."""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.crypto import Keyring
from nurseline.intake.models import ApiKey

NAME_LONGEST = 50
_START = "nurseline_"
_FORM = re.compile(r"nurseline_[A-Za-z0-9_-]{43}")
_USE_KEPT = timedelta(minutes=1)  # so that many requests do not wait for one row


class KeyNameError(ValueError):
    """Why a key cannot have that name, or what name there is no key of."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The system that has a key. ``actor``: what histories call it."""

    id: uuid.UUID
    name: str

    @property
    def actor(self) -> str:
        """As `staff` ids stand in histories: this is no person, but a system."""
        return f"system:{self.name}"


def add(session: Session, keyring: Keyring, name: str, *, by: str, now: datetime) -> str:
    """A new key for the system ``name``; it cannot be shown again. Raises KeyNameError."""
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > NAME_LONGEST:
        raise KeyNameError(f"the name must be 1 to {NAME_LONGEST} characters that can be shown")
    if _active(session, name) is not None:
        raise KeyNameError(f"there is a key of {name} already: revoke it first, or choose another name")
    key = _START + secrets.token_urlsafe(32)
    session.add(ApiKey(name=name, key_hash=_hash(keyring, key), created_at=now, created_by=by))
    return key


def all_keys(session: Session) -> Sequence[ApiKey]:
    """Every key there was, the newest first."""
    return session.scalars(sa.select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.name)).all()


def revoke(session: Session, name: str, *, now: datetime) -> None:
    """End a key: its next request is refused. Raises KeyNameError if there is none of that name."""
    key = _active(session, " ".join(name.split()))
    if key is None:
        raise KeyNameError(f"there is no key of {name}")
    key.revoked_at = now


def holder_of(session: Session, keyring: Keyring, presented: str, *, now: datetime) -> Holder | None:
    """Who has this key; None for one that does not exist, or was revoked."""
    if not _FORM.fullmatch(presented):
        return None
    wanted = _hash(keyring, presented)  # keyed: its timing tells nothing about stored ones
    row = session.scalar(sa.select(ApiKey).where(ApiKey.key_hash == wanted))
    if row is None or not hmac.compare_digest(row.key_hash, wanted) or row.revoked_at is not None:
        return None
    if row.last_used_at is None or row.last_used_at < now - _USE_KEPT:
        row.last_used_at = now
    return Holder(row.id, row.name)


def _active(session: Session, name: str) -> ApiKey | None:
    query = sa.select(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
    return session.scalar(query.limit(1))


def _hash(keyring: Keyring, key: str) -> str:
    return keyring.number_hash(f"api key:{key}")  # numbers begin with +, so the two never meet
