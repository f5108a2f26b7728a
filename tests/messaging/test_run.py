"""One run of a worker: a thread for the database, threads for requests, and what disturbs them."""

import itertools
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from threading import Event, Lock, Thread
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
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, NotSent, SendOutcome
from nurseline.parts import Parts
from tests.messaging.support import causes
from tests.support.line import (
    NUMBER,
    FakeGateway,
    Sent,
    at_once,
    fetch,
    history,
    make_contact,
    minutes,
    plan_one,
    say_stop,
    sid,
)
from tests.support.waiting import wait_for


@dataclass
class Answering(FakeGateway):
    """A carrier that answers every request in the same way."""

    each: Callable[[Sent], SendOutcome] = field(default=lambda _: Accepted(sid()))

    def send(self, *, to: str, body: str, reference: uuid.UUID) -> SendOutcome:
        sent = Sent(to, body, reference)
        with self._lock:
            self.sends.append(sent)
        return self.each(sent)


def answers(parts: Parts, count: int) -> list[uuid.UUID]:
    """Messages from staff to one number: nothing but their time decides about them."""
    one = outbox.Plan("staff", "test.words", "en", parts.clock.now(), body="Words.")
    contact = make_contact(parts)
    with parts.db.begin() as session:
        return outbox.plan(session, contact, [one] * count, at=parts.clock.now())


def reminders(parts: Parts, count: int) -> list[uuid.UUID]:
    """A reminder to each of so many numbers."""
    contacts = [make_contact(parts, f"+120255{n:05}", agreed=True) for n in range(10_000, 10_000 + count)]
    return [plan_one(parts, contact) for contact in contacts]


def statuses(parts: Parts) -> Counter[str]:
    with parts.db.begin() as session:
        rows = session.execute(
            sa.select(OutboundMessage.status, sa.func.count()).group_by(OutboundMessage.status)
        )
        return Counter(dict(rows.all()))


def open_transactions(parts: Parts) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    with parts.db.engine.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


@contextmanager
def running(work: Callable[[], Any]) -> Iterator[Thread]:
    """Something that goes on in a thread of its own until the end of the block, and ends by itself."""
    thread = Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
        assert not thread.is_alive()


def test_no_transaction_is_open_while_requests_are_under_way_and_never_more_than_the_width(
    parts: Parts, sender: Sender
) -> None:
    answers(parts, 11)
    let_go = Event()
    gateway = Answering(each=lambda _: (let_go.wait(30), Accepted(sid()))[1])
    with running(replace(sender, gateway=gateway, width=4).send_due):
        try:
            wait_for(lambda: len(gateway.sends) == 4, 20, "as many requests as there may be")
            wait_for(lambda: open_transactions(parts) == 0, 20, "no transaction to be open")
            assert statuses(parts)["sending"] == 4
        finally:
            let_go.set()
    assert statuses(parts) == {"sent": 11}


def test_no_more_than_the_width_are_ever_marked_as_going(parts: Parts, sender: Sender) -> None:
    answers(parts, 40)
    most: list[int] = []

    def count(_: Sent) -> SendOutcome:
        most.append(statuses(parts)["sending"])
        return Accepted(sid())

    replace(sender, gateway=Answering(each=count), width=5).send_due()
    assert len(most) == 40
    assert max(most) <= 5
    assert statuses(parts) == {"sent": 40}


def test_a_request_that_hangs_holds_back_no_other(parts: Parts, sender: Sender) -> None:
    slow, *_ = answers(parts, 30)
    let_go = Event()

    def hang(sent: Sent) -> SendOutcome:
        if sent.reference == slow:
            let_go.wait(30)
        return Accepted(sid())

    with running(replace(sender, gateway=Answering(each=hang), width=3).send_due):
        try:
            wait_for(lambda: statuses(parts) == {"sent": 29, "sending": 1}, 20, "all others to be sent")
        finally:
            let_go.set()
    assert fetch(parts, slow).status == "sent"


