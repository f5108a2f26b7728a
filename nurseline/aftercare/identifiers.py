"""The further identifiers of an injection: a Procedure and an Appointment tell of one visit.

The first identifier stands with the injection. Each further one, and the first once it was taken back, is
one of the clinic's settings, found by its keyed hash: which injection it means, and whether it stands. Taking
back one identifier leaves the visit as it is while another one stands.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nurseline.aftercare.models import Injection
from nurseline.clinic.models import ClinicSetting

_NAME = "outside id "
_DIGITS = 29  # of the keyed hash, 116 bits: as many as fit into a name
_STANDS, _TAKEN_BACK = "stands", "taken back"


def _name(key: str) -> str:
    return f"{_NAME}{key[:_DIGITS]}"


def owners(session: Session, keys: Collection[str]) -> dict[str, uuid.UUID]:
    """The injections that further identifiers mean, by key."""
    names = {_name(key): key for key in keys}
    rows = session.execute(
        sa.select(ClinicSetting.name, ClinicSetting.value).where(ClinicSetting.name.in_(names))
    )
    return {names[row.name]: uuid.UUID(row.value.partition(" ")[0]) for row in rows}


def keep(session: Session, meant: Mapping[str, uuid.UUID], *, now: datetime) -> None:
    """Remember which injection each identifier means (by key), and that it stands."""
    mine = Injection.id.in_(set(meant.values()))
    rows = session.execute(sa.select(Injection.id, Injection.outside_key).where(mine))
    first = {row.id: row.outside_key for row in rows}
    firsts = [_name(key) for key, injection_id in meant.items() if first[injection_id] == key]
    session.execute(sa.delete(ClinicSetting).where(ClinicSetting.name.in_(firsts)))
    for key, injection_id in sorted(meant.items()):
        if first[injection_id] != key:
            _write(session, key, injection_id, _STANDS, now)


def take_back(session: Session, key: str, injection_id: uuid.UUID, *, now: datetime) -> bool:
    """Remember that an identifier no longer stands; whether another one of the injection does."""
    _write(session, key, injection_id, _TAKEN_BACK, now)
    further = sa.select(ClinicSetting.name, ClinicSetting.value).where(
        ClinicSetting.name.startswith(_NAME), ClinicSetting.value.startswith(f"{injection_id} ")
    )
    known = {row.name: row.value.partition(" ")[2] for row in session.execute(further)}
    first = session.scalar(sa.select(Injection.outside_key).where(Injection.id == injection_id))
    if first is not None:
        known.setdefault(_name(first), _STANDS)
    return _STANDS in known.values()


def _write(session: Session, key: str, injection_id: uuid.UUID, how: str, now: datetime) -> None:
    values = {"value": f"{injection_id} {how}", "changed_at": now, "changed_by": "line"}
    new = insert(ClinicSetting).values(name=_name(key), **values)
    session.execute(
        new.on_conflict_do_update(
            index_elements=["name"], set_=values, where=ClinicSetting.value != values["value"]
        )
    )
