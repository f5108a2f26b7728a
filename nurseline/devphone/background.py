"""Things that happen later or beside the request: delays and webhooks."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]
_LOG = logging.getLogger(__name__)


class Background:
    """One thread that waits for the next due job, and up to `most` threads that do jobs.

    All threads are daemons: nothing here keeps the process from ending.
    """

    def __init__(self, most: int = 48) -> None:
        self._most = most
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._due: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._workers = 0
        self._idle = 0
        self._stopped = False
        threading.Thread(target=self._watch, name="devphone-timer", daemon=True).start()

    def soon(self, job: Job) -> None:
        """Does the job on another thread."""
        with self._wake:
            if self._stopped:
                return
            if self._idle <= self._jobs.qsize() and self._workers < self._most:
                self._workers += 1
                threading.Thread(target=self._work, name="devphone-work", daemon=True).start()
        self._jobs.put(job)

    def later(self, seconds: float, job: Job) -> None:
        """Does the job on another thread after so many seconds."""
        with self._wake:
            heapq.heappush(self._due, (time.monotonic() + max(0.0, seconds), next(self._order), job))
            self._wake.notify()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._due.clear()
            self._wake.notify_all()
            for _ in range(self._workers):
                self._jobs.put(None)

    def _watch(self) -> None:
        while True:
            with self._wake:
                if self._stopped:
                    return
                if not self._due:
                    self._wake.wait()
                    continue
                wait = self._due[0][0] - time.monotonic()
                if wait > 0:
                    self._wake.wait(wait)
                    continue
                job = heapq.heappop(self._due)[2]
            self.soon(job)

    def _work(self) -> None:
        while True:
            with self._wake:
                self._idle += 1
            job = self._jobs.get()
            with self._wake:
                self._idle -= 1
            if job is None or self._stopped:
                return
            try:
                job()
            except Exception:
                if not self._stopped:
                    _LOG.exception("a background job of the phone failed")
