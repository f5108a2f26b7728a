"""When an automated message may go: local hours of the day, in the patient's zone. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

AHEAD = 9  # days in which an opening is looked for: the same day of the next week, and one to spare
LOOK = timedelta(hours=12)  # no zone changes its clock twice within this
MIDNIGHT = time(0)
Span = tuple[time, time]  # first and last local time; a last of 00:00 means midnight
Week = tuple[Span | None, ...]  # Monday first; None: closed on that day


def every_day(span: Span) -> Week:
    """The week that has ``span`` on each of its days."""
    return (span,) * 7


def both(one: Week, other: Week) -> Week:
    """The hours that two weeks have in common."""
    return tuple(_common(a, b) for a, b in zip(one, other, strict=True))


def _common(one: Span | None, other: Span | None) -> Span | None:
    if one is None or other is None:
        return None
    first = max(one[0], other[0])
    last = min((one[1], other[1]), key=lambda at: (at == MIDNIGHT, at))
    return (first, last) if last == MIDNIGHT or first < last else None


def is_open(instant: datetime, zones: Collection[ZoneInfo], week: Week) -> bool:
    """Whether ``instant`` falls into the hours of ``week`` on the clocks of all ``zones``."""
    return all(_holds(instant.astimezone(zone), week) for zone in zones)


def _holds(local: datetime, week: Week) -> bool:
    span = week[local.weekday()]
    return span is not None and span[0] <= local.time() and (span[1] == MIDNIGHT or local.time() < span[1])


def next_opening(instant: datetime, zones: Collection[ZoneInfo], week: Week) -> datetime | None:
    """The first instant from ``instant`` on that is open in all ``zones``, in UTC; None if there is none.

    An opening that the change to summer time swallows is the first instant after the gap; one that comes
    twice in autumn opens twice.
    """
    start = instant.astimezone(UTC)
    if is_open(start, zones, week):
        return start
    # Where all zones are open at once for the first time, one of them has just opened.
    ends = (at for zone in zones for at in (*_openings(start, zone, week), *_changes(start, zone)))
    return min((at for at in ends if at >= start and is_open(at, zones, week)), default=None)


def day_begins(instant: datetime, zone: ZoneInfo, *, days: int) -> datetime:
    """When the local date ``days`` after that of ``instant`` begins, in UTC."""
    date = instant.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(date, MIDNIGHT, tzinfo=zone).astimezone(UTC)


def _openings(start: datetime, zone: ZoneInfo, week: Week) -> list[datetime]:
    """The openings of the days ahead; two on the day of an hour that comes twice."""
    today = start.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(AHEAD))
    return [
        datetime.combine(day, span[0], tzinfo=zone).replace(fold=fold).astimezone(UTC)
        for day in days
        if (span := week[day.weekday()]) is not None
        for fold in (0, 1)
    ]


def _changes(start: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants at which the clock of ``zone`` jumps in the days ahead."""
    found = []
    for step in range(AHEAD * 2):
        before = start + step * LOOK
        after = before + LOOK
        offset = before.astimezone(zone).utcoffset()
        if after.astimezone(zone).utcoffset() == offset:
            continue
        while after - before > timedelta(microseconds=1):
            middle = before + (after - before) / 2
            same = middle.astimezone(zone).utcoffset() == offset
            before, after = (middle, after) if same else (before, middle)
        found.append(after)
    return found
