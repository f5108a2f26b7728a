"""The control side of the stand-in carrier, as far as a run needs it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Taken:
    """One text of the line that the carrier took. ``ref``: our row, as the callback address named it."""

    ref: str | None
    to: str
    sid: str
    status: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Called:
    """One call of the line that the carrier made."""

    to: str
    sid: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Carrier:
    """The stand-in at this address."""

    url: str

    def ask(self, method: str, path: str, given: Any = None) -> Any:
        """One request to the control interface; its JSON."""
        with self._open(method, path, given) as answer:
            return json.load(answer)

    def fail(self, mix: dict[str, Any]) -> None:
        """These faults from now on."""
        self.ask("PUT", "/faults", mix)

    def calm(self) -> dict[str, int]:
        """No more faults; how often each struck."""
        struck: dict[str, int] = self.ask("DELETE", "/faults")["struck"]
        return struck

    def creates(self) -> int:
        """Requests for a message since faults began."""
        return int(self.ask("GET", "/faults")["creates"])

    def complaints(self) -> int:
        """How many lines its debugger has."""
        return int(self.ask("GET", "/debugger")["latest"])

    def taken(self) -> list[Taken]:
        """The ledger: every text of the line that it took, oldest first."""
        with self._open("GET", "/ledger") as answer:
            return list(_read(answer))

    def calls(self) -> list[Called]:
        """Every call of the line, oldest first."""
        found = self.ask("GET", "/calls")["calls"]
        return [Called(c["to"], c["sid"], c["ended"]) for c in found if c["direction"] == "outbound-api"]

    def text(self, sender: str, words: str) -> tuple[list[str], bool]:
        """A handset texts the line: (its answers, whether the line took the text without an error)."""
        answer = self.ask("POST", "/messages", {"from": sender, "body": words})
        well = bool(answer["answered"]) and not answer["entries"]
        return [reply["body"] for reply in answer["replies"] if not reply["by_carrier"]], well

    def _open(self, method: str, path: str, given: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/phone/api{path}",
            data=None if given is None else json.dumps(given).encode(),
            method=method,
            headers={"Content-Type": "application/json"},
        )
        return urllib.request.urlopen(request, timeout=SECONDS)


def _read(lines: Any) -> Iterator[Taken]:
    for number, line in enumerate(lines):
        if number:  # the first one counts
            one = json.loads(line)
            created = datetime.fromisoformat(one["created"])
            yield Taken(one["ref"], one["to"], one["sid"], one["status"], created)
