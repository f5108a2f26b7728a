"""(c) How long after its due time a reminder is asked for, with 200 due in each second of a minute.

Due is ``send_after``; the request is there when the provider has read it. Two workers and beat, as the
Procfile starts them. The baseline is the lateness of single messages on the idle line, before the minute:
it is mostly half of what lies between two wake-ups.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from tests.bench.line import Line, line
from tests.bench.patients import fall_due, insert_due
from tests.bench.report import Figure, Found, quantile
from tests.bench.servers import Servers

TITLE = "lateness"
MOST_SECONDS = 3.0
SOON = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Sizes:
    """``per_second`` messages due in each of so many ``seconds``; ``alone``: single ones before."""

    per_second: int = 200
    seconds: float = 60.0
    alone: int = 8
    workers: int = 2
    latency: float = 0.05
    limit_seconds: float = 60.0


def measure(servers: Servers, sizes: Sizes) -> Found:
    """Single messages, then the minute."""
    with (
        servers.database() as database_url,
        servers.broker() as broker,
        line(servers.folder, database_url, broker.urls[0], latency=sizes.latency) as running,
    ):
        running.start_workers(sizes.workers)
        running.start_beat()
        count = int(sizes.per_second * sizes.seconds)
        # Single ones lie so far apart, and at such odd moments, that none helps another.
        apart = [1.37 * n for n in range(sizes.alone)]
        minute = [apart[-1] + 3 + n / sizes.per_second for n in range(count)]
        late = _lateness(running, [*apart, *minute], sizes)
    idle, busy = late[: sizes.alone], late[sizes.alone :]
    found = Found("c", TITLE)
    named = "median of single ones"
    found.figures.append(
        Figure(
            f"{sizes.per_second} due/s for {sizes.seconds:g} s: p99",
            quantile(busy, 0.99),
            "s",
            median(idle),
            named,
            at_most=MOST_SECONDS,
            of="value",
        )
    )
    found.figures.append(Figure("the same: median", median(busy), "s", median(idle), named))
    found.details = {"idle_seconds": idle, "max_seconds": max(busy), "messages": count}
    return found


def _lateness(running: Line, seconds: Sequence[float], sizes: Sizes) -> list[float]:
    """Seconds from due to request of messages that are due so many seconds after a common beginning."""
    planned = insert_due(running.parts, seconds)
    begins = datetime.now(UTC) + SOON
    fall_due(running.parts, begins)
    if datetime.now(UTC) > begins:
        raise RuntimeError("planning took longer than thought: the first messages were late already")
    time.sleep(SOON.total_seconds() + seconds[-1])

    running.wait_for(
        lambda: len(running.provider.requests()) >= len(seconds), sizes.limit_seconds, "all requests"
    )
    requests = running.provider.requests()
    came = dict(requests)
    if len(requests) != len(seconds) or came.keys() != planned.keys():
        raise RuntimeError(f"{len(requests)} requests for {len(seconds)} messages")
    return [came[message] - (begins.timestamp() + after) for message, after in planned.items()]
