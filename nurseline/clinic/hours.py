"""The clinic's working hours, its holidays, and what can be promised within them. Pure arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HORIZON = 60  # days looked ahead; a clinic closed for longer must not promise anything
WHOLE_DAY = 24 * 60  # minutes
LEAST_WEEK_MINUTES = 120  # with less, four working hours do not fit into the horizon and a promise fails
_INTERVAL = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


Interval = tuple[int, int]  # open from, open until: minutes since midnight on the clinic's clock


class HoursError(ValueError):
    """Opening hours that cannot be read, or that never open."""


@dataclass(frozen=True, slots=True)
class Promises:
    """By when the clinic promises a call (clinic rules 4).

    ``emergency`` runs on the clock, day and night; ``urgent`` and ``clinical`` (nurses' calls, too) are
    working time; ``office``: scheduling and the rest, so many working days later, by closing time.
    """

    emergency: timedelta = timedelta(minutes=5)
    urgent: timedelta = timedelta(minutes=30)
    clinical: timedelta = timedelta(hours=4)
    office: int = 1


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekly opening hours and the days that differ from them, and what is promised within them.

    ``week``: for each weekday, Monday first, its intervals; ``days``: dates with intervals of their own, none
    where the clinic is closed.
    """

    week: tuple[tuple[Interval, ...], ...]
    zone: ZoneInfo
    days: Mapping[date, tuple[Interval, ...]] = field(default_factory=dict)
    promises: Promises = Promises()

    def on(self, day: date) -> tuple[Interval, ...]:
        """When the clinic is open on a date."""
        return self.days.get(day, self.week[day.weekday()])

    def with_days(self, days: Mapping[date, tuple[Interval, ...]]) -> Hours:
        """The same week with these days that differ."""
        return replace(self, days=dict(days))

    def promising(self, promises: Promises) -> Hours:
        """The same hours with these promises."""
        return replace(self, promises=promises)

    def intervals(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Open intervals from ``start`` on, as UTC instants, at most `HORIZON` days ahead."""
        start = start.astimezone(UTC)
        first = start.astimezone(self.zone).date()
        for ahead in range(HORIZON):
            day = first + timedelta(days=ahead)
            for opens, closes in self.on(day):
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

    def end_of_next_day(self, start: datetime, days: int = 1) -> datetime:
        """Closing time of the first working day after the one of ``start``; of the second with ``days`` 2."""
        today = start.astimezone(self.zone).date()
        return self._working_days(start, today + timedelta(days=1), days)[1]

    def working_day(self, day: date) -> tuple[datetime, datetime]:
        """When the clinic opens and closes on ``day``, or on the next working day if it is closed then."""
        return self._working_days(datetime.combine(day, time(0), tzinfo=self.zone), day, 1)

    def _working_days(self, start: datetime, first: date, count: int) -> tuple[datetime, datetime]:
        """Opening and closing of the last of ``count`` working days from ``first`` on."""
        found: dict[date, tuple[datetime, datetime]] = {}
        for a, b in self.intervals(start):
            day = (b - timedelta(microseconds=1)).astimezone(self.zone).date()
            if day < first:
                continue
            if day not in found and len(found) == count:
                break
            found[day] = (found[day][0] if day in found else a, b)
        if len(found) < count:
            raise HoursError("the opening hours never open")
        return list(found.values())[-1]

    def _today(self, instant: datetime) -> list[tuple[datetime, datetime]]:
        day = instant.astimezone(self.zone).date()
        return [(self._instant(day, a), self._instant(day, b)) for a, b in self.on(day)]

    def _instant(self, day: date, minutes: int) -> datetime:
        day, minutes = (day + timedelta(days=1), 0) if minutes == WHOLE_DAY else (day, minutes)
        return datetime.combine(day, time(*divmod(minutes, 60)), tzinfo=self.zone).astimezone(UTC)


def parse_hours(text: str, zone: ZoneInfo) -> Hours:
    """Read ``Mon-Thu 08:00-12:00,13:00-17:00; Fri 08:00-12:00``. Raises HoursError with what is wrong."""
    week: list[list[Interval]] = [[] for _ in DAYS]
    for part in filter(None, (p.strip() for p in text.split(";"))):
        days, _, times = part.partition(" ")
        intervals = parse_intervals(times)
        for day in _days(days):
            week[day].extend(intervals)
    for day, intervals_of_day in enumerate(week):
        intervals_of_day.sort()
        if any(b > c for (_, b), (c, _) in pairwise(intervals_of_day)):
            raise HoursError(f"the intervals of {DAYS[day].capitalize()} overlap")
    if sum(b - a for day_ in week for a, b in day_) < LEAST_WEEK_MINUTES:
        raise HoursError("the opening hours hold less than two hours a week")
    return Hours(tuple(tuple(day_) for day_ in week), zone)


def parse_intervals(text: str) -> tuple[Interval, ...]:
    """Read ``08:00-12:00, 13:00-17:00``, in order and apart. Raises HoursError with what is wrong."""
    intervals = sorted(_interval(piece) for piece in text.split(","))
    if any(b > c for (_, b), (c, _) in pairwise(intervals)):
        raise HoursError("the intervals overlap")
    return tuple(intervals)


def intervals_text(intervals: tuple[Interval, ...]) -> str:
    """What `parse_intervals` reads: ``08:00-12:00,13:00-17:00``."""
    return ",".join(f"{_clock(a)}-{_clock(b)}" for a, b in intervals)


def week_text(week: tuple[tuple[Interval, ...], ...]) -> str:
    """What `parse_hours` reads: equal days in a row together, closed days left out."""
    said = []
    for intervals, group in groupby(range(len(DAYS)), key=lambda day: week[day]):
        days = list(group)
        if intervals:
            names = dict.fromkeys((DAYS[days[0]].title(), DAYS[days[-1]].title()))
            said.append(f"{'-'.join(names)} {intervals_text(intervals)}")
    return "; ".join(said)


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


def _interval(text: str) -> Interval:
    match = _INTERVAL.fullmatch(text.strip())
    opens, closes = (_minutes(match[1], match[2]), _minutes(match[3], match[4])) if match else (None, None)
    if opens is None or closes is None:
        raise HoursError(f"{text.strip()!r} is not an interval such as 08:00-17:00")
    if closes <= opens:
        raise HoursError(f"{text.strip()!r} ends before it begins")
    return opens, closes


def _minutes(hour: str, minute: str) -> int | None:
    """Minutes since midnight, up to 24:00; None for what no clock shows."""
    minutes = int(hour) * 60 + int(minute)
    return minutes if int(minute) < 60 and minutes <= WHOLE_DAY else None


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
