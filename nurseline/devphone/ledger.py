"""What the stand-in remembers: one small SQLite file, so that threads survive a restart.

One connection behind one lock. `synchronous=OFF`: a crash of the machine may lose what a test phone knew.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    sid TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, rev INTEGER NOT NULL,
    direction TEXT NOT NULL, sender TEXT, recipient TEXT NOT NULL, body TEXT NOT NULL,
    status TEXT NOT NULL, segments INTEGER NOT NULL, media TEXT NOT NULL, service TEXT,
    error_code INTEGER, status_callback TEXT, by_carrier INTEGER NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL, sent REAL, due REAL, listed REAL);
CREATE INDEX IF NOT EXISTS messages_recipient ON messages (recipient, seq);
CREATE INDEX IF NOT EXISTS messages_sender ON messages (sender, seq);
CREATE INDEX IF NOT EXISTS messages_rev ON messages (rev);
CREATE TABLE IF NOT EXISTS media (
    sid TEXT PRIMARY KEY, parent TEXT NOT NULL, content_type TEXT NOT NULL, data BLOB NOT NULL,
    created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    sid TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, parent TEXT, direction TEXT NOT NULL,
    caller TEXT NOT NULL, callee TEXT NOT NULL, status TEXT NOT NULL, answered_by TEXT,
    created REAL NOT NULL, updated REAL NOT NULL, started REAL, ended REAL, duration INTEGER,
    lines TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_parent ON calls (parent);
CREATE TABLE IF NOT EXISTS recordings (
    sid TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, call TEXT NOT NULL, duration INTEGER NOT NULL,
    words TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    scope TEXT NOT NULL, handset TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (scope, handset));
CREATE TABLE IF NOT EXISTS handsets (number TEXT PRIMARY KEY, added REAL NOT NULL, model TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS debugger (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, code INTEGER NOT NULL, level TEXT NOT NULL,
    message TEXT NOT NULL, detail TEXT NOT NULL, url TEXT, sid TEXT);
"""

Value = str | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the debugger: what the carrier found wrong with an answer, a document or a delivery."""

    id: int
    at: float
    code: int
    level: str
    message: str
    detail: str
    url: str | None
    sid: str | None


class Ledger:
    """The file and its counters. All methods may be called from any thread."""

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps everything in memory, for benchmarks."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)
        if "listed" not in {row["name"] for row in self._db.execute("PRAGMA table_info(messages)")}:
            # A file that an earlier version of the phone left.
            self._db.execute("ALTER TABLE messages ADD COLUMN listed REAL")
        counts = self._db.execute(
            "SELECT max((SELECT coalesce(max(rev), 0) FROM messages),"
            " (SELECT coalesce(max(seq), 0) FROM calls), (SELECT coalesce(max(seq), 0) FROM recordings))"
        ).fetchone()
        self._counter = int(counts[0])
        # Asked at every message, and written only here: kept beside the file.
        self._models = {row[0]: row[1] for row in self._db.execute("SELECT number, model FROM handsets")}
        self._blocks = {(row[0], row[1]) for row in self._db.execute("SELECT scope, handset FROM blocks")}

    def next(self) -> int:
        """A number larger than every one given before: order of rows, and of their changes."""
        with self._lock:
            self._counter += 1
            return self._counter

    @property
    def latest(self) -> int:
        return self._counter

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def write(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Runs one statement and returns how many rows it touched."""
        with self._lock:
            return self._db.execute(sql, values).rowcount

    def insert(self, table: str, row: dict[str, Value]) -> None:
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        # Table and columns are this room's own words, never a request's.
        self.write(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608

    def update(self, table: str, sid: str, row: dict[str, Value], where: str = "1") -> int:
        names = ", ".join(f"{name} = ?" for name in row)
        return self.write(f"UPDATE {table} SET {names} WHERE sid = ? AND {where}", [*row.values(), sid])  # noqa: S608

    @property
    def lock(self) -> threading.RLock:
        """Held around several statements that belong together."""
        return self._lock

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def note(
        self,
        code: int,
        message: str,
        *,
        detail: str = "",
        url: str | None = None,
        sid: str | None = None,
        level: str = "error",
    ) -> None:
        """Adds a line to the debugger."""
        self.insert(
            "debugger",
            {
                "at": time.time(),
                "code": code,
                "level": level,
                "message": message,
                "detail": detail,
                "url": url,
                "sid": sid,
            },
        )

    def entries(self, since: int = 0) -> list[Entry]:
        return [
            Entry(*row)
            for row in self.rows("SELECT * FROM debugger WHERE id > ? ORDER BY id LIMIT 500", [since])
        ]

    def entries_of(self, sid: str) -> list[Entry]:
        return [Entry(*row) for row in self.rows("SELECT * FROM debugger WHERE sid = ? ORDER BY id", [sid])]

    def clear_entries(self) -> None:
        self.write("DELETE FROM debugger")

    def blocked(self, scope: str, handset: str) -> bool:
        return (scope, handset) in self._blocks

    def block(self, scope: str, handset: str) -> bool:
        """True when the pair was not blocked before."""
        with self._lock:
            self._blocks.add((scope, handset))
            return (
                self.write("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?)", [scope, handset, time.time()]) > 0
            )

    def unblock(self, scope: str, handset: str) -> bool:
        """True when the pair was blocked before."""
        with self._lock:
            self._blocks.discard((scope, handset))
            return self.write("DELETE FROM blocks WHERE scope = ? AND handset = ?", [scope, handset]) > 0

    def add_handset(self, number: str) -> None:
        if number in self._models:
            return
        with self._lock:
            self._models.setdefault(number, "{}")
            self.write("INSERT OR IGNORE INTO handsets VALUES (?, ?, '{}')", [number, time.time()])

    def model(self, number: str) -> dict[str, Any]:
        """What was set for this handset, {} when nothing was."""
        model: dict[str, Any] = json.loads(self._models.get(number, "{}"))
        return model

    def set_model(self, number: str, model: dict[str, Any]) -> None:
        with self._lock:
            self.add_handset(number)
            self._models[number] = json.dumps(model)
            self.write("UPDATE handsets SET model = ? WHERE number = ?", [self._models[number], number])
