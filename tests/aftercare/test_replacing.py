"""Several injections of one number: only the latest has its messages sent, in whatever order they come."""

import itertools
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from nurseline.aftercare import calling_off, changes
from nurseline.aftercare.plan import steps_until
from nurseline.aftercare.service import Enrolled
from nurseline.app import build
from nurseline.clock import SetClock
from nurseline.config import SettingsError
from nurseline.messaging.decisions import decide
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.outcomes import NotSent, SendOutcome
from nurseline.parts import Parts
from tests.messaging.support import claimed, report, send_one
from tests.support.line import (
    OTHER_NUMBER,
    TUESDAY,
    FakeGateway,
    Sent,
    at_once,
    make_contact,
    make_injection,
    messages_of,
    minutes,
    say_start,
    say_stop,
    settings_for,
)

DAY = timedelta(days=1)
REPLACED = "replaced by a later injection"


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts)


def planned(parts: Parts, contact: Contact) -> set[datetime]:
    """When the injections were performed of which messages are still planned."""
    starts = {"day1": DAY, "day3": 3 * DAY, "week1": 7 * DAY}
    open_ = [m for m in messages_of(parts, contact) if m.status == "scheduled"]
    return {m.send_after - starts[m.step or ""] for m in open_}


def cancelled(parts: Parts, contact: Contact) -> list[OutboundMessage]:
    return [m for m in messages_of(parts, contact) if m.status == "cancelled"]


def test_a_second_injection_replaces_what_remains_of_the_first(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    first = make_injection(parts, contact)
    clock.advance(timedelta(hours=3))
    second = make_injection(parts, contact)
    assert (first.replaced, first.replaced_by_later) == (0, False)
    assert (second.replaced, second.replaced_by_later) == (3, False)
    assert planned(parts, contact) == {clock.now()}


def test_what_went_stays_and_the_rest_is_cancelled_with_the_reason(
    parts: Parts, contact: Contact, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(DAY)
    sender.send_due()
    clock.advance(DAY)
    second = make_injection(parts, contact)
    assert second.replaced == 2
    assert [m.reason for m in cancelled(parts, contact)] == [REPLACED] * 2
    assert planned(parts, contact) == {clock.now()}
    while clock.now() < TUESDAY + 20 * DAY:
        clock.advance(timedelta(hours=6))
        sender.send_due()
    assert len(gateway.sends) == 4


def test_an_earlier_injection_enrolled_late_replaces_nothing_and_is_itself_replaced(
    parts: Parts, contact: Contact
) -> None:
    make_injection(parts, contact)
    late = make_injection(parts, contact, performed_at=TUESDAY - DAY)
    assert (late.replaced, late.replaced_by_later) == (0, True)
    assert planned(parts, contact) == {TUESDAY}
    assert [(m.injection_id, m.reason) for m in cancelled(parts, contact)] == [
        (late.injection_id, REPLACED)
    ] * 3


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
def test_the_order_of_enrolling_does_not_matter(parts: Parts, contact: Contact, order: list[int]) -> None:
    for days in order:
        make_injection(parts, contact, performed_at=TUESDAY - days * DAY + minutes(1))
    assert planned(parts, contact) == {TUESDAY + minutes(1)}
    assert {m.reason for m in cancelled(parts, contact)} == {REPLACED}


def test_injections_enrolled_at_once_leave_one_plan(parts: Parts, contact: Contact) -> None:
    times = [TUESDAY - timedelta(hours=hours) for hours in range(5)]
    done = at_once(*[lambda at=at: make_injection(parts, contact, performed_at=at) for at in times])
    assert not [one for one in done if isinstance(one, BaseException)]
    assert planned(parts, contact) == {TUESDAY}


def test_a_later_injection_whose_messages_were_cancelled_replaces_nothing(
    parts: Parts, contact: Contact
) -> None:
    make_injection(parts, contact)
    say_stop(parts, contact)
    say_start(parts, contact)
    earlier = make_injection(parts, contact, performed_at=TUESDAY - DAY)
    assert not earlier.replaced_by_later
    assert planned(parts, contact) == {TUESDAY - DAY}


def call_off(parts: Parts, injection: Enrolled, *, gives_back: bool = True) -> None:
    with parts.db.begin() as session:
        calling_off.call_off(
            session, injection.injection_id, actor="staff-1", now=parts.clock.now(), gives_back=gives_back
        )


def test_what_an_injection_recorded_by_mistake_had_replaced_is_given_back(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    first, performed = make_injection(parts, contact), clock.now()
    clock.advance(DAY)
    sender.send_due()
    clock.advance(DAY)
    mistake = make_injection(parts, contact)
    assert mistake.replaced == 2
    clock.advance(timedelta(hours=1))
    call_off(parts, mistake)
    assert planned(parts, contact) == {performed}
    for days in (1, 4):
        clock.advance(days * DAY)
        sender.send_due()
    assert [sent.reference for sent in gateway.sends] == [
        row.id for row in messages_of(parts, contact) if row.injection_id == first.injection_id
    ]


def test_what_is_of_no_use_any_more_is_not_given_back(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=1))
    mistake = make_injection(parts, contact)
    clock.advance(timedelta(hours=40))
    call_off(parts, mistake)
    steps = {row.step for row in messages_of(parts, contact) if row.status == "scheduled"}
    assert steps == {"day3", "week1"}


def test_only_the_latest_injection_that_still_stands_gets_its_messages_back(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    made = []
    for _ in range(3):
        made.append((make_injection(parts, contact), clock.now()))
        clock.advance(timedelta(hours=1))
    call_off(parts, made[1][0])
    assert planned(parts, contact) == {made[2][1]}, "the last one stands, so nothing is to be given back"
    call_off(parts, made[2][0])
    assert planned(parts, contact) == {made[0][1]}, "not what was called off itself"


def test_nothing_is_given_back_to_the_dead_or_to_who_has_ended_messages(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=1))
    second = make_injection(parts, contact)
    call_off(parts, second, gives_back=False)
    assert planned(parts, contact) == set()
    clock.advance(timedelta(hours=1))
    third = make_injection(parts, contact)
    say_stop(parts, contact)
    call_off(parts, third)
    say_start(parts, contact)
    assert planned(parts, contact) == set()


def test_what_was_ended_after_it_was_replaced_does_not_come_back(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=1))
    second = make_injection(parts, contact)
    say_stop(parts, contact)
    say_start(parts, contact)
    call_off(parts, second)
    assert planned(parts, contact) == set()
    clock.advance(timedelta(hours=1))
    third = make_injection(parts, contact)
    clock.advance(timedelta(hours=1))
    fourth = make_injection(parts, contact)
    with parts.db.begin() as session:
        changes.stop_all(session, contact, staff="staff-1", now=clock.now())
    call_off(parts, fourth)
    assert third.injection_id
    assert planned(parts, contact) == set()


def test_what_is_given_back_goes_where_and_as_the_patient_is_now(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=1))
    second = make_injection(parts, contact)
    with parts.db.begin() as session:
        choices = changes.Choices("Pacific/Honolulu", "es", "call")
        changes.follow(session, session.get_one(Contact, contact.id), choices, staff="x", now=clock.now())
    call_off(parts, second)
    rows = [row for row in messages_of(parts, contact) if row.status == "scheduled"]
    assert [(row.timezone, row.language, row.channel) for row in rows] == [
        ("Pacific/Honolulu", "es", "call")
    ] * 3


