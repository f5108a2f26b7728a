"""Messages in the ledger."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nurseline.devphone import segments
from nurseline.devphone.ledger import Ledger, Value

# A status only moves to a higher rank; the last rank is final.
RANK = {
    "scheduled": 0,
    "accepted": 1,
    "queued": 2,
    "sending": 3,
    "sent": 4,
    "delivered": 9,
    "undelivered": 9,
    "failed": 9,
    "canceled": 9,
    "received": 9,
}
FINAL = frozenset(name for name, rank in RANK.items() if rank == 9)


@dataclass(frozen=True, slots=True)
class Message:
    """One text, either way. Times are seconds since the epoch.

    `due` is when a scheduled one is released, `listed` when lists begin to show it (None: at once).
    """

    sid: str
    seq: int
    rev: int
    direction: str
    sender: str | None
    recipient: str
    body: str
    status: str
    segments: int
    media: tuple[str, ...]
    service: str | None
    error_code: int | None
    status_callback: str | None
    by_carrier: bool
    created: float
    updated: float
    sent: float | None
    due: float | None
    listed: float | None = None

    @property
    def inbound(self) -> bool:
        return self.direction == "inbound"

    @property
    def handset(self) -> str:
        """The other party's number."""
        return (self.sender or "") if self.inbound else self.recipient


def new_sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def _message(row: sqlite3.Row | dict[str, Value]) -> Message:
    values: dict[str, Any] = dict(row)
    values["media"] = tuple(json.loads(values["media"]))
    values["by_carrier"] = bool(values["by_carrier"])
    return Message(**values)


class MessageStore:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(
        self,
        *,
        direction: str,
        sender: str | None,
        recipient: str,
        body: str,
        status: str,
        media: Sequence[str] = (),
        service: str | None = None,
        status_callback: str | None = None,
        by_carrier: bool = False,
        error_code: int | None = None,
        due: float | None = None,
        list_lag: float = 0.0,
    ) -> Message:
        at = time.time()
        row: dict[str, Value] = {
            "sid": new_sid("MM" if media else "SM"),
            "direction": direction,
            "sender": sender,
            "recipient": recipient,
            "body": body,
            "status": status,
            "segments": segments.count(body),
            "media": json.dumps(list(media)),
            "service": service,
            "error_code": error_code,
            "status_callback": status_callback,
            "by_carrier": by_carrier,
            "created": at,
            "updated": at,
            "sent": at if direction == "inbound" else None,
            "due": due,
            "listed": at + list_lag if list_lag else None,
        }
        with self._ledger.lock:
            row["seq"] = row["rev"] = self._ledger.next()
            self._ledger.insert("messages", row)
        return _message(row)

    def get(self, sid: str) -> Message | None:
        rows = self._ledger.rows("SELECT * FROM messages WHERE sid = ?", [sid])
        return _message(rows[0]) if rows else None

    def change(self, sid: str, **fields: Value) -> None:
        """Changes anything but the status."""
        with self._ledger.lock:
            self._ledger.update(
                "messages", sid, {**fields, "updated": time.time(), "rev": self._ledger.next()}
            )

    def advance(self, sid: str, status: str, **fields: Value) -> Message | None:
        """Moves to a status of higher rank; None when the message is gone or already further."""
        lower = [name for name, rank in RANK.items() if rank < RANK[status]]
        if RANK[status] == 9 and status == "canceled":
            lower = ["scheduled"]
        names = ", ".join(f"'{name}'" for name in lower)
        with self._ledger.lock:
            row = {**fields, "status": status, "updated": time.time(), "rev": self._ledger.next()}
            marks = ", ".join(f"{name} = ?" for name in row)
            # One statement; its words are this file's own, values go in as parameters.
            sql = f"UPDATE messages SET {marks} WHERE sid = ? AND status IN ({names}) RETURNING *"  # noqa: S608
            moved = self._ledger.rows(sql, [*row.values(), sid])
        return _message(moved[0]) if moved else None

    def remove(self, sid: str) -> None:
        with self._ledger.lock:
            self._ledger.write("DELETE FROM messages WHERE sid = ?", [sid])
            self._ledger.write("DELETE FROM media WHERE parent = ?", [sid])

    def select(self, where: Sequence[str], values: Sequence[Value], order: str, limit: int) -> list[Message]:
        condition = " AND ".join(where) or "1"
        sql = f"SELECT * FROM messages WHERE {condition} ORDER BY {order} LIMIT {limit:d}"  # noqa: S608
        return [_message(row) for row in self._ledger.rows(sql, values)]

    def thread(self, handset: str, since: int, limit: int = 500) -> list[Message]:
        """What changed in the thread of a handset after `since`, in the order it was written."""
        found = self.select(
            ["(recipient = ? OR sender = ?)", "rev > ?"], [handset, handset, since], "seq DESC", limit
        )
        return found[::-1]

    def unfinished(self) -> list[Message]:
        return self.select(
            ["status IN ('scheduled', 'accepted', 'queued', 'sending', 'sent')"], [], "seq", 100_000
        )

    def add_media(self, parent: str, content_type: str, data: bytes) -> str:
        sid = new_sid("ME")
        self._ledger.insert(
            "media",
            {
                "sid": sid,
                "parent": parent,
                "content_type": content_type,
                "data": data,
                "created": time.time(),
            },
        )
        return sid

    def media(self, parent: str) -> list[sqlite3.Row]:
        return self._ledger.rows("SELECT * FROM media WHERE parent = ? ORDER BY rowid", [parent])
