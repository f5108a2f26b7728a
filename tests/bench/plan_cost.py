"""(d) What planning costs: enrolling 100,000 injections, against plain INSERTs of the same rows.

An import (`aftercare.many`) enrols some hundred new patients in one transaction; the baseline puts the
same rows of as many others into the same tables, table by table, in transactions of the same size,
without a question asked. Both encrypt the same fields. One injection at a time, as staff enter them, is
told beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import sqlalchemy as sa

from nurseline.aftercare.many import Entry, enrol_many
from nurseline.aftercare.service import Enrolled, Enrolment, enrol
from nurseline.app import build
from nurseline.config import load_settings
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import OutboundMessage
from nurseline.parts import Parts
from tests.bench.line import NOWHERE, settings
from tests.bench.patients import ZONE, enrolled_rows, insert, numbers
from tests.bench.report import Figure, Found
from tests.bench.servers import Servers

TITLE = "plan cost"
STEPS = 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """``injections`` imported, ``at_once`` in a transaction; ``bare`` and ``single``: the other ways."""

    injections: int = 100_000
    bare: int = 20_000
    single: int = 1000
    at_once: int = 500


def measure(servers: Servers, sizes: Sizes) -> Found:
    """One after the other, in one database that grows."""
    with servers.database() as database_url:
        env = settings(servers.folder, database_url, "redis://127.0.0.1:6379/0", NOWHERE)
        parts = build(load_settings(**{name.lower(): value for name, value in env.items()}))
        try:
            found = _measured(parts, sizes)
        finally:
            parts.db.engine.dispose()
    return found


def _measured(parts: Parts, sizes: Sizes) -> Found:
    everybody = numbers(sizes.injections + 2 * sizes.bare + sizes.single)
    first, second = ([*islice(everybody, sizes.bare)] for _ in range(2))
    # Half of the baseline before and half after, so that both see the tables small and large.
    bare = _inserted(parts, first, sizes.at_once)
    imported = _timed(parts, [*islice(everybody, sizes.injections)], sizes.at_once, _import)
    bare = (bare + _inserted(parts, second, sizes.at_once)) / 2
    single = _timed(parts, [*islice(everybody, sizes.single)], 1, _enrol)
    with parts.db.begin() as session:
        planned = session.scalar(sa.select(sa.func.count()).select_from(OutboundMessage))
    if planned != STEPS * (sizes.injections + 2 * sizes.bare + sizes.single):
        raise RuntimeError(f"{planned} messages are planned")
    found = Found("d", TITLE)
    named = "by INSERTs of the same rows"
    found.figures = [
        Figure(f"{sizes.injections:,} injections imported", 1 / imported, "injections/s", 1 / bare, named),
        Figure("the same, time", imported * sizes.injections, "s", bare * sizes.injections, named),
        Figure("one at a time", 1 / single, "injections/s", 1 / bare, named),
    ]
    found.details = {
        "ms_each": {"imported": 1000 * imported, "inserted": 1000 * bare, "single": 1000 * single}
    }
    return found


def _timed(
    parts: Parts, some: Sequence[str], at_once: int, write: Callable[[Parts, Sequence[str]], None]
) -> float:
    """Seconds for each of these numbers."""
    began = time.perf_counter()
    for start in range(0, len(some), at_once):
        write(parts, some[start : start + at_once])
    return (time.perf_counter() - began) / max(1, len(some))


def _inserted(parts: Parts, some: Sequence[str], at_once: int) -> float:
    """Seconds for each of these numbers, whose rows were made before."""
    now = parts.clock.now()
    parcels = [
        enrolled_rows(parts, some[start : start + at_once], now - timedelta(minutes=30), now)
        for start in range(0, len(some), at_once)
    ]
    began = time.perf_counter()
    for rows in parcels:
        insert(parts, rows)
    return (time.perf_counter() - began) / max(1, len(some))


def _enrolment(parts: Parts) -> Enrolment:
    wording = parts.say("consent.wording", "en")
    performed = parts.clock.now() - timedelta(minutes=30)
    return Enrolment(performed, ZONE, "en", True, wording.text, str(wording.version), "bench")


def _import(parts: Parts, some: Sequence[str]) -> None:
    entry = _enrolment(parts)
    with parts.db.begin() as session:
        entries = [Entry(number, entry) for number in some]
        results = enrol_many(session, parts.keyring, entries, now=parts.clock.now(), steps=parts.steps)
    if not all(isinstance(one, Enrolled) for one in results):
        raise RuntimeError("an injection was refused")


def _enrol(parts: Parts, some: Sequence[str]) -> None:
    entry = _enrolment(parts)
    for number in some:
        with parts.db.begin() as session:
            now = parts.clock.now()
            contact = contact_for(session, parts.keyring, number, at=now)
            enrol(session, contact, entry, now=now, steps=parts.steps)
