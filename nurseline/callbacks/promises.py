"""By when a patient is promised a call, for each reason. Pure.

Service levels until the clinic sets its own (`Promises`, which come with its hours): emergency 5 minutes on
the clock, urgent 30 minutes and clinical and nurse requests 4 hours of working time, scheduling and the rest
by the end of the next working day (clinic rules 4).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from nurseline.clinic.hours import Hours, Promises

__all__ = ["PRIORITY", "REASONS", "Promises", "Reason", "as_reason", "promised_at"]

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


def promised_at(reason: Reason, now: datetime, hours: Hours) -> datetime:
    """By when somebody will call: an instant the clinic can keep, since it lies in its working hours.

    An emergency's due time runs on the clock, day and night; the patient is told to call 911, not to wait.
    """
    promises = hours.promises
    match reason:
        case "emergency":
            return now + promises.emergency
        case "urgent":
            return hours.after_working(now, promises.urgent)
        case "clinical" | "nurse":
            return hours.after_working(now, promises.clinical)
    return hours.end_of_next_day(now, promises.office)


def as_reason(text: str) -> Reason:
    """The reason that a stored text names. Raises ValueError for another text."""
    for reason in REASONS:
        if reason == text:
            return reason
    raise ValueError("not a reason for a callback")
