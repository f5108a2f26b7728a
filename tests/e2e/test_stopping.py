"""A worker that is stopped finishes what it is sending."""

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


def status(line: Line) -> str:
    with line.parts.db.begin() as session:
        return session.scalars(sa.select(OutboundMessage.status)).one()


def test_a_worker_whose_whole_group_is_told_to_stop_finishes_the_message_under_way(line: Line) -> None:
    line.phone.ask("PUT", "/faults", seed=1, latency=3)
    now = line.parts.clock.now()
    with line.parts.db.begin() as session:
        staff = contact_for(session, line.parts.keyring, "+12025550199", at=now)
        plan(session, staff, [Plan("alert", "alert.emergency", "en", now - timedelta(seconds=1))], at=now)
    worker = line.start_worker()
    line.start_beat()
    wait_for(lambda: status(line) == "sending", 60, "the message to be on its way")
    os.killpg(worker.pid, signal.SIGTERM)
    worker.child.wait(timeout=30)
    assert status(line) in {"sent", "delivered"}
    assert len(line.phone.sent_by_line("+12025550199")) == 1
