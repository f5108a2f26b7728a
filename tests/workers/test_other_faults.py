"""Two beats, and a database that goes away: nothing is doubled, nobody ends, what is due goes once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nurseline.db import upgrade
from nurseline.local import state
from nurseline.local.ports import free_port
from nurseline.local.postgres import Postgres
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.workers.conftest import Works, works_on

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_two_beats_and_two_workers_double_nothing(works: Works) -> None:
    for n in range(2):
        works.beat()
        works.start_worker(f"worker-{n}")
    numbers = [*works.due(60), *works.due(20, "alert", first=2000)]
    works.wait_all_sent(80)
    more = works.due(20, first=3000)
    works.wait_all_sent(100)
    assert works.arrived(numbers + more) == Counter(numbers + more)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A database server that a test may stop."""
    server = Postgres(
        state.prepare(tmp_path / "postgres-state"), port=free_port(), password="test", durable=False
    )
    server.start()
    server.create("line")
    upgrade(server.url("line"))
    yield server
    server.stop()


def test_workers_and_beat_outlive_a_database_that_is_away(
    own_postgres: Postgres, processes: Processes, tmp_path: Path
) -> None:
    with works_on(own_postgres.url("line"), processes, tmp_path) as works:
        worker, beat = works.worker(), works.beat()
        before = works.due(3)
        works.wait_all_sent(3)
        own_postgres.stop()
        wait_for(lambda: worker.output.count("OperationalError") > 5, 60, "wake-ups without a database")
        own_postgres.start()
        after = works.due(3, first=2000)
        works.wait_all_sent(6)
        assert works.arrived(before + after) == Counter(before + after)
        assert worker.running
        assert beat.running
