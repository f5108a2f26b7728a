"""Tasks: thin, named, without arguments. Each claims its own work in the database."""

from __future__ import annotations

from nurseline.callbacks.service import give_back_expired
from nurseline.messaging.outbox import Lane, take_back_stale
from nurseline.messaging.reconcile import look_up_unknown as look_up
from nurseline.webhooks.leftovers import collect
from workers.app import app, parts

BATCH = 100
ROUNDS = 20  # batches per wake-up, so that one task stays below its time limit


@app.task(name="send_urgent")
def send_urgent() -> int:
    """Send alerts, answers and what staff wrote, batch after batch, until nothing is left."""
    return _send("urgent")


@app.task(name="send_reminders")
def send_reminders() -> int:
    """Send due reminders, batch after batch, until nothing is left or it is another task's turn."""
    return _send("reminders")


def _send(lane: Lane) -> int:
    total = 0
    for _ in range(ROUNDS):
        sent = parts().sender.send_due(lane=lane, limit=BATCH)
        total += sent
        if sent < BATCH:
            break
    return total


@app.task(name="tidy")
def tidy() -> None:
    """Return claims that ran out: of messages after a dead worker, of items after their lease.

    Also raise what patients asked for and then left in the middle of.
    """
    now = parts().clock.now()
    with parts().db.begin() as session:
        take_back_stale(session, now=now)
    with parts().db.begin() as session:
        give_back_expired(session, now=now)
    collect(parts())


@app.task(name="look_up_unknown")
def look_up_unknown() -> int:
    """Ask the carrier about messages of unknown outcome."""
    return look_up(parts().sender)
