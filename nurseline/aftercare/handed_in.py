"""Files of injections that were handed in: kept encrypted until confirmed, given up, or too old."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.aftercare.models import InjectionFile

KEPT_FOR = timedelta(hours=2)
_ONE_AT_A_TIME = 0x6E757273  # a number of our own for PostgreSQL's advisory locks


def keep(session: Session, content: bytes, *, staff: str, now: datetime) -> uuid.UUID:
    """Keep a file until its owner has looked at it; what its owner handed in before is given up."""
    forget(session, InjectionFile.staff_id == staff)
    row = InjectionFile(at=now, staff_id=staff, content=content)
    session.add(row)
    session.flush()
    return row.id


def waiting(session: Session, file_id: uuid.UUID, *, staff: str, now: datetime) -> InjectionFile | None:
    """The file, for who handed it in, locked until the transaction ends; None once it is gone."""
    row = session.scalar(
        sa.select(InjectionFile)
        .where(InjectionFile.id == file_id, InjectionFile.staff_id == staff)
        .with_for_update()
    )
    return row if row and row.content is not None and row.at > now - KEPT_FOR else None


def of_staff(session: Session, staff: str, *, now: datetime) -> Sequence[InjectionFile]:
    """What this person handed in last, newest first."""
    return session.scalars(
        sa.select(InjectionFile)
        .where(InjectionFile.staff_id == staff, InjectionFile.at > now - timedelta(days=30))
        .order_by(InjectionFile.at.desc())
        .limit(10)
    ).all()


def done(row: InjectionFile, enrolled: int, *, now: datetime) -> None:
    """It was imported: the file itself is forgotten."""
    row.content, row.confirmed_at, row.enrolled = None, now, enrolled


def give_up(session: Session, file_id: uuid.UUID, *, staff: str) -> None:
    """Forget a file without importing it."""
    forget(session, InjectionFile.id == file_id, InjectionFile.staff_id == staff)


def forget_old(session: Session, *, now: datetime) -> int:
    """Forget files that nobody confirmed in time; how many."""
    return forget(session, InjectionFile.at <= now - KEPT_FOR)


def forget(session: Session, *which: sa.ColumnElement[bool]) -> int:
    """Take the content of the files away; how many had one."""
    old = sa.update(InjectionFile).where(InjectionFile.content.is_not(None), *which).values(content=None)
    return len(session.scalars(old.returning(InjectionFile.id)).all())


def only_one(session: Session) -> bool:
    """Whether this transaction is the only one that imports a file now; it stays so until it ends."""
    return bool(session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_ONE_AT_A_TIME))))
