"""The allowance that all workers of a sender share, and what becomes of it when Redis is away."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
import redis

from nurseline.local.redis import Redis
from nurseline.messaging import rate as rate_module
from nurseline.messaging.rate import BURST_SECONDS, LEAST_BURST, SHARERS_UNKNOWN, Rate, SharedRate
from nurseline.outcomes import CROWDED_LONGEST
from tests.support.line import at_once
from tests.support.waiting import wait_for

SLOW = 0.001  # segments a second: nothing comes back while a test runs
ENOUGH = 100.0  # a second: a burst fills in a few seconds


def taken(of: Rate, seconds: float, wanted: int = 7) -> int:
    """What one worker gets that asks again and again."""
    total, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        total += of.take("reminders", wanted)
        time.sleep(0.002)
    return total


def fill(url: str, sender: str, tokens: float) -> None:
    """Put so many segments into the bucket of a sender."""
    made = SharedRate(url, sender, SLOW)
    made.take("reminders", 0)
    with redis.Redis.from_url(url) as client:
        client.hset(made._keys[0], "tokens", str(tokens))


def balance(url: str, of: SharedRate) -> float:
    with redis.Redis.from_url(url) as client:
        return float(client.hget(of._keys[0], "tokens") or 0)


def test_a_fresh_bucket_starts_empty(redis_url: str) -> None:
    assert SharedRate(redis_url, "sender", SLOW).take("reminders", 5) == 0


def test_workers_at_once_never_get_more_than_there_is(redis_url: str) -> None:
    workers = [SharedRate(redis_url, "sender", SLOW) for _ in range(6)]
    fill(redis_url, "sender", 3)  # the most that a slow sender saves up
    got = at_once(*[lambda one=one: one.take("reminders", 2) for one in workers])
    assert sum(got) == 2  # type: ignore[arg-type]


def test_over_a_while_all_workers_together_keep_the_rate(redis_url: str) -> None:
    began = time.monotonic()
    workers = [SharedRate(redis_url, "sender", ENOUGH) for _ in range(4)]
    got = at_once(*[lambda one=one: taken(one, 2.0) for one in workers])
    lasted = time.monotonic() - began
    assert 0 < sum(got) <= lasted * ENOUGH + 1  # type: ignore[arg-type]


def test_senders_do_not_share(redis_url: str) -> None:
    fill(redis_url, "one", 3)
    assert SharedRate(redis_url, "other", SLOW).take("reminders", 1) == 0
    assert SharedRate(redis_url, "one", SLOW).take("reminders", 1) == 1


def test_what_was_not_used_goes_back_and_what_was_too_little_becomes_debt(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", SLOW)
    fill(redis_url, "sender", 3)
    assert one.take("reminders", 2) == 2
    one.settle(2, 1)
    assert balance(redis_url, one) == pytest.approx(2, abs=0.1)
    assert one.take("reminders", 1) == 1
    one.settle(1, 6)
    assert balance(redis_url, one) == pytest.approx(-4, abs=0.1)
    assert one.take("reminders", 1) == 0, "first the debt"


def test_no_more_is_saved_up_than_a_burst(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", SLOW)
    one.take("reminders", 0)
    one.settle(1000, 0)
    assert balance(redis_url, one) <= LEAST_BURST + 1


def test_reminders_leave_a_reserve_and_what_is_urgent_may_run_into_debt(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", 2.0)
    fill(redis_url, "sender", 2.5)
    assert one.take("reminders", 5) == 0
    assert one.take("urgent", 5) == 5
    assert balance(redis_url, one) < 0


def test_what_is_urgent_does_not_run_into_debt_without_end(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", 2.0)
    got = [one.take("urgent", 5) for _ in range(50)]
    assert sum(got) <= 2 * BURST_SECONDS * 2 + 5


def test_without_a_limit_everything_wanted_is_granted(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", 0)
    assert [one.take("reminders", 500) for _ in range(3)] == [500, 500, 500]


@pytest.mark.parametrize("per_second", [0, ENOUGH])
def test_when_the_carrier_has_enough_everybody_pauses(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, per_second: float
) -> None:
    monkeypatch.setattr(rate_module, "PAUSE_SECONDS", 2.0)
    one, other = (SharedRate(redis_url, "sender", per_second) for _ in range(2))
    one.take("reminders", 0)
    one.settle(50, 0)
    asked = time.monotonic()
    one.back_off(0.0, severe=False)
    assert other.take("urgent", 5) == 0 or time.monotonic() - asked >= 1.0
    wait_for(lambda: other.take("urgent", 5) == 5, 20, "the pause to be over")
    assert time.monotonic() - asked >= 1.0, "half of the pause at least, for it is jittered"


def test_a_carrier_that_says_how_long_is_left_alone_so_long(redis_url: str) -> None:
    one, other = (SharedRate(redis_url, "sender", 0) for _ in range(2))
    asked = time.monotonic()
    one.back_off(2.0, severe=False)
    wait_for(lambda: other.take("urgent", 1), 20, "the pause to be over")
    assert time.monotonic() - asked >= 1.9


def test_the_pause_grows_when_most_is_turned_away_again_and_again(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", 0)
    pauses = []
    with redis.Redis.from_url(redis_url) as client:
        for _ in range(4):
            one.back_off(0.0, severe=True)
            seconds, micros = client.time()
            now = seconds + micros / 1e6
            pauses.append(float(client.hget(one._keys[0], "quiet") or 0) - now)
            client.hset(one._keys[0], "quiet", str(now))  # that pause is over
    assert all(later > earlier * 1.01 for earlier, later in zip(pauses, pauses[2:], strict=False)), pauses
    assert pauses[-1] > 1.5


def test_many_answers_of_one_moment_are_one_pause(redis_url: str) -> None:
    workers = [SharedRate(redis_url, "sender", 0) for _ in range(8)]
    at_once(*[lambda one=one: one.back_off(0.0, severe=True) for one in workers])
    with redis.Redis.from_url(redis_url) as client:
        assert client.hget(workers[0]._keys[0], "strikes") == b"1"


def set_back(url: str, of: SharedRate, seconds: float) -> None:
    """Redis's clock is put back so far: what it wrote before is of a clock that was ahead."""
    with redis.Redis.from_url(url) as client:
        for name in ("quiet", "at"):
            kept = float(client.hget(of._keys[0], name) or 0)
            client.hset(of._keys[0], name, f"{kept + seconds:.6f}")


