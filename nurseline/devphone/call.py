"""One call as both ends see it: what was said and pressed, what the line waits for, and its clock."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from nurseline.devphone.ledger import Ledger, Value
from nurseline.devphone.message_store import new_sid

Pace = Literal["real", "hand"]
Phase = Literal[
    "ringing", "connecting", "speaking", "pausing", "listening", "recording", "dialling", "bridged", "ended"
]
# Who picks up, as the carrier hears it; "unknown" where it cannot tell.
PICKED_UP = frozenset({"human", "machine", "fax", "unknown"})
FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
WORDS_PER_SECOND = 2.5


@dataclass(frozen=True, slots=True)
class Line:
    """One thing in the course of a call; `at` is seconds since the call began.

    Kinds: say, play, beep, tones (from the line); keys, speech, silence (from the handset); note, error, end.
    """

    n: int
    at: float
    kind: str
    text: str
    language: str | None = None
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """What a <Gather> or <Record> takes."""

    inputs: tuple[str, ...]
    timeout: float
    num_digits: int | None = None
    finish_on_key: str = "#"
    hints: str = ""
    language: str = "en-US"


@dataclass(frozen=True, slots=True)
class Wait:
    """Why the program of a call stands still, and after how many seconds it goes on by itself."""

    phase: Phase
    seconds: float | None
    listening: Listening | None = None

    @property
    def passes(self) -> bool:
        """Whether it goes on by itself when nobody keeps the time."""
        return self.phase in {"speaking", "pausing"}


@dataclass(eq=False, slots=True)
class Call:
    """State of a call; only its runner changes it, under the runner's lock."""

    direction: str
    caller: str
    callee: str
    pace: Pace = "hand"
    parent: str | None = None
    hidden: str | None = None  # the handset that called without showing its number
    sid: str = field(default_factory=lambda: new_sid("CA"))
    seq: int = 0
    status: str = "queued"
    phase: Phase = "connecting"
    wait: Wait | None = None
    digits: str = ""
    lines: list[Line] = field(default_factory=list)
    legs: list[str] = field(default_factory=list)
    answered_by: str | None = None
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    answered_at: float | None = None
    duration: int | None = None
    skipping: bool = False
    stops: int = 0
    _passed: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    @property
    def handset(self) -> str:
        """The number of the handset that is in this call."""
        return (self.hidden or self.caller) if self.direction == "inbound" else self.callee

    def clock(self) -> float:
        """Seconds since the call began; when the pace is by hand, what would have passed."""
        return self._passed + (time.monotonic() - self._since if self.pace == "real" else 0.0)

    def pass_time(self, seconds: float) -> None:
        """Time that was skipped, or is kept by hand."""
        self._passed += seconds

    def add(self, kind: str, text: str, language: str | None = None, voice: str | None = None) -> None:
        self.lines.append(Line(len(self.lines) + 1, round(self.clock(), 2), kind, text, language, voice))

    def answer(self) -> None:
        if self.answered_at is None:
            self.status, self.started, self.answered_at = "in-progress", time.time(), self.clock()

    def finish(self, status: str) -> None:
        """Ends the call once; a later end changes nothing."""
        if self.status in FINAL:
            return
        self.status, self.phase, self.wait, self.ended = status, "ended", None, time.time()
        self.duration = round(self.clock() - self.answered_at) if self.answered_at is not None else 0


_SHOWN = {
    "say": "line", "play": "line plays", "beep": "line", "tones": "line sends", "keys": "caller presses",
    "speech": "caller says", "silence": "caller", "note": "note", "error": "ERROR", "end": "end",
}  # fmt: skip


def transcript(lines: list[Line]) -> str:
    """The call as text: one line for each thing heard, pressed or said."""
    return "".join(f"{line.at:7.1f}s  {_SHOWN.get(line.kind, line.kind)}: {line.text}\n" for line in lines)


def spoken_seconds(text: str) -> float:
    """About how long it takes to say this."""
    return round(max(0.4, len(text.split()) / WORDS_PER_SECOND), 2)


def save(ledger: Ledger, call: Call, lines: str) -> None:
    """Writes the call as it is now."""
    call.updated = time.time()
    row: dict[str, Value] = {
        "parent": call.parent, "direction": call.direction, "caller": call.caller, "callee": call.callee,
        "status": call.status, "answered_by": call.answered_by,
        "created": call.created, "updated": call.updated,
        "started": call.started, "ended": call.ended, "duration": call.duration, "lines": lines,
    }  # fmt: skip
    with ledger.lock:
        if not call.seq:
            call.seq = ledger.next()
            ledger.insert("calls", {"sid": call.sid, "seq": call.seq, **row})
        else:
            ledger.update("calls", call.sid, row)