def test_what_comes_due_while_a_request_hangs_goes_all_the_same(parts: Parts, sender: Sender) -> None:
    (slow,) = answers(parts, 1)
    let_go = Event()

    def hang(sent: Sent) -> SendOutcome:
        if sent.reference == slow:
            let_go.wait(30)
        return Accepted(sid())

    gateway = Answering(each=hang)
    with running(replace(sender, gateway=gateway).send_due):
        try:
            wait_for(lambda: len(gateway.sends) == 1, 20, "the request that hangs")
            (later,) = answers(parts, 1)
            wait_for(lambda: fetch(parts, later).status == "sent", 15, "what came due meanwhile to be sent")
            assert fetch(parts, slow).status == "sending"
        finally:
            let_go.set()


def test_what_comes_due_while_others_are_under_way_goes_in_the_same_run(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    def another_one(_: Sent) -> SendOutcome:
        plan_one(parts, make_contact(parts), "staff")
        return Accepted(sid())

    plan_one(parts, make_contact(parts), "staff")
    gateway.script = [another_one] * 3
    assert sender.send_due() == 4


def test_a_run_goes_on_behind_what_it_claimed_and_then_takes_what_became_due_before_that(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    contacts = [make_contact(parts, f"+120255510{n:02}", agreed=True) for n in range(7)]
    late, *rest = contacts
    in_time = [
        plan_one(parts, contact, send_after=clock.now() - minutes(9 - n)) for n, contact in enumerate(rest)
    ]
    before = []

    def enrolled_late(_: Sent) -> SendOutcome:
        before.append(plan_one(parts, late, send_after=clock.now() - minutes(30)))
        return Accepted(sid())

    gateway.script = [enrolled_late]
    few = replace(sender, width=2)
    while few.send_due(lane="reminders"):
        pass
    assert [sent.reference for sent in gateway.sends[:2]] == in_time[:2]
    assert {sent.reference for sent in gateway.sends[:-1]} == {*in_time}
    assert [gateway.sends[-1].reference] == before


class HeldUp(ThreadPoolExecutor):
    """Threads of a process that is stopped for a night between the commit and the request."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__(1)
        self._meanwhile = meanwhile

    def submit(self, *asked: Any, **more: Any) -> Any:
        self._meanwhile()
        return super().submit(*asked, **more)


@pytest.mark.parametrize(("others_see_it", "status"), [(True, "unknown"), (False, "scheduled")])
def test_a_request_that_was_held_up_is_not_made_late(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, others_see_it: bool, status: str
) -> None:
    (message,) = reminders(parts, 1)

    def night() -> None:
        clock.advance(timedelta(hours=12))
        if others_see_it:
            with parts.db.begin() as session:
                assert outbox.take_back_stale(session, now=clock.now()) == (0, 1)

    run = replace(sender.run(limit=1), pool=HeldUp(night))
    run.go()
    assert gateway.sends == []
    assert fetch(parts, message).status == status
    run.pool.shutdown()


def test_after_its_time_a_run_begins_no_more(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    answers(parts, 3)
    assert sender.send_due(seconds=0.0) == 0
    assert gateway.sends == []


def test_a_run_claims_no_more_than_its_limit(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    answers(parts, 9)
    assert replace(sender, width=2).send_due(limit=5) == 5
    assert len(gateway.sends) == 5
    assert statuses(parts) == {"sent": 5, "scheduled": 4}


def test_messages_that_are_read_by_a_call_are_called_and_others_texted(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    by_choice = make_contact(parts, agreed=True)
    with parts.db.begin() as session:
        session.execute(sa.update(Contact).where(Contact.id == by_choice.id).values(channel="call"))
    other = make_contact(parts, "+12025550124", agreed=True)
    reminder = plan_one(parts, by_choice, body=None, content_id="reminder.day1")
    staff = plan_one(parts, by_choice, "staff")
    planned = plan_one(parts, other, body=None, content_id="reminder.day1", channel="call")
    sender.send_due()
    assert {call.reference: call.to for call in gateway.calls} == {reminder: NUMBER, planned: other.number}
    assert [sent.reference for sent in gateway.sends] == [staff]
    assert fetch(parts, reminder).channel == "call"
    assert fetch(parts, reminder).status == "sent"


def test_how_a_patient_wants_it_counts_when_the_message_goes_not_when_it_was_claimed(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    contact = make_contact(parts, agreed=True)
    reminder = plan_one(parts, contact, body=None, content_id="reminder.day1")
    run = sender.run(lane="reminders")
    with parts.db.begin() as session:
        _, run.waiting[:] = outbox.claim_due(session, now=parts.clock.now(), limit=9, lane="reminders")
    with parts.db.begin() as session:
        session.execute(sa.update(Contact).where(Contact.id == contact.id).values(channel="call"))
    run.go()
    assert [call.reference for call in gateway.calls] == [reminder]
    assert gateway.sends == []


# The rate


@dataclass
class Granting:
    """A rate that grants what a test says, then nothing."""

    grants: list[int]
    asked: list[tuple[str, int]] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)
    pauses: list[tuple[float, bool]] = field(default_factory=list)

    def take(self, lane: str, wanted: int) -> int:
        self.asked.append((lane, wanted))
        return min(wanted, self.grants.pop(0)) if self.grants else 0

    def settle(self, taken: int, used: int) -> None:
        self.settled.append((taken, used))

    def back_off(self, at_least: float, *, severe: bool) -> None:
        self.pauses.append((at_least, severe))


def test_without_allowance_nothing_is_claimed(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    messages = answers(parts, 3)
    assert replace(sender, rate=Granting([])).send_due(lane="urgent") == 0
    assert [history(parts, message) for message in messages] == [["scheduled"]] * 3


def test_allowance_is_counted_in_segments_and_settled_by_what_went(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    answers(parts, 9)
    rate = Granting([4])
    three = replace(sender, rate=rate, segments=lambda _: 3, width=8)
    assert three.send_due(lane="urgent") == 2, "two segments are guessed of each"
    assert rate.asked[0] == ("urgent", 16)
    assert rate.settled[0] == (4, 6)


def test_allowance_that_found_nothing_to_do_goes_back(parts: Parts, sender: Sender) -> None:
    rate = Granting([64])
    assert replace(sender, rate=rate).send_due(lane="reminders") == 0
    assert rate.settled == [(64, 0)]


def test_one_segment_lets_one_message_go_whatever_it_takes(parts: Parts, sender: Sender) -> None:
    answers(parts, 2)
    rate = Granting([1])
    assert replace(sender, rate=rate, segments=lambda _: 3).send_due() == 1
    assert rate.settled[0] == (1, 3)


@pytest.mark.parametrize(("refused", "severe"), [(1, False), (7, True)])
def test_too_many_requests_make_everybody_pause_and_the_message_goes_back(
    parts: Parts, sender: Sender, gateway: FakeGateway, refused: int, severe: bool
) -> None:
    answers(parts, 8)
    rate = Granting([100])
    crowded = NotSent("too many requests", 2.0, crowded=7.0)
    gateway.script = [crowded] * refused
    # all answers come together, so that they are one picture
    gathered = Event()
    real = run_module.Run._finish
    with pytest.MonkeyPatch.context() as patched:

        def all_of_them(run: run_module.Run) -> None:
            if not gathered.is_set() and run._under_way:
                wait_for(lambda: run._finished.qsize() == 8, 20, "all answers")
                gathered.set()
            real(run)

        patched.setattr(run_module.Run, "_finish", all_of_them)
        replace(sender, rate=rate).send_due()
    assert rate.pauses == [(7.0, severe)]
    assert statuses(parts) == {"scheduled": refused, "sent": 8 - refused}


# Faults


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