def test_of_what_is_given_back_words_that_were_tried_before_keep_their_language(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(DAY)
    gateway.script = [NotSent("no connection", 0.0)]
    sender.send_due()
    second = make_injection(parts, contact, language="es")
    assert second.replaced == 3
    call_off(parts, second)
    rows = [row for row in messages_of(parts, contact) if row.status == "scheduled"]
    assert [(row.step, row.language) for row in rows] == [("day1", "en"), ("day3", "es"), ("week1", "es")]


def test_a_step_that_went_already_for_the_mistaken_injection_is_not_sent_once_more(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=1))
    second = make_injection(parts, contact)
    clock.advance(DAY)
    sender.send_due()
    call_off(parts, second)
    assert [row.step for row in messages_of(parts, contact) if row.status == "scheduled"] == ["day3", "week1"]


def test_a_step_that_staff_stopped_does_not_come_back_by_way_of_the_earlier_injection(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(timedelta(hours=1))
    second = make_injection(parts, contact)
    third_day = next(
        row for row in messages_of(parts, contact) if row.status == "scheduled" and row.step == "day3"
    )
    with parts.db.begin() as session:
        assert changes.stop(session, contact, third_day.id, staff="staff-1", now=clock.now())
    call_off(parts, second)
    assert [row.step for row in messages_of(parts, contact) if row.status == "scheduled"] == ["day1", "week1"]


def test_calling_off_the_only_injection_looks_at_no_other_messages(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    only = make_injection(parts, contact)
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sa.event.listen(parts.db.engine, "before_cursor_execute", note)
    try:
        call_off(parts, only)
    finally:
        sa.event.remove(parts.db.engine, "before_cursor_execute", note)
    assert planned(parts, contact) == set()
    assert not [one for one in seen if "injection_id IS NULL" in one and "contact_id =" not in one]


def test_another_number_keeps_its_plan(parts: Parts, contact: Contact) -> None:
    other = make_contact(parts, OTHER_NUMBER)
    make_injection(parts, other, performed_at=TUESDAY - DAY)
    make_injection(parts, contact)
    assert planned(parts, other) == {TUESDAY - DAY}


def test_a_message_that_a_worker_has_claimed_is_replaced_before_it_goes(
    parts: Parts, contact: Contact, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(DAY)
    token, (message,) = claimed(parts)
    assert make_injection(parts, contact).replaced == 3
    send_one(sender, message, token)
    assert gateway.sends == []


def test_the_clinic_may_set_how_long_each_message_is_of_use(database_url: str) -> None:
    settings = settings_for(
        database_url,
        aftercare_day_one_until_hours=30,
        aftercare_day_three_until_hours=100,
        aftercare_week_one_until_hours=200,
    )
    assert build(settings).steps == steps_until(30, 100, 200)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("aftercare_day_one_until_hours", 24),
        ("aftercare_day_one_until_hours", 73),
        ("aftercare_day_three_until_hours", 72),
        ("aftercare_day_three_until_hours", 169),
        ("aftercare_week_one_until_hours", 168),
    ],
)
def test_a_time_of_use_that_is_empty_or_reaches_into_the_next_message_is_refused(
    database_url: str, name: str, hours: int
) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        settings_for(database_url, **{name: hours})


def mistaken(parts: Parts, contact: Contact, clock: SetClock) -> tuple[Enrolled, Enrolled]:
    """An injection, and a later one that was recorded by mistake."""
    first = make_injection(parts, contact)
    clock.advance(minutes(1))
    return first, make_injection(parts, contact)


def took_back(parts: Parts, injection: Enrolled, *, gives_back: bool = True) -> None:
    with parts.db.begin() as session:
        now = parts.clock.now()
        calling_off.call_off(session, injection.injection_id, actor="x", now=now, gives_back=gives_back)


def test_what_failed_while_it_was_replaced_can_be_sent_again_once_its_injection_stands(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock
) -> None:
    make_injection(parts, contact)
    clock.advance(DAY)
    sender.send_due()
    one = messages_of(parts, contact)[0]
    second = make_injection(parts, contact)
    report(parts, one.provider_sid or "", "failed", reference=one.id, error_code=30003)
    took_back(parts, second)
    with parts.db.begin() as session:
        row = session.get_one(OutboundMessage, one.id)
        assert decide(session, row, "again", actor="staff-1", now=clock.now()) is not None


def test_a_step_is_given_back_when_it_turns_out_that_the_mistaken_one_never_went(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    first, second = mistaken(parts, contact, clock)
    clock.advance(DAY)

    def called_off_meanwhile(_sent: Sent) -> SendOutcome:
        took_back(parts, second)
        return NotSent("no connection", 0.0)

    gateway.script = [called_off_meanwhile]
    sender.send_due()
    for _ in range(8):
        clock.advance(DAY)
        sender.send_due()
        clock.advance(minutes(10))
    went = [(m.injection_id, m.step) for m in messages_of(parts, contact) if m.status == "sent"]
    kept = [m.step for m in messages_of(parts, contact) if m.injection_id == first.injection_id]
    assert sorted(went) == sorted((first.injection_id, step) for step in kept)


def test_what_was_given_back_ends_when_it_is_learnt_that_the_patient_has_died(
    parts: Parts, contact: Contact, clock: SetClock
) -> None:
    _, second = mistaken(parts, contact, clock)
    took_back(parts, second)
    assert "scheduled" in {m.status for m in messages_of(parts, contact)}
    took_back(parts, second, gives_back=False)
    assert {m.status for m in messages_of(parts, contact)} == {"cancelled"}


def test_that_the_patient_has_died_stands_when_the_injection_is_called_off_once_more(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    _, second = mistaken(parts, contact, clock)
    clock.advance(DAY)

    def called_off_twice(_sent: Sent) -> SendOutcome:
        took_back(parts, second, gives_back=False)
        took_back(parts, second)
        return NotSent("no connection", 0.0)

    gateway.script = [called_off_twice]
    sender.send_due()
    assert {m.status for m in messages_of(parts, contact)} == {"cancelled"}


@pytest.mark.parametrize("ended", ["stop", "death"])
def test_a_step_that_never_went_is_given_back_neither_to_the_dead_nor_after_a_stop(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock, ended: str
) -> None:
    _, second = mistaken(parts, contact, clock)
    clock.advance(DAY)

    def called_off_meanwhile(_sent: Sent) -> SendOutcome:
        took_back(parts, second, gives_back=ended != "death")
        if ended == "stop":
            say_stop(parts, contact)
        return NotSent("no connection", 0.0)

    gateway.script = [called_off_meanwhile]
    sender.send_due()
    assert {m.status for m in messages_of(parts, contact)} == {"cancelled"}
