"""Claiming: each due row goes to exactly one worker, the most urgent first, and nobody waits."""

import collections
import contextlib
import uuid
from dataclasses import replace

import sqlalchemy as sa

from nurseline.clock import SetClock
from nurseline.messaging import outbox
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Ambiguous
from nurseline.parts import Parts
from tests.messaging.support import claimed, force, send_one
from tests.support.line import (
    FakeGateway,
    at_once,
    fetch,
    history,
    make_contact,
    minutes,
    plan_one,
)

THREADS, ROWS = 8, 200


def plan_many(parts: Parts, count: int) -> None:
    contact = make_contact(parts, agreed=True)
    one = outbox.Plan("staff", "test.words", "en", parts.clock.now(), body="Words.")
    with parts.db.begin() as session:
        outbox.plan(session, contact, [one] * count, at=parts.clock.now())


def test_workers_at_once_never_claim_the_same_row(parts: Parts) -> None:
    plan_many(parts, ROWS)

    def worker() -> list[uuid.UUID]:
        mine: list[uuid.UUID] = []
        while batch := claimed(parts, limit=7)[1]:
            mine.extend(batch)
        return mine

    taken = [row for mine in at_once(*[worker] * THREADS) for row in mine]
    assert len(taken) == ROWS
    assert max(collections.Counter(taken).values()) == 1


def test_workers_at_once_send_each_message_once(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    plan_many(parts, ROWS)
    narrow = replace(sender, width=1)

    def worker() -> int:
        total = 0
        while sent := narrow.send_due(limit=7):
            total += sent
        return total

    assert sum(at_once(*[worker] * THREADS)) == ROWS
    assert len({sent.reference for sent in gateway.sends}) == len(gateway.sends) == ROWS
    with parts.db.begin() as session:
        counted = sa.select(OutboundMessage.status, sa.func.count()).group_by(OutboundMessage.status)
        assert session.execute(counted).all() == [("sent", ROWS)]


def test_a_row_that_somebody_is_changing_is_passed_over_not_waited_for(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    held, free = plan_one(parts, contact), plan_one(parts, contact)
    with parts.db.begin() as session:
        session.scalar(sa.select(OutboundMessage).where(OutboundMessage.id == held).with_for_update())
        assert claimed(parts)[1] == [free]
    assert claimed(parts)[1] == [held]


def test_alarms_and_answers_go_before_reminders_and_the_oldest_first(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    now = parts.clock.now()
    newer = plan_one(parts, contact, send_after=now - minutes(1))
    older = plan_one(parts, contact, send_after=now - minutes(90))
    staff = plan_one(parts, contact, "staff")
    alert = plan_one(parts, contact, "alert")
    assert claimed(parts)[1] == [alert, staff, older, newer]


def test_a_message_is_not_due_before_its_time(parts: Parts, clock: SetClock) -> None:
    message = plan_one(parts, make_contact(parts), send_after=clock.now() + minutes(1))
    assert claimed(parts)[1] == []
    clock.advance(minutes(1))
    assert claimed(parts)[1] == [message]


def test_a_claim_that_ran_out_returns_and_is_claimed_again(parts: Parts, clock: SetClock) -> None:
    message = plan_one(parts, make_contact(parts, agreed=True))
    claimed(parts)
    with parts.db.begin() as session:
        assert outbox.take_back_stale(session, now=clock.now()) == (0, 0)
    clock.advance(outbox.CLAIM_LEASE + minutes(0.1))
    with parts.db.begin() as session:
        assert outbox.take_back_stale(session, now=clock.now()) == (1, 0)
    row = fetch(parts, message)
    assert (row.status, row.claim_token, row.lease_until) == ("scheduled", None, None)
    assert claimed(parts)[1] == [message]
    assert history(parts, message) == ["scheduled", "claimed", "scheduled", "claimed"]


def test_a_worker_whose_claim_went_to_another_does_not_send(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    message = plan_one(parts, make_contact(parts, agreed=True))
    slow, _ = claimed(parts)
    clock.advance(outbox.CLAIM_LEASE + minutes(0.1))
    with parts.db.begin() as session:
        outbox.take_back_stale(session, now=clock.now())
    send_one(sender, message, slow)
    assert gateway.sends == []
    quick, _ = claimed(parts)
    send_one(sender, message, slow)
    assert gateway.sends == []
    send_one(sender, message, quick)
    send_one(sender, message, quick)
    assert len(gateway.sends) == 1


def test_a_send_that_nobody_finished_becomes_unknown_and_never_goes_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    message = plan_one(parts, make_contact(parts, agreed=True))
    gateway.script = [SystemExit()]  # the process dies during the request
    with contextlib.suppress(SystemExit):
        sender.send_due()
    assert fetch(parts, message).status == "sending"
    clock.advance(outbox.SENDING_LEASE + minutes(0.1))
    with parts.db.begin() as session:
        assert outbox.take_back_stale(session, now=clock.now()) == (0, 1)
    assert fetch(parts, message).status == "unknown"
    for _ in range(3):
        clock.advance(minutes(600))
        with parts.db.begin() as session:
            assert outbox.take_back_stale(session, now=clock.now()) == (0, 0)
        assert sender.send_due() == 0
    assert len(gateway.sends) == 1


def test_the_lease_of_a_send_counts_from_its_request_not_from_the_claim(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    message = plan_one(parts, make_contact(parts, agreed=True))
    token, _ = claimed(parts)
    clock.advance(outbox.CLAIM_LEASE - minutes(0.01))
    started = clock.now()
    leases = []
    gateway.script = [lambda _: leases.append(fetch(parts, message).lease_until) or Ambiguous("no answer")]
    send_one(sender, message, token)
    assert leases == [started + outbox.SENDING_LEASE]


def test_a_sweep_leaves_rows_alone_that_are_just_being_settled(parts: Parts, clock: SetClock) -> None:
    message = plan_one(parts, make_contact(parts, agreed=True))
    force(parts, message, status="sending", lease_until=clock.now() - minutes(1))
    with parts.db.begin() as settling:
        settling.scalar(sa.select(OutboundMessage).where(OutboundMessage.id == message).with_for_update())
        with parts.db.begin() as sweep:
            assert outbox.take_back_stale(sweep, now=clock.now()) == (0, 0)


def test_each_lane_claims_its_own_and_neither_takes_what_is_the_others(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    reminder = plan_one(parts, contact)
    answers = {plan_one(parts, contact, purpose) for purpose in ("alert", "confirmation", "staff", "reply")}
    assert set(claimed(parts, lane="urgent")[1]) == answers
    assert claimed(parts, lane="reminders")[1] == [reminder]
