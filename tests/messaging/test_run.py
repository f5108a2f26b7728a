"""One run of a worker: a thread for the database, threads for requests, and their allowance."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.clock import SetClock
from nurseline.messaging import outbox
from nurseline.messaging import run as run_module
from nurseline.messaging.models import Contact
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, NotSent, SendOutcome
from nurseline.parts import Parts
from tests.messaging.support import Answering, answers, reminders, statuses
from tests.support.line import (
    NUMBER,
    FakeGateway,
    Sent,
    fetch,
    history,
    make_contact,
    minutes,
    plan_one,
    sid,
)
from tests.support.waiting import wait_for


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


@pytest.mark.parametrize(("others_see_it", "status"), [(True, "failed"), (False, "scheduled")])
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
