"""The line's workers and beat as the Procfile starts them, beside the provider of the benchmarks."""

from __future__ import annotations

import json
import re
import secrets
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from nurseline.app import build
from nurseline.config import load_settings
from nurseline.local import ready
from nurseline.messaging.models import OutboundMessage
from nurseline.parts import Parts
from tests.chaos.crew import procfile, role_of
from tests.support.processes import Process, Processes
from tests.support.settings import settings_for_tests
from tests.support.waiting import wait_for

NOWHERE = 9  # the discard port: the line's own address, which nobody calls in a benchmark
START_SECONDS = 60.0


@dataclass
class Provider:
    """The carrier, in a process of its own."""

    process: Process
    port: int

    def requests(self) -> list[tuple[str, float]]:
        """(reference, instant in seconds since 1970) of each request, in order."""
        return self._ask("GET")

    def forget(self) -> None:
        """Begin with an empty list."""
        self._ask("DELETE")

    def _ask(self, method: str) -> list[tuple[str, float]]:
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/requests", method=method)
        with urllib.request.urlopen(asked, timeout=30) as response:
            return [(str(one[0]), float(one[1])) for one in map(json.loads, response)]


@dataclass
class Line:
    """What one benchmark runs. ``env``: the settings of every process."""

    env: dict[str, str]
    parts: Parts
    provider: Provider
    processes: Processes
    workers: list[Process] = field(default_factory=list)
    others: list[Process] = field(default_factory=list)

    def start_workers(self, count: int) -> None:
        """So many workers for reminders, and those of other queues once; returns when they answer."""
        for name, command in procfile().items():
            role = role_of(name, command)
            if role not in {"worker", "urgent"} or (role == "urgent" and self.others):
                continue
            for number in range(count if role == "worker" else 1):
                # Each a name of its own, as on hosts of their own.
                named = re.sub(r"--hostname (\w+)@", rf"--hostname \g<1>{number}@", command)
                started = self.processes.start(name, ["/bin/sh", "-c", named], self.env)
                (self.workers if role == "worker" else self.others).append(started)
        expected = len([one for one in self._running() if one.name != "beat"])
        url = self.env["REDIS_URL"]
        self.wait_for(lambda: ready.workers_answer(url, expected), START_SECONDS, "the workers' answers")

    def start_beat(self) -> None:
        """The clock that wakes the workers."""
        for name, command in procfile().items():
            if role_of(name, command) == "beat":
                self.others.append(self.processes.start(name, ["/bin/sh", "-c", command], self.env))

    def statuses(self) -> dict[str, int]:
        """How many messages stand where."""
        query = sa.select(OutboundMessage.status, sa.func.count()).group_by(OutboundMessage.status)
        with self.parts.db.begin() as session:
            return {str(row.status): int(row.count) for row in session.execute(query)}

    def empty(self) -> None:
        """Forget all patients and their messages."""
        with self.parts.db.begin() as session:
            session.execute(sa.text("TRUNCATE contacts, consent_states, consent_events CASCADE"))

    def kill_workers(self) -> None:
        """kill -9 of every worker with its children."""
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    def check(self) -> None:
        """Raise if a process that should run has ended."""
        for process in self._ended():
            raise RuntimeError(f"{process.name} has ended:\n{process.output[-2000:]}")

    def wait_for(self, condition: Callable[[], bool], limit_seconds: float, what: str) -> None:
        """Wait until something is true; fail at once when a process ends instead."""
        wait_for(lambda: self._ended() or condition(), limit_seconds, what)
        self.check()

    def _running(self) -> list[Process]:
        return [*self.workers, *self.others]

    def _ended(self) -> list[Process]:
        return [process for process in (*self._running(), self.provider.process) if not process.running]


@contextmanager
def line(folder: Path, database_url: str, redis_url: str, *, latency: float) -> Iterator[Line]:
    """The provider and everything the line needs but its workers; all that was started ends with it."""
    running = Processes(folder / f"logs-{secrets.token_hex(4)}")
    try:
        provider = start_provider(running, latency)
        env = settings(folder, database_url, redis_url, provider.port)
        parts = build(load_settings(**{name.lower(): value for name, value in env.items()}))
        try:
            yield Line(env, parts, provider, running)
        finally:
            parts.db.engine.dispose()
    finally:
        running.stop_all()


def start_provider(running: Processes, latency: float) -> Provider:
    """Start the provider; it tells its port."""
    command = ["python", "-m", "tests.bench.provider", "--latency", str(latency)]
    process = running.start("provider", command, {})
    port = wait_for(lambda: int(process.output.split()[0]), START_SECONDS, "the provider's port")
    return Provider(process, port)


def settings(folder: Path, database_url: str, redis_url: str, provider_port: int) -> dict[str, str]:
    """The environment of the line's processes: any hour, and the provider as carrier."""
    return settings_for_tests(
        database_url=database_url,
        redis_url=redis_url,
        port=NOWHERE,
        phone_port=provider_port,
        state=folder,
        STATE_HOURS="0",
        SEGMENTS_PER_SECOND="10000",  # the bucket is asked as ever, and never empty
        LOG_LEVEL="WARNING",
    )
