"""Workers and beat on a Redis that can be killed, with the phone as the carrier and no web server."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa

from nurseline.app import build
from nurseline.config import Settings
from nurseline.consent import service as consent
from nurseline.local import state
from nurseline.local.ports import free_port
from nurseline.local.redis import Redis
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import Plan, plan
from nurseline.parts import Parts
from tests.e2e.conftest import Phone
from tests.local.conftest import descendants
from tests.support.processes import Process, Processes
from tests.support.settings import settings_for_tests
from tests.support.waiting import wait_for
from tests.support.workers import BEAT, worker_command

ON_CALL = "+12025550199"
AT_ONCE = 4  # messages on their way at once, for each child


@dataclass
class Works:
    """What sends: workers and beat, their Redis, and the phone that stands for the carrier."""

    env: dict[str, str]
    parts: Parts
    phone: Phone
    carrier: Process
    redis: Redis
    processes: Processes

    def start_worker(self, node: str = "worker", **more: Any) -> Process:
        """A worker as in `worker_command`, not waited for."""
        return self.processes.start(node, worker_command(node, **more), self.env)

    def worker(self, node: str = "worker", **more: Any) -> Process:
        """A worker, waited for until it takes tasks."""
        worker = self.start_worker(node, **more)
        wait_for(lambda: "ready." in worker.output, 120, f"{node} to be ready")
        return worker

    def beat(self) -> Process:
        """Beat, not waited for."""
        return self.processes.start("beat", BEAT, self.env)

    def due(self, count: int, purpose: str = "reminder", first: int = 1000) -> list[str]:
        """Messages due now, each to a number of its own that agreed to them; the numbers."""
        numbers = [f"+1202555{number:04d}" for number in range(first, first + count)]
        now = self.parts.clock.now()
        words = Plan(purpose, "test.words", "en", now - timedelta(seconds=1), body="Words for one patient.")
        with self.parts.db.begin() as session:
            for number in numbers:
                contact = contact_for(session, self.parts.keyring, number, at=now)
                consent.opt_in(session, consent.Record(contact.number_hash, now, "staff", "agreed"))
                plan(session, contact, [words], at=now)
        return numbers

    @contextmanager
    def on_their_way(self, count: int) -> Iterator[list[str]]:
        """Messages due, four or more of them on their way, as long as this lasts; their numbers.

        At most 30 s: then the line gives up waiting for the answer.
        """
        os.killpg(self.carrier.pid, signal.SIGSTOP)
        try:
            numbers = self.due(count)
            wait_for(lambda: self.statuses()["sending"] >= AT_ONCE, 60, "messages to be on their way")
            yield numbers
        finally:
            os.killpg(self.carrier.pid, signal.SIGCONT)

    def statuses(self) -> Counter[str]:
        """How many messages there are of each status."""
        counted = sa.select(OutboundMessage.status, sa.func.count()).group_by(OutboundMessage.status)
        with self.parts.db.begin() as session:
            return Counter({row.status: row[1] for row in session.execute(counted)})

    def all_sent(self, count: int) -> bool:
        """Whether there are so many messages, and all have gone."""
        return self.statuses() == {"sent": count}

    def wait_all_sent(self, count: int, limit_seconds: float = 90) -> None:
        wait_for(lambda: self.all_sent(count), limit_seconds, f"{count} messages to have gone")

    def arrived(self, numbers: list[str]) -> Counter[str]:
        """How many messages each number got."""
        return Counter({number: len(self.phone.sent_by_line(number)) for number in numbers})

    def kill_redis(self) -> None:
        """kill -9; what it held is gone."""
        os.kill(self.redis.pid, signal.SIGKILL)
        wait_for(self.redis.ended, 20, "the end of Redis")

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis.url(), socket_timeout=10)


def children(worker: Process) -> set[int]:
    """The processes of a worker's pool."""
    return descendants(worker.pid)


@contextmanager
def works_on(database_url: str, processes: Processes, folder: Path) -> Iterator[Works]:
    """The phone and a Redis for this database; workers and beat are started by the tests."""
    server = Redis(state.prepare(folder / "redis-state"), port=free_port(), password="test", durable=False)
    server.start()
    port, phone_port = free_port(), free_port()
    env = settings_for_tests(
        database_url=database_url,
        redis_url=server.url(),
        port=port,
        phone_port=phone_port,
        state=folder,
        ALERT_NUMBERS=ON_CALL,
        REQUESTS_AT_ONCE=str(AT_ONCE),
    )
    phone = processes.start("phone", ["python", "-m", "nurseline.devphone"], env)
    processes.wait_until_answers(phone, f"http://127.0.0.1:{phone_port}/healthz")
    parts = build(Settings(**{name.lower(): value for name, value in env.items()}))
    try:
        yield Works(env, parts, Phone(f"http://127.0.0.1:{phone_port}"), phone, server, processes)
    finally:
        parts.db.engine.dispose()
        processes.stop_all()
        server.stop()


@pytest.fixture
def works(own_database_url: str, processes: Processes, tmp_path: Path) -> Iterator[Works]:
    """As in `works_on`, on a database of its own."""
    with works_on(own_database_url, processes, tmp_path) as works:
        yield works
