"""The record of who saw or did what, page by page, newest first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.staff.models import StaffAudit, StaffUser
from nurseline.staff.queries.people import names_of

PAGE = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for. ``before``: only lines older than this one, for the next page."""

    staff_id: str = ""
    what: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """One page. ``names``: of the people in it; ``older``: the line after which the next page begins."""

    rows: Sequence[StaffAudit]
    names: dict[str, str]
    older: int | None


def lines(session: Session, wanted: Wanted) -> Lines:
    """The lines that fit, newest first."""
    found = session.scalars(
        sa.select(StaffAudit).where(*_conditions(wanted)).order_by(StaffAudit.id.desc()).limit(PAGE + 1)
    ).all()
    rows = found[:PAGE]
    people = {row.staff_id for row in rows} | {str(row.account_id) for row in rows if row.account_id}
    return Lines(rows, names_of(session, people), rows[-1].id if len(found) > PAGE else None)


def people(session: Session) -> list[tuple[uuid.UUID, str]]:
    """Everybody who can stand in the record, by name."""
    order = (sa.func.lower(StaffUser.name), StaffUser.id)
    found = session.execute(sa.select(StaffUser.id, StaffUser.name).order_by(*order))
    return [(staff_id, name) for staff_id, name in found]


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.staff_id:
        conditions.append(StaffAudit.staff_id == wanted.staff_id)
    if wanted.what:
        conditions.append(StaffAudit.what == wanted.what)
    if wanted.since is not None:
        conditions.append(StaffAudit.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(StaffAudit.at < wanted.until)
    if wanted.before is not None:
        conditions.append(StaffAudit.id < wanted.before)
    return conditions
