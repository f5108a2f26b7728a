"""What a report holds, and the arithmetic that is left after the database has counted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

# Standards for health call centres (URAC; clinic rules 4).
ANSWER_WITHIN, ABANDONED_AT_MOST, CALLBACK_WITHIN = 30, 5, 30 * 60  # seconds, per cent, seconds

Ending = Literal["person", "callback", "line", "abandoned"]
ENDINGS: tuple[Ending, ...] = ("person", "callback", "line", "abandoned")
# What a caller hears, by how the entry's name begins: a call back was recorded; a question was answered.
RECORDED = (
    "voice.callback_recorded",
    "voice.record_done",
    "nurse.",
    "schedule.done",
    "schedule.already",
    "clinical",
    "admin.done",
    "admin.already",
)
ANSWERED = (
    "answer.",
    "admin.address",
    "emergency",
    "crisis",
    "urgent",
    "optout.",
    "optin.",
    "wrong_number",
    "help",
    "reminder.",
    "voice.open_request",
    "voice.text_sent",
)
CONNECTING = "voice.connecting"
ARRIVED = frozenset({"sent", "delivered", "unknown"})  # as far as anybody knows
CHOICES = ("well", "question", "worse", "words", "silence")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """None of nothing."""
        return 100 * self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in seconds: of how many, the median, the 90th percentile, the average."""

    count: int = 0
    median: float | None = None
    ninetieth: float | None = None
    average: float | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """Items that patients asked for in the period, of one reason or all.

    ``promise``: of those whose promise was due or kept, how many were kept. ``unreached``: of those closed.
    ``late``: open beyond their promise now.
    """

    asked: int = 0
    attempt: Spread = Spread()
    contact: Spread = Spread()
    promise: Share = Share(0, 0)
    unreached: Share = Share(0, 0)
    late: int = 0


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of patients that ended in the period. ``speed``: until a person took it, of those connected."""

    endings: Mapping[Ending, int] = field(default_factory=dict)
    speed: Spread = Spread()

    @property
    def total(self) -> int:
        """All that have ended."""
        return sum(self.endings.values())

    def share(self, ending: Ending) -> Share:
        """How many ended so."""
        return Share(self.endings.get(ending, 0), self.total)


@dataclass(frozen=True, slots=True)
class Conversations:
    """Texts of one number on one day. ``line``: answered without a person; ``staff``: one was asked for."""

    total: int = 0
    line: int = 0
    staff: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages of ours that were let go, counted by what they were and what became of them."""

    purpose: str
    step: str | None
    status: str
    error_code: int | None
    answer: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Reminders:
    """Aftercare messages of one step that arrived, as far as known. ``waiting``: may still be answered."""

    arrived: int
    answers: Mapping[str, int]

    @property
    def waiting(self) -> int:
        """Without an answer, and not yet silence."""
        return self.arrived - sum(self.answers.values())

    @property
    def answered(self) -> Share:
        """Those answered, of those whose time to answer is over or that were answered."""
        settled = sum(self.answers.values())
        return Share(settled - self.answers.get("silence", 0), settled)


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a period. ``by_hour``, ``by_day``: kind (texts, calls, items), hour or day, how many."""

    by_hour: Mapping[str, Sequence[int]]
    by_day: Mapping[str, Mapping[date, int]]
    items: Items
    by_reason: Mapping[str, Items]
    callbacks: Spread
    outcomes: Mapping[str, int]
    topics: Mapping[str, int]
    calls: Calls
    conversations: Conversations
    repeats: Share
    sent: Sequence[Sent]
    opt_outs: Mapping[str, int]
    opt_outs_all: int
    opt_ins: int
    wrong_numbers: int

    def reminders(self, step: str) -> Reminders:
        """What came back to the aftercare messages of a step."""
        rows = [s for s in self.sent if s.purpose == "reminder" and s.step == step and s.status in ARRIVED]
        answers = {c: sum(s.count for s in rows if s.answer == c) for c in CHOICES}
        return Reminders(sum(s.count for s in rows), answers)

    def deliveries(self) -> dict[tuple[str, int | None], int]:
        """How many messages stand at which status, with which error of the carrier; most first."""
        found: dict[tuple[str, int | None], int] = {}
        for row in self.sent:
            key = (row.status, row.error_code)
            found[key] = found.get(key, 0) + row.count
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0][0], one[0][1] or 0)))


def ending(*, taken: bool, asked: bool, heard: Collection[str]) -> Ending:
    """How a call ended. ``taken``: by a person; ``asked``: an item was raised; ``heard``: entries said."""
    if taken:
        return "person"
    if asked or any(entry.startswith(RECORDED) for entry in heard):
        return "callback"
    return "line" if any(entry.startswith(ANSWERED) for entry in heard) else "abandoned"


def waited(taken_at: datetime, said: Sequence[tuple[datetime, Collection[str]]]) -> float | None:
    """Seconds from the words that a person is being connected to the moment when somebody took the call.

    ``said``: the steps of the call in order, each with its instant and the entries said in it.
    """
    began = [at for at, entries in said if CONNECTING in entries and at <= taken_at]
    return (taken_at - began[-1]).total_seconds() if began else None
