"""Whether a message goes now, waits or is left out: one pure decision, made as the message is let go.

Rules for automated messages; answers and alerts go at once.

* Hours: inside the allowed hours on the clock of every zone that counts (`nurseline.consent.allowed`).
* At most one a day and three a week to one number, over all its injections (47 CFR 64.1200(a)(9)(iv)).
  The strictest plausible reading: a day is 24 elapsed hours and also a date on the patient's clock, so the
  next one goes 24 hours later and not on the same date; a week is 168 hours and also seven dates. That keeps
  the 20 hours between two messages which the clinic asks for.
* What counts is what went, or may have gone: sent, delivered, undelivered, or of unknown outcome. While a
  message is on its way to the same number the next waits a few seconds, for it may turn out not to have gone.
* Order: a message waits while an earlier one of its injection may still go.
* Never at or after the latest useful time. What cannot go before it is left out as soon as that is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nurseline.consent.allowed import Where
from nurseline.consent.hours import day_begins, next_opening

SOON = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``count`` messages to a number in ``days``; ``words`` say so in the history."""

    count: int
    days: int
    words: str


CAPS = (Cap(1, 1, "one message a day"), Cap(3, 7, "three messages a week"))
LOOK_BACK = timedelta(days=max(cap.days for cap in CAPS) + 1)  # what went before this holds nothing back
QUIET_HOURS = "quiet hours"


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier message of the same injection that has not gone: when it is tried next, and until when."""

    next_try: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """Other automated messages to the same number. ``went``, ``under_way``: when each was let go."""

    went: Sequence[datetime] = ()
    under_way: Sequence[datetime] = ()
    earlier: Sequence[Earlier] = ()


@dataclass(frozen=True, slots=True)
class Go:
    """It may go at this moment."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It may not go before ``until``; ``why`` in a few words for the history."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Skip:
    """It can no longer go in time; ``why`` in a few words for staff."""

    why: str


Decision = Go | Wait | Skip
NOTHING_BEFORE = Past()


def useful(send_before: datetime | None, now: datetime) -> bool:
    """Whether a message is still of use."""
    return send_before is None or now < send_before


def decide(send_before: datetime | None, where: Where, past: Past, now: datetime) -> Decision:
    """What becomes of an automated message that is due ``now`` and useful until ``send_before``."""
    if not useful(send_before, now):
        return Skip("too late")
    before = [one for one in past.earlier if now < one.until]
    if before:
        first = min(before, key=lambda one: one.until)
        return Wait(min(max(first.next_try, now + SOON), first.until), "an earlier message comes first")
    opening, why = _opening(where, past.went, now)
    if opening is None:
        return Skip("no allowed hours")
    if not useful(send_before, opening):
        return Skip(f"too late after {why}")
    if opening > now:
        return Wait(opening, why)
    if past.under_way and _opening(where, (*past.went, *past.under_way), now)[0] != now:
        return Wait(now + SOON, "another message is on its way")
    return Go()


def _opening(where: Where, went: Sequence[datetime], now: datetime) -> tuple[datetime | None, str]:
    """The first instant from ``now`` on at which hours and caps allow a message, and what keeps it back."""
    earliest, why = after_caps(went, where.zones, now)
    return next_opening(earliest, where.zones, where.week), why


def after_caps(went: Sequence[datetime], zones: Sequence[ZoneInfo], now: datetime) -> tuple[datetime, str]:
    """The first instant from ``now`` on that the caps allow, whatever the hour, and what keeps it back."""
    earliest, why = now, QUIET_HOURS
    for cap in CAPS:
        free = _free_from(cap, went, zones)
        if free is not None and free > earliest:
            earliest, why = free, cap.words
    return earliest, why


def _free_from(cap: Cap, went: Sequence[datetime], zones: Sequence[ZoneInfo]) -> datetime | None:
    """When ``cap`` allows the next message; None if it holds nothing back."""
    if len(went) < cap.count:
        return None
    last = sorted(went)[-cap.count]
    elapsed = last + timedelta(days=cap.days)
    return max([elapsed, *(day_begins(last, zone, days=cap.days) for zone in zones)])
