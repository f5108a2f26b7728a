"""Drives the program of a call: events in, one at a time; waits out; time by the clock or by hand."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

from nurseline.devphone.background import Background
from nurseline.devphone.call import Call, Wait

# Words and pauses in a row, when no time is kept: more than any document can ask for without a circle.
MOST_PASSED = 3000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The time of the wait with this token is over; token None ends whatever wait there is."""

    token: int | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """The words are skipped until the line waits for somebody."""


@dataclass(frozen=True, slots=True)
class Key:
    digit: str


@dataclass(frozen=True, slots=True)
class Speech:
    text: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The handset was picked up."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The handset was not picked up: busy, no-answer, failed or canceled."""

    status: str


@dataclass(frozen=True, slots=True)
class LegReady:
    sid: str


@dataclass(frozen=True, slots=True)
class LegEnded:
    sid: str
    status: str


class Interrupt(Exception):  # noqa: N818 - not an error
    """Thrown into the program wherever it waits."""


class HungUp(Interrupt):
    """Somebody hung up; `status` is what the call ends with."""

    def __init__(self, by: str, status: str = "completed") -> None:
        super().__init__(by)
        self.by = by
        self.status = status


Event = Elapsed | Skip | Key | Speech | Answered | Refused | LegReady | LegEnded | Interrupt
Program = Generator[Wait, Event, None]


class Runner:
    """One call's events in order. The program runs on a background thread, never on two at once."""

    def __init__(
        self, call: Call, background: Background, program: Program, done: Callable[[Call], None]
    ) -> None:
        self.call = call
        self._background = background
        self._program = program
        self._done = done
        self._events: deque[Event | None] = deque()
        self._state = threading.Condition()
        self._running = False
        self._token = 0
        self._over = False

    def start(self) -> None:
        self.post(None)

    def post(self, event: Event | None) -> None:
        """Hands an event to the program; after the end it is dropped."""
        with self._state:
            if self._over:
                return
            self._events.append(event)
            if self._running:
                return
            self._running = True
        self._background.soon(self._run)

    def settle(self, seconds: float) -> bool:
        """Waits until nothing is in progress: the call waits for somebody, speaks in real time, or ended."""
        with self._state:
            return self._state.wait_for(lambda: not self._running and not self._events, seconds)

    def _run(self) -> None:
        while True:
            with self._state:
                if self._over or not self._events:
                    self._running = False
                    self._events.clear()
                    self._state.notify_all()
                    return
                event = self._events.popleft()
            try:
                self._handle(event)
            except StopIteration:
                self._finish("completed", "The line hangs up.")
            except HungUp as hung_up:
                self._finish(hung_up.status, f"The {hung_up.by} hangs up.")
            except Exception:
                _LOG.exception("a call's program failed")
                self._finish("failed", "The phone failed.")

    def _handle(self, event: Event | None) -> None:
        call = self.call
        if isinstance(event, Interrupt):
            self._stop_at(self._program.throw(event))
            return
        if isinstance(event, Elapsed):
            if call.wait is None or (event.token is not None and event.token != self._token):
                return
            if event.token is None:
                call.pass_time(call.wait.seconds or 0.0)
        if isinstance(event, Skip):
            call.skipping = True
            if call.wait is None or not call.wait.passes:
                call.skipping = False
                return
            event = Elapsed()
        self._stop_at(next(self._program) if event is None else self._program.send(event))

    def _stop_at(self, wait: Wait) -> None:
        """Lets the time of this wait pass as the pace says."""
        call = self.call
        passed = 0
        while wait.passes and (call.pace == "hand" or call.skipping) and not self._urgent():
            call.phase, call.wait = wait.phase, wait
            if call.pace == "hand":
                call.pass_time(wait.seconds or 0.0)
            passed += 1
            if passed > MOST_PASSED:
                call.add("error", "The line talks on and on without ever listening.")
                raise HungUp("phone", "failed")
            wait = self._program.send(Elapsed())
        if not wait.passes:
            call.skipping = False
        self._token += 1
        call.stops += 1
        call.phase, call.wait = wait.phase, wait
        if wait.seconds is not None and call.pace == "real":
            token = self._token
            self._background.later(wait.seconds, lambda: self.post(Elapsed(token)))

    def _urgent(self) -> bool:
        """Somebody hung up, or the call was sent elsewhere, while words were being said."""
        with self._state:
            return any(isinstance(event, Interrupt) for event in self._events)

    def _finish(self, status: str, how: str) -> None:
        self._program.close()
        self.call.add("end", how)
        self.call.finish(status)
        with self._state:
            self._over = True
        self._done(self.call)
