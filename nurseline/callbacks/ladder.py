"""What follows when nobody was reached: when to try again, and when trying ends. Pure.

Rules (clinic rules 4, attempts):

* Emergency: every 5 minutes, and it never closes by itself.
* Urgent: three tries within two hours of work; then a supervisor or provider decides.
* Everything else: three tries in different parts of the day, the last on a later working day than the first;
  then one text, where one may go, and the item closes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

from nurseline.clinic.hours import Hours

TRIES = 3
AT_ONCE = timedelta(minutes=5)  # between tries to reach somebody in an emergency
SHORTLY = timedelta(minutes=40)  # of working time, so that three tries fit into two hours
APART = timedelta(hours=2)  # at least, even where the next part of the day begins sooner
PARTS = (time(0), time(12), time(15))  # morning, afternoon and late begin then on the clinic's clock
AHEAD = timedelta(days=14)  # how far a part of the day that was not tried is looked for

What = Literal["again", "close", "decide"]


@dataclass(frozen=True, slots=True)
class Step:
    """``again`` at ``at``; ``close`` after the last text; or ``decide``: somebody who may has to.

    ``decide`` with ``at``: it is tried again then all the same.
    """

    what: What
    at: datetime | None = None


def after(reason: str, tries: Sequence[datetime], hours: Hours) -> Step:
    """What follows the last of ``tries``: instants at which nobody was reached, oldest first; one or more."""
    last = tries[-1]
    if reason == "emergency":
        return Step("decide" if len(tries) >= TRIES else "again", last + AT_ONCE)
    if reason == "urgent":
        if len(tries) >= TRIES:
            return Step("decide")
        return Step("again", hours.after_working(last, SHORTLY))
    return Step("close") if len(tries) >= TRIES else Step("again", _other_part(tries, hours))


def part_of_day(instant: datetime, hours: Hours) -> int:
    """0 in the morning, 1 in the afternoon, 2 late, by the clinic's clock."""
    local = instant.astimezone(hours.zone).time()
    return max(number for number, begins in enumerate(PARTS) if begins <= local)


def _other_part(tries: Sequence[datetime], hours: Hours) -> datetime:
    """The first working instant in a part of the day that was not tried yet."""
    tried = {part_of_day(one, hours) for one in tries}
    first_day = tries[0].astimezone(hours.zone).date()
    last_but_one = len(tries) == TRIES - 1
    openings = list(_openings(tries[-1] + APART, hours))
    for at in openings:
        another_day = at.astimezone(hours.zone).date() > first_day
        if part_of_day(at, hours) not in tried and (another_day or not last_but_one):
            return at
    # A clinic that is open in the mornings alone: then on the next day it works.
    today = tries[-1].astimezone(hours.zone).date()
    others = (at for at in openings if at.astimezone(hours.zone).date() > today)
    return next(others, tries[-1] + timedelta(days=1))


def _openings(start: datetime, hours: Hours) -> Iterator[datetime]:
    """``start`` and after it the beginning of each part of a working day, where the clinic works then."""
    for opens, closes in hours.intervals(start):
        if opens > start + AHEAD:
            return
        yield opens
        day = opens.astimezone(hours.zone)
        for begins in PARTS[1:]:
            at = datetime.combine(day.date(), begins, tzinfo=hours.zone)
            if opens < at < closes:
                yield at.astimezone(opens.tzinfo)
