"""Messages of unknown outcome are looked up at the carrier, and settled without being sent again."""

import uuid
from datetime import timedelta

import pytest

from nurseline.clock import SetClock
from nurseline.messaging.models import Contact
from nurseline.messaging.reports import LOOK_AFTER, LOOK_UNTIL, look_up_unknown
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, Ambiguous
from nurseline.parts import Parts
from tests.messaging.support import report
from tests.support.line import FakeGateway, fetch, make_contact, minutes, plan_one, sid


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def unknown_one(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, body: str = "Words."
) -> uuid.UUID:
    message = plan_one(parts, contact, "staff", body=body)
    gateway.script = [Ambiguous("no answer")]
    sender.send_due()
    assert fetch(parts, message).status == "unknown"
    return message


def test_a_message_that_the_carrier_has_is_found_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    asked, there = clock.now(), sid()
    gateway.held["Words."] = [there]
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 1
    row = fetch(parts, message)
    assert (row.status, row.provider_sid, row.reason) == ("sent", there, "")
    assert gateway.looked_up == [(contact.number, "Words.", asked)]
    assert look_up_unknown(sender) == 0
    assert len(gateway.sends) == 1
    assert report(parts, there, "delivered", reference=message)


def test_one_that_the_carrier_does_not_have_stays_unknown_for_staff(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    for _ in range(5):
        clock.advance(minutes(60))
        assert look_up_unknown(sender) == 0
    assert fetch(parts, message).status == "unknown"
    assert len(gateway.sends) == 1


@pytest.mark.parametrize(
    ("after", "asked"),
    [
        (LOOK_AFTER - timedelta(seconds=1), 0),  # the list lags behind
        (LOOK_AFTER + timedelta(seconds=1), 1),
        (LOOK_UNTIL - timedelta(seconds=1), 1),
        (LOOK_UNTIL + timedelta(seconds=1), 0),
    ],
)
def test_the_carrier_is_asked_neither_too_soon_nor_for_ever(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    after: timedelta,
    asked: int,
) -> None:
    unknown_one(parts, sender, gateway, contact)
    clock.advance(after)
    look_up_unknown(sender)
    assert len(gateway.looked_up) == asked


def test_the_same_words_twice_each_find_their_own(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    messages = [unknown_one(parts, sender, gateway, contact) for _ in range(3)]
    there = [sid(), sid()]
    gateway.held["Words."] = there
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 2
    rows = [fetch(parts, m) for m in messages]
    assert sorted(row.provider_sid for row in rows if row.provider_sid) == sorted(there)
    assert sorted(row.status for row in rows) == ["sent", "sent", "unknown"]


def test_a_sid_of_another_message_is_not_taken(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    lost = unknown_one(parts, sender, gateway, contact)
    other, there = plan_one(parts, contact, "staff", body="Words."), sid()
    gateway.script = [Accepted(there)]
    sender.send_due()
    gateway.held["Words."] = [there]
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 0
    assert fetch(parts, lost).status == "unknown"
    assert fetch(parts, other).provider_sid == there


def test_a_carrier_that_cannot_be_asked_changes_nothing(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = unknown_one(parts, sender, gateway, contact)
    gateway.down = True
    clock.advance(minutes(2))
    assert look_up_unknown(sender) == 0
    assert fetch(parts, message).status == "unknown"


def test_those_that_nobody_finds_do_not_stand_before_the_others(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    for number in range(4):
        unknown_one(parts, sender, gateway, contact, body=f"Lost {number}")
    there = unknown_one(parts, sender, gateway, contact, body="Found")
    gateway.held["Found"] = [sid()]
    clock.advance(minutes(2))
    for _ in range(60):
        look_up_unknown(sender, limit=2)
    assert fetch(parts, there).status == "sent"
