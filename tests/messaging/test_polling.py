"""Messages that were taken and of which no final report came: the carrier is asked, ever more seldom."""

import time
import uuid
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import CapturedCall, CapturingLogger

from nurseline.clock import SetClock
from nurseline.messaging import asking, checking, polling
from nurseline.messaging.checks import SENT_CHECKS
from nurseline.messaging.models import Contact
from nurseline.messaging.polling import FORGOTTEN, poll_sent
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Standing
from nurseline.parts import Parts
from tests.messaging.support import causes, checked_next, damage, force, report
from tests.support.line import TUESDAY, FakeGateway, at_once, fetch, history, make_contact, minutes, plan_one

SECOND = timedelta(seconds=1)


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def sent_one(parts: Parts, sender: Sender, contact: Contact) -> tuple[uuid.UUID, str]:
    message = plan_one(parts, contact, "staff")
    sender.send_due()
    return message, fetch(parts, message).provider_sid or ""


@pytest.mark.parametrize(
    ("status", "code", "ends_as"),
    [("delivered", None, "delivered"), ("read", None, "delivered"), ("undelivered", 30005, "undelivered")],
)
def test_what_the_carrier_says_when_asked_counts_like_a_report(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    status: str,
    code: int | None,
    ends_as: str,
) -> None:
    message, known = sent_one(parts, sender, contact)
    gateway.stands[known] = Standing(known, status, TUESDAY, code, "recipient" if code else None)
    clock.advance(SENT_CHECKS[0] + SECOND)
    assert poll_sent(sender) == 1
    row = fetch(parts, message)
    assert (row.status, row.error_code, row.check_after) == (ends_as, code, None)
    assert causes(parts, message)[-1] == f"asked: {status}"
    clock.advance(timedelta(days=2))
    assert poll_sent(sender) == 0
    assert gateway.looked_at == [known]
    assert not report(parts, known, ends_as, reference=message)


def test_it_is_asked_four_times_within_a_day_and_then_stays_as_it_is(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    gateway.stands[known] = Standing(known, "sent", TUESDAY)
    asked_at = []
    while clock.now() < TUESDAY + timedelta(days=2):
        clock.advance(minutes(1))
        before = len(gateway.looked_at)
        assert poll_sent(sender) == 0
        if len(gateway.looked_at) > before:
            asked_at.append(clock.now() - TUESDAY)
    assert asked_at == list(SENT_CHECKS)
    row = fetch(parts, message)
    assert (row.status, row.check_after) == ("sent", None)
    assert history(parts, message)[-1] == "sent"


def test_nobody_asks_about_what_was_reported_or_is_not_due(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    delivered, known = sent_one(parts, sender, contact)
    report(parts, known, "delivered", reference=delivered)
    clock.advance(SENT_CHECKS[0] - SECOND)
    sent_one(parts, sender, contact)
    clock.advance(2 * SECOND)
    poll_sent(sender)
    assert gateway.looked_at == []


def test_a_message_is_asked_about_by_one_process_at_a_time(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    sids = []
    for _ in range(12):
        sids.append(sent_one(parts, sender, contact)[1])
        gateway.stands[sids[-1]] = Standing(sids[-1], "delivered", TUESDAY)
    clock.advance(SENT_CHECKS[0] + SECOND)
    counts = at_once(*[lambda: poll_sent(sender, limit=3)] * 4)
    assert sum(count for count in counts if isinstance(count, int)) == 12
    assert sorted(gateway.looked_at) == sorted(sids)


def test_a_carrier_that_cannot_be_asked_costs_some_minutes_and_nothing_else(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    gateway.down = True
    clock.advance(SENT_CHECKS[0] + SECOND)
    assert poll_sent(sender) == 0
    assert fetch(parts, message).status == "sent"
    gateway.down = False
    gateway.stands[known] = Standing(known, "delivered", TUESDAY)
    clock.advance(minutes(6))
    assert poll_sent(sender) == 1


def test_a_sid_that_the_carrier_does_not_know_any_more_is_not_asked_for_again(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message, _ = sent_one(parts, sender, contact)
    clock.advance(SENT_CHECKS[0] + SECOND)
    poll_sent(sender)
    row = fetch(parts, message)
    assert (row.status, row.check_after) == ("sent", None)
    assert causes(parts, message)[-1] == FORGOTTEN


def test_a_report_that_came_while_we_asked_stands(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)

    class Slow(FakeGateway):
        def look(self, sid: str) -> Standing | None:
            report(parts, known, "delivered", reference=message)
            return Standing(sid, "sent", TUESDAY)

    clock.advance(SENT_CHECKS[0] + SECOND)
    assert poll_sent(replace(sender, gateway=Slow())) == 0
    row = fetch(parts, message)
    assert (row.status, row.check_after) == ("delivered", None)


def test_a_great_many_are_asked_about_in_batches(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    for n in range(7):
        message = plan_one(parts, contact, "staff")
        force(parts, message, status="sent", provider_sid=f"SM{n}", sending_at=TUESDAY, check_after=TUESDAY)
        gateway.stands[f"SM{n}"] = Standing(f"SM{n}", "delivered", TUESDAY)
    assert poll_sent(sender, limit=2) == 7


def test_no_more_are_asked_about_when_the_time_is_over(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = plan_one(parts, contact, "staff")
    force(parts, message, status="sent", provider_sid="SM1", sending_at=TUESDAY, check_after=TUESDAY)
    assert poll_sent(sender, seconds=-1.0) == 0
    assert gateway.looked_at == []


def test_a_carrier_that_cannot_be_asked_is_not_asked_about_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WIDTH", 1)
    begun = []

    def ask(item: int) -> int:
        begun.append(item)
        if item == 7:
            raise OSError
        return -item

    answers, whole = asking.ask_all(range(50), ask, until=time.monotonic() + 60)
    assert (answers, whole) == ([(item, -item) for item in range(7)], False)
    assert begun == list(range(8))


def test_all_are_asked_where_nothing_is_in_the_way() -> None:
    answers, whole = asking.ask_all(range(50), str, until=time.monotonic() + 60)
    assert (answers, whole) == ([(item, str(item)) for item in range(50)], True)


def test_a_text_that_no_key_opens_keeps_no_other_from_being_asked_about(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damaged, known = sent_one(parts, sender, contact)
    others = [sent_one(parts, sender, contact) for _ in range(3)]
    damage(parts, damaged)
    for one in (known, *(there for _, there in others)):
        gateway.stands[one] = Standing(one, "delivered", TUESDAY)
    clock.advance(SENT_CHECKS[0] + SECOND)
    monkeypatch.setattr(checking, "log", logs := CapturingLogger())
    assert poll_sent(sender, limit=2) == 3
    assert poll_sent(sender) == 0
    assert {fetch(parts, one).status for one, _ in others} == {"delivered"}
    told = {"message": str(damaged), "error": "UndecryptableError"}
    assert logs.calls == [CapturedCall("error", ("message.not_checked",), told)]
    assert checked_next(parts, damaged) == TUESDAY + SENT_CHECKS[1]


def test_a_database_that_is_away_still_ends_the_asking(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_one(parts, sender, contact)
    clock.advance(SENT_CHECKS[0] + SECOND)
    gone = OperationalError("", {}, psycopg.OperationalError())
    monkeypatch.setattr(polling, "_note", lambda *_: (_ for _ in ()).throw(gone))
    with pytest.raises(OperationalError):
        poll_sent(sender)
