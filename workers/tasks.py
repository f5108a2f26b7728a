"""Tasks: thin, named, each claims its own work in the database. A wake-up carries nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import DBAPIError

from nurseline.aftercare import handed_in
from nurseline.callbacks import escalation, voicemail
from nurseline.callbacks.lost_calls import look_after
from nurseline.callbacks.service import come_back, give_back_expired
from nurseline.db import away
from nurseline.messaging.answers import record_silence
from nurseline.messaging.call_checks import check_calls
from nurseline.messaging.outbox import take_back_stale
from nurseline.messaging.polling import poll_sent as poll
from nurseline.messaging.reconcile import look_up_unknown as look_up
from nurseline.wakeups import SEND_URGENT, URGENT
from nurseline.watch import service as watch
from nurseline.webhooks.leftovers import collect
from workers.app import Wakeup, app, parts, signing
from workers.broker import ROUTES

log = structlog.get_logger(__name__)

MOST = 100_000  # far above what one task sends: its time ends first
Given = TypeVar("Given")


@app.task(name=SEND_URGENT, base=Wakeup)
def send_urgent() -> int:
    """Send alerts, answers and what staff wrote, until nothing is left or it is another task's turn."""
    return parts().sender.send_due(lane="urgent", limit=MOST)


@app.task(name="send_reminders", base=Wakeup)
def send_reminders() -> int:
    """Send due reminders, until nothing is left or it is another task's turn."""
    return parts().sender.send_due(lane="reminders", limit=MOST)


@app.task(name="tidy", base=Wakeup)
def tidy() -> None:
    """Return claims that ran out: of messages after a dead worker, of items after their lease.

    Also put items back whose time has come, raise what patients asked for and then left in the middle of, and
    record that they did not answer.
    """
    now = parts().clock.now()
    steps: dict[str, Callable[[], object]] = {
        "stale": partial(_in_transaction, take_back_stale, now),
        "expired": partial(_in_transaction, give_back_expired, now),
        "come back": partial(_in_transaction, come_back, now),
        "left": lambda: collect(parts()),
        "silence": partial(_in_transaction, record_silence, now),
        "files": partial(_in_transaction, handed_in.forget_old, now),
    }
    _each_step(steps)


@app.task(name="escalate", base=Wakeup)
def escalate() -> None:
    """Raise items whose promise is near or past, tell people on call, and tell patients of late calls."""
    now, settings = parts().clock.now(), parts().settings
    numbers = tuple(filter(None, settings.alert_numbers.split(",")))
    needed = escalation.Escalation(parts().keyring, numbers, parts().hours, settings.regions)
    escalation.run(parts().db, needed, now=now)


@app.task(name="fetch_voicemail", base=Wakeup)
def fetch_voicemail() -> int:
    """Fetch what callers spoke from the carrier, delete it there, and forget what was kept long enough."""
    steps: dict[str, Callable[[], int]] = {
        "fetch": lambda: voicemail.fetch_due(parts().db, parts().clock, parts().recordings),
        "forget": lambda: _in_transaction(voicemail.forget_old, parts().clock.now()),
    }
    return _each_step(steps)[0]


@app.task(name="look_up_unknown", base=Wakeup)
def look_up_unknown() -> int:
    """Look for messages of unknown outcome in the carrier's list."""
    return look_up(parts().sender)


@app.task(name="poll_sent", base=Wakeup)
def poll_sent() -> int:
    """Ask the carrier about messages and calls of which no final report came."""
    steps = {
        "callbacks": lambda: look_after(parts().db, parts().clock, parts().telephone),
        "texts": lambda: poll(parts().sender),
        "calls": lambda: check_calls(parts().sender),
    }
    return sum(_each_step(steps))


@app.task(name="look_around", base=Wakeup)
def look_around(calm: bool) -> list[str]:
    """A worker looks whether all queues are worked, and does the work of those that are not.

    It sends this to itself (`watchdog`), so it needs no beat. A worker stands in for its own queues and for
    the urgent one. ``calm``: Redis has answered for a while; a silent queue is a fault to tell people of.
    """
    now = parts().clock.now()
    steps: dict[str, Callable[[], list[str]]] = {"stand in": partial(_stand_in, calm, now)}
    if calm:  # first, since work that was stood in for does not wait any more
        steps = {"alarm": partial(_alarm, now), **steps}
    return _each_step(steps)[-1]


def _alarm(now: datetime) -> list[str]:
    numbers = [number for number in parts().settings.alert_numbers.split(",") if number]
    told: list[str] = []
    with signing() as session:
        told = watch.alarm(session, parts().keyring, numbers, now=now)
    if told:
        log.error("queue.told", told=told)
    return told


def _stand_in(calm: bool, now: datetime) -> list[str]:
    """The silent queues, after the work of those that this worker may stand in for."""
    with parts().db.begin() as session:
        silent = [one.queue for one in watch.silent(session, now=now)]
    if calm and silent:
        log.error("queue.silent", queues=silent)
    mine = {URGENT, *app.amqp.queues.consume_from}
    _each_step({task: app.tasks[task].run for task, queue in ROUTES.items() if queue in mine & set(silent)})
    return silent


def _in_transaction(work: Callable[..., Given], now: datetime) -> Given:
    with parts().db.begin() as session:
        return work(session, now=now)


def _each_step(steps: Mapping[str, Callable[[], Given]]) -> list[Given]:
    """What each step gave. One that fails keeps none of the others from its turn; then it is raised.

    A database that is away, or a time that is over, ends all of them at once.
    """
    given: list[Given] = []
    failed: list[Exception] = []
    for step, work in steps.items():
        try:
            given.append(work())
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and away(error):
                raise
            log.error("step.failed", step=step, error=type(error).__name__)
            failed.append(error)
    if failed:
        raise failed[0]
    return given
