"""Databases with millions of planned messages, filled inside the server.

A hospital network after an outage: every injection of the last 60 hours has its three messages planned,
and nothing was sent for 36 hours, so a fifth of what is planned is due. Messages of earlier injections, a
tenth as many, were delivered. Rows lie in the order of
enrolment.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

TABLES = ("contacts", "injections", "consent_states", "outbound_messages", "outbound_events")
SPAN_HOURS = 60
BYTES_PER_PLANNED = 1600  # of disk, with indexes and history, and room for the server's log
AT_ONCE = 2  # connections that fill
PARTS = 8  # of each table, so that both connections have something to do to the end

# Fields at rest are as long as Fernet makes them: a number 100 bytes, the words of a reminder about 330.
NUMBER = "decode(repeat('00', 100), 'hex')"
BODY = "decode(repeat('00', 330), 'hex')"


def _id(salt: str, at: str) -> str:
    """An id as the line makes them: milliseconds first, then as good as random (RFC 9562, version 7).

    From md5, because the server's own random ids cost ten times as much.
    """
    milliseconds = f"lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')"
    rest = f"md5('{salt}' || n)"
    return f"({milliseconds} || '7' || substr({rest}, 1, 3) || 'a' || substr({rest}, 4, 15))::uuid"


# Every other patient is known from some time in the year before.
_KNOWN = "performed - (n % 2) * interval '365 days' * (hashint4(n) / 4294967296.0 + 0.5)"
PATIENTS = f"""
CREATE UNLOGGED TABLE bench_patients AS
SELECT *, {_id("contact", _KNOWN)} AS contact_id, {_id("injection", "performed")} AS injection_id,
    {_id("day1", "performed")} AS day1, {_id("day3", "performed")} AS day3,
    {_id("week1", "performed")} AS week1,
    md5('a' || n) || md5('b' || n) AS number_hash,
    (ARRAY['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles'])[1 + n % 4] AS zone
FROM (SELECT n, n <= {{recent}} AS open,
    CASE WHEN n <= {{recent}} THEN now() - {SPAN_HOURS} * interval '1 hour' * (1 - n::float8 / {{recent}})
    ELSE now() - interval '30 days' + interval '16 days' * ((n - {{recent}})::float8 / {{earlier}}) END
    AS performed FROM generate_series(1, {{recent}} + {{earlier}}) AS n) AS numbered
"""
CONTACTS = f"""
INSERT INTO contacts (id, number_hash, number, language, timezone, first_seen_at)
SELECT contact_id, number_hash, {NUMBER}, 'en', zone, performed FROM bench_patients
"""
CONSENT = """
INSERT INTO consent_states (number_hash, status, carrier_blocked, since)
SELECT number_hash, 'opted_in', false, performed FROM bench_patients
"""
INJECTIONS = """
INSERT INTO injections (id, contact_id, performed_at, timezone, language, enrolled_at, enrolled_by)
SELECT injection_id, contact_id, performed, zone, 'en', performed, 'bench' FROM bench_patients
"""
MESSAGES = f"""
INSERT INTO outbound_messages (id, contact_id, number_hash, purpose, priority, content_id, language,
    content_version, body, send_after, send_before, timezone, status, reason, attempts, sending_at,
    provider_sid, injection_id, step, position, created_at)
SELECT message_id, contact_id, number_hash, 'reminder', 5, 'reminder.' || step, 'en',
    CASE WHEN open THEN '' ELSE '1' END, CASE WHEN open THEN NULL ELSE {BODY} END,
    performed + after, performed + after + interval '48 hours', zone,
    CASE WHEN open THEN 'scheduled' ELSE 'delivered' END, '', CASE WHEN open THEN 0 ELSE 1 END,
    CASE WHEN open THEN NULL ELSE performed + after END,
    CASE WHEN open THEN NULL ELSE 'SM' || md5(step || n) END, injection_id, step, 0, performed
FROM bench_patients CROSS JOIN LATERAL (
    VALUES (day1, 'day1', interval '24 hours'), (day3, 'day3', interval '72 hours'),
    (week1, 'week1', interval '168 hours')) AS plan (message_id, step, after)
