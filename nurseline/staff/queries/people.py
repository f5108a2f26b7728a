"""Names of staff for the ids that histories hold."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.staff.models import StaffUser
from nurseline.staff.words import ACTORS


def names_of(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """What to call each of ``actors``: staff by name, the rest in plain words."""
    wanted = set(actors)
    names = {actor: ACTORS.get(actor, "Somebody") for actor in wanted}
    ids = [known for actor in wanted if (known := _uuid(actor)) is not None]
    if ids:
        found = session.execute(sa.select(StaffUser.id, StaffUser.name).where(StaffUser.id.in_(ids)))
        names |= {str(staff_id): name for staff_id, name in found}
    return names


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
