"""Promises that are near or past: levels, alarms, and what patients are told. On a real database."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.callbacks import escalation
from nurseline.callbacks.escalation import AGAIN, DECIDE, DUE, OFF_SHIFT, UNCLAIMED, Escalation
from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.service import LEASE
from nurseline.clinic import service as clinic
from nurseline.clinic.service import Phone
from nurseline.clock import SetClock
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.sending import Sender
from nurseline.parts import Parts
from tests.callbacks.calls import FakeTelephone, call
from tests.callbacks.queueing import (
    ADA,
    BEA,
    ask,
    claim,
    come_back,
    finish,
    history,
    item_of,
    mine,
    queue,
    release,
    snooze,
)
from tests.support.line import (
    NUMBER,
    OTHER_NUMBER,
    STAFF,
    FakeGateway,
    at_once,
    make_contact,
    minutes,
    say_stop,
)

LISTED, ON_DUTY, OFF_DUTY = "+12025550190", "+12025550191", "+12025550192"
EVERYBODY = {LISTED, ON_DUTY, OFF_DUTY}


@pytest.fixture(autouse=True)
def on_call(parts: Parts) -> None:
    """One phone that is always on duty and one that has the weekend."""
    keep(parts, Phone("Duty", ON_DUTY, rings=False, on_call=True))
    keep(parts, Phone("Weekend", OFF_DUTY, "Sat-Sun 00:00-24:00", rings=False, on_call=True))
    keep(parts, Phone("Desk", "+12025550193", rings=True))


def keep(parts: Parts, phone: Phone) -> None:
    with parts.db.begin() as session:
        clinic.keep_phone(session, phone, parts.settings.zone, now=parts.clock.now(), staff=STAFF)


def run(parts: Parts, *, listed: tuple[str, ...] = (LISTED,)) -> escalation.Raised:
    needed = Escalation(parts.keyring, listed, parts.hours, parts.settings.regions)
    return escalation.run(parts.db, needed, now=parts.clock.now())


def sent(parts: Parts, content_id: str) -> list[str]:
    """The numbers to which a text was planned."""
    query = (
        sa.select(Contact.number)
        .join(OutboundMessage, OutboundMessage.contact_id == Contact.id)
        .where(OutboundMessage.content_id == content_id)
    )
    with parts.db.begin() as session:
        return sorted(session.scalars(query))


def level(parts: Parts, item: Any) -> int:
    return item_of(parts, item).escalation


def until_due(parts: Parts, clock: SetClock, item: Any) -> None:
    clock.instant = item_of(parts, item).promised_at


# Levels and alarms


def test_an_item_that_nobody_takes_rises_from_near_over_late_to_everybody(
    parts: Parts, clock: SetClock
) -> None:
    item = ask(parts, "urgent").item_id
    clock.advance(minutes(19))
    assert run(parts) == escalation.Raised()
    clock.advance(minutes(1))
    assert run(parts).near == 1
    assert (level(parts, item), sent(parts, DUE)) == (1, [])
    until_due(parts, clock, item)
    assert run(parts).due == 1
    assert (level(parts, item), item_of(parts, item).escalated_at) == (2, clock.now())
    assert sent(parts, DUE) == [LISTED, ON_DUTY]
    clock.advance(AGAIN[1])
    assert run(parts).unclaimed == 1
    assert level(parts, item) == 3
    assert set(sent(parts, UNCLAIMED)) == EVERYBODY
    assert [line for line in history(parts, item) if line[2] == "line"][1:] == [
        ("new", "promise is near", "line"),
        ("new", "promise has passed: on call told", "line"),
        ("new", "patient told that it is late", "line"),
        ("new", "nobody took it: everybody told", "line"),
    ]


def test_everybody_is_told_again_until_somebody_takes_it(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "urgent").item_id
    until_due(parts, clock, item)
    run(parts)
    for times in (1, 2, 3):
        clock.advance(AGAIN[1] - minutes(1))
        assert run(parts).unclaimed == 0
        clock.advance(minutes(1))
        assert run(parts).unclaimed == 1
        assert len(sent(parts, UNCLAIMED)) == 3 * times
    claim(parts, item, ADA)
    clock.advance(minutes(14))
    assert run(parts).unclaimed == 0
    assert len(sent(parts, UNCLAIMED)) == 9


def test_running_twice_changes_nothing(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "urgent").item_id
    until_due(parts, clock, item)
    run(parts)
    lines = history(parts, item)
    assert run(parts) == escalation.Raised()
    assert history(parts, item) == lines
    assert len(sent(parts, DUE)) == 2
    assert len(sent(parts, "promise_late")) == 1


def test_of_many_runs_at_once_one_alarms(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "urgent").item_id
    until_due(parts, clock, item)
    got = at_once(*[lambda: run(parts)] * 6)
    assert not [one for one in got if isinstance(one, BaseException)]
    assert sum(one.due for one in got if isinstance(one, escalation.Raised)) == 1
    assert sent(parts, DUE) == [LISTED, ON_DUTY]
    assert sent(parts, "promise_late") == [NUMBER]
    assert len(history(parts, item)) == 3


def test_what_died_before_its_commit_is_done_by_the_next_run(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "urgent").item_id
    until_due(parts, clock, item)
    needed = Escalation(parts.keyring, (LISTED,), parts.hours, parts.settings.regions)
    with parts.db.session() as session:
        assert escalation.escalate(session, needed, now=clock.now())[1] == 1
        session.rollback()
    assert (level(parts, item), sent(parts, DUE)) == (0, [])
    assert run(parts).due == 1
    assert sent(parts, DUE) == [LISTED, ON_DUTY]


def test_an_emergency_alarms_at_night_and_others_when_the_clinic_opens(parts: Parts, clock: SetClock) -> None:
    nurse = ask(parts, "nurse").item_id
    until_due(parts, clock, nurse)
    clock.advance(timedelta(hours=9))  # 23:00 on the clinic's clock
    emergency = ask(parts, "emergency", OTHER_NUMBER).item_id
    clock.advance(minutes(5))
    assert run(parts).due == 1
    assert (level(parts, emergency), level(parts, nurse)) == (2, 1)
    opening = next(parts.hours.intervals(clock.now()))[0]
    claim(parts, emergency, ADA)
    finish(parts, emergency, ADA)
    clock.instant = opening
    assert run(parts).due == 1
    assert level(parts, nurse) == 2


def test_many_late_items_that_are_not_urgent_share_one_text(parts: Parts, clock: SetClock) -> None:
    items = [ask(parts, "nurse", f"+1202555011{n}").item_id for n in range(5)]
    clock.advance(minutes(1))
    later = ask(parts, "nurse", OTHER_NUMBER).item_id
    until_due(parts, clock, items[0])
    assert run(parts).due == 5
    assert sent(parts, DUE) == [LISTED, ON_DUTY]
    clock.advance(minutes(1))
    assert run(parts).due == 1
    assert level(parts, later) == 2
    assert len(sent(parts, DUE)) == 2, "people were told a minute ago"


def test_escalation_moves_the_work_up_and_frees_the_claim_of_who_left(parts: Parts, clock: SetClock) -> None:
    late = ask(parts, "urgent").item_id
    until_due(parts, clock, late)
    claim(parts, late, ADA)
    clock.advance(LEASE + minutes(1))
    clock.advance(-timedelta(minutes=40))
    earlier = ask(parts, "urgent", OTHER_NUMBER).item_id  # promised before the other one
    with parts.db.begin() as session:
        early = item_of(parts, late).promised_at - minutes(1)
        session.execute(sa.update(CallbackItem).where(CallbackItem.id == earlier).values(promised_at=early))
    claim(parts, earlier, BEA)
    clock.advance(timedelta(minutes=40))
    claim(parts, earlier, BEA)
    assert run(parts).due == 1
    stands = item_of(parts, late)
    assert (stands.status, stands.claimed_by, stands.escalation) == ("new", None, 2)
    assert queue(parts) == [late, earlier]


def test_what_somebody_has_or_what_waits_does_not_alarm(parts: Parts, clock: SetClock) -> None:
    put_off = mine(parts, "nurse")
    until_due(parts, clock, put_off)
    claim(parts, put_off, ADA)
    snooze(parts, put_off, clock.now() + timedelta(hours=18))  # the next morning
    mine(parts, "urgent", OTHER_NUMBER)
    assert run(parts).due == 0
    clock.advance(timedelta(hours=18))
    come_back(parts)
    assert level(parts, put_off) == 0
    run(parts)
    assert level(parts, put_off) == 0, "it has only just come back"
    clock.advance(escalation.SPARE[2])
    run(parts)
    assert level(parts, put_off) == 2


def test_what_was_given_back_late_alarms_again(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "urgent").item_id
    until_due(parts, clock, item)
    run(parts)
    claim(parts, item, ADA)
    clock.advance(minutes(14))
    release(parts, item, ADA)
    clock.advance(minutes(1))
    assert run(parts).unclaimed == 1


def test_after_three_tries_in_vain_everybody_is_told_at_once(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "urgent").item_id
    for _ in range(3):
        claim(parts, item, ADA)
        finish(parts, item, ADA, "no_answer")
    assert run(parts).unclaimed == 1
    assert set(sent(parts, DECIDE)) == EVERYBODY
    assert sent(parts, UNCLAIMED) == [], "nothing is overdue"
    assert run(parts).unclaimed == 0


def test_at_night_only_an_emergency_asks_for_a_decision(parts: Parts, clock: SetClock) -> None:
    urgent, grave = ask(parts, "urgent").item_id, ask(parts, "emergency").item_id
    for item in (urgent, grave):
        for _ in range(3):
            claim(parts, item, ADA)
            finish(parts, item, ADA, "no_answer")
    clock.advance(timedelta(hours=12))
    assert not parts.hours.is_open(clock.now())
    come_back(parts)
    run(parts)
    assert sent(parts, DECIDE), "the emergency does not wait for the morning"
    assert level(parts, urgent) == 2


# Nobody on shift


def test_nobody_on_shift_is_an_alarm_of_its_own_to_everybody(parts: Parts, clock: SetClock) -> None:
    with parts.db.begin() as session:
        for phone in clinic.phones(session):
            if phone.number == ON_DUTY:
                clinic.remove_phone(session, phone.id)
    item = ask(parts, "emergency").item_id
    clock.advance(minutes(5))
    assert run(parts).due == 1
    assert sent(parts, DUE) == []
    assert sent(parts, OFF_SHIFT) == [LISTED, OFF_DUTY]
    assert level(parts, item) == 2


def test_a_clinic_without_shifts_tells_its_alert_numbers(parts: Parts, clock: SetClock) -> None:
    with parts.db.begin() as session:
        for phone in clinic.phones(session):
            clinic.remove_phone(session, phone.id)
    ask(parts, "emergency")
    clock.advance(minutes(5))
    run(parts)
    assert (sent(parts, DUE), sent(parts, OFF_SHIFT)) == ([LISTED], [])


def test_a_clinic_without_anybody_to_tell_sees_it_in_the_item(parts: Parts, clock: SetClock) -> None:
    with parts.db.begin() as session:
        for phone in clinic.phones(session):
            clinic.remove_phone(session, phone.id)
    item = ask(parts, "emergency").item_id
    clock.advance(minutes(5))
    assert run(parts, listed=()).due == 1
    assert level(parts, item) == 2
    assert history(parts, item)[-1] == ("new", "nobody is on the list to be told", "line")


# Telling the patient


def test_a_patient_is_told_once_that_the_promise_breaks(parts: Parts, clock: SetClock) -> None:
    item = ask(parts, "nurse").item_id
    until_due(parts, clock, item)
    clock.advance(-escalation.LATE_BEFORE - minutes(1))
    assert run(parts).told == 0
    clock.advance(minutes(1))
    assert run(parts).told == 1
    assert item_of(parts, item).told_late_at == clock.now()
    clock.advance(minutes(30))
    assert run(parts).told == 0
    assert sent(parts, "promise_late") == [NUMBER]
    for language in ("en", "es"):
        assert "911" in parts.sender.words("promise_late", language)[0]


def test_who_has_a_claimed_item_is_told_only_once_the_promise_has_passed(
    parts: Parts, clock: SetClock
) -> None:
    item = mine(parts, "nurse")
    until_due(parts, clock, item)
    clock.advance(-minutes(1))
    claim(parts, item, ADA)
    assert run(parts).told == 0
    clock.advance(minutes(1))
    assert run(parts).told == 1


@pytest.mark.parametrize(
    "why", ["emergency", "staff", "opted out", "landline", "no number", "tried", "hours ago"]
)
def test_some_are_not_told(parts: Parts, clock: SetClock, why: str) -> None:
    contact = make_contact(parts)
    if why == "opted out":
        say_stop(parts, contact)
    if why == "landline":
        with parts.db.begin() as session:
            session.execute(sa.update(Contact).where(Contact.id == contact.id).values(channel="call"))
    changed: dict[str, Any] = {"source": "staff"} if why == "staff" else {}
    if why == "no number":
        changed = {"contact": None, "number_key": "call:CA1"}
    item = ask(parts, "emergency" if why == "emergency" else "nurse", **changed).item_id
    if why == "tried":
        talk = call(parts, FakeTelephone(), claim(parts, item, ADA).id)
        talk.press()
        talk.patient("no-answer")
        release(parts, item, ADA)
    until_due(parts, clock, item)
    if why == "hours ago":
        clock.advance(timedelta(hours=2))
    assert run(parts).told == 0
    assert sent(parts, "promise_late") == []


def test_one_text_stands_for_all_that_a_patient_waits_for(parts: Parts, clock: SetClock) -> None:
    one, two = ask(parts, "nurse").item_id, ask(parts, "clinical").item_id
    until_due(parts, clock, one)
    assert run(parts).told == 1
    assert item_of(parts, one).told_late_at == item_of(parts, two).told_late_at == clock.now()
    assert sent(parts, "promise_late") == [NUMBER]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_stop_before_the_text_goes_wins(
    parts: Parts, clock: SetClock, sender: Sender, gateway: FakeGateway, stopped: bool
) -> None:
    until_due(parts, clock, ask(parts, "nurse").item_id)
    run(parts)
    if stopped:
        say_stop(parts, make_contact(parts))
    sender.send_due()
    told = [one.body for one in gateway.sends if one.to == NUMBER]
    assert len(told) == (0 if stopped else 1)
    assert {ON_DUTY, LISTED} <= {one.to for one in gateway.sends}
