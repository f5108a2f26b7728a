"""A worker that is told to stop ends soon and cleanly: nothing is left half-done."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.support.waiting import wait_for
from tests.workers.conftest import AT_ONCE, Works

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_worker_that_is_told_to_stop_begins_nothing_more_and_finishes_the_rest(works: Works) -> None:
    worker = works.worker(children=1)
    works.beat()
    with works.on_their_way(30) as numbers:
        worker.child.send_signal(signal.SIGTERM)
        wait_for(lambda: "Warm shutdown" in worker.output, 20, "the worker to know")
    assert worker.child.wait(60) == 0
    assert works.statuses() == {"sent": AT_ONCE, "scheduled": 30 - AT_ONCE}
    works.worker("next")
    works.wait_all_sent(30)
    assert works.arrived(numbers) == Counter(numbers)
