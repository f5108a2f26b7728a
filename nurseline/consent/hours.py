"""When an automated message may go: local hours of the day, in the patient's zone. Pure arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

Span = tuple[time, time]  # first and last local time; a last of 00:00 means midnight


def is_allowed(instant: datetime, zone: ZoneInfo, span: Span) -> bool:
    """Whether ``instant`` falls into ``span`` on the clock of ``zone``."""
    local = instant.astimezone(zone).time()
    first, last = span
    return first <= local and (last == time(0) or local < last)


def next_allowed(instant: datetime, zone: ZoneInfo, span: Span) -> datetime:
    """``instant`` if allowed, else the next opening of ``span`` in ``zone``, in UTC.

    An opening that the change to summer time swallows is the first instant after the gap.
    """
    if is_allowed(instant, zone, span):
        return instant.astimezone(UTC)
    local = instant.astimezone(zone)
    day = local.date()
    for ahead in range(3):
        opening = datetime.combine(day + timedelta(days=ahead), span[0], tzinfo=zone).astimezone(UTC)
        if opening >= instant:
            return opening
    raise ArithmeticError("a day has no opening")  # pragma: no cover - three days always hold one
