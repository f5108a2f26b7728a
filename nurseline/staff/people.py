"""Accounts as administrators keep them: invitations, roles, closing and opening, and ending sessions.

At least one administrator who can sign in always remains; requests that would take the last two away at the
same moment wait for each other.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.callbacks.service import give_back_all
from nurseline.staff import audit, passwords, second_step, sessions
from nurseline.staff.models import StaffRole, StaffUser
from nurseline.staff.rights import ROLE_WORDS

INVITED_FOR = timedelta(days=3)
LAST_ADMIN = (
    "This is the last administrator. Make somebody else an administrator first, so that accounts can be kept."
)


class PeopleError(ValueError):
    """Why something cannot be done to an account, in words for the administrator."""


def new_uniquifier() -> str:
    """A value that no session knows yet."""
    return uuid.uuid4().hex


def roles_named(session: Session, names: Collection[str]) -> list[StaffRole]:
    """The rows of these roles; the four are made where they are missing."""
    every = [{"name": name} for name in ROLE_WORDS]
    session.execute(insert(StaffRole).values(every).on_conflict_do_nothing(index_elements=["name"]))
    return list(session.scalars(sa.select(StaffRole).where(StaffRole.name.in_(names))))


def invite(
    session: Session, *, email: str, name: str, roles: Collection[str], now: datetime, actor: str
) -> tuple[StaffUser, str]:
    """A closed account and the secret of the link that opens it. Raises PeopleError for an address in use."""
    if session.scalar(sa.select(StaffUser.id).where(StaffUser.email == email)) is not None:
        raise PeopleError("There is an account with this address already.")
    user = StaffUser(
        id=uuid.uuid4(),
        email=email,
        name=name,
        password=passwords.hashed(passwords.fresh()),  # which nobody knows
        active=False,
        fs_uniquifier=new_uniquifier(),
        created_at=now,
    )
    user.roles = roles_named(session, roles)
    session.add(user)
    return user, renew_invitation(session, user, now=now, actor=actor)


def is_invited(user: StaffUser) -> bool:
    """Whether this account waits for its person to set a password."""
    return user.invite_hash is not None


def renew_invitation(session: Session, user: StaffUser, *, now: datetime, actor: str) -> str:
    """A new link for somebody who is invited; the old one no longer works."""
    secret = secrets.token_urlsafe(32)
    user.invite_hash, user.invite_until = _hashed(secret), now + INVITED_FOR
    session.flush()
    audit.record(session, actor, "account_invited", at=now, account_id=user.id)
    return secret


def invited_by(session: Session, secret: str, *, now: datetime) -> StaffUser | None:
    """Whose invitation this is; None if it is none, was used, renewed or cancelled, or is too old."""
    query = sa.select(StaffUser).where(StaffUser.invite_hash == _hashed(secret), StaffUser.invite_until > now)
    return session.scalar(query)


def accept(session: Session, secret: str, password_hash: str, *, now: datetime) -> StaffUser | None:
    """Open the invited account with this password; None if somebody did already, or the link is too old."""
    opened = session.scalar(
        sa.update(StaffUser)
        .where(StaffUser.invite_hash == _hashed(secret), StaffUser.invite_until > now)
        .values(
            password=password_hash,
            active=True,
            invite_hash=None,
            invite_until=None,
            fs_uniquifier=new_uniquifier(),
        )
        .returning(StaffUser.id)
    )
    if opened is None:
        return None
    audit.record(session, str(opened), "invitation_taken", at=now, account_id=opened)
    user = session.get_one(StaffUser, opened)
    session.refresh(user)
    return user


def cancel_invitation(session: Session, user: StaffUser, *, now: datetime, actor: str) -> None:
    """Forget somebody who was invited and never came."""
    audit.record(session, actor, "invitation_cancelled", at=now, account_id=user.id)
    session.delete(user)


def set_roles(
    session: Session, user: StaffUser, names: Collection[str], *, now: datetime, actor: str
) -> None:
    """Let this person do what these roles may. Raises PeopleError for the last administrator."""
    _lock_roles(session)
    if "admin" not in names:
        _another_admin(session, user)
    user.roles = roles_named(session, names)
    audit.record(session, actor, "roles_changed", at=now, account_id=user.id)


def disable(session: Session, user: StaffUser, *, now: datetime, actor: str) -> None:
    """Close the account, end its sessions, and give back its items: an emergency would look taken.

    Raises PeopleError for the last administrator.
    """
    _lock_roles(session)
    _another_admin(session, user)
    user.active = False
    end_sessions(session, user, now=now)
    give_back_all(session, str(user.id), now=now, actor=actor)
    audit.record(session, actor, "account_disabled", at=now, account_id=user.id)


def enable(session: Session, user: StaffUser, *, now: datetime, actor: str) -> None:
    """Open a closed account again. Raises PeopleError for one that has no password yet."""
    if is_invited(user):
        raise PeopleError("This person has not set a password yet. Invite them again.")
    user.active = True
    audit.record(session, actor, "account_enabled", at=now, account_id=user.id)


def reset_second_step(session: Session, user: StaffUser, *, now: datetime, actor: str) -> None:
    """Forget the app and the recovery codes of somebody who has lost them; ends their sessions."""
    second_step.turn_off(user)
    end_sessions(session, user, now=now)
    audit.record(session, actor, "second_step_reset", at=now, account_id=user.id)


def end_sessions(session: Session, user: StaffUser, *, now: datetime) -> None:
    """End every session, and every sign-in that waits for its second step."""
    user.fs_uniquifier = new_uniquifier()
    sessions.end_all(session, user.id, now=now)


def _lock_roles(session: Session) -> None:
    roles_named(session, ())
    session.execute(sa.select(StaffRole.id).where(StaffRole.name == "admin").with_for_update())


def _another_admin(session: Session, user: StaffUser) -> None:
    others = (
        sa.select(StaffUser.id)
        .join(StaffUser.roles)
        .where(StaffRole.name == "admin", StaffUser.active.is_(True), StaffUser.id != user.id)
    )
    is_admin = user.active and any(role.name == "admin" for role in user.roles)
    if is_admin and session.scalar(others.limit(1)) is None:
        raise PeopleError(LAST_ADMIN)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
