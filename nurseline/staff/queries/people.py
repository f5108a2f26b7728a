"""Names of staff: for the ids that histories hold, and of those whom an item can be handed to."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.staff.models import StaffSession, StaffUser
from nurseline.staff.sessions import IDLE
from nurseline.staff.words import ACTORS

SYSTEM = "system:"  # begins what the clinic's own systems are called; the rest is their name


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody whom an item can be handed to. ``here``: signed in now."""

    name: str
    here: bool

    def __str__(self) -> str:
        return f"{self.name} (signed in)" if self.here else self.name


def names_of(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """What to call each of ``actors``: staff by name, the rest in plain words."""
    wanted = set(actors)
    names = {actor: ACTORS.get(actor, "Somebody") for actor in wanted}
    names |= {actor: actor.removeprefix(SYSTEM) for actor in wanted if actor.startswith(SYSTEM)}
    ids = [known for actor in wanted if (known := _uuid(actor)) is not None]
    if ids:
        found = session.execute(sa.select(StaffUser.id, StaffUser.name).where(StaffUser.id.in_(ids)))
        names |= {str(staff_id): name for staff_id, name in found}
    return names


def colleagues(session: Session, viewer_id: str, *, now: datetime) -> dict[str, Colleague]:
    """By id: everybody else whose account is active, who is signed in first."""
    at_work = sa.exists().where(
        StaffSession.user_id == StaffUser.id,
        StaffSession.ended_at.is_(None),
        StaffSession.last_active_at > now - IDLE,
    )
    query = sa.select(StaffUser.id, StaffUser.name, at_work.label("here")).where(
        StaffUser.active, StaffUser.id != _uuid(viewer_id)
    )
    rows = session.execute(query.order_by(sa.desc("here"), sa.func.lower(StaffUser.name)))
    return {str(row.id): Colleague(row.name, here=row.here) for row in rows}


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
