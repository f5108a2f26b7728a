"""What beat does for the queue: items come back when their time has come, and rise when nobody takes them.

And that a task does its work whatever becomes of its sign of life.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import psycopg
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError
from structlog.testing import CapturingLogger

from nurseline.app import build
from nurseline.callbacks.service import LEASE
from nurseline.clock import SetClock
from nurseline.messaging.sending import Sender
from nurseline.parts import Parts
from nurseline.wakeups import QUEUES, REMINDERS, URGENT
from nurseline.watch import service as watch
from tests.callbacks.queueing import ADA, ask, claim, item_of, mine, snooze
from tests.support.line import (
    OTHER_NUMBER,
    FakeGateway,
    fetch,
    make_contact,
    minutes,
    plan_one,
    settings_for,
)
from tests.workers.in_process import NOWHERE, imported

workers_app = imported("workers.app")
tasks = imported("workers.tasks")
broker = imported("workers.broker")


@pytest.fixture(autouse=True)
def on_these_parts(parts: Parts, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    work_on(replace(parts, sender=sender), monkeypatch)


def work_on(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tasks, workers_app):
        monkeypatch.setattr(module, "parts", lambda: parts)


def test_tidying_brings_back_what_waited_and_what_was_left(parts: Parts, clock: SetClock) -> None:
    waiting, left = mine(parts), mine(parts, "schedule", OTHER_NUMBER)
    snooze(parts, waiting, clock.now() + minutes(10))
    tasks.tidy.run()
    assert (item_of(parts, waiting).status, item_of(parts, left).status) == ("snoozed", "claimed")
    clock.advance(LEASE + minutes(1))
    tasks.tidy.run()
    assert (item_of(parts, waiting).status, item_of(parts, left).status) == ("new", "new")


def test_escalating_raises_what_nobody_takes_however_often_it_is_asked_for(
    parts: Parts, clock: SetClock
) -> None:
    item = ask(parts, "emergency").item_id
    clock.advance(minutes(5))
    for _ in range(2):
        tasks.escalate.run()
        assert item_of(parts, item).escalation == 2
    claim(parts, item, ADA)
    clock.advance(minutes(5))
    tasks.escalate.run()
    assert item_of(parts, item).escalation == 2


def test_escalating_has_the_worker_that_never_stands_behind_reminders() -> None:
    assert broker.ROUTES["escalate"] == URGENT
    assert broker.EVERY["escalate"] <= 30


def test_a_step_of_tidying_that_fails_keeps_no_other_from_its_turn_and_is_told_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    monkeypatch.setattr(tasks, "come_back", failing("come_back"))
    monkeypatch.setattr(tasks, "collect", failing("collect"))
    monkeypatch.setattr(tasks, "record_silence", lambda *_, **__: done.append("silence"))
    monkeypatch.setattr(tasks.handed_in, "forget_old", lambda *_, **__: done.append("files"))
    monkeypatch.setattr(tasks, "log", logs := CapturingLogger())
    with pytest.raises(ValueError, match="come_back"):
        tasks.tidy.run()
    assert done == ["silence", "files"]
    assert [call.kwargs["step"] for call in logs.calls] == ["come back", "left"]


def test_asking_about_calls_does_not_depend_on_asking_about_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(tasks, "look_after", failing("look_after"))
    monkeypatch.setattr(tasks, "poll", failing("poll"))
    monkeypatch.setattr(tasks, "check_calls", lambda _: done.append("calls") or 1)
    with pytest.raises(ValueError, match="look_after"):
        tasks.poll_sent.run()
    assert done == ["calls"]


@pytest.mark.parametrize(
    "error", [OperationalError("", {}, psycopg.OperationalError()), SoftTimeLimitExceeded()], ids=repr
)
def test_a_database_that_is_away_or_a_time_that_is_over_ends_all_steps(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(tasks, "look_after", failing(error))
    monkeypatch.setattr(tasks, "poll", lambda _: done.append("texts") or 1)
    with pytest.raises(type(error)):
        tasks.poll_sent.run()
    assert done == []


def failing(what: str | Exception) -> Callable[..., None]:
    """A step that raises."""

    def fail(*_: object, **__: object) -> None:
        raise what if isinstance(what, Exception) else ValueError(what)

    return fail


# Signs of life


def come_through(task: Any, queue: str) -> Any:
    """A worker takes a wake-up from this queue."""
    task.push_request(delivery_info={"routing_key": queue})
    try:
        return task()
    finally:
        task.pop_request()


@contextmanager
def stopped_while_signing(parts: Parts, clock: SetClock, queue: str) -> Iterator[None]:
    """Another worker is stopped between its sign of life and the commit."""
    with parts.db.begin() as session:
        watch.beat(session, queue, at=clock.now())
        yield


def signs(parts: Parts) -> dict[str, Any]:
    with parts.db.begin() as session:
        return watch.last_signs(session)


def test_the_first_task_of_a_queue_and_each_later_one_leave_a_sign(parts: Parts, clock: SetClock) -> None:
    for _ in range(2):
        come_through(tasks.send_urgent, URGENT)
        assert signs(parts)[URGENT] == clock.now()
        clock.advance(minutes(1))


@pytest.mark.parametrize("first", [True, False])
def test_a_worker_that_is_stopped_while_it_signs_holds_up_no_alert(
    parts: Parts, clock: SetClock, gateway: FakeGateway, first: bool
) -> None:
    if not first:
        come_through(tasks.send_urgent, URGENT)
        clock.advance(minutes(1))
    alert = plan_one(parts, make_contact(parts), "alert")
    with stopped_while_signing(parts, clock, URGENT):
        come_through(tasks.send_urgent, URGENT)
        assert fetch(parts, alert).status == "sent"
        come_through(tasks.send_urgent, URGENT)
    assert len(gateway.sends) == 1
    clock.advance(minutes(1))
    come_through(tasks.send_urgent, URGENT)
    assert signs(parts)[URGENT] == clock.now(), "afterwards there are signs as ever"


def test_a_worker_stands_in_for_a_silent_queue_whose_sign_another_one_holds(
    parts: Parts, clock: SetClock
) -> None:
    for queue in QUEUES:
        come_through(tasks.send_urgent, queue)
    clock.advance(watch.LIMIT + minutes(1))
    alert = plan_one(parts, make_contact(parts), "alert")
    with stopped_while_signing(parts, clock, URGENT):
        assert URGENT in tasks.look_around.run(True)
    assert fetch(parts, alert).status == "sent"


@pytest.mark.parametrize(("room", "fails"), [(tasks.watch, "alarm"), (tasks.escalation, "run")])
def test_what_fails_while_a_worker_stands_in_keeps_nothing_else_from_being_done(
    parts: Parts, clock: SetClock, monkeypatch: pytest.MonkeyPatch, room: ModuleType, fails: str
) -> None:
    for queue in QUEUES:
        come_through(tasks.send_urgent, queue)
    clock.advance(watch.LIMIT + minutes(1))
    monkeypatch.setattr(
        type(tasks.app.amqp.queues), "consume_from", property(lambda _: dict.fromkeys(QUEUES))
    )
    monkeypatch.setattr(room, fails, failing("broken"))
    reminder = plan_one(parts, make_contact(parts, agreed=True))
    alert = plan_one(parts, make_contact(parts, OTHER_NUMBER), "alert")
    with pytest.raises(ValueError, match="broken"):
        tasks.look_around.run(True)
    assert (fetch(parts, alert).status, fetch(parts, reminder).status) == ("sent", "sent")


def test_old_messages_are_forgotten_although_new_ones_cannot_be_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    monkeypatch.setattr(tasks.voicemail, "fetch_due", failing("fetch_due"))
    monkeypatch.setattr(tasks.voicemail, "forget_old", lambda *_, **__: done.append("forgotten"))
    with pytest.raises(ValueError, match="fetch_due"):
        tasks.fetch_voicemail.run()
    assert done == ["forgotten"]


def test_a_task_fails_as_a_whole_when_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    work_on(build(settings_for(NOWHERE["DATABASE_URL"])), monkeypatch)
    with pytest.raises(OperationalError):
        come_through(tasks.send_reminders, REMINDERS)
