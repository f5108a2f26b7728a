"""(a) Scanning for due messages and claiming them, with few and with millions of planned ones.

One sweep is one transaction of `outbox.claim_due`, as a worker does it. Sweeps go round the databases in
turn, so that whatever else the machine does hits all alike. Between two sweeps what was claimed is put
back to the end of what is due, which is not measured: the number of planned messages stays the same for
the whole run.

The 99th percentile is that of blocks in the order of time, and of these the median: checkpoints,
autovacuum and neighbours make single blocks slow. Autovacuum stays on. A claimed message leaves a dead entry
at the front of the index of due ones until a vacuum removes it. A worker passes them at the beginning of each
run, so the sweeps begin at the front again after as many messages as a run of a worker claims.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurseline.crypto import Keyring
from nurseline.db import Database
from nurseline.messaging.outbox import THE_BEGINNING, claim_due
from tests.bench.fill import BYTES_PER_PLANNED, Filled, fill
from tests.bench.report import Figure, Found, of_blocks
from tests.bench.servers import Servers, Unusable
from tests.support.settings import SECRETS

TITLE = "due scan and claim"
FLAT = 1.3  # from the smallest database to the largest
BLOCKS = 9
WARM_UP = 20  # sweeps that are not counted
A_RUN = 10_000  # messages: 20 s at 500 a second
BACK = sa.text(
    "UPDATE outbound_messages SET status = 'scheduled', claim_token = NULL, lease_until = NULL,"
    " send_after = :now WHERE id = ANY(:ids)"
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """``planned`` messages of each database, ``sweeps`` over each, ``limit`` of messages a sweep claims."""

    planned: tuple[int, ...] = (10_000, 1_000_000, 10_000_000)
    sweeps: int = 3_600
    limit: int = 100


@dataclass
class _Swept:
    """One database and what its sweeps took, in seconds."""

    db: Database
    filled: Filled
    fill_seconds: float
    claiming: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    claimed: int = 0
    since: datetime = THE_BEGINNING

    @property
    def per_second(self) -> float:
        return self.claimed / sum(self.claiming)


def measure(servers: Servers, sizes: Sizes) -> Found:
    """Fill, sweep, and compare each size with the smallest."""
    free = servers.free_bytes()
    needed = sum(sizes.planned) * BYTES_PER_PLANNED
    if free is not None and free < needed:
        raise Unusable(f"(a) needs {needed / 2**30:.0f} GiB of disk in {servers.folder}: choose --planned")
    with ExitStack() as stack:
        swept = {}
        for planned in sizes.planned:
            url = stack.enter_context(servers.database())
            began = time.perf_counter()
            filled = fill(url, planned)
            db = Database(url, Keyring([SECRETS["NURSELINE_KEYS"]]))
            stack.callback(db.engine.dispose)
            swept[planned] = _Swept(db, filled, time.perf_counter() - began)
        _sweep_all(list(swept.values()), sizes)
        plans = _plans(swept[max(swept)].db, sizes.limit)
    return _found(swept, sizes, plans)


def _sweep_all(databases: Sequence[_Swept], sizes: Sizes) -> None:
    for number in range(WARM_UP + sizes.sweeps):
        first = number % len(databases)
        for one in (*databases[first:], *databases[:first]):
            if number * sizes.limit % A_RUN < sizes.limit:
                one.since = THE_BEGINNING
            _sweep(one, sizes.limit, counted=number >= WARM_UP)


def _sweep(one: _Swept, limit: int, *, counted: bool) -> None:
    now = datetime.now(UTC)
    began = time.perf_counter()
    with one.db.begin() as session:
        _, rows = claim_due(session, now=now, limit=limit, lane="reminders", since=one.since)
        ids = [row.id for row in rows]
    took = time.perf_counter() - began
    one.since = rows[0].send_after if len(rows) == limit else THE_BEGINNING
    with one.db.begin() as session:
        session.execute(BACK, {"now": now, "ids": ids})
    began = time.perf_counter()
    with one.db.begin() as session:  # when nothing is due, as most of the day
        claim_due(session, now=now - timedelta(days=60), limit=limit, lane="reminders")
    idle = time.perf_counter() - began
    if counted:
        one.claiming.append(took)
        one.claimed += len(ids)
        one.idle.append(idle)


def _plans(db: Database, limit: int) -> list[dict[str, Any]]:
    """How the server finds the rows of each statement of one claim, in the largest database."""
    seen: list[dict[str, Any]] = []

    def explain(
        connection: sa.Connection, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        if statement.startswith("EXPLAIN") or many:
            return
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        (plan,) = cursor.fetchone()
        nodes = list(_nodes((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]))
        seen.append(
            {
                "statement": " ".join(statement.split()[:3]),
                "indexes": sorted({node["Index Name"] for node in nodes if "Index Name" in node}),
                "whole_tables": sorted({n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"}),
            }
        )

    with db.session() as session:
        sa.event.listen(db.engine, "before_cursor_execute", explain)
        try:
            claim_due(session, now=datetime.now(UTC), limit=limit, lane="reminders")
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", explain)
        session.rollback()
    return seen


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in _nodes(part))]


def _found(swept: dict[int, _Swept], sizes: Sizes, plans: list[dict[str, Any]]) -> Found:
    found = Found("a", TITLE)
    least = min(swept)
    for planned, one in swept.items():
        against = swept[least] if planned != least else None
        found.figures += _figures(planned, one, against, f"at {least:,}")
        found.details[str(planned)] = {
            "planned": one.filled.planned,
            "due": one.filled.due,
            "delivered": one.filled.sent,
            "fill_seconds": round(one.fill_seconds, 1),
            "sweeps": len(one.claiming),
            "claimed": one.claimed,
            "p50_ms": 1000 * of_blocks(one.claiming, 0.5, 1),
            "p99_ms_of_all": 1000 * of_blocks(one.claiming, 0.99, 1),
            "idle_p50_ms": 1000 * of_blocks(one.idle, 0.5, 1),
        }
    whole = [name for plan in plans for name in plan["whole_tables"]]
    found.figures.append(Figure("tables read whole by a claim", len(whole), "tables", at_most=0, of="value"))
    found.details["plans"] = plans
    found.details["limit"] = sizes.limit
    return found


def _figures(planned: int, one: _Swept, least: _Swept | None, named: str) -> list[Figure]:
    rate = Figure(f"{planned:,} planned: claimed", one.per_second, "rows/s")
    p99 = Figure(f"{planned:,} planned: sweep p99", 1000 * of_blocks(one.claiming, 0.99, BLOCKS), "ms")
    idle = Figure(f"{planned:,} planned: idle p99", 1000 * of_blocks(one.idle, 0.99, BLOCKS), "ms")
    if least is None:
        return [rate, p99, idle]
    return [
        Figure(rate.name, rate.value, rate.unit, least.per_second, named, at_least=1 / FLAT),
        Figure(p99.name, p99.value, p99.unit, 1000 * of_blocks(least.claiming, 0.99, BLOCKS), named, FLAT),
        Figure(idle.name, idle.value, idle.unit, 1000 * of_blocks(least.idle, 0.99, BLOCKS), named),
    ]
