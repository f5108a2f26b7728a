"""The list of accounts, as administrators see it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.staff import second_step
from nurseline.staff.models import StaffSession, StaffUser
from nurseline.staff.rights import ROLE_WORDS


@dataclass(frozen=True, slots=True)
class Person:
    """An account as the list shows it. ``invited_until``: its link, if its person has not come yet."""

    id: uuid.UUID
    name: str
    email: str
    roles: tuple[str, ...]
    active: bool
    has_second_step: bool
    invited_until: datetime | None
    last_active_at: datetime | None


def everybody(session: Session) -> list[Person]:
    """Every account: open ones first, then who is invited, then closed ones, each by name."""
    latest = (
        sa.select(StaffSession.user_id, sa.func.max(StaffSession.last_active_at).label("at"))
        .group_by(StaffSession.user_id)
        .subquery()
    )
    query = sa.select(StaffUser, latest.c.at).outerjoin(latest, latest.c.user_id == StaffUser.id)
    order = (StaffUser.active.desc(), StaffUser.invite_hash.is_(None), sa.func.lower(StaffUser.name))
    return [
        Person(
            user.id,
            user.name,
            user.email,
            tuple(role for role in ROLE_WORDS if role in {each.name for each in user.roles}),
            user.active,
            second_step.is_on(user),
            user.invite_until if user.invite_hash else None,
            active_at,
        )
        for user, active_at in session.execute(query.order_by(*order, StaffUser.id))
    ]
