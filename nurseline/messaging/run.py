"""One run of a worker over due messages: the thread that talks to the database, and many that only ask.

The thread that calls `Run.go` claims, lets go and records, each for many messages in one transaction. A pool
of threads does nothing but requests, so no transaction is open during one. Never more than ``width``
messages are on their way at once, from the commit that says ``sending`` to the one that says what became of
it: a process that is killed leaves at most that many of unknown outcome.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

import structlog
from sqlalchemy.exc import SQLAlchemyError

from nurseline.clock import Clock
from nurseline.db import Held
from nurseline.messaging.carrier import Gateway
from nurseline.messaging.letting_go import Decider, Going
from nurseline.messaging.outbox import (
    MOVES,
    NO_CLAIM,
    THE_BEGINNING,
    Claimed,
    Lane,
    claim_due,
)
from nurseline.messaging.rate import Rate
from nurseline.messaging.results import PATIENCE_SECONDS, NotWritten, Recorder, Result
from nurseline.outcomes import NotSent, SendOutcome
from nurseline.transitions import Each

log = structlog.get_logger(__name__)

# After it was committed as ``sending`` a request begins so soon or not at all: a process that was held up (a
# suspended machine, a stopped process) must not ask when hours or lease are over, or after a STOP.
BEGIN_WITHIN = timedelta(seconds=20)
LOOK_SECONDS = 0.25  # after which it is looked for what has come due, while nothing comes back
GATHER_SECONDS = 0.03  # for which further results are waited for, to record them together
WIND_DOWN_SECONDS = 36.0  # above one request's time limits
HELD_UP = "held up before the request"
SEGMENTS_GUESSED = 2.0  # of a message, until some were counted
LEARNING = 0.2  # how fast the guess follows what is counted


@dataclass
class Run:
    """Claims and sends due messages of ``lane``, at most ``limit``.

    It begins none after ``seconds``, nor once ``stopping`` says so.
    """

    db: Held
    clock: Clock
    gateway: Gateway
    decider: Decider
    recorder: Recorder
    rate: Rate
    segments: Callable[[str], int]
    pool: ThreadPoolExecutor
    width: int
    lane: Lane | None
    limit: int
    seconds: float
    stopping: Callable[[], bool]
    claimed: int = 0
    waiting: list[Claimed] = field(default_factory=list)
    _unasked: list[Claimed] = field(default_factory=list)
    _got: list[tuple[Going, SendOutcome | BaseException]] = field(default_factory=list)
    _under_way: dict[uuid.UUID, Going] = field(default_factory=dict)
    _finished: SimpleQueue[tuple[Going, SendOutcome | BaseException]] = field(default_factory=SimpleQueue)
    _wrong: BaseException | None = None
    _segments: float = SEGMENTS_GUESSED
    _until: float = 0.0
    # Claimed rows leave dead entries in the index of due ones: while there is more, a claim passes those of
    # the one before it only. The server marks them then, so that the beginning of the next run is quick.
    # What comes back into the plan before this instant is found once there is no more, or by the next run.
    _since: datetime = THE_BEGINNING

    def go(self) -> int:
        """Send until nothing more is due; how many were claimed.

        Raises what went wrong after all that were asked for are recorded. Whatever is raised into this
        thread from outside (the time limit of a task) stops it from beginning more and ends it as soon as
        what is on its way has been recorded.
        """
        self._until = time.monotonic() + self.seconds
        try:
            while self._begin() or self._under_way:
                self._finish()
        except BaseException:
            self._wind_down()
            raise
        finally:
            self._give_back()
            self.db.close()
        if self._wrong is not None:
            raise self._wrong
        return self.claimed

    def _begin(self) -> bool:
        """Let further messages go where there is room; True if any was looked at."""
        room = self.width - len(self._under_way)
        if room <= 0 or self._wrong is not None or self._over():
            return False
        lane = self.lane or "reminders"
        taken = self.rate.take(lane, math.ceil(room * self._segments))
        if taken <= 0:
            return False
        used, until = 0, self.clock.now() + BEGIN_WITHIN
        try:
            chunk = self._chunk(max(1, min(room, int(taken / self._segments))))
            going = self._let_go(chunk)
            used = self._count(going)
        except SQLAlchemyError as error:
            self._wrong = error  # what was claimed runs out by itself
            return False
        finally:
            self.rate.settle(taken, used)
        for one in going:
            self._ask_for(one, until)
        return bool(chunk)

    def _over(self) -> bool:
        return time.monotonic() >= self._until or self.stopping()

    def _chunk(self, most: int) -> list[Claimed]:
        """Up to ``most`` claimed messages, claiming what is missing."""
        missing = min(most - len(self.waiting), self.limit - self.claimed)
        if missing > 0:
            with self.db.begin() as session:
                _, rows = claim_due(
                    session, now=self.clock.now(), limit=missing, lane=self.lane, since=self._since
                )
            self.claimed += len(rows)
            more = len(rows) == missing and self.lane == "reminders"
            self._since = rows[0].send_after if more else THE_BEGINNING
            self.waiting += rows
        return list(self.waiting)[:most]

    def _let_go(self, chunk: Sequence[Claimed]) -> list[Going]:
        if not chunk:
            return []
        going, again = self.decider.let_go(chunk)
        self._unasked = [one.row for one in going]
        del self.waiting[: len(chunk)]
        self.waiting[:0] = again
        return going

    def _count(self, going: Sequence[Going]) -> int:
        """The segments of those that go; the next guess follows from them."""
        used = sum(self.segments(one.body) if one.channel == "text" else 1 for one in going)
        if going:
            self._segments += LEARNING * (max(1.0, used / len(going)) - self._segments)
        return used

    def _ask_for(self, going: Going, until: datetime) -> None:
        self._under_way[going.row.id] = going
        self._unasked.remove(going.row)
        self.pool.submit(self._ask, going, until)

    def _ask(self, going: Going, until: datetime) -> None:
        """In a thread of the pool: one request, begun before ``until``. It has no part in the database."""
        outcome: SendOutcome | BaseException
        try:
            if self.clock.now() > until:
                outcome = NotSent(HELD_UP, 0.0)
            elif going.channel == "call":
                outcome = self.gateway.call(to=going.to, reference=going.row.id)
            else:
                outcome = self.gateway.send(to=going.to, body=going.body, reference=going.row.id)
        except BaseException as error:
            outcome = error
        self._finished.put((going, outcome))

    def _finish(self) -> None:
        """Wait for results and record them, several at once where they come close together."""
        if not self._under_way or not self._collect(LOOK_SECONDS):
            return
        until = time.monotonic() + GATHER_SECONDS
        enough = min(len(self._under_way), self.width // 2)
        while len(self._got) < enough and (left := until - time.monotonic()) > 0:
            self._collect(left)
        self._record(PATIENCE_SECONDS)

    def _collect(self, seconds: float) -> bool:
        """Wait for one more result; False if none came."""
        try:
            self._got.append(self._finished.get(timeout=seconds))
        except Empty:
            return False
        return True

    def _record(self, patience: float) -> None:
        """Write down what is there by now. What cannot be written is left to its lease."""
        while not self._finished.empty():
            self._got.append(self._finished.get())
        results = [Result(one, came) for one, came in self._got if not isinstance(came, BaseException)]
        for _, came in self._got:
            if isinstance(came, BaseException):  # a fault of ours: nobody knows what became of the request
                self._wrong = came
        self._slow_down(results)
        try:
            if results:
                self.recorder.record(results, patience=patience)
        except (SQLAlchemyError, NotWritten) as error:
            self._wrong = error
        for one, _ in self._got:
            self._under_way.pop(one.row.id, None)
        self._got.clear()

    def _slow_down(self, results: Sequence[Result]) -> None:
        pauses = [one.outcome.crowded for one in results if isinstance(one.outcome, NotSent)]
        crowded = [pause for pause in pauses if pause is not None]
        if crowded:
            self.rate.back_off(max(crowded), severe=2 * len(crowded) > len(results))

    def _wind_down(self) -> None:
        """Something was raised into this thread: finish what was asked for, give back what was not."""
        until = time.monotonic() + WIND_DOWN_SECONDS
        self._give_back()
        while True:
            self._record(max(0.0, until - time.monotonic()))
            if not self._under_way or not self._collect(max(0.0, until - time.monotonic())):
                return

    def _give_back(self) -> None:
        """Return what was claimed, or marked as going, and surely never asked for."""
        left = [*self.waiting, *self._unasked]
        self.waiting.clear()
        self._unasked = []
        if not left:
            return
        rows = [Each(one.id, "not begun", match={"claim_token": one.claim_token}) for one in left]
        try:
            with self.db.begin() as session:
                values = {"sending_at": None, **NO_CLAIM}
                back = MOVES.move_each(session, rows, "scheduled", at=self.clock.now(), values=values)
                self.recorder.returned(session, back, self.clock.now())
        except SQLAlchemyError as error:  # their leases run out
            log.warning("run.not_given_back", error=type(error).__name__)
