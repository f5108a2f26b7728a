"""Sending due messages. The order of commits is what keeps a message from being lost or doubled:

claim and commit (`outbox`); decide and mark ``sending``, commit (`letting_go`); ask the carrier with no
transaction open (`run`); record what came of it, commit (`results`). A worker that dies before ``sending``
loses nothing, one that dies after leaves a row that becomes ``unknown`` and is looked up at the carrier,
never resent.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from nurseline.clock import Clock
from nurseline.consent.allowed import AllowedHours
from nurseline.db import Database
from nurseline.messaging.carrier import Gateway
from nurseline.messaging.followups import Alarm, Returned
from nurseline.messaging.letting_go import Decider, Words
from nurseline.messaging.outbox import Lane, learn_opt_out
from nurseline.messaging.rate import NoLimit, Rate
from nurseline.messaging.results import Recorder
from nurseline.messaging.run import Run

__all__ = ["Sender", "learn_opt_out"]

RUN_SECONDS = 20.0  # after which a run begins no more, far below the time limit of a task


@dataclass(frozen=True)
class Sender:
    """What sending needs, wired once per process.

    ``hours``: when automated messages may go. ``segments``: of a text, as the carrier counts them.
    ``alarm``: tells people of refusals that only they can change. ``returned``: cancels what came back into
    the plan and is not wanted any more.
    ``width``: messages on their way at once. ``stopping``: whether this process was told to stop.
    """

    db: Database
    clock: Clock
    gateway: Gateway
    words: Words
    hours: AllowedHours
    segments: Callable[[str], int]
    alarm: Alarm
    returned: Returned
    rate: Rate = field(default_factory=NoLimit)
    width: int = 32
    stopping: Callable[[], bool] = lambda: False

    def send_due(self, *, lane: Lane | None = None, limit: int = 100, seconds: float = RUN_SECONDS) -> int:
        """Claim and send due messages, up to ``limit``; how many were claimed.

        ``lane`` None: of both. After ``seconds`` no more are begun. Raises what went wrong after what was
        asked for is recorded: DBAPIError if the database is away, or a fault of ours.
        """
        return self.run(lane=lane, limit=limit, seconds=seconds).go()

    def run(self, *, lane: Lane | None = None, limit: int = 0, seconds: float = RUN_SECONDS) -> Run:
        """One run over due messages, not begun yet."""
        held = self.db.hold()
        return Run(
            held,
            self.clock,
            self.gateway,
            Decider(held, self.db.keyring, self.clock, self.words, self.hours),
            Recorder(held, self.clock, self.alarm, self.returned),
            self.rate,
            self.segments,
            self._pool,
            self.width,
            lane,
            limit,
            seconds,
            self.stopping,
        )

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """Threads for requests, kept as long as the process lives: begun after a fork, at first use."""
        return ThreadPoolExecutor(max_workers=self.width, thread_name_prefix="carrier")
