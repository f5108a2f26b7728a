"""Signs of life of the queues, and who is told when they end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from nurseline.clock import SetClock
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import CLAIM_LEASE, claim_due
from nurseline.messaging.sending import Sender
from nurseline.outcomes import NotSent
from nurseline.parts import Parts
from nurseline.wakeups import HOUSEKEEPING, QUEUES, REMINDERS, URGENT
from nurseline.watch import service as watch
from tests.messaging.test_query_plans import no_whole_tables
from tests.support.line import FakeGateway, at_once, fetch, make_contact, plan_one

LIMIT = watch.LIMIT
LATER = LIMIT + timedelta(seconds=1)
ON_CALL = ("+12025550190", "+12025550191")


def beat(parts: Parts, *queues: str) -> None:
    with parts.db.begin() as session:
        for queue in queues:
            watch.beat(session, queue, at=parts.clock.now())


def stale(parts: Parts) -> list[str]:
    with parts.db.begin() as session:
        return [one.queue for one in watch.stale(session, now=parts.clock.now())]


def silent(parts: Parts) -> list[str]:
    with parts.db.begin() as session:
        return [one.queue for one in watch.silent(session, now=parts.clock.now())]


def alarm(parts: Parts) -> list[str]:
    with parts.db.begin() as session:
        return watch.alarm(session, parts.keyring, ON_CALL, now=parts.clock.now())


def alerts(parts: Parts) -> int:
    query = sa.select(sa.func.count()).where(OutboundMessage.content_id == "alert.late")
    with parts.db.begin() as session:
        return session.scalar(query) or 0


def test_a_queue_is_silent_when_its_last_sign_is_older_than_the_limit(parts: Parts, clock: SetClock) -> None:
    assert silent(parts) == list(QUEUES)
    beat(parts, *QUEUES)
    clock.advance(LIMIT)
    assert silent(parts) == []
    clock.advance(timedelta(seconds=1))
    beat(parts, URGENT)
    assert silent(parts) == [REMINDERS, HOUSEKEEPING]


def test_an_older_sign_that_comes_late_does_not_take_back_a_newer_one(parts: Parts, clock: SetClock) -> None:
    beat(parts, URGENT)
    newest = clock.now()
    with parts.db.begin() as session:
        watch.beat(session, URGENT, at=newest - timedelta(minutes=5))
        assert watch.last_signs(session) == {URGENT: newest, REMINDERS: None, HOUSEKEEPING: None}


@pytest.mark.parametrize(
    ("purpose", "queue"), [("reminder", REMINDERS), ("alert", URGENT), ("staff", URGENT)]
)
def test_a_silent_queue_is_stale_once_a_message_has_waited_too_long(
    parts: Parts, clock: SetClock, purpose: str, queue: str
) -> None:
    beat(parts, *QUEUES)
    clock.advance(LATER)
    plan_one(parts, make_contact(parts), purpose)
    assert stale(parts) == []
    clock.advance(LIMIT)
    assert stale(parts) == [queue]
    beat(parts, queue)
    assert stale(parts) == [], "a backlog alone is no standstill"


def test_a_message_for_later_makes_no_queue_stale(parts: Parts, clock: SetClock) -> None:
    plan_one(parts, make_contact(parts), send_after=clock.now() + timedelta(days=1))
    clock.advance(LATER)
    assert stale(parts) == []


def test_a_claim_that_nobody_takes_back_makes_the_housekeeping_stale(parts: Parts, clock: SetClock) -> None:
    beat(parts, *QUEUES)
    plan_one(parts, make_contact(parts))
    with parts.db.begin() as session:
        claim_due(session, now=clock.now(), limit=1)
    clock.advance(LIMIT + CLAIM_LEASE)
    beat(parts, URGENT, REMINDERS)
    assert stale(parts) == [HOUSEKEEPING]


def stop_with_work(parts: Parts, clock: SetClock) -> None:
    """Reminders stop, and one waits too long."""
    beat(parts, *QUEUES)
    plan_one(parts, make_contact(parts))
    clock.advance(LATER)
    beat(parts, URGENT, HOUSEKEEPING)


def test_everybody_on_call_is_told_once_that_a_queue_has_stopped(parts: Parts, clock: SetClock) -> None:
    stop_with_work(parts, clock)
    assert alarm(parts) == [REMINDERS]
    clock.advance(timedelta(hours=1))
    beat(parts, URGENT, HOUSEKEEPING)
    assert alarm(parts) == []
    assert alerts(parts) == len(ON_CALL)


def test_of_several_who_notice_at_once_one_tells(parts: Parts, clock: SetClock) -> None:
    stop_with_work(parts, clock)
    found = at_once(*[lambda: alarm(parts)] * 4)
    assert sorted(map(str, found)) == sorted(map(str, [[REMINDERS], [], [], []]))
    assert alerts(parts) == len(ON_CALL)


def test_a_queue_that_stops_again_is_told_again_but_not_within_minutes(parts: Parts, clock: SetClock) -> None:
    stop_with_work(parts, clock)
    assert alarm(parts) == [REMINDERS]
    beat(parts, *QUEUES)
    clock.advance(LATER)
    beat(parts, URGENT, HOUSEKEEPING)
    assert alarm(parts) == [], "it flaps"
    beat(parts, REMINDERS)
    clock.advance(timedelta(minutes=20))
    beat(parts, URGENT, HOUSEKEEPING)
    assert alarm(parts) == [REMINDERS]


def test_a_queue_that_stays_silent_is_told_although_nothing_waits(parts: Parts, clock: SetClock) -> None:
    beat(parts, *QUEUES)
    clock.advance(watch.TOLD_AFTER)
    assert alarm(parts) == []
    clock.advance(timedelta(seconds=1))
    beat(parts, REMINDERS, HOUSEKEEPING)
    assert alarm(parts) == [URGENT]


def test_a_queue_that_was_never_worked_is_told_like_any_other(parts: Parts, clock: SetClock) -> None:
    assert alarm(parts) == [], "the watch begins now"
    clock.advance(watch.TOLD_AFTER + timedelta(seconds=1))
    beat(parts, URGENT, HOUSEKEEPING)
    assert alarm(parts) == [REMINDERS]


# Queues that are worked, and send nothing


def work_in_vain(parts: Parts, clock: SetClock, purpose: str = "alert") -> None:
    """Every queue gives signs of life, and yet one message does not go."""
    plan_one(parts, make_contact(parts), purpose)
    clock.advance(watch.OVERDUE)
    beat(parts, *QUEUES)


@pytest.mark.parametrize("purpose", ["alert", "reply", "staff"])
def test_a_queue_that_is_worked_while_something_urgent_does_not_go_is_stale(
    parts: Parts, clock: SetClock, purpose: str
) -> None:
    began = clock.now()
    plan_one(parts, make_contact(parts), purpose)
    clock.advance(watch.OVERDUE - timedelta(seconds=1))
    beat(parts, *QUEUES)
    assert stale(parts) == []
    clock.advance(timedelta(seconds=1))
    with parts.db.begin() as session:
        assert watch.stale(session, now=clock.now()) == [watch.Silence(URGENT, began)]


def test_an_alert_that_is_tried_in_vain_over_and_over_is_a_standstill(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    began = clock.now()
    alert = plan_one(parts, make_contact(parts), "alert")
    gateway.script = [NotSent("no connection", 0.0)] * 20
    while clock.now() < began + watch.OVERDUE:
        sender.send_due()
        clock.advance(timedelta(seconds=10))
    beat(parts, *QUEUES)
    assert fetch(parts, alert).send_after > clock.now() - watch.OVERDUE
    with parts.db.begin() as session:
        assert watch.stale(session, now=clock.now()) == [watch.Silence(URGENT, began)]


def test_an_alert_that_worker_after_worker_takes_and_does_not_send_is_a_standstill(
    parts: Parts, clock: SetClock
) -> None:
    work_in_vain(parts, clock)
    with parts.db.begin() as session:
        claim_due(session, now=clock.now(), limit=10)
    assert stale(parts) == [URGENT]


def test_reminders_that_wait_long_in_a_queue_that_is_worked_are_no_standstill(
    parts: Parts, clock: SetClock
) -> None:
    work_in_vain(parts, clock, "reminder")
    assert stale(parts) == []
    assert alarm(parts) == []


def test_people_are_told_once_that_something_urgent_does_not_go(parts: Parts, clock: SetClock) -> None:
    work_in_vain(parts, clock)
    assert alarm(parts) == [URGENT]
    for _ in range(3):
        clock.advance(timedelta(minutes=20))
        beat(parts, *QUEUES)
        assert alarm(parts) == [], "also the alert waits, and is not told of"
    assert alerts(parts) == len(ON_CALL)


def test_people_are_told_again_when_something_urgent_does_not_go_another_time(
    parts: Parts, clock: SetClock
) -> None:
    work_in_vain(parts, clock)
    assert alarm(parts) == [URGENT]
    with parts.db.begin() as session:
        token, _ = claim_due(session, now=clock.now(), limit=10)
        sending = sa.update(OutboundMessage).where(OutboundMessage.claim_token == token)
        session.execute(sending.values(status="sent", lease_until=None))
    assert stale(parts) == []
    clock.advance(timedelta(seconds=1))
    work_in_vain(parts, clock)
    assert alarm(parts) == [], "it flaps"
    clock.advance(watch.AGAIN)
    beat(parts, *QUEUES)
    assert alarm(parts) == [URGENT]


def test_the_look_for_what_is_overdue_reads_the_beginning_of_the_index_on_due_rows(parts: Parts) -> None:
    with no_whole_tables(parts) as (session, seen):
        watch.overdue(session, now=parts.clock.now())
    ((_, found),) = seen
    due, planned, taken = [node for node in found if "Index Name" in node]
    assert [due["Index Name"], planned["Index Name"]] == ["ix_outbound_due"] * 2
    assert taken["Index Name"] == "ix_outbound_lease"
    assert "priority" in due["Index Cond"]
    assert "send_after" in due["Index Cond"], "the range ends with what is overdue"
    assert "priority" in planned["Index Cond"], "alerts only"
    assert not [node for node in found if "Sort" in node["Node Type"]]


# Clocks that were wrong

YEAR = timedelta(days=365)


def beat_ahead(parts: Parts, ahead: timedelta, *queues: str) -> None:
    """Signs of a host whose clock is ahead."""
    with parts.db.begin() as session:
        for queue in queues:
            watch.beat(session, queue, at=parts.clock.now() + ahead)


def last_sign(parts: Parts, queue: str) -> datetime | None:
    with parts.db.begin() as session:
        return watch.last_signs(session)[queue]


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), YEAR])
def test_a_sign_of_a_clock_that_was_far_ahead_gives_way_to_the_next_one(
    parts: Parts, clock: SetClock, ahead: timedelta
) -> None:
    beat_ahead(parts, ahead, *QUEUES)
    beat(parts, *QUEUES)
    assert silent(parts) == []
    clock.advance(LATER)
    beat(parts, URGENT)
    assert silent(parts) == [REMINDERS, HOUSEKEEPING]


def test_a_queue_whose_last_sign_is_far_ahead_is_silent(parts: Parts, clock: SetClock) -> None:
    beat(parts, *QUEUES)
    beat_ahead(parts, YEAR, URGENT)
    with parts.db.begin() as session:
        assert watch.silent(session, now=clock.now()) == [watch.Silence(URGENT, None)]


def test_signs_of_clocks_that_differ_by_seconds_take_nothing_back_and_make_no_queue_silent(
    parts: Parts, clock: SetClock
) -> None:
    ahead = timedelta(seconds=5)
    for _ in range(3):
        beat_ahead(parts, ahead, *QUEUES)
        later = clock.now() + ahead
        beat(parts, *QUEUES)
        assert [last_sign(parts, queue) for queue in QUEUES] == [later] * len(QUEUES)
        assert silent(parts) == []
        clock.advance(timedelta(seconds=1))
    clock.advance(LIMIT + ahead)
    assert silent(parts) == list(QUEUES)


def test_people_are_told_of_a_queue_that_stopped_while_its_sign_was_far_ahead(
    parts: Parts, clock: SetClock
) -> None:
    beat_ahead(parts, YEAR, URGENT)
    beat(parts, REMINDERS, HOUSEKEEPING)
    assert alarm(parts) == [], "the clock was put right only now: the next sign may be on its way"
    clock.advance(watch.TOLD_AFTER + timedelta(seconds=1))
    beat(parts, REMINDERS, HOUSEKEEPING)
    assert alarm(parts) == [URGENT]
    assert alarm(parts) == []


def test_that_people_were_told_by_a_clock_far_ahead_keeps_them_from_nothing(
    parts: Parts, clock: SetClock
) -> None:
    beat(parts, *QUEUES)
    clock.advance(YEAR)
    assert alarm(parts) == sorted(QUEUES)
    clock.advance(-YEAR)
    stop_with_work(parts, clock)
    assert alarm(parts) == [REMINDERS]
