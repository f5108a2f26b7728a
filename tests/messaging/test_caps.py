"""One message a day and three a week to one number, on a real database with several workers."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier

import pytest
import sqlalchemy as sa

from nurseline.clock import SetClock
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.past import others_to
from nurseline.messaging.sending import Sender
from nurseline.messaging.timing import SOON
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Refused, SendOutcome
from nurseline.parts import Parts
from tests.messaging.support import claimed, force, send_one
from tests.support.line import (
    OTHER_NUMBER,
    ZONE,
    FakeGateway,
    at_once,
    fetch,
    history,
    make_contact,
    minutes,
    plan_one,
    sid,
)

DAY = timedelta(days=1)
WORKERS = 6


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def statuses(parts: Parts, messages: Sequence[uuid.UUID]) -> list[str]:
    return sorted(fetch(parts, message).status for message in messages)


def test_of_two_reminders_that_two_workers_send_at_once_only_one_goes(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    for round_ in range(10):
        first, second = (plan_one(parts, contact, timezone=ZONE) for _ in range(2))
        token, _ = claimed(parts)
        at_once(*[partial(send_one, sender, message, token) for message in (first, second)])
        assert len(gateway.sends) == round_ + 1
        assert statuses(parts, [first, second]) == ["scheduled", "sent"]
        with parts.db.begin() as session:
            outbox.cancel_planned(session, contact.number_hash, at=clock.now(), reason="the next round")
        clock.advance(3 * DAY)


def test_two_that_are_prepared_at_the_same_moment_do_not_overlook_each_other(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    """Both workers have read their row before either lets it go."""
    both_read = Barrier(2, timeout=10)

    def words(*_: str) -> tuple[str, str]:  # asked for after the decision: only one may come this far
        both_read.wait(0.3)
        return "Words", "1"

    messages = [plan_one(parts, contact, body=None) for _ in range(2)]
    token, _ = claimed(parts)
    slow = replace(sender, words=words)
    at_once(*[partial(send_one, slow, message, token) for message in messages])
    assert both_read.broken, "the second decided while the first was still open"
    assert len(gateway.sends) <= 1


def test_many_workers_with_many_reminders_to_a_few_numbers_send_one_to_each(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    contacts = [make_contact(parts, f"+120255501{n:02}", agreed=True) for n in range(5)]
    messages = [plan_one(parts, contact, timezone=ZONE) for contact in contacts for _ in range(6)]
    narrow = replace(sender, width=2)
    at_once(*[lambda: narrow.send_due(limit=5)] * WORKERS)
    while narrow.send_due(limit=5):
        pass
    assert sorted(sent.to for sent in gateway.sends) == [contact.number for contact in contacts]
    assert statuses(parts, messages) == ["scheduled"] * 25 + ["sent"] * 5


def test_the_second_goes_a_day_later_and_the_fourth_when_the_week_is_over(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    start = clock.now()
    for _ in range(4):
        plan_one(parts, contact, timezone=ZONE)
    went: list[datetime] = []
    while clock.now() < start + 9 * DAY:
        before = len(gateway.sends)
        sender.send_due()
        went += [clock.now()] * (len(gateway.sends) - before)
        clock.advance(minutes(20))
    # the clocks go forward on the fifth day: a week later it is eleven there, and still 168 hours
    assert went == [start, start + DAY, start + 2 * DAY, start + 7 * DAY]


def test_what_cannot_go_in_time_is_skipped_with_a_reason_staff_can_see(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact
) -> None:
    plan_one(parts, contact, timezone=ZONE, send_after=clock.now() - minutes(1))
    sender.send_due()
    late = plan_one(parts, contact, timezone=ZONE, send_before=clock.now() + DAY)
    sender.send_due()
    row = fetch(parts, late)
    assert (row.status, row.reason, row.claim_token) == ("skipped", "too late after one message a day", None)
    in_time = plan_one(parts, contact, timezone=ZONE, send_before=clock.now() + DAY + minutes(1))
    sender.send_due()
    row = fetch(parts, in_time)
    assert (row.status, row.send_after) == ("scheduled", clock.now() + DAY)
    assert history(parts, in_time) == ["scheduled", "claimed", "scheduled"]


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Accepted(sid()), True),
        (Ambiguous("no answer"), True),
        (Refused(21211, "recipient"), False),
        (NotSent("no connection", 36000.0), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_went_or_may_have_gone_counts_and_what_did_not_does_not(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    outcome: SendOutcome,
    counts: bool,
) -> None:
    gateway.script = [outcome]
    plan_one(parts, contact, timezone=ZONE)
    sender.send_due()
    plan_one(parts, contact, timezone=ZONE)
    clock.advance(minutes(1))
    sender.send_due()
    assert len(gateway.sends) == (1 if counts else 2)


@pytest.mark.parametrize("status", ["sending", "sent", "delivered", "undelivered", "unknown"])
def test_every_status_of_what_went_counts(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact, status: str
) -> None:
    before = plan_one(parts, contact)
    force(parts, before, status=status, sending_at=clock.now() - minutes(5))
    message = plan_one(parts, contact, timezone=ZONE)
    sender.send_due()
    assert gateway.sends == []
    until = clock.now() + SOON if status == "sending" else clock.now() - minutes(5) + DAY
    assert fetch(parts, message).send_after == until


def test_one_on_its_way_that_did_not_go_makes_room_for_the_next(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    other = plan_one(parts, contact, timezone=ZONE, send_after=clock.now() + minutes(1))

    def meanwhile(_: object) -> SendOutcome:
        clock.advance(minutes(1))
        sender.send_due()
        assert fetch(parts, other).status == "scheduled"
        return NotSent("no connection", 36000.0)

    gateway.script = [meanwhile]
    plan_one(parts, contact, timezone=ZONE)
    sender.send_due()
    clock.advance(SOON)
    sender.send_due()
    assert [fetch(parts, other).status, len(gateway.sends)] == ["sent", 2]


@pytest.mark.parametrize("purpose", ["reply", "alert", "confirmation", "staff"])
def test_answers_neither_wait_for_the_caps_nor_count(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, purpose: str
) -> None:
    for _ in range(3):
        plan_one(parts, contact, purpose)
    reminder = plan_one(parts, contact, timezone=ZONE)
    sender.send_due()
    for _ in range(3):
        plan_one(parts, contact, purpose)
    sender.send_due()
    assert len(gateway.sends) == 7
    assert fetch(parts, reminder).status == "sent"


def test_an_answer_does_not_wait_for_the_ledger(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    contact = make_contact(parts, agreed=True)
    plan_one(parts, contact, "reply")
    with parts.db.begin() as session:
        session.execute(sa.text("SELECT 1 FROM consent_states FOR UPDATE"))
        sender.send_due()
    assert len(gateway.sends) == 1


def test_one_number_does_not_hold_back_another(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    for number in ("+12025550123", OTHER_NUMBER):
        plan_one(parts, make_contact(parts, number, agreed=True), timezone=ZONE)
    sender.send_due()
    assert len(gateway.sends) == 2


def test_without_a_zone_in_the_row_that_of_the_patient_counts_then_clinic_and_number(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    honolulu = make_contact(parts, "+18082345678", agreed=True)
    known = make_contact(parts, "+18082345679", agreed=True)
    with parts.db.begin() as session:
        session.execute(sa.update(Contact).where(Contact.id == known.id).values(timezone="America/New_York"))
    plan_one(parts, honolulu)
    plan_one(parts, known)
    sender.send_due()  # ten in New York, five in Honolulu
    assert [sent.to for sent in gateway.sends] == [known.number]
    clock.advance(timedelta(hours=4))
    sender.send_due()
    assert [sent.to for sent in gateway.sends] == [known.number, honolulu.number]


def test_the_caps_are_asked_by_an_index(parts: Parts, contact: Contact) -> None:
    message = plan_one(parts, contact)
    with parts.db.begin() as session:
        row = session.get_one(OutboundMessage, message)
        seen: list[str] = []

        def explain(_conn: object, _cursor: object, sql: str, *_: object) -> None:
            seen.append(sql)

        sa.event.listen(parts.db.engine, "before_cursor_execute", explain)
        others_to(session, [row], now=parts.clock.now())
        sa.event.remove(parts.db.engine, "before_cursor_execute", explain)
    assert len(seen) == 1
    assert "purpose = 'reminder'" in seen[0], "as a parameter no plan could rely on the index on reminders"
