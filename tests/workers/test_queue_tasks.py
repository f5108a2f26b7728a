"""What beat does for the queue: items come back when their time has come, and rise when nobody takes them."""

import pytest

from nurseline.callbacks.service import LEASE
from nurseline.clock import SetClock
from nurseline.parts import Parts
from nurseline.wakeups import URGENT
from tests.callbacks.queueing import ADA, ask, claim, item_of, mine, snooze
from tests.support.line import OTHER_NUMBER, minutes
from tests.workers.in_process import imported

tasks = imported("workers.tasks")
broker = imported("workers.broker")


@pytest.fixture(autouse=True)
def on_these_parts(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "parts", lambda: parts)


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
