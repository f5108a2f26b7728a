"""A carrier that refuses messages for a reason only a person can change: people are told, not each time."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from nurseline.app import build
from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.clock import SetClock
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Refused
from nurseline.parts import Parts
from tests.messaging.support import report
from tests.support.line import (
    NUMBER,
    OTHER_NUMBER,
    FakeGateway,
    at_once,
    fetch,
    make_contact,
    minutes,
    plan_one,
    settings_for,
)

ON_CALL = ("+12025550198", "+12025550199")
BAD_TOKEN = Refused(20003, "configuration")


@pytest.fixture
def sender(parts: Parts, gateway: FakeGateway, sender: Sender, database_url: str) -> Iterator[Sender]:
    """The real sending logic of a clinic with two numbers on call."""
    made = build(settings_for(database_url, alert_numbers=",".join(ON_CALL)), clock=parts.clock)
    yield replace(sender, alarm=made.sender.alarm)
    made.db.engine.dispose()


def alerts(parts: Parts) -> list[str]:
    """Whom a text tells, in order."""
    query = sa.select(OutboundMessage).where(OutboundMessage.content_id == "alert.refused")
    with parts.db.begin() as session:
        return sorted(row.contact.number for row in session.scalars(query))


def items(parts: Parts) -> list[tuple[str, str]]:
    with parts.db.begin() as session:
        return [(item.reason, item.number_key) for item in session.scalars(sa.select(CallbackItem))]


def refuse(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    refused: Refused = BAD_TOKEN,
    number: str = NUMBER,
) -> None:
    """One message of staff is refused."""
    message = plan_one(parts, make_contact(parts, number), "staff")
    gateway.script = [refused]
    sender.send_due(limit=1)
    assert fetch(parts, message).status == "failed"


def test_people_on_call_get_a_text_and_the_queue_an_item(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    refuse(parts, sender, gateway)
    assert alerts(parts) == list(ON_CALL)
    assert items(parts) == [("admin", "carrier error 20003")]
    with parts.db.begin() as session:
        (words,) = session.scalars(sa.select(CallbackWords))
        assert "20003" in words.words
    sender.send_due()
    assert sorted(sent.to for sent in gateway.sends[-2:]) == list(ON_CALL)


def test_without_anybody_on_call_there_is_the_item(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    refuse(parts, replace(sender, alarm=parts.sender.alarm), gateway)
    assert alerts(parts) == []
    assert items(parts) == [("admin", "carrier error 20003")]


def test_an_hour_of_refusals_is_told_once_and_the_next_hour_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    for _ in range(5):
        refuse(parts, sender, gateway)
        clock.advance(minutes(10))
        sender.send_due()
    assert len(alerts(parts)) == 2
    clock.advance(minutes(20))
    refuse(parts, sender, gateway)
    assert len(alerts(parts)) == 4
    assert len(items(parts)) == 1


def test_each_error_code_is_told(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    refuse(parts, sender, gateway)
    sender.send_due()
    refuse(parts, sender, gateway, Refused(30007, "content"))
    assert [key for _, key in items(parts)] == ["carrier error 20003", "carrier error 30007"]
    assert len(alerts(parts)) == 4


def test_an_alert_that_is_refused_itself_does_not_call_for_another(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    refuse(parts, sender, gateway)
    gateway.script = [BAD_TOKEN] * 50
    while sender.send_due():
        pass
    assert len(alerts(parts)) == 2


@pytest.mark.parametrize("refused", [Refused(21211, "recipient"), Refused(99999, "unlisted")])
def test_what_only_concerns_one_number_calls_for_nobody(
    parts: Parts, sender: Sender, gateway: FakeGateway, refused: Refused
) -> None:
    refuse(parts, sender, gateway, refused)
    assert alerts(parts) == []
    assert items(parts) == []


def test_refusals_of_many_workers_at_once_are_told_once(parts: Parts, sender: Sender) -> None:
    def tell() -> None:
        """As a worker does, which writes its results again where the database did not let it."""
        for tries_left in (2, 1, 0):
            try:
                with parts.db.begin() as session:
                    return sender.alarm(session, 20003, parts.clock.now())
            except OperationalError:
                if not tries_left:
                    raise
        return None

    assert at_once(*[tell] * 6) == [None] * 6
    assert alerts(parts) == list(ON_CALL)
    assert len(items(parts)) == 1


@pytest.mark.parametrize("damage", ["contacts SET number", "callback_items SET best_time"])
def test_what_became_of_a_message_is_written_down_though_no_key_opens_what_the_alarm_needs(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, damage: str
) -> None:
    refuse(parts, sender, gateway)
    sender.send_due()
    clock.advance(minutes(61))
    with parts.db.begin() as session:
        session.execute(sa.text(f"UPDATE {damage} = 'x'"))
    refuse(parts, sender, gateway, number=OTHER_NUMBER)


def test_a_refusal_that_the_carrier_reports_later_is_told_too(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    message = plan_one(parts, make_contact(parts), "staff")
    sender.send_due()
    known = fetch(parts, message).provider_sid or ""
    report(parts, known, "undelivered", reference=message, error_code=30034, alarm=sender.alarm)
    assert items(parts) == [("admin", "carrier error 30034")]
