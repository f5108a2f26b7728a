"""What the carrier took and never told us about: found in its list, or asked about, never sent again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import Plan, plan
from nurseline.messaging.polling import poll_sent
from nurseline.messaging.reconcile import look_up_unknown
from nurseline.messaging.sending import Sender
from tests.e2e.conftest import Line
from tests.support.waiting import wait_for

MANY = 6


def send(line: Line, *, count: int = MANY) -> list[str]:
    """Send a text to each of some numbers from this process; the numbers."""
    numbers = [f"+1202555{n:04d}" for n in range(2000, 2000 + count)]
    now = line.parts.clock.now()
    with line.parts.db.begin() as session:
        for number in numbers:
            contact = contact_for(session, line.parts.keyring, number, at=now)
            plan(session, contact, [Plan("staff", "test.words", "en", now, body="A word.")], at=now)
    line.parts.sender.send_due()
    return numbers


def rows(line: Line) -> list[OutboundMessage]:
    with line.parts.db.begin() as session:
        return list(session.scalars(sa.select(OutboundMessage)))


def ask_now(line: Line, ask: Callable[[Sender], int]) -> None:
    """Let the time pass after which the carrier is asked."""
    with line.parts.db.begin() as session:
        due = sa.update(OutboundMessage).where(OutboundMessage.check_after.is_not(None))
        session.execute(due.values(check_after=line.parts.clock.now()))
    ask(line.parts.sender)


def all_arrived_once(line: Line, numbers: list[str]) -> bool:
    for number in numbers:
        (taken,) = line.phone.sent_by_line(number)
        assert taken["body"] == "A word."
    found = rows(line)
    return {row.status for row in found} == {"delivered"} and len({row.provider_sid for row in found}) == MANY


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_taken_without_an_answer_or_a_report_is_found_in_the_list(line: Line, fault: str) -> None:
    line.phone.ask("PUT", "/faults", seed=1, callback_lost=1.0, **{fault: 1.0})
    numbers = send(line)
    assert [row.status for row in rows(line)] == ["unknown"] * MANY
    line.phone.ask("DELETE", "/faults")

    def settled() -> bool:
        ask_now(line, look_up_unknown)
        ask_now(line, poll_sent)  # found as sent, it is asked about like any other
        return all_arrived_once(line, numbers)

    wait_for(settled, 60, "every message to be found as delivered")


def test_taken_without_any_report_is_asked_about(line: Line) -> None:
    line.phone.ask("PUT", "/faults", seed=1, callback_lost=1.0)
    numbers = send(line)
    assert [row.status for row in rows(line)] == ["sent"] * MANY

    def settled() -> bool:
        ask_now(line, poll_sent)
        return all_arrived_once(line, numbers)

    wait_for(settled, 60, "every message to be known as delivered")


def test_what_the_carrier_never_took_is_not_found_and_not_sent_again(line: Line) -> None:
    line.phone.ask("PUT", "/faults", seed=1, error_before=1.0)
    numbers = send(line)
    assert [row.status for row in rows(line)] == ["unknown"] * MANY
    line.phone.ask("DELETE", "/faults")
    ask_now(line, look_up_unknown)
    found = rows(line)
    assert [(row.status, row.provider_sid) for row in found] == [("unknown", None)] * MANY
    assert [line.phone.sent_by_line(number) for number in numbers] == [[]] * MANY
