"""A worker that lives but takes nothing from its queues any more ends itself and begins again.

A thread of its main process sends it a message by a queue that only this worker reads. While Redis answers
and yet no child gets anything to do, something between the two is stuck for good: a connection that died
without a word, a consumer that waits for ever, children that hang. What such a child had begun is not lost: a
message it was sending becomes unknown, and everything else goes back to where it was.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import redis
import structlog
from celery.signals import worker_ready
from celery.utils.nodenames import worker_direct

from nurseline.wakeups import QUEUES, Publisher
from workers.broker import settings
from workers.signs import signs

log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0
CALM_LOOKS = 6  # so often Redis must have answered before silent queues are anybody's fault but its own
STUCK_LOOKS = 10  # more than the hard limit of a task: whatever a child does by then, it does for ever
LEFT_SECONDS = 120  # after which Redis forgets the message to a worker that has gone
KEPT = 100  # wake-ups of one queue; more say nothing new, and after a long stop they would stand in the way


class Watchdog:
    """Looks every few seconds whether the worker ``node`` still works.

    ``children`` gives their process numbers; ``again`` begins this program anew and does not return.
    """

    def __init__(
        self, redis_url: str, node: str, children: Callable[[], Iterable[int]], again: Callable[[], None]
    ) -> None:
        self._own = worker_direct(node).name
        self._children, self._again = children, again
        self._publisher = Publisher(redis_url)
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=2)
        self._calm = 0  # looks in a row at which Redis answered
        self._idle = 0  # looks in a row since which no child was at work
        self._last_work = signs.last_work

    def watch(self) -> None:
        """Look until the worker is told to stop."""
        while not signs.stopping:
            self.look()
            # Looks are counted, not seconds: a process that was suspended as a whole has missed nothing.
            time.sleep(EVERY_SECONDS)

    def look(self) -> None:
        """Ask this worker for a sign of life; begin anew if it has owed one for too long."""
        try:
            self._ask()
        except Exception as error:
            log.warning("watchdog.no_redis", error=type(error).__name__)
            self._calm = self._idle = 0
            return
        self._calm += 1
        work, self._last_work = self._last_work, signs.last_work
        self._idle = self._idle + 1 if work == self._last_work else 0
        if self._idle >= STUCK_LOOKS and not signs.stopping:
            log.error("worker.stuck", queue=self._own, looks=self._idle)
            self._begin_anew()

    def _ask(self) -> None:
        for queue in QUEUES:
            self._redis.ltrim(queue, 0, KEPT - 1)
        if not self._redis.llen(self._own):  # one at a time, and it does not outlive its worker by much
            self._publisher.send("look_around", self._own, self._calm >= CALM_LOOKS)
            self._redis.expire(self._own, LEFT_SECONDS)

    def _begin_anew(self) -> None:
        for child in self._children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
        self._again()


def begin_again() -> None:
    """Become the same program anew, under the same process number, so that no supervisor has to notice."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    dog = Watchdog(settings.redis_url, sender.hostname, lambda: sender.pool.info["processes"], begin_again)
    threading.Thread(target=dog.watch, name="watchdog", daemon=True).start()
