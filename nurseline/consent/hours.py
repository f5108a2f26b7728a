"""When an automated message may go: local hours of the day, in the patient's zone. Pure arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

AHEAD = 4  # days in which an opening is looked for
Span = tuple[time, time]  # first and last local time; a last of 00:00 means midnight


def is_allowed(instant: datetime, zone: ZoneInfo, span: Span) -> bool:
    """Whether ``instant`` falls into ``span`` on the clock of ``zone``."""
    local = instant.astimezone(zone).time()
    first, last = span
    return first <= local and (last == time(0) or local < last)


def next_allowed(instant: datetime, zone: ZoneInfo, span: Span) -> datetime:
    """The first instant from ``instant`` on that is allowed in ``zone``, in UTC.

    An opening that the change to summer time swallows is the first instant after the gap; one that comes
    twice in autumn opens twice. Raises ArithmeticError for a span that no day holds.
    """
    start = instant.astimezone(UTC)
    if is_allowed(start, zone, span):
        return start
    ends = [*_openings(start, zone, span[0]), *_changes(start, zone)]
    allowed = [at for at in ends if at >= start and is_allowed(at, zone, span)]
    if not allowed:
        raise ArithmeticError("no day has an opening")
    return min(allowed)


def _openings(start: datetime, zone: ZoneInfo, first: time) -> list[datetime]:
    """The openings of the days ahead; two on the day of an hour that comes twice."""
    day = start.astimezone(zone).date()
    days = [day + timedelta(days=ahead) for ahead in range(AHEAD)]
    return [
        datetime.combine(day, first, tzinfo=zone).replace(fold=fold).astimezone(UTC)
        for day in days
        for fold in (0, 1)
    ]


def _changes(start: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants at which the clock of ``zone`` jumps in the days ahead."""
    found = []
    for hour in range(AHEAD * 24):
        before = start + timedelta(hours=hour)
        after = before + timedelta(hours=1)
        offset = before.astimezone(zone).utcoffset()
        if after.astimezone(zone).utcoffset() == offset:
            continue
        while after - before > timedelta(microseconds=1):
            middle = before + (after - before) / 2
            same = middle.astimezone(zone).utcoffset() == offset
            before, after = (middle, after) if same else (before, middle)
        found.append(after)
    return found
