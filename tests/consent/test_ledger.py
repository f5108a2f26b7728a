"""The ledger of consent on a real database, also with several people at once."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from nurseline.aftercare.models import Injection
from nurseline.aftercare.service import EnrolError
from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.consent.models import ConsentEvent, ConsentState
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.parts import Parts
from tests.support.line import (
    TUESDAY,
    FakeGateway,
    at_once,
    fetch,
    history,
    make_contact,
    make_injection,
    messages_of,
    minutes,
    plan_one,
    record,
    say_start,
    say_stop,
)


def state(parts: Parts, contact: Contact) -> ConsentState:
    with parts.db.begin() as session:
        return session.get_one(ConsentState, contact.number_hash)


def events(parts: Parts) -> list[ConsentEvent]:
    with parts.db.begin() as session:
        return list(session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.at)))


def opted_in(parts: Parts, contact: Contact) -> bool:
    with parts.db.begin() as session:
        return bool(session.scalar(sa.select(consent.opted_in(contact.number_hash))))


def test_a_number_that_was_never_asked_gets_nothing_automated(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    contact = make_contact(parts)
    message = plan_one(parts, contact)
    assert not opted_in(parts, contact)
    sender.send_due()
    assert gateway.sends == []
    assert fetch(parts, message).status == "skipped"
    assert fetch(parts, message).reason == "opted out or no consent"


def test_agreement_opens_and_stop_closes(parts: Parts, clock: SetClock) -> None:
    contact = make_contact(parts, agreed=True)
    assert opted_in(parts, contact)
    clock.advance(minutes(1))
    say_stop(parts, contact)
    assert not opted_in(parts, contact)
    assert [(e.kind, e.method, e.words) for e in events(parts)] == [
        ("opt_in", "staff", "agreed"),
        ("opt_out", "carrier", "STOP"),
    ]


def test_words_of_the_patient_end_messages_without_the_keyword_of_the_carrier(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    with parts.db.begin() as session:
        consent.opt_out(session, record(parts, contact, "text", "no more please"), carrier_blocked=False)
    assert not opted_in(parts, contact)
    assert not state(parts, contact).carrier_blocked


def test_the_ledger_keeps_when_it_was_first_ended(parts: Parts, clock: SetClock) -> None:
    contact = make_contact(parts, agreed=True)
    say_stop(parts, contact)
    clock.advance(minutes(5))
    with parts.db.begin() as session:
        again = consent.opt_out(session, record(parts, contact, "text", "stop it"), carrier_blocked=False)
    assert again is False
    stands = state(parts, contact)
    assert stands.since == TUESDAY
    assert stands.carrier_blocked, "a later word of the patient does not lift the block of the carrier"


def test_staff_cannot_override_an_opt_out(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    say_stop(parts, contact)
    with pytest.raises(consent.OptedOutError, match="START"), parts.db.begin() as session:
        consent.opt_in(session, record(parts, contact))
    with pytest.raises(EnrolError) as refused:
        make_injection(parts, contact)
    assert refused.value.field == "number"
    assert state(parts, contact).status == "opted_out"
    assert messages_of(parts, contact) == []
    with parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Injection)) == 0


def test_staff_can_enrol_again_after_the_patient_texts_start(parts: Parts) -> None:
    contact = make_contact(parts)
    say_stop(parts, contact)
    say_start(parts, contact)
    make_injection(parts, contact)
    assert {m.status for m in messages_of(parts, contact)} == {"scheduled"}


def test_only_the_keyword_of_the_carrier_lifts_its_block(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    say_stop(parts, contact)
    with parts.db.begin() as session:
        consent.opt_in(session, record(parts, contact, "text", "you may text me again"))
    assert state(parts, contact).status == "opted_in"
    assert state(parts, contact).carrier_blocked
    assert not opted_in(parts, contact)
    with pytest.raises(EnrolError):
        make_injection(parts, contact)
    say_start(parts, contact)
    assert opted_in(parts, contact)


def test_start_does_not_resurrect_what_a_stop_cancelled(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    contact = make_contact(parts)
    make_injection(parts, contact)
    say_stop(parts, contact)
    say_start(parts, contact)
    clock.advance(minutes(60 * 24 * 8))
    sender.send_due()
    assert gateway.sends == []
    rows = messages_of(parts, contact)
    assert [(m.status, m.reason) for m in rows] == [("cancelled", "opted out")] * 3
    assert history(parts, rows[0].id) == ["scheduled", "cancelled"]


def test_a_stop_before_enrolling_forbids_it_and_after_enrolling_cancels_it(parts: Parts) -> None:
    before, after = make_contact(parts), make_contact(parts, "+12025550199")
    say_stop(parts, before)
    with pytest.raises(EnrolError):
        make_injection(parts, before)
    make_injection(parts, after)
    say_stop(parts, after)
    with parts.db.begin() as session:
        going = sa.select(OutboundMessage).where(OutboundMessage.status == "scheduled")
        assert session.scalars(going).all() == []


@pytest.mark.parametrize("known", [True, False], ids=["asked before", "never asked"])
def test_a_stop_at_the_same_moment_as_enrolling_wins(parts: Parts, known: bool) -> None:
    for round_ in range(12):
        contact = make_contact(parts, f"+12025550{round_:03d}", agreed=known)
        enrolled, stopped = at_once(
            lambda contact=contact: make_injection(parts, contact),
            lambda contact=contact: say_stop(parts, contact),
        )
        assert stopped is None
        assert not isinstance(enrolled, Exception) or isinstance(enrolled, EnrolError), enrolled
        assert state(parts, contact).status == "opted_out"
        left = [m for m in messages_of(parts, contact) if m.status != "cancelled"]
        assert left == [], f"round {round_}: {enrolled}"


def test_a_stop_waits_for_an_enrolment_under_way_and_then_cancels_it(parts: Parts) -> None:
    contact = make_contact(parts)
    with parts.db.begin() as session:
        consent.opt_in(session, record(parts, contact))
        (stop,) = at_once(lambda: _stop_within(parts, contact, "300ms"))
    assert isinstance(stop, sa.exc.OperationalError), "the stop should have waited for the ledger"
    make_injection(parts, contact)
    say_stop(parts, contact)
    assert {m.status for m in messages_of(parts, contact)} == {"cancelled"}


def _stop_within(parts: Parts, contact: Contact, limit: str) -> None:
    with parts.db.begin() as session:
        session.execute(sa.text(f"SET LOCAL lock_timeout = '{limit}'"))
        consent.opt_out(session, record(parts, contact, "text", "STOP"), carrier_blocked=False)


def test_stop_twice_at_once_is_written_twice_and_stands_once(parts: Parts) -> None:
    contact = make_contact(parts, agreed=True)
    assert at_once(*[lambda: say_stop(parts, contact)] * 4) == [None] * 4
    assert state(parts, contact).status == "opted_out"
    assert [e.kind for e in events(parts)].count("opt_out") == 4


def test_what_was_said_is_unreadable_in_the_table(parts: Parts) -> None:
    contact = make_contact(parts)
    with parts.db.begin() as session:
        words = replace(record(parts, contact, "text"), words="please stop, says Mx Example")
        consent.opt_out(session, words, carrier_blocked=False)
    with parts.db.begin() as session:
        raw = session.execute(sa.text("SELECT consent_events::text FROM consent_events")).scalar_one()
    assert "Example" not in raw
    assert "5550123" not in raw
    assert events(parts)[0].words == "please stop, says Mx Example"
