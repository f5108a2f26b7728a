"""Status callbacks: in any order, repeated, late, or for nothing we know."""

import itertools
import uuid
from functools import partial

import pytest
import sqlalchemy as sa

from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.messaging.checks import SENT_CHECKS
from nurseline.messaging.followups import next_turn_id
from nurseline.messaging.models import Contact, DeliveryReport
from nurseline.messaging.polling import poll_sent
from nurseline.messaging.reports import apply_kept
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Standing
from nurseline.parts import Parts
from tests.messaging.support import causes, claimed, force, report
from tests.support.line import (
    FakeGateway,
    Sent,
    at_once,
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


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def sent_one(parts: Parts, sender: Sender, contact: Contact) -> tuple[uuid.UUID, str]:
    message = plan_one(parts, contact, "staff")
    sender.send_due()
    known = fetch(parts, message).provider_sid
    assert known is not None
    return message, known


def test_what_did_arrive_after_all_is_not_sent_once_more(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    report(parts, known, "undelivered", reference=message, error_code=30003)
    again = fetch(parts, next_turn_id(fetch(parts, message)))
    assert again.status == "scheduled"
    report(parts, known, "delivered", reference=message)
    assert fetch(parts, again.id).status == "cancelled"
    assert fetch(parts, message).status == "undelivered"


@pytest.mark.parametrize("order", list(itertools.permutations(["queued", "sent", "delivered"])), ids="-".join)
def test_reports_in_any_order_and_twice_end_as_delivered(
    parts: Parts, sender: Sender, contact: Contact, order: tuple[str, ...]
) -> None:
    message, known = sent_one(parts, sender, contact)
    for status in (*order, *order):
        report(parts, known, status, reference=message)
    assert fetch(parts, message).status == "delivered"
    assert history(parts, message) == ["scheduled", "claimed", "sending", "sent", "delivered"]


@pytest.mark.parametrize("final", ["delivered", "undelivered", "failed"])
@pytest.mark.parametrize("late", ["queued", "sending", "sent", "delivered", "undelivered", "failed"])
def test_nothing_changes_after_a_final_report(
    parts: Parts, sender: Sender, contact: Contact, final: str, late: str
) -> None:
    message, known = sent_one(parts, sender, contact)
    assert report(parts, known, final, reference=message)
    assert not report(parts, known, late, reference=message)
    assert fetch(parts, message).status == final


def test_an_error_of_the_carrier_is_kept_with_the_message(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    report(parts, known, "undelivered", reference=message, error_code=30006)
    row = fetch(parts, message)
    assert (row.status, row.error_code, row.reason) == ("undelivered", 30006, "carrier error 30006")


def test_a_report_settles_an_unknown_message(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    message, late = plan_one(parts, contact), sid()
    gateway.script = [Ambiguous("no answer")]
    sender.send_due()
    clock.advance(minutes(60 * 30))
    assert report(parts, late, "delivered", reference=message)
    row = fetch(parts, message)
    assert (row.status, row.provider_sid, row.reason) == ("delivered", late, "")


def test_a_report_without_our_reference_is_known_by_its_sid(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    assert report(parts, known, "delivered")
    assert fetch(parts, message).status == "delivered"


def test_a_report_of_another_sid_does_not_touch_a_message_that_has_one(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    assert not report(parts, sid(), "failed", reference=message)
    row = fetch(parts, message)
    assert (row.status, row.provider_sid) == ("sent", known)


def test_reports_for_nothing_we_know_are_stored_and_change_nothing(parts: Parts) -> None:
    assert not report(parts, sid(), "delivered", reference=uuid.uuid4())
    assert not report(parts, sid(), "delivered")
    with parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(DeliveryReport)) == 2


def test_a_status_that_is_new_to_us_changes_nothing(parts: Parts, sender: Sender, contact: Contact) -> None:
    message, known = sent_one(parts, sender, contact)
    assert not report(parts, known, "pondering", reference=message)
    assert fetch(parts, message).status == "sent"


@pytest.mark.parametrize("status", ["skipped", "cancelled"])
def test_a_report_does_not_move_what_was_left_out(parts: Parts, contact: Contact, status: str) -> None:
    message = plan_one(parts, contact)
    force(parts, message, status=status)
    assert not report(parts, sid(), "sent", reference=message)
    assert fetch(parts, message).status == status


def test_what_the_carrier_has_never_goes_again_whatever_our_book_says(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = plan_one(parts, contact, "staff")
    gateway.script = [NotSent("no connection", 0.0)]
    sender.send_due()
    assert fetch(parts, message).status == "scheduled"
    there = sid()
    assert report(parts, there, "sent", reference=message)
    row = fetch(parts, message)
    assert (row.status, row.provider_sid, row.claim_token) == ("sent", there, None)
    force(parts, message, send_after=parts.clock.now())
    assert sender.send_due() == 0
    assert len(gateway.sends) == 1
    assert history(parts, message)[-3:] == ["claimed", "sending", "sent"]


def test_a_worker_that_has_claimed_what_the_carrier_already_has_does_not_send_it(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message = plan_one(parts, contact, "staff")
    token, _ = claimed(parts)
    assert report(parts, sid(), "delivered", reference=message)
    assert fetch(parts, message).claim_token != token
    assert fetch(parts, message).status == "delivered"
    sender.send_due()
    assert gateway.sends == []


def test_a_report_of_a_second_message_under_our_reference_is_kept_for_staff_to_see(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    second = sid()
    assert not report(parts, second, "delivered", reference=message)
    assert not report(parts, second, "delivered", reference=message)
    assert (fetch(parts, message).status, fetch(parts, message).provider_sid) == ("sent", known)
    assert causes(parts, message)[-1] == "the carrier reports another one of it: delivered"
    assert causes(parts, message).count("the carrier reports another one of it: delivered") == 1


def test_a_sid_that_the_list_gave_to_the_twin_of_a_message_moves_the_twin(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    twin, there = plan_one(parts, contact, "staff"), sid()
    message = plan_one(parts, contact, "staff")
    force(parts, twin, status="sent", provider_sid=there)
    force(parts, message, status="unknown")
    assert report(parts, there, "delivered", reference=message)
    assert fetch(parts, twin).status == "delivered"
    assert fetch(parts, message).status == "unknown"


def test_two_final_reports_that_differ_both_stand_in_the_history(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    report(parts, known, "delivered", reference=message)
    for _ in range(2):
        assert not report(parts, known, "undelivered", reference=message, error_code=30003)
    assert fetch(parts, message).status == "delivered"
    assert causes(parts, message)[-2:] == [
        "callback delivered",
        "too late: the carrier reports undelivered",
    ]


def test_a_report_that_came_before_the_sid_was_known_is_applied_when_it_is(
    parts: Parts, contact: Contact
) -> None:
    message, there = plan_one(parts, contact, "staff"), sid()
    assert not report(parts, there, "sent")
    assert not report(parts, there, "delivered")
    force(parts, message, status="sent", provider_sid=there, sending_at=parts.clock.now())
    with parts.db.begin() as session:
        assert apply_kept(session, [there, sid()], at=parts.clock.now()) == 1
    assert fetch(parts, message).status == "delivered"


def test_a_failure_that_came_before_the_sid_was_known_is_asked_about_at_once(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    message, there = plan_one(parts, contact, "staff"), sid()
    assert not report(parts, there, "undelivered", error_code=30005)
    force(parts, message, status="sent", provider_sid=there, sending_at=parts.clock.now())
    with parts.db.begin() as session:
        apply_kept(session, [there], at=parts.clock.now())
    gateway.stands[there] = Standing(there, "undelivered", None, 30005, "recipient")
    assert poll_sent(sender) == 1
    row = fetch(parts, message)
    assert (row.status, row.error_code) == ("undelivered", 30005)


def test_a_message_is_asked_about_later_until_its_status_is_final(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    assert fetch(parts, message).check_after == clock.now() + SENT_CHECKS[0]
    report(parts, known, "sent", reference=message)
    assert fetch(parts, message).check_after == clock.now() + SENT_CHECKS[0]
    report(parts, known, "delivered", reference=message)
    assert fetch(parts, message).check_after is None


def test_the_same_report_many_times_at_once_counts_once(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    message, known = sent_one(parts, sender, contact)
    seen = at_once(*[lambda: report(parts, known, "delivered", reference=message)] * 6)
    assert sorted(seen) == [False] * 5 + [True]
    assert history(parts, message).count("delivered") == 1


def test_different_reports_at_once_end_in_the_furthest(
    parts: Parts, sender: Sender, contact: Contact
) -> None:
    for _ in range(8):
        message, known = sent_one(parts, sender, contact)
        at_once(
            *[
                partial(report, parts, known, status, reference=message)
                for status in ("delivered", "sent", "queued")
            ]
        )
        assert fetch(parts, message).status == "delivered"


def test_a_report_of_21610_writes_the_opt_out_and_cancels_the_rest(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact
) -> None:
    make_injection(parts, contact)
    clock.advance(minutes(24 * 60))
    sender.send_due()
    first = messages_of(parts, contact)[0]
    report(parts, first.provider_sid or "", "failed", reference=first.id, error_code=21610)
    assert [m.status for m in messages_of(parts, contact)] == ["failed", "cancelled", "cancelled"]
    with parts.db.begin() as session:
        ledger = consent.state_of(session, contact.number_hash)
        assert ledger is not None
        assert (ledger.status, ledger.carrier_blocked) == ("opted_out", True)


def test_21610_and_a_stop_at_once_do_not_block_each_other(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact
) -> None:
    for day in range(6):
        one = make_contact(parts, f"+1202555{day:04d}")
        make_injection(parts, one)
        clock.advance(minutes(24 * 60))
        sender.send_due()
        first = messages_of(parts, one)[0]
        known = first.provider_sid or ""
        results = at_once(
            lambda known=known, first=first: report(
                parts, known, "failed", reference=first.id, error_code=21610
            ),
            lambda one=one: _stop(parts, one),
            lambda one=one: _stop(parts, one),
        )
        assert results == [True, None, None]
        assert [m.status for m in messages_of(parts, one)] == ["failed", "cancelled", "cancelled"]


def _stop(parts: Parts, contact: Contact) -> None:
    with parts.db.begin() as session:
        ended = consent.Record(contact.number_hash, parts.clock.now(), "carrier", "STOP")
        consent.opt_out(session, ended, carrier_blocked=True)


def test_a_failure_that_may_pass_is_followed_by_one_more_text_and_no_third(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    make_injection(parts, contact)
    clock.advance(minutes(24 * 60))
    sender.send_due()
    first = messages_of(parts, contact)[0]
    for _ in range(2):
        report(parts, first.provider_sid or "", "failed", reference=first.id, error_code=30003)
    (second,) = [m for m in messages_of(parts, contact) if m.turn == 1]
    assert (second.step, second.status, second.channel) == ("day1", "scheduled", "text")
    assert second.send_after == clock.now() + minutes(60)
    clock.advance(minutes(60))
    sender.send_due()
    again = fetch(parts, second.id)
    assert again.status == "sent"
    report(parts, again.provider_sid or "", "failed", reference=again.id, error_code=30003)
    assert sorted(m.turn for m in messages_of(parts, contact) if m.step == "day1") == [0, 1]


@pytest.mark.parametrize("code", [21614, 30006])
def test_a_number_that_cannot_be_texted_is_called_from_now_on(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact, code: int
) -> None:
    make_injection(parts, contact)
    clock.advance(minutes(24 * 60))
    sender.send_due()
    first = messages_of(parts, contact)[0]
    report(parts, first.provider_sid or "", "undelivered", reference=first.id, error_code=code)
    (call,) = [m for m in messages_of(parts, contact) if m.turn == 1]
    assert (call.step, call.status, call.channel) == ("day1", "scheduled", "call")
    with parts.db.begin() as session:
        assert session.get_one(Contact, contact.id).channel == "call"


def test_what_is_asked_or_found_is_followed_like_what_is_reported(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    make_injection(parts, contact)
    clock.advance(minutes(24 * 60))
    sender.send_due()
    first = messages_of(parts, contact)[0]
    known = first.provider_sid or ""
    gateway.stands[known] = Standing(known, "failed", None, 30003, "later")
    clock.advance(SENT_CHECKS[0])
    assert poll_sent(sender) == 1
    assert [m.turn for m in messages_of(parts, contact) if m.step == "day1"] == [0, 1]


def test_a_report_kept_until_the_answer_of_the_request_is_applied_with_it(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact
) -> None:
    there = sid()

    def reported_meanwhile(_: Sent) -> Accepted:
        assert not report(parts, there, "delivered")  # without our reference
        return Accepted(there)

    gateway.script = [reported_meanwhile]
    message = plan_one(parts, contact, "staff")
    sender.send_due()
    assert fetch(parts, message).status == "delivered"


def test_a_late_21610_does_not_undo_a_start_that_came_since(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock
) -> None:
    message, provider_sid = sent_one(parts, sender, contact)
    clock.advance(minutes(3))
    say_start(parts, contact)
    later = plan_one(parts, contact)
    clock.advance(minutes(1))
    report(parts, provider_sid, "undelivered", reference=message, error_code=21610)
    assert fetch(parts, message).status == "undelivered"
    assert fetch(parts, later).status == "scheduled"
    with parts.db.begin() as session:
        assert consent.holds(session, contact.number_hash)


def test_words_that_the_carrier_does_not_heed_do_not_answer_its_21610(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock
) -> None:
    message, provider_sid = sent_one(parts, sender, contact)
    clock.advance(minutes(3))
    with parts.db.begin() as session:
        consent.opt_in(session, consent.Record(contact.number_hash, clock.now(), "text", "messages again"))
    report(parts, provider_sid, "undelivered", reference=message, error_code=21610)
    with parts.db.begin() as session:
        assert not consent.holds(session, contact.number_hash)
