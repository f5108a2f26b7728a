"""What a run does when something breaks: a database away, many workers and stops at once, a time limit."""

import itertools
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Lock
from types import FrameType
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.db import Held
from nurseline.messaging import outbox
from nurseline.messaging import results as results_module
from nurseline.messaging import run as run_module
from nurseline.messaging.models import Contact
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, SendOutcome
from nurseline.parts import Parts
from tests.messaging.support import Answering, answers, causes, reminders
from tests.support.line import (
    FakeGateway,
    Sent,
    at_once,
    fetch,
    make_contact,
    minutes,
    plan_one,
    say_stop,
    sid,
)


def test_a_row_that_the_database_refuses_hurts_none_of_its_chunk(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    whole = answers(parts, 4)
    broken = plan_one(parts, make_contact(parts), "staff", body=None, content_id="broken")

    def words(content_id: str, _: str) -> tuple[str, str]:
        return "Words", "a version with a \x00 in it"  # which no text column takes

    replace(sender, words=words).send_due()
    assert {fetch(parts, message).status for message in whole} == {"sent"}
    assert (fetch(parts, broken).status, fetch(parts, broken).attempts) == ("scheduled", 0)
    assert fetch(parts, broken).reason == "could not be prepared"


def test_results_are_recorded_when_the_database_comes_back(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    messages = answers(parts, 6)
    cut = Lock()

    def cut_all_connections(_: Sent) -> SendOutcome:
        with cut, parts.db.engine.connect() as connection:
            query = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(sa.text(query))
        return Accepted(sid())

    gateway.script = [cut_all_connections]
    with suppress(OperationalError):  # raised in the end, if a look for more was cut as well
        sender.send_due()
    assert {fetch(parts, message).status for message in messages} == {"sent"}
    assert len(gateway.sends) == 6


class AwayError(Exception):
    """What a driver raises without an answer of the server."""


def gone(times: int, real: Callable[[Held], Any]) -> Callable[[Held], Any]:
    """`Held.begin` for a database that is away so many times."""
    left = iter(range(times))

    def begin(held: Held) -> Any:
        if next(left, None) is not None:
            raise OperationalError("BEGIN", {}, AwayError())
        return real(held)

    return begin


def test_a_database_that_is_away_for_a_moment_costs_nothing(
    parts: Parts, sender: Sender, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = answers(parts, 1)
    monkeypatch.setattr(results_module, "AGAIN_SECONDS", (0.001, 0.001))

    def leave(_: Sent) -> SendOutcome:
        monkeypatch.setattr(Held, "begin", gone(5, Held.begin))
        return Accepted(sid())

    gateway.script = [leave]
    sender.send_due()
    assert fetch(parts, message).status == "sent"


def test_a_database_that_stays_away_leaves_the_request_to_its_lease(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = answers(parts, 1)
    monkeypatch.setattr(run_module, "PATIENCE_SECONDS", 0.0)
    with pytest.MonkeyPatch.context() as while_away:

        def leave(_: Sent) -> SendOutcome:
            while_away.setattr(Held, "begin", gone(10**6, Held.begin))
            return Accepted(sid())

        gateway.script = [leave]
        with pytest.raises(OperationalError):
            sender.send_due()
    clock.advance(outbox.SENDING_LEASE + minutes(1))
    with parts.db.begin() as session:
        outbox.take_back_stale(session, now=clock.now())
    assert fetch(parts, message).status == "unknown"
    assert sender.send_due() == 0


def test_workers_and_stops_at_once_do_not_block_each_other(parts: Parts, sender: Sender) -> None:
    messages = reminders(parts, 40)
    with parts.db.begin() as session:
        contacts = list(session.scalars(sa.select(Contact)))
    narrow = replace(sender, gateway=Answering(), width=8)
    stops = [partial(say_stop, parts, contact) for contact in contacts[::2]]

    def all_stops() -> None:
        for stop in stops:
            stop()

    came = at_once(*[lambda: narrow.send_due(limit=20)] * 4, all_stops, all_stops)
    assert not [one for one in came if isinstance(one, BaseException)], came
    while narrow.send_due():
        pass
    assert {fetch(parts, message).status for message in messages[1::2]} == {"sent"}
    assert {fetch(parts, message).status for message in messages[::2]} <= {"sent", "cancelled"}
    assert all(causes(parts, message).count("request") <= 1 for message in messages)


def test_ledgers_are_locked_in_one_order_however_they_are_asked_for(parts: Parts) -> None:
    hashes = [make_contact(parts, f"+120255501{n:02}", agreed=True).number_hash for n in range(20)]

    def lock(some: list[str]) -> int:
        with parts.db.begin() as session:
            return len(consent.hold_all(session, some))

    for _ in range(10):
        assert at_once(*[partial(lock, hashes), partial(lock, hashes[::-1])] * 3) == [20] * 6


# A time limit that strikes at any line


STEP = 5  # lines between two places where it strikes: every line takes minutes


class TimeIsUpError(Exception):
    """What Celery raises into the thread of a task."""


def struck(work: Callable[[], object], at_line: int) -> bool:
    """Do ``work``, and raise TimeIsUpError at so many lines of the run's own code; whether it got there."""
    lines = itertools.count()
    files = {run_module.__file__, results_module.__file__}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line" and next(lines) == at_line:
            raise TimeIsUpError
        return trace

    sys.settrace(trace)
    try:
        work()
    except TimeIsUpError:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_time_limit_wherever_it_strikes_loses_nothing_and_doubles_nothing(
    parts: Parts, sender: Sender, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "WIND_DOWN_SECONDS", 1.0)
    unknown, at_line = 0, 0
    while True:
        messages = answers(parts, 3)
        gateway = Answering()
        narrow = replace(sender, gateway=gateway, width=2)
        hit = struck(narrow.send_due, at_line)
        asked = Counter(sent.reference for sent in gateway.sends)
        for message in messages:
            row = fetch(parts, message)
            assert row.status in (
                {"sent", "sending"} if asked[message] else {"scheduled", "claimed", "sending"}
            )
        clock.advance(timedelta(minutes=5))
        with parts.db.begin() as session:
            outbox.take_back_stale(session, now=clock.now())
        narrow.send_due()
        asked = Counter(sent.reference for sent in gateway.sends)
        assert max(asked.values()) == 1, f"doubled at line {at_line}"
        ended = Counter(fetch(parts, message).status for message in messages)
        assert ended["sent"] + ended["unknown"] == 3, f"{ended} at line {at_line}"
        unknown += ended["unknown"]
        if not hit:
            break
        at_line += STEP
    assert at_line > 50, "the code of a run was struck from its first line to its last"
    assert unknown * STEP <= at_line / 5, "nearly always it is known what became of a message"