"""
EVENTS = """
INSERT INTO outbound_events (subject_id, at, status, cause, actor)
SELECT message_id, performed, status, cause, 'bench'
FROM bench_patients CROSS JOIN LATERAL (VALUES (day1), (day3), (week1)) AS message (message_id)
    CROSS JOIN LATERAL (SELECT 'scheduled' AS status, 'planned' AS cause
        UNION ALL SELECT 'delivered', 'report' WHERE NOT open) AS moved
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """How many messages there are. ``due``: of those planned."""

    planned: int
    due: int
    sent: int


def fill(url: str, planned: int) -> Filled:
    """Put ``planned`` messages and a tenth as many delivered ones into an empty database with every table."""
    recent, earlier = planned // 3, planned // 30
    with psycopg.connect(url, autocommit=True, options="-c statement_timeout=0") as connection:
        connection.execute(PATIENTS.format(recent=recent, earlier=earlier).encode())
        after = _drop_indexes(connection)
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        edges = [1 + (recent + earlier) * part // PARTS for part in range(PARTS + 1)]
        spans = list(itertools.pairwise(edges))
        inserts = (MESSAGES, EVENTS, CONTACTS, CONSENT, INJECTIONS)
        _each(url, [f"{insert} WHERE n >= {a} AND n < {b}" for insert in inserts for a, b in spans])
        connection.execute("DROP TABLE bench_patients")
        for commands in after:
            _each(url, commands)
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)".encode())
        _each(url, [f"VACUUM (ANALYZE, PARALLEL 0) {table}" for table in reversed(TABLES)])
        connection.execute("CHECKPOINT")
        counted = connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'scheduled'),"
            " count(*) FILTER (WHERE status = 'scheduled' AND send_after <= now()),"
            " count(*) FILTER (WHERE status = 'delivered') FROM outbound_messages"
        ).fetchone()
    assert counted is not None
    return Filled(*counted)


def _each(url: str, commands: Sequence[str]) -> None:
    """Run the commands in order, over a few connections at once."""

    def run(command: str) -> None:
        settings = (
            "-c statement_timeout=0 -c maintenance_work_mem=256MB -c max_parallel_maintenance_workers=0"
            " -c synchronous_commit=off"
        )
        with psycopg.connect(url, autocommit=True, options=settings) as connection:
            connection.execute(command.encode())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(run, commands))


def _drop_indexes(connection: psycopg.Connection) -> tuple[list[str], list[str], list[str]]:
    """Drop indexes and constraints of the filled tables; the commands, in three steps, that restore them.

    Foreign keys come back without looking at the rows that are there: checking them is not what is measured.
    """
    wanted = list(TABLES)
    constraints = connection.execute(
        "SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid), contype,"
        " conindid::regclass::text FROM pg_constraint"
        " WHERE contype IN ('p', 'u', 'f') AND (conrelid::regclass::text = ANY(%s)"
        " OR (contype = 'f' AND confrelid::regclass::text = ANY(%s))) ORDER BY contype = 'f', conname",
        (wanted, wanted),
    ).fetchall()
    indexes = dict(
        connection.execute(
            "SELECT indexname::text, indexdef FROM pg_indexes"
            " WHERE schemaname = current_schema() AND tablename = ANY(%s)",
            (wanted,),
        ).fetchall()
    )
    for name, table, *_ in reversed(constraints):
        connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'.encode())
    keys, foreign = [], []
    for name, table, definition, kind, index in constraints:
        start = f'ALTER TABLE {table} ADD CONSTRAINT "{name}" '
        if kind == "f":
            foreign.append(f"{start}{definition} NOT VALID")
        else:
            keys.append(f"{start}{'PRIMARY KEY' if kind == 'p' else 'UNIQUE'} USING INDEX {index}")
    for name in connection.execute(
        "SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ANY(%s)",
        (wanted,),
    ).fetchall():
        connection.execute(f'DROP INDEX "{name[0]}"'.encode())
    return list(indexes.values()), keys, foreign
