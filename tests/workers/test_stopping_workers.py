"""A worker that is told to stop ends soon and cleanly: nothing is left half-done."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.support.waiting import wait_for
from tests.workers.conftest import Works

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_worker_that_is_told_to_stop_begins_nothing_more_and_finishes_the_rest(works: Works) -> None:
    works.env["REQUESTS_AT_ONCE"] = "8"
    works.phone.ask("PUT", "/faults", seed=1, latency=2)
    numbers = works.due(60)  # a quarter of a minute's work
    worker = works.worker()
    works.beat()
    wait_for(lambda: works.statuses()["sending"], 60, "the first messages to be on their way")
    worker.child.send_signal(signal.SIGTERM)
    assert worker.child.wait(60) == 0
    left = works.statuses()
    assert set(left) == {"sent", "scheduled"}, "something was given up in mid-send"
    works.phone.ask("PUT", "/faults", seed=1, latency=0)
    works.worker("next")
    works.wait_all_sent(60)
    assert works.arrived(numbers) == Counter(numbers)
