"""What is checked at the last moment before a request: consent, hours, use, words."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
import sqlalchemy as sa

from nurseline import db
from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.messaging import letting_go
from nurseline.messaging.decisions import decide, undecided
from nurseline.messaging.letting_go import HELD, NO_CONSENT, UNPREPARED
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.messaging.outbox import cancel_planned, claim_due
from nurseline.messaging.sending import Sender
from nurseline.outcomes import NotSent, Refused
from nurseline.parts import Parts
from nurseline.staff.message_words import caused
from nurseline.staff.queries.messages import messages_to_check
from tests.messaging.support import causes, claimed, force, report, send_one
from tests.support.line import (
    OTHER_NUMBER,
    ZONE,
    FakeGateway,
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
from tests.support.waiting import wait_for

NIGHT = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)  # 9 in the evening in New York
NINE = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)


def test_a_stop_between_claim_and_request_wins(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    contact = make_contact(parts, agreed=True)
    message = plan_one(parts, contact)
    token, _ = claimed(parts)
    say_stop(parts, contact)
    send_one(sender, message, token)
    assert gateway.sends == []
    assert fetch(parts, message).status == "cancelled"


def test_a_stop_that_only_the_ledger_knows_wins(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    contact = make_contact(parts, agreed=True)
    message = plan_one(parts, contact)
    token, _ = claimed(parts)
    with parts.db.begin() as session:
        consent.opt_out(session, record(parts, contact, "text", "stop"), carrier_blocked=False)
    send_one(sender, message, token)
    assert gateway.sends == []
    assert fetch(parts, message).status == "skipped"


def test_a_stop_that_is_being_written_is_waited_for_and_wins(
    parts: Parts, sender: Sender, gateway: FakeGateway
) -> None:
    contact = make_contact(parts, agreed=True)
    message = plan_one(parts, contact)
    token, _ = claimed(parts)
    with parts.db.begin() as session:
        consent.opt_out(session, record(parts, contact, "text", "stop"), carrier_blocked=False)
        cancel_planned(session, contact.number_hash, at=parts.clock.now(), reason="opted out")
        worker = Thread(target=send_one, args=(sender, message, token))
        worker.start()
        wait_for(lambda: somebody_waits(parts), what="the worker waiting for the row")
    worker.join(10)
    assert not worker.is_alive()
    assert gateway.sends == []
    assert history(parts, message) == ["scheduled", "claimed", "cancelled"]


def somebody_waits(parts: Parts) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with parts.db.engine.connect() as connection:
        return bool(connection.execute(sa.text(f"{query} AND datname = current_database()")).scalar_one())


def test_a_host_that_vanished_while_it_held_the_ledger_keeps_no_stop_from_being_written(
    parts: Parts, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "IDLE_SECONDS", 1)
    vanished = db.Database(parts.settings.database_url, parts.keyring)
    session = vanished.session()
    consent.holds(session, contact.number_hash)
    say_stop(parts, contact)  # waits for the lock, four seconds at most
    with parts.db.begin() as after:
        assert not consent.holds(after, contact.number_hash)
    with pytest.raises(sa.exc.DBAPIError):
        session.execute(sa.text("SELECT 1"))
    session.invalidate()
    vanished.engine.dispose()


def test_a_stop_during_a_request_that_never_arrived_is_not_undone_by_a_start(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    contact = make_contact(parts, agreed=True)
    message = plan_one(parts, contact)

    def stop_meanwhile(_: object) -> NotSent:
        say_stop(parts, contact)
        return NotSent("no connection", 0.0)

    gateway.script = [stop_meanwhile]
    sender.send_due()
    assert fetch(parts, message).status == "cancelled"
    say_start(parts, contact)
    clock.advance(minutes(60))
    sender.send_due()
    assert len(gateway.sends) == 1


@pytest.mark.parametrize("purpose", ["reply", "alert", "confirmation", "staff"])
def test_answers_go_at_any_hour_and_without_the_ledger(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, purpose: str
) -> None:
    clock.instant = NIGHT
    message = plan_one(parts, make_contact(parts), purpose, timezone=ZONE)
    sender.send_due()
    assert len(gateway.sends) == 1
    assert fetch(parts, message).status == "sent"


def test_a_notice_that_became_due_in_the_evening_does_not_wake_anybody(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    clock.instant = NIGHT
    notice = plan_one(
        parts, make_contact(parts), "notice", timezone=ZONE, send_before=NIGHT + timedelta(hours=20)
    )
    assert sender.send_due() == 1
    assert (fetch(parts, notice).status, fetch(parts, notice).send_after) == ("scheduled", NINE)
    clock.instant = NINE
    sender.send_due()
    assert len(gateway.sends) == 1


@pytest.mark.parametrize("purpose", ["staff", "confirmation"])
def test_an_answer_that_is_sent_once_more_does_not_wake_anybody(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, purpose: str
) -> None:
    clock.instant = NIGHT
    for turn, hours in ((1, 14), (1, 4)):
        plan_one(
            parts,
            make_contact(parts),
            purpose,
            turn=turn,
            timezone=ZONE,
            send_before=NIGHT + timedelta(hours=hours),
        )
    sender.send_due()
    rows = messages_of(parts, make_contact(parts))
    assert sorted(row.status for row in rows) == ["failed", "scheduled"]
    clock.instant = NINE
    sender.send_due()
    assert len(gateway.sends) == 1


@pytest.mark.parametrize("purpose", ["staff", "notice", "confirmation"])
def test_what_does_not_answer_this_very_moment_ends_with_a_stop(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, purpose: str
) -> None:
    message = plan_one(parts, contact, purpose)
    say_stop(parts, contact)
    sender.send_due()
    assert gateway.sends == []
    assert (fetch(parts, message).status, fetch(parts, message).reason) == ("skipped", NO_CONSENT)


def test_of_a_chunk_in_which_one_is_held_up_the_others_go_and_none_stays_behind_as_sending(
    parts: Parts, sender: Sender, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letting_go, "ONE_BY_ONE_SECONDS", 0.0)
    contacts = [make_contact(parts, f"+1202555{n:04}", agreed=True) for n in range(100, 103)]
    messages = [plan_one(parts, one) for one in contacts]
    with parts.db.begin() as held:
        consent.holds(held, contacts[2].number_hash)  # as an import does that takes too long
        with parts.db.begin() as session:
            _, rows = claim_due(session, now=parts.clock.now(), limit=3)
        run = sender.run()
        going, again = run.decider.let_go(rows)
        run.db.close()
    assert [one.row.id for one in going] == [rows[0].id]
    assert again == []
    assert sorted(fetch(parts, one).status for one in messages) == ["claimed", "claimed", "sending"]


def test_a_reminder_at_night_waits_for_the_morning_of_the_patient(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    clock.instant = NIGHT
    message = plan_one(parts, make_contact(parts, agreed=True), timezone=ZONE)
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.send_after, row.attempts, row.claim_token) == ("scheduled", NINE, 0, None)
    assert causes(parts, message)[-1] == "quiet hours"
    clock.instant = NINE - timedelta(seconds=1)
    assert sender.send_due() == 0
    clock.instant = NINE
    sender.send_due()
    assert len(gateway.sends) == 1
    assert fetch(parts, message).status == "sent"


def test_it_is_the_zone_of_the_patient_that_counts(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    clock.instant = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)  # 19:30 in New York, 14:30 in Honolulu, 18:30 CST
    for last, zone in enumerate((ZONE, "Pacific/Honolulu", "Europe/Berlin")):
        plan_one(parts, make_contact(parts, f"+1202555012{last}", agreed=True), timezone=zone, body=zone)
    sender.send_due()
    assert sorted(sent.body for sent in gateway.sends) == [ZONE, "Pacific/Honolulu"]


@pytest.mark.parametrize(
    ("send_before", "reason"),
    [
        (NIGHT, "too late"),
        (NIGHT - minutes(1), "too late"),
        (NINE, "too late after quiet hours"),
        (NIGHT + minutes(60), "too late after quiet hours"),
    ],
)
def test_what_comes_too_late_is_skipped_with_the_reason(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, send_before: datetime, reason: str
) -> None:
    clock.instant = NIGHT
    message = plan_one(
        parts, make_contact(parts, agreed=True), timezone=ZONE, send_before=send_before, send_after=NIGHT
    )
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.reason, row.claim_token) == ("skipped", reason, None)
    assert gateway.sends == []


@pytest.mark.parametrize(("turn", "attempts"), [(0, 1), (1, 0)])
def test_what_was_tried_until_it_is_too_late_has_failed_and_is_shown_to_staff(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock, turn: int, attempts: int
) -> None:
    clock.instant = NIGHT
    usual = {"timezone": ZONE, "send_before": NINE - timedelta(hours=1), "turn": turn}
    message = plan_one(parts, contact, **usual)
    force(parts, message, attempts=attempts)
    sender.send_due()
    row = fetch(parts, message)
    assert (row.status, row.reason) == ("failed", "too late after quiet hours")
    with parts.db.begin() as session:
        shown = messages_to_check(session, now=clock.now()).rows
        assert [(one.message.id, one.known) for one in shown] == [
            (message, caused("too late after quiet hours"))
        ]


def test_a_minute_before_it_is_too_late_it_goes(parts: Parts, sender: Sender, gateway: FakeGateway) -> None:
    now = parts.clock.now()
    plan_one(parts, make_contact(parts, agreed=True), timezone=ZONE, send_before=now + minutes(1))
    sender.send_due()
    assert len(gateway.sends) == 1


def test_deferred_by_the_night_and_then_kept_from_going_it_is_skipped_when_too_late(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    clock.instant = NIGHT
    message = plan_one(parts, make_contact(parts, agreed=True), timezone=ZONE, send_before=NINE + minutes(30))
    sender.send_due()
    assert fetch(parts, message).status == "scheduled"
    clock.instant = NINE + minutes(31)  # every worker was away
    sender.send_due()
    assert fetch(parts, message).reason == "too late"
    assert gateway.sends == []


def test_a_reminder_gets_its_words_and_their_version_when_it_is_sent(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    contact = make_contact(parts)
    make_injection(parts, contact)
    first = messages_of(parts, contact)[0]
    assert (first.body, first.content_version) == (None, "")
    clock.advance(timedelta(hours=24))
    sender.send_due()
    said = parts.say("reminder.day1", "en")
    sent = fetch(parts, first.id)
    assert [s.body for s in gateway.sends] == [said.text]
    assert [s.to for s in gateway.sends] == [contact.number]
    assert [s.reference for s in gateway.sends] == [first.id]
    assert (sent.body, sent.content_version) == (said.text, str(said.version))
    assert sent.content_version


def test_a_second_attempt_carries_the_same_words_as_the_first(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    message = plan_one(parts, make_contact(parts, agreed=True), body=None, content_id="reminder.day1")
    gateway.script = [NotSent("no connection", 0.0)]
    sender.send_due()
    clock.advance(minutes(1))
    replace(sender, words=lambda *_: ("Newer words", "2")).send_due()
    first, second = gateway.sends
    assert first.body == second.body
    assert fetch(parts, message).body == first.body


def broken_words(*_: str) -> tuple[str, str]:
    raise LookupError


@pytest.fixture
def contact(parts: Parts) -> Contact:
    return make_contact(parts, agreed=True)


def test_a_message_without_words_keeps_nobody_waiting_and_goes_when_there_are_some(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    broken = plan_one(parts, contact, body=None, send_after=clock.now() - minutes(5))
    plan_one(parts, make_contact(parts, OTHER_NUMBER, agreed=True))
    replace(sender, words=broken_words).send_due()
    assert len(gateway.sends) == 1
    row = fetch(parts, broken)
    assert (row.status, row.reason, row.claim_token) == ("scheduled", "could not be prepared", None)
    assert row.send_after == clock.now() + UNPREPARED
    assert causes(parts, broken)[-1] == "could not be prepared: LookupError"
    clock.advance(UNPREPARED)
    replace(sender, words=lambda *_: ("Now there are", "1")).send_due()
    assert gateway.sends[-1].body == "Now there are"
    assert (fetch(parts, broken).status, fetch(parts, broken).reason) == ("sent", "")


def test_what_could_not_be_prepared_in_time_has_failed_and_is_shown_to_staff(
    parts: Parts, sender: Sender, clock: SetClock, contact: Contact
) -> None:
    message = plan_one(parts, contact, send_before=clock.now() + timedelta(hours=1))
    with parts.db.begin() as session:
        session.execute(sa.text("UPDATE contacts SET number = 'x' WHERE id = :id"), {"id": str(contact.id)})
    for status in ("scheduled", "failed", "failed"):
        sender.send_due()
        assert fetch(parts, message).status == status
        clock.advance(timedelta(hours=1))
    assert fetch(parts, message).reason == "could not be prepared"
    with parts.db.begin() as session:
        which = sa.select(OutboundMessage.id).where(undecided())
        assert session.scalars(which).all() == [message]


def test_a_number_that_no_key_opens_stops_only_its_own_message(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, contact: Contact
) -> None:
    other = make_contact(parts, "+12025550188", agreed=True)
    broken, whole = plan_one(parts, other), plan_one(parts, contact)
    with parts.db.begin() as session:
        session.execute(sa.text("UPDATE contacts SET number = 'x' WHERE id = :id"), {"id": str(other.id)})
    sender.send_due()
    assert [sent.reference for sent in gateway.sends] == [whole]
    assert fetch(parts, broken).status == "scheduled"
    assert fetch(parts, broken).attempts == 0


EVENING = datetime(2026, 3, 4, 1, 30, tzinfo=UTC)  # half past eight in New York, after the hours


def to_check(parts: Parts) -> list[uuid.UUID]:
    with parts.db.begin() as session:
        return [one.message.id for one in messages_to_check(session, now=parts.clock.now()).rows]


@pytest.mark.parametrize("purpose", ["staff", "confirmation"])
def test_what_staff_have_sent_again_in_the_evening_goes_at_once(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock, purpose: str
) -> None:
    clock.instant = EVENING
    message = plan_one(parts, contact, purpose, send_before=EVENING + timedelta(hours=12))
    gateway.script = [Refused(99999, "unlisted")]
    sender.send_due()
    with parts.db.begin() as session:
        row = session.get_one(OutboundMessage, message)
        again = decide(session, row, "again", actor="staff-1", now=clock.now())
    assert again is not None
    sender.send_due()
    assert fetch(parts, again).status == "sent"
    assert fetch(parts, again).reason == ""


def test_what_staff_have_sent_again_in_the_evening_goes_on_being_tried_when_the_carrier_is_busy(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    clock.instant = EVENING
    message = plan_one(parts, contact, "staff", send_before=EVENING + timedelta(hours=12))
    gateway.script = [Refused(99999, "unlisted"), NotSent("too many requests", 2.0)]
    sender.send_due()
    with parts.db.begin() as session:
        row = session.get_one(OutboundMessage, message)
        again = decide(session, row, "again", actor="staff-1", now=clock.now())
    assert again is not None
    for status in ("scheduled", "sent"):
        sender.send_due()
        assert fetch(parts, again).status == status
        clock.advance(minutes(1))
    assert fetch(parts, again).reason == ""


# Locks that others hold for too long


def test_an_alert_that_a_locked_table_held_up_goes_as_soon_as_it_is_free(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    alert = plan_one(parts, contact, "alert")
    with parts.db.begin() as other:
        other.execute(sa.text("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE"))
        sender.send_due(lane="urgent")
    clock.advance(HELD)
    sender.send_due(lane="urgent")
    assert [sent.reference for sent in gateway.sends] == [alert]
    assert fetch(parts, alert).status == "sent"
    assert "held up by another change" in causes(parts, alert)


def test_a_reminder_whose_ledger_is_held_just_before_the_hours_end_goes_in_them(
    parts: Parts, sender: Sender, contact: Contact, clock: SetClock
) -> None:
    clock.instant = datetime(2026, 3, 4, 0, 55, tzinfo=UTC)  # five to eight in the evening in New York
    reminder = plan_one(parts, contact, send_before=clock.now() + minutes(30))
    with parts.db.begin() as other:
        consent.holds(other, contact.number_hash)
        sender.send_due()
    clock.advance(HELD)
    sender.send_due()
    assert fetch(parts, reminder).status == "sent"


@pytest.mark.parametrize("purpose", ["staff", "confirmation", "notice"])
def test_what_goes_once_more_by_itself_waits_for_the_hours_and_is_shown_if_they_come_too_late(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock, purpose: str
) -> None:
    clock.instant = EVENING - timedelta(hours=1)
    message = plan_one(parts, contact, purpose, send_before=EVENING + timedelta(hours=11))
    sender.send_due()
    report(parts, fetch(parts, message).provider_sid or "", "failed", reference=message, error_code=30003)
    assert to_check(parts) == [], "it is sent once more"
    clock.instant = EVENING
    sender.send_due()
    _, second = sorted(messages_of(parts, contact), key=lambda one: one.turn)
    assert (second.status, second.reason) == ("failed", "too late after quiet hours")
    assert to_check(parts) == [second.id]
    assert len(gateway.sends) == 1


def test_a_notice_that_was_tried_until_the_hours_ended_is_shown_to_staff(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    clock.instant = EVENING - minutes(35)
    message = plan_one(parts, contact, "notice", send_before=EVENING + timedelta(hours=1))
    gateway.script = [NotSent("no connection", 400.0)]
    sender.send_due()
    clock.advance(minutes(7))
    sender.send_due()
    assert fetch(parts, message).status == "failed"
    assert to_check(parts) == [message]


def test_a_text_of_staff_that_was_tried_until_it_was_too_late_is_shown_to_staff(
    parts: Parts, sender: Sender, gateway: FakeGateway, contact: Contact, clock: SetClock
) -> None:
    message = plan_one(parts, contact, "staff", send_before=clock.now() + minutes(30))
    gateway.script = [NotSent("no connection", 0.0)]
    sender.send_due()
    clock.advance(minutes(31))  # every worker was away
    sender.send_due()
    assert fetch(parts, message).status == "failed"
    assert to_check(parts) == [message]
