"""The clinic's working hours and what can be promised within them. Pure arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HORIZON = 30  # days looked ahead; a clinic closed for longer must not promise anything
LEAST_WEEK_MINUTES = 120  # with less, four working hours do not fit into the horizon and a promise fails
_INTERVAL = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


class HoursError(ValueError):
    """Opening hours that cannot be read, or that never open."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly opening hours: for each weekday (Monday first) intervals of local times."""

    week: tuple[tuple[tuple[time, time], ...], ...]
    zone: ZoneInfo

    def intervals(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Open intervals from ``start`` on, as UTC instants, at most `HORIZON` days ahead."""
        start = start.astimezone(UTC)
        first = start.astimezone(self.zone).date()
        for ahead in range(HORIZON):
            day = first + timedelta(days=ahead)
            for opens, closes in self.week[day.weekday()]:
                a, b = self._instant(day, opens), self._instant(day, closes)
                if b > start and b > a:
                    yield max(a, start), b

    def is_open(self, instant: datetime) -> bool:
        """Whether the clinic works at ``instant``."""
        return any(a <= instant < b for a, b in self._today(instant))

    def after_working(self, start: datetime, work: timedelta) -> datetime:
        """The instant at which ``work`` of working time has passed since ``start``."""
        left = work
        for a, b in self.intervals(start):
            if b - a >= left:
                return a + left
            left -= b - a
        raise HoursError("the opening hours hold too little working time")

    def end_of_next_day(self, start: datetime) -> datetime:
        """Closing time of the first working day after the one of ``start``."""
        today = start.astimezone(self.zone).date()
        last: datetime | None = None
        for _, b in self.intervals(start):
            day = (b - timedelta(microseconds=1)).astimezone(self.zone).date()
            if day <= today:
                continue
            if last is not None and day != last.astimezone(self.zone).date():
                break
            last = b
        if last is None:
            raise HoursError("the opening hours never open")
        return last

    def _today(self, instant: datetime) -> list[tuple[datetime, datetime]]:
        day = instant.astimezone(self.zone).date()
        return [(self._instant(day, a), self._instant(day, b)) for a, b in self.week[day.weekday()]]

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=self.zone).astimezone(UTC)


def parse_hours(text: str, zone: ZoneInfo) -> Hours:
    """Read ``Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00``. Raises HoursError with what is wrong."""
    week: list[list[tuple[time, time]]] = [[] for _ in DAYS]
    for part in filter(None, (p.strip() for p in text.split(";"))):
        days, _, times = part.partition(" ")
        intervals = [_interval(piece) for piece in times.split(",")]
        for day in _days(days):
            week[day].extend(intervals)
    for day, intervals in enumerate(week):
        intervals.sort()
        if any(b > c for (_, b), (c, _) in pairwise(intervals)):
            raise HoursError(f"the intervals of {DAYS[day]} overlap")
    if sum(_minutes(b) - _minutes(a) for day in week for a, b in day) < LEAST_WEEK_MINUTES:
        raise HoursError("the opening hours hold less than two hours a week")
    return Hours(tuple(tuple(day) for day in week), zone)


def _days(text: str) -> range:
    first, dash, last = text.lower().partition("-")
    try:
        a, b = _day(first), _day(last if dash else first)
    except ValueError as error:
        raise HoursError(f"{text!r} is not a day or a span of days such as Mon-Fri") from error
    if b < a:
        raise HoursError(f"{text!r} runs backwards")
    return range(a, b + 1)


def _day(name: str) -> int:
    """Number of a weekday, by its first three letters or its whole name. Raises ValueError."""
    return (DAYS if len(name) == len(DAYS[0]) else WHOLE_DAYS).index(name)


def _interval(text: str) -> tuple[time, time]:
    match = _INTERVAL.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        opens, closes = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    except ValueError as error:
        raise HoursError(f"{text.strip()!r} is not an interval such as 08:00-17:00") from error
    if closes <= opens:
        raise HoursError(f"{text.strip()!r} ends before it begins")
    return opens, closes


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute
