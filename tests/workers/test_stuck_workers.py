"""A worker that lives and takes nothing is noticed, begins anew, and others do meanwhile what cannot wait.

The workers run with little patience (`quick`): four seconds of silence, ten without work.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterable

import pytest
from celery import Celery

from tests.support.processes import Process
from tests.support.waiting import wait_for
from tests.workers.conftest import ON_CALL, Works, children

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
QUICK = "tests.workers.quick"


def stop(pids: Iterable[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def working(works: Works, **more: object) -> Process:
    """A quick worker and beat, who have sent a first message."""
    worker = works.worker(app=QUICK, **more)
    works.beat()
    works.due(1, first=1)
    works.wait_all_sent(1)
    return worker


def began_anew(works: Works, worker: Process, before: set[int]) -> None:
    """The worker works again, under its old number, with other children, and what was due has gone once."""
    numbers = works.due(3)
    wait_for(lambda: "worker.stuck" in worker.output, 90, "the worker to notice")
    numbers += works.due(3, first=2000)
    works.wait_all_sent(7)
    assert works.arrived(numbers) == Counter(numbers)
    assert worker.running
    wait_for(lambda: children(worker) and not children(worker) & before, 30, "other children")


def test_a_worker_whose_children_hang_begins_anew(works: Works) -> None:
    worker = working(works)
    before = children(worker)
    assert len(before) == 2
    stop(before)
    began_anew(works, worker, before)


def test_a_worker_whose_main_process_takes_nothing_any_more_begins_anew(works: Works) -> None:
    worker = working(works)
    before = children(worker)
    with Celery(broker=works.redis.url(), set_as_current=False) as outside:
        outside.control.broadcast("get_stuck", reply=False)
    wait_for(lambda: "stuck on purpose" in worker.output, 30, "the worker to get stuck")
    began_anew(works, worker, before)


def test_alerts_go_and_people_are_told_when_the_urgent_worker_is_frozen(works: Works) -> None:
    urgent = works.worker("urgent", queues="urgent", children=1)
    works.worker("worker", queues="reminders,housekeeping", app=QUICK)
    works.beat()
    works.due(1, "alert", first=1)
    works.wait_all_sent(1)
    os.killpg(urgent.pid, signal.SIGSTOP)
    numbers = works.due(3, "alert")
    wait_for(lambda: works.arrived(numbers) == Counter(numbers), 90, "the alerts")
    told = wait_for(lambda: works.phone.sent_by_line(ON_CALL), 90, "people to be told")
    assert "texts may be going out late" in told[0]["body"]
    os.killpg(urgent.pid, signal.SIGCONT)
    numbers += works.due(3, "alert", first=2000)
    wait_for(lambda: works.arrived(numbers) == Counter(numbers), 60, "more alerts")


def test_workers_wake_themselves_when_there_is_no_beat(works: Works) -> None:
    works.worker("urgent", queues="urgent", children=1, app=QUICK)
    works.worker("worker", queues="reminders,housekeeping", app=QUICK)
    numbers = [*works.due(3), *works.due(3, "alert", first=2000)]
    wait_for(lambda: works.arrived(numbers) == Counter(numbers), 90, "what is due to go")
