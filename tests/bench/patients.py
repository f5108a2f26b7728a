"""Patients of a benchmark: numbers that belong to nobody, and the rows that enrolling one injection makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurseline.aftercare.models import Injection
from nurseline.aftercare.plan import plan_of
from nurseline.consent.models import ConsentEvent, ConsentState
from nurseline.ids import new_id
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import PRIORITY
from nurseline.parts import Parts

AREAS = [area for area in range(201, 220) if area != 211]  # 211 is a service, not an area
ZONE = "America/New_York"
DAY = timedelta(hours=24)
Rows = dict[type[Any], list[dict[str, Any]]]
TABLES = (Contact, ConsentState, ConsentEvent, Injection, OutboundMessage, OutboundEvent)
AT_ONCE = 1000
WORDING = "I agree to get follow-up texts about my injection. " * 4  # about as long as the real one
FAR = datetime(2100, 1, 1, tzinfo=UTC)  # nothing put there falls due by itself


def numbers(count: int) -> Iterator[str]:
    """So many different numbers of the exchange 555, which belong to nobody."""
    for n in range(count):
        yield f"+1{AREAS[n // 10_000]}555{n % 10_000:04d}"


def insert_due(parts: Parts, seconds: Sequence[float]) -> dict[str, float]:
    """A patient for each, whose first reminder is due so many seconds after `fall_due`; these by message id.

    What enrolling would write, put in without its questions.
    """
    now = parts.clock.now()
    made: dict[str, float] = {}
    everybody = numbers(len(seconds))
    for start in range(0, len(seconds), AT_ONCE):
        rows: Rows = {table: [] for table in TABLES}
        for after in seconds[start : start + AT_ONCE]:
            performed = FAR - DAY + timedelta(seconds=after)
            _add_rows(rows, parts, next(everybody), performed, now, steps=1)
            made[str(rows[OutboundMessage][-1]["id"])] = after
        insert(parts, rows)
    return made


def fall_due(parts: Parts, begins: datetime) -> None:
    """Move what `insert_due` planned from the far future to this instant."""
    moved = sa.text(
        "UPDATE outbound_messages SET send_after = send_after + :by, send_before = send_before + :by"
        " WHERE status = 'scheduled' AND send_after >= :far"
    )
    with parts.db.begin() as session:
        session.execute(moved, {"by": begins - FAR, "far": FAR})


def enrolled_rows(parts: Parts, some: Sequence[str], performed_at: datetime, now: datetime) -> Rows:
    """The rows that enrolling an injection of each number at this instant makes, with all three messages."""
    rows: Rows = {table: [] for table in TABLES}
    for number in some:
        _add_rows(rows, parts, number, performed_at, now, steps=3)
    return rows


def insert(parts: Parts, rows: Rows) -> None:
    """Plain INSERTs in one transaction."""
    with parts.db.begin() as session:
        for table in TABLES:
            session.execute(sa.insert(table), rows[table])


def _add_rows(
    rows: Rows, parts: Parts, number: str, performed_at: datetime, now: datetime, *, steps: int
) -> None:
    contact, injection = new_id(), new_id()
    number_hash = parts.keyring.number_hash(number)
    rows[Contact].append(
        {
            "id": contact,
            "number_hash": number_hash,
            "number": number,
            "language": "en",
            "timezone": ZONE,
            "first_seen_at": now,
        }
    )
    rows[ConsentState].append({"number_hash": number_hash, "status": "opted_in", "since": now})
    rows[ConsentEvent].append(
        {
            "number_hash": number_hash,
            "at": now,
            "kind": "opt_in",
            "method": "staff",
            "words": WORDING,
            "wording_version": "1",
            "actor": "bench",
        }
    )
    rows[Injection].append(
        {
            "id": injection,
            "contact_id": contact,
            "performed_at": performed_at,
            "timezone": ZONE,
            "language": "en",
            "enrolled_at": now,
            "enrolled_by": "bench",
        }
    )
    for due in plan_of(performed_at, performed_at, parts.steps)[:steps]:
        message = new_id()
        rows[OutboundMessage].append(
            {
                "id": message,
                "contact_id": contact,
                "number_hash": number_hash,
                "purpose": "reminder",
                "priority": PRIORITY["reminder"],
                "content_id": due.step.content_id,
                "language": "en",
                "send_after": due.send_after,
                "send_before": due.send_before,
                "timezone": ZONE,
                "body": None,
                "injection_id": injection,
                "step": due.step.name,
                "status": "scheduled",
                "created_at": now,
            }
        )
        rows[OutboundEvent].append(
            {"subject_id": message, "at": now, "status": "scheduled", "cause": "planned", "actor": "bench"}
        )
