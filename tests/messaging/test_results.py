"""What becomes of a message for each thing that can come of asking the carrier."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.consent.models import ConsentEvent
from nurseline.messaging import outbox
from nurseline.messaging.followups import LATER
from nurseline.messaging.models import Contact
from nurseline.messaging.results import ATTEMPTS, BACKOFF, BACKOFF_LONGEST, MENDED, NotWritten
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Refused, SendOutcome
from nurseline.parts import Parts
from tests.messaging.support import force, report
from tests.support.line import (
    OTHER_NUMBER,
    FakeGateway,
    Sent,
    fetch,
    history,
    make_contact,
    make_injection,
    messages_of,
    minutes,
    plan_one,
    say_start,
    sid,
)
from tests.support.waiting import wait_for

DOWN = NotSent("no connection", 0.0)


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def test_an_accepted_message_is_sent_under_the_sid_of_the_carrier(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message, accepted = plan_one(parts, contact), Accepted(sid())
    gateway.script = [accepted]
    assert sender.send_due() == 1
    row = fetch(parts, message)
    assert (row.status, row.provider_sid, row.attempts) == ("sent", accepted.sid, 1)
    assert (row.claim_token, row.lease_until, row.reason) == (None, None, "")
    assert history(parts, message) == ["scheduled", "claimed", "sending", "sent"]
    assert sender.send_due() == 0


@pytest.mark.parametrize(
    "refused",
    [
        Refused(21211, "recipient"),
        Refused(30007, "content"),
        Refused(99999, "unlisted"),
        Refused(0, "unlisted"),
    ],
    ids=lambda refused: refused.meaning,
)
def test_a_refused_message_has_failed_and_says_why(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact, refused: Refused
) -> None:
    message = plan_one(parts, contact)
    gateway.script = [refused]
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.error_code) == ("failed", refused.code)
    assert row.reason == f"refused: {refused.meaning}"
    clock.advance(timedelta(days=1))
    sender.send_due()
    assert len(gateway.sends) == 1


def test_a_reminder_waits_until_the_settings_are_mended_that_keep_it_back(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    alarms: list[int] = []
    message = plan_one(parts, contact, send_before=clock.now() + timedelta(hours=1))
    gateway.script = [Refused(20003, "configuration")] * 2
    telling = replace(sender, alarm=lambda _session, code, _now: alarms.append(code))
    telling.send_due()
    row = fetch(parts, message)
    assert (row.status, row.send_after) == ("scheduled", clock.now() + MENDED)
    assert alarms == [20003], "only a person can mend it"
    for status in ("scheduled", "sent"):
        clock.advance(MENDED)
        telling.send_due()
        assert fetch(parts, message).status == status


def test_a_reminder_whose_settings_nobody_mends_has_failed_in_the_end_and_staff_see_it(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact, send_before=clock.now() + 2 * MENDED)
    gateway.script = [Refused(20003, "configuration")] * 5
    for _ in range(5):
        sender.send_due()
        clock.advance(MENDED)
    row = fetch(parts, message)
    assert (row.status, row.error_code, row.attempts) == ("failed", 20003, 2)


def test_what_staff_wrote_does_not_wait_for_the_settings(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = plan_one(parts, contact, "staff")
    gateway.script = [Refused(20003, "configuration")]
    sender.send_due()
    assert (fetch(parts, message).status, fetch(parts, message).error_code) == ("failed", 20003)


def test_a_refusal_that_may_pass_is_tried_once_more_an_hour_later(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message, full = plan_one(parts, contact), Refused(21611, "later")
    gateway.script = [full, DOWN, full]
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.error_code, row.send_after) == ("scheduled", 21611, clock.now() + LATER)
    assert sender.send_due() == 0
    while fetch(parts, message).status == "scheduled":
        clock.instant = fetch(parts, message).send_after
        sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.error_code, row.reason) == ("failed", 21611, "refused: later")
    assert len(gateway.sends) == 3, "the one that never arrived did not count"


def test_a_refusal_that_may_pass_is_final_when_the_message_is_of_no_use_by_then(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact, send_before=clock.now() + LATER)
    gateway.script = [Refused(21611, "later")]
    sender.send_due()
    assert (fetch(parts, message).status, fetch(parts, message).reason) == ("failed", "refused: later")


def test_what_goes_in_the_end_keeps_no_error_of_before(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact)
    gateway.script = [Refused(21611, "later")]
    sender.send_due()
    clock.advance(LATER)
    sender.send_due()
    assert (fetch(parts, message).status, fetch(parts, message).error_code) == ("sent", None)


def test_a_refusal_of_what_was_never_processed_is_tried_again_like_a_broken_connection(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact)
    gateway.script = [Refused(20429, "now")] * 3
    for _ in range(4):
        sender.send_due()
        clock.advance(minutes(1))
    assert (fetch(parts, message).status, len(gateway.sends)) == ("sent", 4)


def test_a_refusal_that_says_nothing_for_sure_makes_the_outcome_unknown(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = plan_one(parts, contact)
    gateway.script = [Refused(30410, "ambiguous")]
    sender.send_due()
    assert (fetch(parts, message).status, fetch(parts, message).reason) == ("unknown", "error 30410")


def test_21610_writes_the_opt_out_and_cancels_the_rest(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=24))
    gateway.script = [Refused(21610, "opted_out")]
    sender.send_due()
    assert [m.status for m in messages_of(parts, contact)] == ["failed", "cancelled", "cancelled"]
    with parts.db.begin() as session:
        ledger = consent.state_of(session, contact.number_hash)
        assert ledger is not None
        assert (ledger.status, ledger.carrier_blocked) == ("opted_out", True)
        newest = sa.select(ConsentEvent).where(ConsentEvent.kind == "opt_out")
        assert [(e.method, e.actor) for e in session.scalars(newest)] == [("error_21610", "carrier")]


def test_what_never_arrived_is_tried_again_after_a_pause_that_grows(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact, send_before=clock.now() + timedelta(hours=12))
    for attempt in range(1, 14):
        gateway.script = [DOWN]
        sender.send_due()
        row = fetch(parts, message)
        assert (row.status, row.attempts, row.sending_at) == ("scheduled", attempt, None)
        longest = min(BACKOFF * 2 ** (attempt - 1), BACKOFF_LONGEST)
        assert longest / 2 <= row.send_after - clock.now() <= longest
        assert sender.send_due() == 0, "not before the pause is over"
        clock.instant = row.send_after
    sender.send_due()
    assert fetch(parts, message).status == "sent"
    assert len(gateway.sends) == 14


def test_the_carrier_may_ask_for_a_longer_pause(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = plan_one(parts, contact)
    gateway.script = [NotSent("too many requests", 600.0)]
    sender.send_due()
    assert fetch(parts, message).send_after == parts.clock.now() + minutes(10)


def test_an_answer_is_given_up_after_many_attempts(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact, "staff")
    gateway.script = [DOWN] * (ATTEMPTS + 5)
    for _ in range(ATTEMPTS + 5):
        sender.send_due()
        clock.advance(BACKOFF_LONGEST)
    row = fetch(parts, message)
    assert (row.status, row.reason, row.attempts) == ("failed", "given up: no connection", ATTEMPTS)
    assert len(gateway.sends) == ATTEMPTS


def test_a_reminder_outlives_hours_without_a_connection_but_not_its_use(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    useful_until = clock.now() + timedelta(hours=4)
    message = plan_one(parts, contact, send_before=useful_until)
    gateway.script = [DOWN] * 1000
    while fetch(parts, message).status == "scheduled":
        clock.instant = max(clock.now() + timedelta(seconds=1), fetch(parts, message).send_after)
        sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.reason) == ("failed", "given up: no connection")
    assert useful_until - 2 * BACKOFF_LONGEST < clock.now() < useful_until


def test_a_thousand_attempts_do_not_overflow_the_pause(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact, send_before=clock.now() + timedelta(hours=4))
    force(parts, message, attempts=1000)
    gateway.script = [DOWN]
    sender.send_due()
    assert fetch(parts, message).status == "scheduled"


def test_an_ambiguous_send_is_unknown_and_never_repeated(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact)
    gateway.script = [Ambiguous("no answer")]
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.reason, row.claim_token) == ("unknown", "no answer", None)
    assert row.sending_at == clock.now()
    for _ in range(10):
        clock.advance(timedelta(hours=7))
        sender.send_due()
        with parts.db.begin() as session:
            outbox.take_back_stale(session, now=clock.now())
    assert len(gateway.sends) == 1


def test_one_send_that_breaks_leaves_the_others_of_its_batch_alone(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    messages = [plan_one(parts, contact, "staff") for _ in range(20)]
    gateway.script = [RuntimeError("a fault of ours")]
    with pytest.raises(RuntimeError):
        sender.send_due()
    assert sorted(fetch(parts, m).status for m in messages) == ["sending"] + ["sent"] * 19


def test_one_result_that_cannot_be_written_leaves_the_others_of_its_batch_alone(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    messages = [plan_one(parts, contact, "staff") for _ in range(20)]
    gateway.script = [Refused(20003, "configuration")]

    def broken(session: Session, code: int, now: datetime) -> None:
        raise RuntimeError("the alarm is broken")

    with pytest.raises(NotWritten):
        replace(sender, alarm=broken).send_due()
    assert sorted(fetch(parts, m).status for m in messages) == ["sending"] + ["sent"] * 19
    with parts.db.begin() as session:
        outbox.take_back_stale(session, now=parts.clock.now() + outbox.SENDING_LEASE + minutes(1))
    assert [fetch(parts, m).status for m in messages].count("unknown") == 1


LATE: list[tuple[SendOutcome, str]] = [
    (Accepted("SM" + "e" * 32), "sent"),
    (Refused(21211, "recipient"), "failed"),
    (NotSent("no connection", 0.0), "failed"),  # what is unknown is not sent again by itself, even then
    (Ambiguous("no answer"), "unknown"),
]


@pytest.mark.parametrize(("outcome", "status"), LATE, ids=lambda value: str(value)[:12])
def test_a_result_that_comes_after_the_lease_still_counts(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    outcome: SendOutcome,
    status: str,
) -> None:
    message = plan_one(parts, contact)

    def slowly(_: object) -> SendOutcome:
        clock.advance(outbox.SENDING_LEASE + minutes(1))
        with parts.db.begin() as session:
            assert outbox.take_back_stale(session, now=clock.now()) == (0, 1)
        return outcome

    gateway.script = [slowly]
    sender.send_due()
    row = fetch(parts, message)
    assert row.status == status
    if isinstance(outcome, Accepted):
        assert (row.provider_sid, row.reason) == (outcome.sid, "")
    clock.advance(timedelta(days=1))
    sender.send_due()
    assert len(gateway.sends) == 1


@pytest.mark.parametrize("reported", ["sent", "delivered", "undelivered", "failed"])
def test_a_report_that_comes_before_the_answer_of_the_request_stands(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, reported: str
) -> None:
    message, accepted = plan_one(parts, contact), Accepted(sid())

    def report_first(_: object) -> SendOutcome:
        assert report(parts, accepted.sid, reported, reference=message)
        return accepted

    gateway.script = [report_first]
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.provider_sid, row.lease_until) == (reported, accepted.sid, None)


def test_a_report_settles_a_send_whose_answer_got_lost(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message, lost = plan_one(parts, contact), sid()

    def accept_then_drop(_: object) -> SendOutcome:
        report(parts, lost, "sent", reference=message)
        return Ambiguous("connection lost")

    gateway.script = [accept_then_drop]
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.provider_sid, row.reason) == ("sent", lost, "")


def test_a_21610_that_answers_what_was_asked_before_a_start_does_not_undo_it(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact)

    def started_meanwhile(_sent: Sent) -> SendOutcome:
        clock.advance(timedelta(seconds=5))
        say_start(parts, contact)
        return Refused(21610, "opted_out")

    gateway.script = [started_meanwhile]
    sender.send_due()
    assert fetch(parts, message).status == "failed"
    with parts.db.begin() as session:
        assert consent.holds(session, contact.number_hash)


@pytest.mark.parametrize("outcome", [DOWN, Refused(20003, "configuration")])
def test_what_surely_did_not_go_is_no_question_even_if_that_is_learnt_after_the_lease(
    parts: Parts,
    sender: Sender,
    gateway: FakeGateway,
    clock: SetClock,
    contact: Contact,
    outcome: SendOutcome,
) -> None:
    message = plan_one(parts, contact, send_before=clock.now() + timedelta(hours=5))

    def slow(_sent: Sent) -> SendOutcome:
        clock.advance(outbox.SENDING_LEASE + timedelta(seconds=1))
        with parts.db.begin() as session:
            outbox.take_back_stale(session, now=clock.now())
        return outcome

    gateway.script = [slow]
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.check_after) == ("failed", None)
    assert row.reason.startswith(outbox.GIVEN_UP)
    assert history(parts, message)[-2:] == ["unknown", "failed"]


def test_results_wait_for_a_ledger_that_somebody_else_holds(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    """One number's row is held for longer than a statement waits; the carrier has the other message."""
    held, free = make_contact(parts, agreed=True), make_contact(parts, OTHER_NUMBER, agreed=True)
    waits, goes = plan_one(parts, held), plan_one(parts, free)
    asked, seen = Event(), Event()

    def hold() -> None:
        with parts.db.begin() as session:
            consent.holds(session, held.number_hash)
            asked.set()
            assert seen.wait(30)

    holder = Thread(target=hold)

    def down(_sent: Sent) -> SendOutcome:
        holder.start()
        assert asked.wait(10)
        return DOWN

    def let_go_in_the_end(failures: list[object]) -> None:
        wait_for(lambda: len(failures) >= 3, 30, "three statements to have waited for the lock in vain")
        wait_for(lambda: fetch(parts, goes).status == "sent", 30, "what the carrier has to be written")
        seen.set()

    gateway.script = [down, Accepted(sid())]
    with quick_locks(parts) as failures:
        watching = Thread(target=let_go_in_the_end, args=[failures])
        watching.start()
        sender.send_due()
        watching.join()
        holder.join()
    assert [fetch(parts, one).status for one in (waits, goes)] == ["scheduled", "sent"]


@contextmanager
def quick_locks(parts: Parts) -> Iterator[list[object]]:
    """No statement waits for a lock for longer than a fifth of a second; what failed is listed."""
    failures: list[object] = []

    def note(failure: object) -> None:
        failures.append(failure)

    def hurry(connection: Any, *_more: object) -> None:
        connection.execute("SET lock_timeout = '200ms'")
        connection.commit()

    sa.event.listen(parts.db.engine, "checkout", hurry)
    sa.event.listen(parts.db.engine, "handle_error", note)
    try:
        yield failures
    finally:
        sa.event.remove(parts.db.engine, "checkout", hurry)
        sa.event.remove(parts.db.engine, "handle_error", note)
        parts.db.engine.dispose()
