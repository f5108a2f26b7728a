"""A worker that is stopped finishes what it has taken on."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import sqlalchemy as sa

from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import Plan, plan
from tests.e2e.conftest import Line
from tests.support.waiting import wait_for

MANY = 12  # more than one worker sends at once, so that some still wait for their turn


def statuses(line: Line) -> set[str]:
    with line.parts.db.begin() as session:
        return set(session.scalars(sa.select(OutboundMessage.status)))


def test_a_worker_whose_whole_group_is_told_to_stop_finishes_its_batch(line: Line) -> None:
    line.phone.ask("PUT", "/faults", seed=1, latency=2)
    # no status report may settle the message before the answer does
    line.phone.ask("PUT", "/carrier", delivery={"sent_after": 60, "done_after": 60})
    now = line.parts.clock.now()
    with line.parts.db.begin() as session:
        staff = contact_for(session, line.parts.keyring, "+12025550199", at=now)
        due = Plan("alert", "alert.emergency", "en", now - timedelta(seconds=1))
        plan(session, staff, [due] * MANY, at=now)
    worker = line.start_worker()
    line.start_beat()
    wait_for(lambda: "sending" in statuses(line), 60, "the first messages to be on their way")
    os.killpg(worker.pid, signal.SIGTERM)
    worker.child.wait(timeout=30)
    assert statuses(line) == {"sent"}
    assert len(line.phone.sent_by_line("+12025550199")) == MANY
