"""By when a patient is promised a call, for each reason. Pure.

Service levels: emergency 5 minutes and urgent 30 minutes on the clock while the clinic is open, clinical
and nurse requests 4 working hours, scheduling and the rest the next working day (clinic rules 4).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from nurseline.clinic.hours import Hours

Reason = Literal["emergency", "urgent", "clinical", "schedule", "nurse", "admin"]
PRIORITY: dict[Reason, int] = {
    "emergency": 0,
    "urgent": 1,
    "clinical": 2,
    "nurse": 2,
    "schedule": 3,
    "admin": 3,
}
REASONS: tuple[Reason, ...] = tuple(PRIORITY)
_WORKING: dict[Reason, timedelta] = {
    "urgent": timedelta(minutes=30),
    "clinical": timedelta(hours=4),
    "nurse": timedelta(hours=4),
}
EMERGENCY = timedelta(minutes=5)


def promised_at(reason: Reason, now: datetime, hours: Hours) -> datetime:
    """By when somebody will call: an instant the clinic can keep, since it lies in its working hours.

    An emergency's due time runs on the clock, day and night; the patient is told to call 911, not to wait.
    """
    if reason == "emergency":
        return now + EMERGENCY
    if reason in _WORKING:
        return hours.after_working(now, _WORKING[reason])
    return hours.end_of_next_day(now)


def as_reason(text: str) -> Reason:
    """The reason that a stored text names. Raises ValueError for another text."""
    for reason in REASONS:
        if reason == text:
            return reason
    raise ValueError("not a reason for a callback")
