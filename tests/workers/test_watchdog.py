"""When a worker's watchdog thinks that it is stuck, and when not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from nurseline.wakeups import QUEUES
from tests.workers.in_process import imported

watchdog = imported("workers.watchdog")
NODE = "worker@somewhere"
OWN = f"{NODE}.dq2"
STUCK = watchdog.STUCK_LOOKS
NO_REDIS = "redis://127.0.0.1:1/0"


class Begun:
    """How often the program would have begun anew."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def begun() -> Begun:
    return Begun()


@pytest.fixture
def dog(redis_url: str, begun: Begun) -> Any:
    return watchdog.Watchdog(redis_url, NODE, list, begun)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def look(dog: Any, times: int, before_each: Callable[[], object] = lambda: None) -> None:
    for _ in range(times):
        before_each()
        dog.look()


def test_a_worker_without_work_for_too_long_begins_anew(dog: Any, begun: Begun) -> None:
    look(dog, STUCK - 1)
    assert begun.times == 0
    look(dog, 1)
    assert begun.times == 1


def test_a_worker_that_works_now_and_then_goes_on(dog: Any, begun: Begun) -> None:
    for _ in range(4):
        look(dog, STUCK - 1)
        watchdog.signs.work()
    assert begun.times == 0


def test_a_worker_is_not_to_blame_for_a_redis_that_does_not_answer(begun: Begun) -> None:
    dog = watchdog.Watchdog(NO_REDIS, NODE, list, begun)
    look(dog, 2 * STUCK)
    assert begun.times == 0


def test_after_an_outage_of_redis_patience_begins_again(
    dog: Any, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(dog, STUCK - 1)
    with monkeypatch.context() as outage:
        outage.setattr(dog, "_publisher", watchdog.Publisher(NO_REDIS))
        dog._redis.delete(OWN)
        look(dog, 1)
    look(dog, STUCK - 1)
    assert begun.times == 0


def test_a_worker_that_was_told_to_stop_does_not_begin_anew(
    dog: Any, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = type(watchdog.signs)()
    monkeypatch.setattr(watchdog, "signs", told)
    told.stop()
    look(dog, 2 * STUCK)
    assert begun.times == 0


def test_children_that_hang_are_ended_before_the_program_begins_anew(redis_url: str) -> None:
    child = subprocess.Popen(["sleep", "600"])
    ended = []
    dog = watchdog.Watchdog(
        redis_url, NODE, lambda: [child.pid], lambda: ended.append(child.poll() is not None)
    )
    look(dog, STUCK)
    assert ended == [True]


def test_one_message_at_a_time_waits_in_the_workers_own_queue(dog: Any, client: redis.Redis) -> None:
    look(dog, 5)
    (message,) = client.lrange(OWN, 0, -1)
    assert json.loads(message)["headers"]["task"] == "look_around"
    assert 0 < client.ttl(OWN) <= watchdog.LEFT_SECONDS, "nothing is left of a worker that has gone"
    client.delete(OWN)
    look(dog, 1)
    assert client.llen(OWN) == 1, "one that was taken, or lost, is followed by the next"


def test_a_silent_queue_is_somebodys_fault_only_once_redis_has_answered_for_a_while(
    dog: Any, client: redis.Redis
) -> None:
    said = []
    for _ in range(watchdog.CALM_LOOKS + 1):
        dog.look()
        said.append(json.loads(client.rpop(OWN))["headers"]["argsrepr"])
    assert said == ["(False,)"] * watchdog.CALM_LOOKS + ["(True,)"]


def test_wake_ups_that_pile_up_are_thrown_away_but_the_newest(dog: Any, client: redis.Redis) -> None:
    for queue in QUEUES:
        client.lpush(queue, *range(1000))
    dog.look()
    for queue in QUEUES:
        kept = client.lrange(queue, 0, -1)
        assert len(kept) == watchdog.KEPT
        assert kept[0] == b"999"
