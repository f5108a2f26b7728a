"""When a reminder call that reached nobody is made once more. Pure.

At most two tries for one reminder. The second is made in another part of the patient's day, since whoever is
out in the morning is often out every morning. A try that may have made the telephone ring counts as the one
automated message of its day (47 CFR 64.1200(a)(9)(iv) counts what is initiated, calls and texts together),
so the next one is a day later; one that never rang can be made up for after some hours. Whether it may really
go is decided when it is due, by the same rule as for every message (`timing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

MOST_TRIES = 2
PARTS = (time(9), time(13), time(17), time(20))  # morning, afternoon, evening, and the end of it
APART = timedelta(hours=4)
DAY_APART = timedelta(hours=24)
LOOK_DAYS = 4


def second_try(tried: datetime, zone: ZoneInfo, until: datetime | None, *, rang: bool) -> datetime | None:
    """When to call again after a try at ``tried``, in UTC; None if it would come too late.

    ``zone``: the patient's. ``until``: from then on the reminder is of no use. ``rang``: the try counts.
    """
    earliest = tried + (DAY_APART if rang else APART)
    first = _part(tried.astimezone(zone).time())
    others = (start for part, start in _parts_from(earliest, zone) if part != first)
    for at in (next(others, None), earliest.astimezone(UTC)):
        if at is not None and (until is None or at < until):
            return at
    return None


def _parts_from(earliest: datetime, zone: ZoneInfo) -> Iterator[tuple[int, datetime]]:
    """Parts of the days ahead that are not over at ``earliest``, each with its first instant from then on."""
    today = earliest.astimezone(zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(LOOK_DAYS)):
        for part, (begins, ends) in enumerate(pairwise(PARTS)):
            start, end = (datetime.combine(day, at, tzinfo=zone).astimezone(UTC) for at in (begins, ends))
            if end > earliest:
                yield part, max(start, earliest.astimezone(UTC))


def _part(at: time) -> int:
    """The part of the day that a local time falls into; a time before the first counts as the first."""
    return max((part for part, begins in enumerate(PARTS[:-1]) if at >= begins), default=0)