@pytest.mark.parametrize("per_second", [0, ENOUGH])
@pytest.mark.parametrize("ahead", [120.0, 3600.0, 365 * 86400.0])
def test_a_pause_set_by_a_clock_that_was_ahead_holds_nobody_up_once_the_clock_is_right(
    redis_url: str, per_second: float, ahead: float
) -> None:
    one, other = (SharedRate(redis_url, "sender", per_second) for _ in range(2))
    one.back_off(0.0, severe=True)
    set_back(redis_url, one, ahead)
    wait_for(lambda: other.take("urgent", 5), 20, "what is urgent")
    wait_for(lambda: other.take("reminders", 1), 20, "reminders")


def test_after_a_clock_was_put_right_the_next_pause_is_kept_as_usual(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", 0)
    one.back_off(0.0, severe=True)
    set_back(redis_url, one, 3600.0)
    one.back_off(30.0, severe=True)
    with redis.Redis.from_url(redis_url) as client:
        seconds, _ = client.time()
        assert 0 < float(client.hget(one._keys[0], "quiet") or 0) - seconds <= 31
    assert one.take("urgent", 1) == 0


@pytest.mark.parametrize("asked", [CROWDED_LONGEST, 10 * CROWDED_LONGEST])
def test_the_longest_pause_that_a_carrier_may_ask_for_is_kept(redis_url: str, asked: float) -> None:
    one, other = (SharedRate(redis_url, "sender", 0) for _ in range(2))
    one.back_off(asked, severe=True)
    assert [other.take("urgent", 1) for _ in range(3)] == [0, 0, 0]


# Redis away


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        accepting = Thread(target=accept, daemon=True)
        accepting.start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()
        for one in kept:
            one.close()


@pytest.fixture(params=["refusing", "silent"])
def away(request: pytest.FixtureRequest, free_port: int) -> Iterator[str]:
    """The address of a Redis that does not answer."""
    if request.param == "refusing":
        yield f"redis://127.0.0.1:{free_port}/0"
        return
    with silent_server() as url:
        yield url


def test_without_redis_a_worker_has_its_share_of_the_rate(away: str) -> None:
    one = SharedRate(away, "sender", ENOUGH)
    one.take("reminders", 1)
    began = time.monotonic()
    got = wait_for(lambda: one.take("reminders", 50), 20, "a share")
    share = ENOUGH / SHARERS_UNKNOWN
    assert 0 < got <= (time.monotonic() - began) * share + 1


def test_without_redis_nobody_waits_longer_than_a_moment(away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_module, "REDIS_PAUSE_SECONDS", 600.0)
    one = SharedRate(away, "sender", ENOUGH)
    asked: list[float] = []

    def ask(**_: object) -> None:
        asked.append(time.monotonic())
        raise redis.exceptions.TimeoutError

    began = time.monotonic()
    one.take("reminders", 1)
    first = time.monotonic() - began
    one._script = ask  # type: ignore[assignment]
    for _ in range(1000):
        one.take("reminders", 1)
        one.settle(1, 0)
    assert not asked, "left alone after it failed"
    assert first < 10, "its time limits are 0.3 s; a busy machine takes longer"


def test_without_redis_the_carriers_pause_is_kept_all_the_same(away: str) -> None:
    one = SharedRate(away, "sender", 0)
    asked = time.monotonic()
    one.back_off(1.0, severe=False)
    wait_for(lambda: one.take("urgent", 3) == 3, 20, "the pause to be over")
    assert time.monotonic() - asked >= 1.0


def test_the_share_follows_from_how_many_workers_there_were(
    redis_server: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [SharedRate(redis_url, "sender", ENOUGH) for _ in range(10)]
    for one in workers:
        one.take("reminders", 0)
    last = workers[-1]

    def gone(**_: object) -> None:
        raise redis.exceptions.ConnectionError

    monkeypatch.setattr(last, "_script", gone)
    last.take("reminders", 0)
    assert last._own is not None
    assert last._own.rate == ENOUGH / 10


def test_a_flushed_redis_costs_nothing_but_a_fresh_bucket(redis_url: str) -> None:
    one = SharedRate(redis_url, "sender", ENOUGH)
    wait_for(lambda: one.take("reminders", 1), 20, "allowance")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        client.script_flush()
    flushed = time.monotonic()
    assert one.take("reminders", 500) <= (time.monotonic() - flushed) * ENOUGH + 1
    wait_for(lambda: one.take("reminders", 1), 20, "allowance again")


def test_a_redis_that_comes_back_is_used_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_module, "REDIS_PAUSE_SECONDS", 0.0)
    one = SharedRate(redis_url, "sender", ENOUGH)
    real = one._script

    def gone(**_: object) -> None:
        raise redis.exceptions.ConnectionError

    monkeypatch.setattr(one, "_script", gone)
    one.take("reminders", 1)
    monkeypatch.setattr(one, "_script", real)
    one.take("reminders", 0)
    assert one._own is None
    wait_for(lambda: one.take("reminders", 1), 20, "allowance")
