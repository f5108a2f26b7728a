"""Wake-ups: empty messages that tell a worker to look into the database at once.

Beat sends each of them every second or so anyway: one that is lost costs a second and never a message. So
nobody waits for Redis here. The web process sends from a thread of its own, and drops what cannot be sent.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from celery import Celery
from sqlalchemy.orm import Session

from nurseline.db import Database

log = structlog.get_logger(__name__)

# One queue per priority: what is urgent has workers of its own and never stands behind reminders.
URGENT, REMINDERS, HOUSEKEEPING = "urgent", "reminders", "housekeeping"
QUEUES = (URGENT, REMINDERS, HOUSEKEEPING)
SEND_URGENT = "send_urgent"

# A wake-up that is older says nothing new. Far above what the clocks of two hosts may differ by: a worker
# whose clock is ahead drops what looks too old to it.
EXPIRES_SECONDS = 60.0

# How everybody talks to Redis.
TRANSPORT: dict[str, Any] = {
    # Far above a task's hard limit, or a task still running would be handed out again.
    "visibility_timeout": 300,
    # A silent Redis blocks a request this long at most; without it, for ever.
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    # A host that vanished without a word is noticed after a minute, instead of the system's two hours.
    "socket_keepalive": True,
    "socket_keepalive_options": {
        getattr(socket, name): value
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    },
    "health_check_interval": 25,
    "max_connections": 64,
}
# Once more and no further: beat comes back by itself. ``retry=False`` would take six seconds to fail.
PUBLISH_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}

_ASKED = "wakeups asked for"


class Publisher:
    """Sends wake-ups over connections of its own."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("wakeups", broker=redis_url, set_as_current=False)
        self._app.conf.update(
            task_serializer="json",
            task_ignore_result=True,
            broker_transport_options=TRANSPORT,
            task_publish_retry_policy=PUBLISH_RETRY,
        )

    def send(self, task: str, queue: str, *arguments: bool) -> None:
        """Send one wake-up. Raises what kombu and redis raise; against a silent Redis after about 10 s."""
        self._app.send_task(task, arguments, queue=queue, expires=EXPIRES_SECONDS, ignore_result=True)


def wake_after_commit(session: Session, task: str = SEND_URGENT) -> None:
    """Ask for a wake-up once this transaction is committed, where the process has somebody to send it."""
    session.info.setdefault(_ASKED, set()).add(task)


class Wakeups:
    """Sends the wake-ups that transactions ask for, after their commit and from a thread of its own.

    ``send`` gets a task's name. It may block or raise: nobody waits for it, and what is asked for meanwhile
    becomes one wake-up.
    """

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._lock = threading.Lock()  # never held while sending
        self._wanted: set[str] = set()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, db: Database) -> None:
        """Listen to the commits of ``db``."""
        db.after_commit(self._committed)

    def ask(self, tasks: Iterable[str]) -> None:
        """Send these wake-ups soon; returns at once."""
        with self._lock:
            self._wanted.update(tasks)
            if self._thread is None or not self._thread.is_alive():  # the first time, or after a fork
                self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)
                self._thread.start()
        self._asked.set()

    def _committed(self, session: Session) -> None:
        if not session.in_nested_transaction() and (asked := session.info.pop(_ASKED, None)):
            self.ask(asked)

    def _run(self) -> None:
        while self._asked.wait():
            self._asked.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, set()
            for task in wanted:
                try:
                    self._send(task)
                except Exception as error:
                    log.warning("wakeup.dropped", task=task, error=type(error).__name__)
