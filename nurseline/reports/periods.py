"""The day or month that a report is about, on the clinic's clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month. ``first`` is its first day; it ends where the next one begins."""

    kind: Literal["day", "month"]
    first: date
    zone: ZoneInfo

    @property
    def key(self) -> str:
        """``2026-03`` or ``2026-03-03``, as addresses name it."""
        return self.first.isoformat() if self.kind == "day" else f"{self.first:%Y-%m}"

    @property
    def after(self) -> date:
        """The first day that no longer belongs to it."""
        if self.kind == "day":
            return self.first + timedelta(days=1)
        return (self.first + timedelta(days=31)).replace(day=1)

    @property
    def start(self) -> datetime:
        """The instant at which it begins."""
        return self._midnight(self.first)

    @property
    def end(self) -> datetime:
        """The instant at which it is over: a day may have 23 or 25 hours."""
        return self._midnight(self.after)

    @property
    def days(self) -> list[date]:
        """Its days, in order."""
        return [self.first + timedelta(days=n) for n in range((self.after - self.first).days)]

    @property
    def hours_long(self) -> int:
        """Its length in hours, to tell of the days on which clocks change."""
        return round((self.end - self.start).total_seconds() / 3600)

    @property
    def before(self) -> Period | None:
        """The one before it; None at the edge of what can be chosen."""
        last = self.first - timedelta(days=1)
        return self._if_possible(last if self.kind == "day" else last.replace(day=1))

    @property
    def following(self) -> Period | None:
        """The one after it; None at the edge of what can be chosen."""
        return self._if_possible(self.after)

    def _if_possible(self, first: date) -> Period | None:
        return Period(self.kind, first, self.zone) if FIRST_YEAR <= first.year <= LAST_YEAR else None

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


def month_of(day: date, zone: ZoneInfo) -> Period:
    """The month that a day lies in."""
    return Period("month", day.replace(day=1), zone)


def read(text: str, zone: ZoneInfo) -> Period | None:
    """The period that ``2026-03`` or ``2026-03-03`` names; None for anything else."""
    is_month = len(text) == len("2026-03")
    if not text.isascii() or len(text) not in {len("2026-03"), len("2026-03-03")}:
        return None
    try:
        first = date.fromisoformat(f"{text}-01" if is_month else text)
    except ValueError:
        return None
    if not FIRST_YEAR <= first.year <= LAST_YEAR or (text[4], text[-3]) != ("-", "-"):
        return None
    return Period("month" if is_month else "day", first, zone)
