"""Reading a date and a time of day as they stood on the wall clock of a zone. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from nurseline import zones

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d(?:\.\d+)?)?")
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


class LocalTimeError(ValueError):
    """Why it cannot be read. ``field``: ``date`` or ``time``."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class LocalInstant:
    """An instant, and whether its wall-clock time occurred twice that night (then it is the first)."""

    instant: datetime
    happened_twice: bool


def read_date(text: str) -> date:
    """``2030-01-31``, as date fields send it. Raises LocalTimeError."""
    day: date | None = None
    if _DATE.fullmatch(text.strip()):
        with suppress(ValueError):  # the 30th of February
            day = date.fromisoformat(text.strip())
    if day is None:
        raise LocalTimeError("date", "This is not a date. Write it like 2030-01-31.")
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise LocalTimeError("date", "Check the year.")
    return day


def read_time(text: str) -> time:
    """``14:30``, as time fields send it; seconds are dropped. Raises LocalTimeError."""
    match = _TIME.fullmatch(text.strip())
    if match is None or not text.isascii():
        raise LocalTimeError("time", "This is not a time of day. Write it like 14:30.")
    return time(int(match[1]), int(match[2]))


def local_instant(day: date, at: time, zone: ZoneInfo) -> LocalInstant:
    """The instant at which clocks in ``zone`` showed ``day`` and ``at``.

    A time that the change to summer time skips raises LocalTimeError; of one that occurs twice when
    clocks go back, the first is taken.
    """
    naive = datetime.combine(day, at)
    try:
        first = zones.instant(naive, zone)
    except zones.LocalTimeError as error:
        skipped = "Clocks skipped this time that night. Give a time that they showed."
        raise LocalTimeError("time", skipped) from error
    return LocalInstant(first, first != naive.replace(tzinfo=zone, fold=1).astimezone(UTC))
