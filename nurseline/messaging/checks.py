"""When the carrier is asked about a message of which no report came. Pure.

A message that the carrier took (``sent``) is asked about some minutes later, then ever more seldom: not every
network tells what became of a message, so after a day it stays ``sent`` for good.
One of unknown outcome is looked up in the carrier's list, first after a minute: the carrier's own time limit
for a request is about 26 seconds, and its list lags behind.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

SENT_CHECKS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
UNKNOWN_CHECKS = (
    timedelta(minutes=1),
    timedelta(minutes=2),
    timedelta(minutes=6),
    timedelta(minutes=20),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
ASKING = timedelta(
    minutes=5
)  # as long as one process has a message to itself while it asks; then the next may


def first_check(status: Literal["sent", "unknown"], sending_at: datetime) -> datetime:
    """When the carrier is first asked about a message whose request began at ``sending_at``."""
    return sending_at + (SENT_CHECKS if status == "sent" else UNKNOWN_CHECKS)[0]


def next_check(
    status: Literal["sent", "unknown"], sending_at: datetime | None, now: datetime
) -> datetime | None:
    """When it is asked the next time; None if it was asked often enough."""
    if sending_at is None:
        return None
    all_checks = SENT_CHECKS if status == "sent" else UNKNOWN_CHECKS
    return next((sending_at + after for after in all_checks if sending_at + after > now), None)
