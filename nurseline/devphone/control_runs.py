"""The control interface for runs: faults on and off, and the ledger to compare a database with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Response, jsonify

from nurseline.devphone.control import blueprint, exchange, iso
from nurseline.devphone.errors import BadInput
from nurseline.devphone.fault_plan import KINDS, UNREACHABLE, read_plan
from nurseline.devphone.ledger import Ledger
from nurseline.devphone.reading import body

_AT_ONCE = 500


def _faults() -> dict[str, Any]:
    faults = exchange().faults
    return {"faults": faults.plan.shown(), "struck": faults.counts(), "creates": faults.creates}


@blueprint.get("/faults")
def show_faults() -> Response:
    return jsonify(_faults())


@blueprint.put("/faults")
def set_faults() -> Response:
    """These faults from now on, instead of earlier ones; the counters start again."""
    plan = read_plan(body("seed", "latency", *KINDS))
    if UNREACHABLE in plan.rules and exchange().api_port is None:
        raise BadInput(f"{UNREACHABLE} needs DEVPHONE_API_PORT, a port that may go away.")
    exchange().faults.use(plan)
    return jsonify(_faults())


@blueprint.delete("/faults")
def end_faults() -> Response:
    exchange().faults.end()
    return jsonify(_faults())


@blueprint.get("/ledger")
def ledger() -> Response:
    """JSON lines: first the counts, then each message the line asked for, oldest first."""
    return Response(_lines(exchange().ledger), mimetype="application/x-ndjson")


def _lines(kept: Ledger) -> Iterator[str]:
    counts: dict[str, dict[str, int]] = {}
    for direction, status, count in kept.rows(
        "SELECT direction, status, count(*) FROM messages GROUP BY direction, status"
    ):
        counts.setdefault(direction, {})[status] = count
    yield json.dumps({"counts": counts}) + "\n"
    after = -1
    # In parts, so that a long ledger does not keep the phone from its other work.
    while rows := kept.rows(
        "SELECT seq, sid, recipient, status, status_callback, created FROM messages"
        " WHERE direction = 'outbound-api' AND seq > ? ORDER BY seq LIMIT ?",
        [after, _AT_ONCE],
    ):
        after = rows[-1]["seq"]
        yield "".join(
            json.dumps(
                {
                    "ref": reference(row["status_callback"]),
                    "to": row["recipient"],
                    "sid": row["sid"],
                    "status": row["status"],
                    "created": iso(row["created"]),
                }
            )
            + "\n"
            for row in rows
        )


def reference(callback: str | None) -> str | None:
    """The `ref` in the query of a status callback's address."""
    found = parse_qs(urlsplit(callback).query).get("ref") if callback else None
    return found[0] if found else None
