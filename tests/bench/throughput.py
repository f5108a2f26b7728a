"""(b) Messages sent per second, against the same requests without a database.

Ours: reminders that are due lie in the database, two workers with the Procfile's command send them, and
the time runs from the first message that is let go to the last whose result is recorded. Bare: the same
requests by the same gateway from a pool of as many threads, in one process that does nothing else. The
provider takes 50 ms for each. Both are measured in turn, and the medians compared.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import sqlalchemy as sa
from requests.adapters import HTTPAdapter

from nurseline.carrier.gateway import TwilioGateway
from nurseline.messaging.models import OutboundEvent, OutboundMessage
from nurseline.outcomes import Accepted
from nurseline.wakeups import REMINDERS, Publisher
from tests.bench.line import Line, line
from tests.bench.patients import fall_due, insert_due, numbers
from tests.bench.report import Figure, Found, cpu_seconds_of
from tests.bench.servers import Servers
from tests.devphone.creates_per_second import run as ask_provider

TITLE = "sending"
LEAST = 0.6  # of the bare pool
NOT_SENT_YET = {"scheduled", "claimed", "sending"}
SEND_REMINDERS = "send_reminders"


@dataclass(frozen=True, slots=True)
class Sizes:
    """``messages`` of one round; ``latency`` of the provider in seconds."""

    messages: int = 4000
    rounds: int = 3
    workers: int = 2
    latency: float = 0.05
    limit_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """What the gateway is asked to send."""

    to: str
    body: str
    reference: uuid.UUID


def measure(servers: Servers, sizes: Sizes) -> Found:
    """Rounds of both, in turn."""
    with (
        servers.database() as database_url,
        servers.broker() as broker,
        line(servers.folder, database_url, broker.urls[0], latency=sizes.latency) as running,
    ):
        processes = int(running.env.get("WORKER_PROCESSES", "2"))
        width = sizes.workers * processes * running.parts.sender.width
        running.start_workers(sizes.workers)
        _wake(running, sizes.workers * processes)
        running.start_beat()
        most = ask_provider(running.provider.port, width, max(64, sizes.messages // 4))["per_second"]
        ours, bare, cpu = [], [], Counter[str]()
        for _ in range(sizes.rounds):
            with _cpu(servers, running, "bare", cpu):
                bare.append(_bare(running, width, sizes.messages))
            ids = _planned(running, sizes)
            with _cpu(servers, running, "ours", cpu):
                ours.append(_ours(running, sizes, processes, ids))
    found = Found("b", TITLE)
    found.figures.append(
        Figure(
            f"{sizes.workers} workers, {1000 * sizes.latency:.0f} ms a request",
            median(ours),
            "messages/s",
            median(bare),
            f"by {width} bare threads",
            at_least=LEAST,
        )
    )
    found.details = {
        "ours_per_second": ours,
        "bare_per_second": bare,
        "provider_alone_per_second": most,
        "width": width,
        "width_of_a_process": running.parts.sender.width,
        "messages": sizes.messages,
        "cpu_ms_per_message": {
            name: 1000 * seconds / sizes.messages / sizes.rounds for name, seconds in sorted(cpu.items())
        },
    }
    return found


@contextmanager
def _cpu(servers: Servers, running: Line, way: str, used: Counter[str]) -> Iterator[None]:
    """Add what the processors did for the requests in this block, by process."""

    def now() -> dict[str, float]:
        return {
            "this process": time.process_time(),
            "workers": sum(cpu_seconds_of(worker.pid) for worker in running.workers),
            "postgres": cpu_seconds_of(servers.postgres_pid),
            "provider": cpu_seconds_of(running.provider.process.pid),
        }

    before = now()
    yield
    for name, seconds in now().items():
        used[f"{way}: {name}"] += seconds - before[name]


def _wake(running: Line, times: int) -> None:
    """What beat would send in so many seconds."""
    publisher = Publisher(running.env["REDIS_URL"])
    for _ in range(times):
        publisher.send(SEND_REMINDERS, REMINDERS)


def _planned(running: Line, sizes: Sizes) -> dict[str, float]:
    """Fresh patients, whose reminders are not due yet."""
    running.provider.forget()
    running.empty()
    return insert_due(running.parts, [0.0] * sizes.messages)


def _ours(running: Line, sizes: Sizes, processes: int, ids: Collection[str]) -> float:
    """Messages per second of the workers, from due to recorded."""
    parts = running.parts
    fall_due(parts, parts.clock.now())
    _wake(running, sizes.workers * processes)

    running.wait_for(
        lambda: not running.statuses().keys() & NOT_SENT_YET, sizes.limit_seconds, "all messages to be sent"
    )
    if running.statuses() != {"sent": len(ids)}:
        raise RuntimeError(f"not all were sent: {running.statuses()}")
    with parts.db.begin() as session:
        times = sa.select(sa.func.min(OutboundMessage.sending_at), sa.func.max(OutboundEvent.at)).join(
            OutboundEvent, OutboundEvent.subject_id == OutboundMessage.id
        )
        first, last = session.execute(times.where(OutboundEvent.status == "sent")).one()
    return len(ids) / float((last - first).total_seconds())


def _bare(running: Line, width: int, count: int) -> float:
    """Messages per second of a pool of threads that does nothing but ask."""
    gateway = running.parts.sender.gateway
    assert isinstance(gateway, TwilioGateway)
    said = running.parts.say("reminder.day1", "en").text
    requests = [Request(to, said, uuid.uuid4()) for to in numbers(count)]
    with ThreadPoolExecutor(width) as pool, _connections(gateway, width):
        _send(gateway, pool, requests[:width])  # the connections are made
        began = time.perf_counter()
        _send(gateway, pool, requests)
        return count / (time.perf_counter() - began)


@contextmanager
def _connections(gateway: TwilioGateway, width: int) -> Iterator[None]:
    """As many connections stay open as there are threads."""
    with gateway._client.http_client.session as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=width))
        yield


def _send(gateway: TwilioGateway, pool: ThreadPoolExecutor, requests: Sequence[Request]) -> None:
    def send(one: Request) -> None:
        outcome = gateway.send(to=one.to, body=one.body, reference=one.reference)
        if not isinstance(outcome, Accepted):
            raise TypeError(f"the provider did not take it: {outcome}")

    list(pool.map(send, requests))
