"""The reminder plan of an injection: pure arithmetic on instants.

Steps and latest useful times: 24 hours (useful until 36), 72 hours (90) and one week (nine days), which the
clinic may set otherwise: late advice is not sent. Delays count elapsed hours, not days on a wall clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the plan. ``after`` and ``until`` count from the injection."""

    name: str
    after: timedelta
    until: timedelta

    @property
    def content_id(self) -> str:
        """The words it is sent with."""
        return f"reminder.{self.name}"


def steps_until(day1: int, day3: int, week1: int) -> tuple[Step, ...]:
    """The three messages, each of use until so many hours after the injection."""
    return (
        Step("day1", timedelta(hours=24), timedelta(hours=day1)),
        Step("day3", timedelta(hours=72), timedelta(hours=day3)),
        Step("week1", timedelta(days=7), timedelta(hours=week1)),
    )


STEPS = steps_until(36, 90, 216)
LONGEST_USE = max(step.until for step in STEPS)
FUTURE_ALLOWED = timedelta(minutes=5)  # clocks differ a little


@dataclass(frozen=True, slots=True)
class Due:
    """When one step of one injection may go: from ``send_after`` up to ``send_before``."""

    step: Step
    send_after: datetime
    send_before: datetime


def plan_of(performed_at: datetime, now: datetime, steps: Sequence[Step] = STEPS) -> tuple[Due, ...]:
    """Those of ``steps`` that are still useful ``now`` after an injection at ``performed_at``."""
    performed_at = performed_at.astimezone(UTC)  # on a local clock a day may have 23 or 25 hours
    every = (Due(step, performed_at + step.after, performed_at + step.until) for step in steps)
    return tuple(due for due in every if now < due.send_before)
