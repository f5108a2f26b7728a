"""The Celery app of the workers. Its messages are wake-ups: one lost or doubled changes nothing but time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
import structlog
from celery import Task
from celery.signals import worker_process_init, worker_process_shutdown, worker_shutting_down
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from nurseline.app import build
from nurseline.parts import Parts
from nurseline.wakeups import QUEUES
from nurseline.watch import service as watch
from workers import acks
from workers.broker import celery_app, settings
from workers.signs import signs

log = structlog.get_logger(__name__)

SIGN_LOCK = "200ms"  # for which a sign waits for a row that another worker is writing

acks.install()
app = celery_app("workers.tasks", "workers.watchdog")

_parts: list[Parts] = []


def parts() -> Parts:
    """What this process works with, built at first use: connections must not cross a fork."""
    if not _parts:
        made = build(settings)
        _parts.append(replace(made, sender=replace(made.sender, stopping=lambda: signs.stopping)))
    return _parts[0]


@contextmanager
def signing() -> Iterator[Session]:
    """A transaction on the signs of life, which is left out if another one holds the row: the work goes on.

    A worker that is stopped within its own keeps the row until PostgreSQL ends its session.
    """
    try:
        with parts().db.begin() as session:
            session.execute(sa.text(f"SET LOCAL lock_timeout = '{SIGN_LOCK}'"))
            yield session
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        log.warning("sign.left_out")


class Wakeup(Task):  # type: ignore[misc]
    """A task that carries nothing. That it came through shows that its queue is worked."""

    abstract = True
    throws = (OperationalError, InterfaceError)  # the database is away: one line in the log, beat comes again

    def __call__(self, *arguments: Any) -> Any:
        signs.work()
        try:
            if (queue := self.request.delivery_info.get("routing_key")) in QUEUES:
                with signing() as session:
                    watch.beat(session, queue, at=parts().clock.now())
            return self.run(*arguments)
        finally:
            signs.work()


@worker_process_init.connect
def _start_clean(**_: Any) -> None:
    # A supervisor signals the whole group. The main process then lets its children finish what they send;
    # a child that fell at once would leave messages of unknown outcome behind.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for inherited in _parts:
        inherited.db.after_fork()
    _parts.clear()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    signs.stop()


@worker_process_shutdown.connect
def _close(**_: Any) -> None:
    for mine in _parts:
        mine.db.engine.dispose()
