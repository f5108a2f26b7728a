"""(h) How fast the queue page and its check for news are, with 5,000 open items and 200,000 past ones.

One person, one request after another, in the process that answers: what a page costs, not how many people a
server carries. Statements of one request are counted, too. The baseline is the same page with an empty queue.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from psycopg import Cursor

from nurseline.app import create_app
from nurseline.callbacks.promises import PRIORITY
from nurseline.clock import SystemClock
from nurseline.config import load_settings
from nurseline.db import upgrade
from nurseline.parts import Parts
from tests.bench.line import NOWHERE, settings
from tests.bench.report import Figure, Found, quantile
from tests.bench.servers import Servers
from tests.staff.conftest import Browser, Desk

TITLE = "the desk"
QUEUE, MARK = "/staff/queue", "/staff/queue/mark"
PAGE_MS, MARK_MS, STATEMENTS = 100.0, 5.0, 12
CONTACTS = 30_000
REASONS = tuple(PRIORITY)
WEIGHTS = (1, 4, 20, 30, 30, 15)  # of the reasons, as they are named there: few emergencies
PATIENT_SAID = "I would like to ask whether I may go swimming on the weekend, my shoulder still feels sore."


@dataclass(frozen=True, slots=True)
class Sizes:
    """``open`` and ``past`` items; so many requests are timed."""

    open: int = 5_000
    past: int = 200_000
    pages: int = 200
    marks: int = 1_000


def measure(servers: Servers, sizes: Sizes) -> Found:
    """The empty desk, then the full one."""
    with servers.database() as database_url:
        env = settings(servers.folder, database_url, "redis://127.0.0.1:1/0", NOWHERE)
        upgrade(database_url)
        app = create_app(load_settings(**{name.lower(): value for name, value in env.items()}))
        desk = Desk(app, app.extensions["nurseline"], SystemClock())  # type: ignore[arg-type]
        try:
            browser = desk.signed_in("Ada", "supervisor")
            empty = _timed(browser, QUEUE, sizes.pages), _timed_marks(browser, sizes.marks)
            _fill(desk.parts, sizes)
            found = _full(desk.parts, browser, sizes, *empty)
        finally:
            desk.parts.db.engine.dispose()
    return found


def _full(parts: Parts, browser: Browser, sizes: Sizes, page: list[float], mark: list[float]) -> Found:
    found = Found("h", TITLE)
    with _counted(parts) as statements:
        browser.get(QUEUE)
    full, marks = _timed(browser, QUEUE, sizes.pages), _timed_marks(browser, sizes.marks)
    named = f"{sizes.open:,} open, {sizes.past:,} past"
    found.figures += [
        Figure(
            f"{named}: queue page p95",
            quantile(full, 0.95) * 1000,
            "ms",
            quantile(page, 0.95) * 1000,
            "with none",
            at_most=PAGE_MS,
            of="value",
        ),
        Figure("the same: statements", len(statements), "", at_most=STATEMENTS, of="value"),
        Figure(
            "check for news, none: median",
            quantile(marks, 0.5) * 1000,
            "ms",
            quantile(mark, 0.5) * 1000,
            "with none",
            at_most=MARK_MS,
            of="value",
        ),
    ]
    found.details = {
        "page_median_ms": quantile(full, 0.5) * 1000,
        "mark_p95_ms": quantile(marks, 0.95) * 1000,
    }
    return found


def _timed(browser: Browser, path: str, times: int, status: int = 200, **more: object) -> list[float]:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        answer = browser.client.get(path, **more)  # type: ignore[arg-type]
        taken.append(time.perf_counter() - started)
        if answer.status_code != status:
            raise RuntimeError(f"{path}: {answer.status_code}")
    return taken


def _timed_marks(browser: Browser, times: int) -> list[float]:
    """The check while nothing has changed. The mark changes with the minute, so it is asked for anew."""
    taken: list[float] = []
    while len(taken) < times:
        tag = browser.client.get(MARK).headers["ETag"]
        started = time.perf_counter()
        answer = browser.client.get(MARK, headers={"If-None-Match": tag})
        if answer.status_code == 304:
            taken.append(time.perf_counter() - started)
    return taken


@contextmanager
def _counted(parts: Parts) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sa.event.listen(parts.db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(parts.db.engine, "before_cursor_execute", note)


def _fill(parts: Parts, sizes: Sizes) -> None:
    """Items with a word and a history, as the line would have left them."""
    raw = parts.db.engine.raw_connection()
    try:
        cursor: Cursor = raw.cursor()  # type: ignore[assignment]
        cursor.execute("SET statement_timeout = 0")
        contacts = _contacts(cursor, parts)
        items = _items(cursor, parts, sizes, contacts)
        _words_and_history(cursor, parts, items, sizes.past)
        cursor.execute("RESET statement_timeout")
        raw.commit()
    finally:
        raw.close()
    with parts.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def _contacts(cursor: Cursor, parts: Parts) -> list[uuid.UUID]:
    ids, now = [uuid.uuid4() for _ in range(CONTACTS)], parts.clock.now()
    numbers = [parts.keyring.encrypt(f"+1202555{1000 + n}") for n in range(200)]
    names = [parts.keyring.encrypt(f"Patient {n}") for n in range(50)]
    columns = "id, number_hash, number, language, name, channel, first_seen_at"
    with cursor.copy(f"COPY contacts ({columns}) FROM STDIN") as copy:
        for n, one in enumerate(ids):
            copy.write_row((one, f"{n:064x}", numbers[n % 200], "en", names[n % 50], "text", now))
    return ids


def _items(cursor: Cursor, parts: Parts, sizes: Sizes, contacts: list[uuid.UUID]) -> list[uuid.UUID]:
    ids, now = [uuid.uuid4() for _ in range(sizes.past + sizes.open)], parts.clock.now()
    empty, dice = parts.keyring.encrypt(""), random.Random(1)
    columns = (
        "id, reason, priority, contact_id, number_key, best_time, source, status, promised_at, created_at,"
        " claimed_by, claimed_name, lease_until, due_again_at, escalation, attempts, outcome, closed_at"
    )
    with cursor.copy(f"COPY callback_items ({columns}) FROM STDIN") as copy:
        for n, one in enumerate(ids):
            (reason,) = dice.choices(REASONS, WEIGHTS)
            stands = _past(dice, now) if n < sizes.past else _open(dice, now)
            copy.write_row((
                *(one, reason, PRIORITY[reason], contacts[n % CONTACTS], f"{n:064x}", empty, "text"),
                *stands,
            ))  # fmt: skip
    return ids


def _past(dice: random.Random, now: datetime) -> tuple[object, ...]:
    made = now - timedelta(minutes=dice.randrange(5_000, 500_000))
    closed = made + timedelta(hours=2)
    return "done", made + timedelta(hours=4), made, "x", "Ada", None, None, 0, 1, "reached_resolved", closed


def _open(dice: random.Random, now: datetime) -> tuple[object, ...]:
    made = now - timedelta(minutes=dice.randrange(1, 3_000))
    (status,) = dice.choices(("new", "claimed", "snoozed", "waiting_retry"), (88, 2, 4, 6))
    held = ("x", "Ben", now + timedelta(minutes=10)) if status == "claimed" else (None, None, None)
    again = now + timedelta(hours=1) if status in {"snoozed", "waiting_retry"} else None
    return status, made + timedelta(hours=4), made, *held, again, 0, 0, None, None


def _words_and_history(cursor: Cursor, parts: Parts, items: list[uuid.UUID], past: int) -> None:
    words, now = parts.keyring.encrypt(PATIENT_SAID), parts.clock.now()
    with cursor.copy("COPY callback_words (item_id, at, words, source) FROM STDIN") as copy:
        for one in items:
            copy.write_row((one, now, words, "text"))
    with cursor.copy("COPY callback_events (subject_id, at, status, cause, actor) FROM STDIN") as copy:
        for n, one in enumerate(items):
            copy.write_row((one, now, "new", "requested by text", "line"))
            if n < past:
                copy.write_row((one, now, "claimed", "claimed", "x"))
                copy.write_row((one, now, "done", "reached_resolved", "x"))
