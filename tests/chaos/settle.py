"""Quiet: no more faults, everybody is there, and time passes until nothing moves any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos.books import AHEAD, Books, Row
from tests.chaos.carrier import Called, Carrier, Taken
from tests.chaos.judge import OUR_WORD

EVERY = 2.0
MOVING = frozenset({"accepted", "queued", "sending"})  # the carrier's own words for what is not over


@dataclass(frozen=True, slots=True)
class Left:
    """How many messages have still something to happen to them, by what that is."""

    due: int
    under_way: int
    behind: int  # the carrier knows more than we do
    moving: int  # at the carrier
    texts: int  # of patients, which the line has not taken

    @property
    def none(self) -> bool:
        return not (self.due or self.under_way or self.behind or self.moving or self.texts)

    def __str__(self) -> str:
        return (
            f"{self.due} due, {self.under_way} under way, {self.behind} behind the carrier, "
            f"{self.moving} moving at the carrier, {self.texts} texts of patients not taken"
        )


def left(
    rows: Sequence[Row],
    taken: Sequence[Taken],
    calls: Sequence[Called],
    final: Callable[[Taken], bool],
    texts: int = 0,
) -> Left:
    """What is not settled. ``final``: whether the carrier has said its last word about a message."""
    now = datetime.now(UTC)
    carrier = {one.ref: one for one in taken}
    due = sum(row.status == "scheduled" and row.due <= now + AHEAD for row in rows)
    under_way = sum(row.status in {"claimed", "sending"} and row.purpose != "reply" for row in rows)
    behind = sum(
        row.status != OUR_WORD[carrier[row.id].status]
        for row in rows
        if row.id in carrier and row.channel == "text" and row.status not in {"claimed", "sending"}
    )
    over = {one.sid for one in calls if one.ended}
    behind += sum(row.status == "sent" and row.sid in over for row in rows if row.channel == "call")
    moving = sum(not final(one) for one in taken) + sum(not one.ended for one in calls)
    return Left(due, under_way, behind, moving, texts)


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is asked while nothing fails any more.

    ``pass_time``: called with the seconds of quiet so far, lets hours pass. ``texts``: of patients, waiting.
    """

    books: Books
    carrier: Carrier
    pass_time: Callable[[float], None]
    final: Callable[[Taken], bool]
    texts: Callable[[], int]

    def settle(self, limit: float) -> Left:
        """Wait until nothing is left to happen, ``limit`` seconds at most; what is left."""
        began = time.monotonic()
        while True:
            self.pass_time(time.monotonic() - began)
            found = left(
                self.books.rows(), self.carrier.taken(), self.carrier.calls(), self.final, self.texts()
            )
            if found.none or time.monotonic() - began > limit:
                return found
            time.sleep(EVERY)
