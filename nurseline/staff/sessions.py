"""Sign-in sessions, kept in the database so that they can be ended here: idle and absolute limits.

Limits: 15 minutes without activity, ten hours in all (clinic rules 2.1, automatic logoff).
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.staff.models import StaffSession

IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=10)
TOUCH = timedelta(seconds=10)  # activity is written down at most this often
Ended = Literal["idle", "too_long", "ended"]


def open_session(session: Session, user_id: uuid.UUID, *, now: datetime) -> uuid.UUID:
    """Start a session for an account; its id."""
    row = StaffSession(id=uuid.uuid4(), user_id=user_id, created_at=now, last_active_at=now)
    session.add(row)
    session.flush()
    return row.id


def check(
    session: Session, session_id: uuid.UUID, user_id: uuid.UUID, *, now: datetime, activity: bool
) -> Ended | None:
    """None if the session stands, else why it does not. ``activity``: a person did something."""
    row = session.get(StaffSession, session_id)
    if row is None or row.user_id != user_id or row.ended_at is not None:
        return "ended"
    if now - row.created_at >= LONGEST:
        return "too_long"
    if now - row.last_active_at >= IDLE:
        return "idle"
    if activity and now - row.last_active_at >= TOUCH:
        session.execute(
            sa.update(StaffSession)
            .where(StaffSession.id == session_id, StaffSession.ended_at.is_(None))
            .values(last_active_at=sa.func.greatest(StaffSession.last_active_at, now))
        )
    return None


def person_of(session: Session, session_id: uuid.UUID) -> uuid.UUID | None:
    """The account of a session, open or ended."""
    return session.scalar(sa.select(StaffSession.user_id).where(StaffSession.id == session_id))


def unlock(session: Session, session_id: uuid.UUID, user_id: uuid.UUID, *, now: datetime) -> bool:
    """Open a session that has locked itself; False if it has ended or is too old for that."""
    opened = session.scalar(
        sa.update(StaffSession)
        .where(
            StaffSession.id == session_id,
            StaffSession.user_id == user_id,
            StaffSession.ended_at.is_(None),
            StaffSession.created_at > now - LONGEST,
        )
        .values(last_active_at=now)
        .returning(StaffSession.id)
    )
    return opened is not None


def lock(session: Session, session_id: uuid.UUID, *, now: datetime) -> None:
    """Let the session be idle from now on: it opens again with the password."""
    session.execute(
        sa.update(StaffSession)
        .where(StaffSession.id == session_id, StaffSession.ended_at.is_(None))
        .values(last_active_at=sa.func.least(StaffSession.last_active_at, now - IDLE))
    )


def idle_left(session: Session, session_id: uuid.UUID, *, now: datetime) -> timedelta:
    """How long until the session locks itself or is over; nothing if it has."""
    row = session.get(StaffSession, session_id)
    if row is None or row.ended_at is not None:
        return timedelta(0)
    return max(timedelta(0), min(row.last_active_at + IDLE, row.created_at + LONGEST) - now)


def open_ones(session: Session, user_id: uuid.UUID, *, now: datetime) -> list[StaffSession]:
    """Sessions of an account that are not over, the latest activity first."""
    query = sa.select(StaffSession).where(
        StaffSession.user_id == user_id,
        StaffSession.ended_at.is_(None),
        StaffSession.created_at > now - LONGEST,
    )
    return list(session.scalars(query.order_by(StaffSession.last_active_at.desc(), StaffSession.id)))


def end(session: Session, session_id: uuid.UUID, *, now: datetime) -> None:
    """End one session."""
    _end(session, StaffSession.id == session_id, now)


def end_all(session: Session, user_id: uuid.UUID, *, now: datetime, but: uuid.UUID | None = None) -> None:
    """End every session of an account, except ``but``."""
    which = StaffSession.user_id == user_id
    _end(session, which & (StaffSession.id != but) if but else which, now)


def end_one_of(session: Session, session_id: uuid.UUID, user_id: uuid.UUID, *, now: datetime) -> None:
    """End one session if it is this account's."""
    _end(session, (StaffSession.id == session_id) & (StaffSession.user_id == user_id), now)


def _end(session: Session, which: sa.ColumnElement[bool], now: datetime) -> None:
    session.execute(
        sa.update(StaffSession).where(which, StaffSession.ended_at.is_(None)).values(ended_at=now)
    )
