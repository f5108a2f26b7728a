"""(e) The same reminders the common way, one Celery task each with ``eta``, beside ours.

1. Three messages for each of 2,000 patients are scheduled for the days to come both ways: what that takes
   in the workers' memory (main process and children, shared pages once) and in Redis.
2. As many reminders fall due within seconds, both ways at the same time. A third in, all workers get kill
   -9 and start again; two thirds in, Redis is killed and starts again with nothing, for it keeps nothing
   by default. What the carrier was asked for is compared with what was scheduled.
3. The common way once more, its visibility timeout compressed from an hour to seconds, as the reminders are.
   One of two workers gets kill -9 and starts again: at its start it gives out whatever was not acknowledged
   for longer than that, also what the other worker still holds. Ours has no task that is held.

The three messages of a patient may not go on one day, so in 2 each reminder has a number of its own.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis
from celery import Celery

from nurseline.aftercare.many import Entry, enrol_many
from nurseline.aftercare.service import Enrolment
from nurseline.local import ready
from tests.bench.line import START_SECONDS, Line, Provider, line, start_provider
from tests.bench.patients import ZONE, fall_due, insert_due, numbers
from tests.bench.report import Figure, Found, memory_of
from tests.bench.servers import Broker, Servers
from tests.support.processes import Process
from tests.support.waiting import wait_for

TITLE = "beside one Celery task each"
DAYS = (1, 3, 7)
AT_ONCE = 500
SETTLED = {"sent", "sending", "unknown"}  # the last two: on their way at the kill, looked up at the carrier
COMMAND = "exec celery --quiet -A tests.bench.eta_app worker --hostname common{number}@%h --loglevel ERROR"
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sizes:
    """``patients`` with three messages each; in 2, as many due ``per_second``; ``again``: tasks in 3."""

    patients: int = 2000
    per_second: int = 300
    again: int = 2000
    workers: int = 2
    soon: float = 12.0  # seconds from scheduling to the first due in 2
    grace: float = 8.0  # after the last due in 2
    visibility: int = 5
    eta: float = 25.0  # of 3, in seconds: five times the visibility timeout; a day is 24 times the default
    limit_seconds: float = 120.0

    @property
    def messages(self) -> int:
        return self.patients * len(DAYS)


@dataclass
class Common:
    """The common way: a broker, a carrier of its own, and workers."""

    running: Line
    url: str
    provider: Provider
    workers: list[Process] = field(default_factory=list)
    started: int = 0  # each gets a name of its own

    def start(self, count: int, visibility: int | None = None) -> None:
        """Start workers; returns when they answer."""
        env = {**self.running.env, "REDIS_URL": self.url}
        env["TWILIO_API_BASE_URL"] = f"http://127.0.0.1:{self.provider.port}"
        if visibility is not None:
            env["VISIBILITY_SECONDS"] = str(visibility)
        for _ in range(count):
            self.started += 1
            command = ["/bin/sh", "-c", COMMAND.format(number=self.started)]
            self.workers.append(self.running.processes.start("common", command, env))
        expected = len(self.workers)
        wait_for(
            lambda: ready.workers_answer(self.url, expected), START_SECONDS, "the common workers' answers"
        )

    def kill(self) -> None:
        """kill -9 of all workers."""
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    def schedule(self, etas: Sequence[datetime]) -> None:
        """One task each."""
        words = self.running.parts.say("reminder.day1", "en").text
        with Celery("asker", broker=self.url, set_as_current=False) as asker:
            for number, eta in zip(numbers(len(etas)), etas, strict=True):
                asker.send_task("send_reminder", (number, words, str(uuid.uuid4())), eta=eta)

    def held(self) -> int:
        """Tasks that workers have taken and not acknowledged."""
        with redis.Redis.from_url(self.url, socket_timeout=30) as client:
            return int(client.hlen("unacked"))


def measure(servers: Servers, sizes: Sizes) -> Found:
    """Memory, then the restart, then time alone."""
    found = Found("e", TITLE)
    with _both(servers) as (running, common, broker):
        running.start_workers(sizes.workers)
        running.start_beat()
        common.start(sizes.workers)
        found.figures += _memory(running, common, sizes, found)
        common.kill()
        common.provider.forget()
        broker.empty()
        common.start(sizes.workers)
        found.figures += _restarted(running, common, broker, sizes, found)
        common.kill()
        running.kill_workers()
        found.figures += _one_restarted(common, broker, sizes)
    found.details["broker"] = (
        "a server of our own" if broker.server else "a given server, emptied instead of killed"
    )
    return found


@contextmanager
def _both(servers: Servers) -> Iterator[tuple[Line, Common, Broker]]:
    with (
        servers.database() as database_url,
        servers.broker(databases=2) as broker,
        line(servers.folder, database_url, broker.urls[0], latency=0.0) as running,
    ):
        yield running, Common(running, broker.urls[1], start_provider(running.processes, 0.0)), broker


def _memory(running: Line, common: Common, sizes: Sizes, found: Found) -> list[Figure]:
    def taken() -> tuple[int, int, int, int]:
        ours = sum(memory_of(worker.pid) for worker in running.workers)
        theirs = sum(memory_of(worker.pid) for worker in common.workers)
        return ours, theirs, Broker.bytes_in(running.env["REDIS_URL"]), Broker.bytes_in(common.url)

    _warm(running, common)
    before = taken()
    began = time.perf_counter()
    _enrol(running, sizes.patients)
    ours_seconds = time.perf_counter() - began
    now = datetime.now(UTC)
    began = time.perf_counter()
    common.schedule([now + timedelta(days=days) for _ in range(sizes.patients) for days in DAYS])
    their_seconds = time.perf_counter() - began
    wait_for(lambda: common.held() >= sizes.messages, sizes.limit_seconds, "the common workers to hold all")
    after = taken()
    grown = [max(0, late - early) for late, early in zip(after, before, strict=True)]
    found.details["scheduling_seconds"] = {"ours": ours_seconds, "common": their_seconds}
    names = ("our workers", "common workers", "our redis", "common redis")
    found.details["bytes"] = {name: each for name, *each in zip(names, before, after, strict=True)}
    count = f"{sizes.messages:,} scheduled"
    return [
        Figure(f"{count}: workers grow", grown[0] / MIB, "MiB", grown[1] / MIB, "MiB the common way", 1),
        Figure(f"{count}: Redis grows", grown[2] / MIB, "MiB", grown[3] / MIB, "MiB the common way", 1),
    ]


def _warm(running: Line, common: Common) -> None:
    """Let every worker do what it does once: ours wake up to nothing, theirs sends one each."""
    common.schedule([datetime.now(UTC)] * 8)
    wait_for(lambda: len(common.provider.requests()) >= 8, START_SECONDS, "the first tasks")
    insert_due(running.parts, [0.0])
    fall_due(running.parts, datetime.now(UTC))
    wait_for(lambda: running.statuses().get("sent") == 1, START_SECONDS, "the first reminder")
    common.provider.forget()
    time.sleep(3.0)  # some more wake-ups, so that each child has had one


def _enrol(running: Line, patients: int) -> None:
    parts = running.parts
    wording = parts.say("consent.wording", "en")
    entry = Enrolment(parts.clock.now(), ZONE, "en", True, wording.text, str(wording.version), "bench")
    everybody = [*numbers(patients + 1)][1:]
    for start in range(0, patients, AT_ONCE):
        with parts.db.begin() as session:
            some = [Entry(number, entry) for number in everybody[start : start + AT_ONCE]]
            enrol_many(session, parts.keyring, some, now=parts.clock.now(), steps=parts.steps)


def _restarted(running: Line, common: Common, broker: Broker, sizes: Sizes, found: Found) -> list[Figure]:
    count = sizes.messages
    seconds = [n / sizes.per_second for n in range(count)]
    running.provider.forget()
    running.empty()  # the same numbers again
    planned = insert_due(running.parts, seconds)
    begins = datetime.now(UTC) + timedelta(seconds=sizes.soon)
    common.schedule([begins + timedelta(seconds=after) for after in seconds])
    fall_due(running.parts, begins)
    _sleep_until(begins + timedelta(seconds=seconds[-1] / 3))
    running.kill_workers()
    common.kill()
    running.start_workers(sizes.workers)
    common.start(sizes.workers)
    _sleep_until(begins + timedelta(seconds=2 * seconds[-1] / 3))
    found.details["held_by_redis_after_the_kill"] = common.held()
    broker.lose_everything()
    _sleep_until(begins + timedelta(seconds=seconds[-1] + sizes.grace))

    running.wait_for(lambda: not running.statuses().keys() - SETTLED, sizes.limit_seconds, "our reminders")
    found.details["our_statuses"] = statuses = running.statuses()
    ours = Counter(reference for reference, _ in running.provider.requests())
    theirs = Counter(reference for reference, _ in common.provider.requests())
    on_the_way = statuses.get("sending", 0) + statuses.get("unknown", 0)
    lost = max(0, len(planned.keys() - ours.keys()) - on_the_way)
    twice = ours.total() - len(ours)
    found.details["restart"] = {
        "ours": {"asked": ours.total(), "different": len(ours), "on_the_way_at_the_kill": on_the_way},
        "common": {"asked": theirs.total(), "different": len(theirs)},
    }
    named = "the common way"
    return [
        Figure("killed and Redis lost: lost", lost, "messages", count - len(theirs), named, 0, of="value"),
        Figure(
            "killed and Redis lost: sent twice",
            twice,
            "messages",
            theirs.total() - len(theirs),
            named,
            0,
            of="value",
        ),
    ]


def _one_restarted(common: Common, broker: Broker, sizes: Sizes) -> list[Figure]:
    broker.empty()
    common.provider.forget()
    common.start(sizes.workers, sizes.visibility)
    due = datetime.now(UTC) + timedelta(seconds=sizes.eta)
    common.schedule([due] * sizes.again)
    wait_for(lambda: common.held() >= sizes.again, sizes.limit_seconds, "the common workers to hold all")
    time.sleep(sizes.visibility + 1)
    common.workers.pop().kill()
    common.start(1, sizes.visibility)
    _sleep_until(due)

    def calm() -> bool:
        before = len(common.provider.requests())
        time.sleep(2.0)
        return before >= sizes.again and len(common.provider.requests()) == before

    wait_for(calm, sizes.limit_seconds, "the common tasks")
    asked = Counter(reference for reference, _ in common.provider.requests())
    common.kill()
    more = asked.total() - len(asked)
    return [Figure("one worker restarted, timeout passed: twice", 0, "messages", more, "the common way")]


def _sleep_until(instant: datetime) -> None:
    time.sleep(max(0.0, (instant - datetime.now(UTC)).total_seconds()))
