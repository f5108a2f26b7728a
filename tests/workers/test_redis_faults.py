"""Redis gone, refusing or silent delays what is due and changes nothing else. Everything here is real."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter

import pytest

from tests.support.processes import Process
from tests.support.waiting import wait_for
from tests.workers.conftest import Works

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def each_once(works: Works, numbers: list[str]) -> None:
    assert works.arrived(numbers) == Counter(numbers)


def crew(works: Works) -> tuple[Process, Process]:
    """A worker and beat that have sent a first message."""
    worker, beat = works.worker(), works.beat()
    works.due(1, first=1)
    works.wait_all_sent(1)
    return worker, beat


def not_restarted(worker: Process, beat: Process) -> None:
    assert worker.running
    assert beat.running
    assert "worker.stuck" not in worker.output


def test_redis_killed_with_work_in_flight_and_back_without_anything_it_held(works: Works) -> None:
    worker, beat = crew(works)
    with works.on_their_way(20) as before:
        works.kill_redis()
    after = works.due(10, first=2000)
    wait_for(lambda: works.statuses()["sending"] == 0, 60, "what was on its way to end")
    works.redis.start()
    works.wait_all_sent(31)
    each_once(works, before + after)
    not_restarted(worker, beat)


def test_redis_that_forgets_everything_in_full_work(works: Works) -> None:
    worker, beat = crew(works)
    with works.client() as client:
        client.flushall()
    numbers = works.due(30)
    works.wait_all_sent(31)
    each_once(works, numbers)
    not_restarted(worker, beat)


def test_redis_that_is_silent_for_a_while(works: Works) -> None:
    # One child, so that it takes one message at a time: none may keep its place for ever.
    worker, beat = works.worker(children=1), works.beat()
    with works.on_their_way(4) as before:
        os.kill(works.redis.pid, signal.SIGSTOP)
    try:
        after = works.due(30, first=2000)
        # Both have asked, waited as long as they are willing to, and given up.
        wait_for(lambda: re.search("not_ack|Couldn't ack", worker.output), 60, "the worker to lose patience")
        wait_for(lambda: "Timeout reading from socket" in beat.output, 60, "beat to lose patience")
    finally:
        os.kill(works.redis.pid, signal.SIGCONT)
    works.wait_all_sent(34)
    after += works.due(3, first=3000)
    works.wait_all_sent(37)
    each_once(works, before + after)
    not_restarted(worker, beat)


def test_workers_and_beat_that_start_before_redis_begin_when_it_is_there(works: Works) -> None:
    works.kill_redis()
    numbers = works.due(5)
    worker, beat = works.start_worker(), works.beat()
    for process in (worker, beat):
        wait_for(lambda p=process: "onnection refused" in p.output, 90, f"{process.name} to try")
    works.redis.start()
    works.wait_all_sent(5)
    each_once(works, numbers)
    not_restarted(worker, beat)
