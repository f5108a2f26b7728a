"""A morning at a desk with placeholder people: the queue at ten, a patient's thread, and the month before."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from nurseline.callbacks import service, work
from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackOutcome
from nurseline.callbacks.promises import Reason
from nurseline.callbacks.service import Staff
from nurseline.clinic import service as clinic
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Call, CallStep, InboundMessage, OutboundEvent, OutboundMessage
from nurseline.messaging.names import set_name
from tests.staff.conftest import Browser, Desk
from tests.staff.test_staff_contacts import text_in, text_out
from tests.staff.test_staff_enrolment import enrol

HOUR = timedelta(hours=1)
BEA = Staff("staff-bea", "Bea")
# minutes since eight, reason, words, name, last digits, how, promised after, best time
ASKED: tuple[tuple[int, Reason, str, str, int, str, timedelta, str], ...] = (
    (5, "clinical", "Is it normal that it is still sore?", "Ann Bell", 123, "text", 4 * HOUR, ""),
    (6, "schedule", "I want to come again", "Cal Dorn", 124, "call", 26 * HOUR, "in the morning"),
    (9, "admin", "What time do you open on Friday?", "Eve Fox", 125, "text", 26 * HOUR, ""),
    (16, "schedule", "", "Gil Hart", 126, "call", 26 * HOUR, "after five"),
    (11, "nurse", "Please call me", "Ida Jay", 127, "call", 4 * HOUR, ""),
    (14, "clinical", "The bruise is larger than yesterday", "Kit Lane", 128, "reminder", 4 * HOUR, ""),
    (18, "urgent", "It is red and warm around the spot", "Mia Nash", 129, "text", HOUR / 2, ""),
    (29, "nurse", "Can I talk to somebody about my next visit?", "Oto Pike", 130, "text", 4 * HOUR, ""),
    (10, "emergency", "I can't breathe", "Quin Rose", 131, "text", HOUR / 12, ""),
)
CLAIMED, PUT_OFF = 4, 3  # which of them Bea has, and which was put off
TABLE = """phone,date,time,consent,name,reference
202-555-0141,2026-03-02,14:30,yes,Ann Bell,V-1
202-555-0142,2026-03-02,15:00,yes,Cal Dorn,V-2
202-555-0142,3/2/2026,3:00 PM,yes,Cal Dorn,V-2
202-555-01,2026-03-02,15:30,yes,Eve Fox,V-3
202-555-0144,2026-02-30,09:00,yes,Gil Hart,V-4
202-555-0145,2026-03-02,half past four,no,Ida Jay,V-5
"""


def queue(desk: Desk) -> uuid.UUID:
    """Two hours of requests, the clock moving from eight to ten; the item that is shown."""
    items = []
    for minutes, reason, words, name, digits, source, promised, best in ASKED:
        desk.clock.advance(timedelta(minutes=minutes))
        number = f"+12025550{digits}"
        items.append(
            desk.item(reason, words, number=number, promised=promised, best_time=best, source=source)
        )
        with desk.parts.db.begin() as session:
            set_name(session, desk.parts.keyring, desk.contact(number), name)
    desk.clock.advance(timedelta(minutes=2))
    now = desk.clock.now()
    with desk.parts.db.begin() as session:
        service.claim(session, items[CLAIMED], BEA, now=now)
        service.claim(session, items[PUT_OFF], BEA, now=now)
        work.snooze(session, items[PUT_OFF], BEA, until=now + 7 * HOUR, now=now, note="At work until five.")
    return items[0]


def emergency_is_taken(desk: Desk) -> None:
    """Bea has it, so that no alarm stands on the pages."""
    with desk.parts.db.begin() as session:
        emergency = session.scalars(select(CallbackItem.id).filter_by(reason="emergency")).one()
        service.claim(session, emergency, BEA, now=desk.clock.now())


def thread(desk: Desk, browser: Browser, writer: str) -> tuple[str, uuid.UUID]:
    """Ann Bell's texts and injection; the injection's address and a message whose fate is unknown."""
    _, injection = enrol(browser)
    delivered = {"status": "delivered", "content_id": "menu"}
    text_in(desk, "hi")
    text_out(desk, "Your Clinic: Reply 1 for side effects, 2 for aftercare, 3 for a nurse.", **delivered)
    desk.clock.advance(timedelta(minutes=1))
    text_in(desk, "Is it normal that it is still sore?")
    text_out(desk, "Your Clinic: A nurse will call you by 12:05 PM.", **delivered)
    desk.clock.advance(timedelta(minutes=2))
    words = "Your Clinic: Please bring your list of medicines. Emergency? Call 911."
    text_out(desk, words, "delivered", purpose="staff", priority=2, content_id="", written_by=writer)
    text_out(
        desk,
        "Your Clinic: Your visit is noted.",
        "undelivered",
        error_code=30003,
        reason="carrier error 30003",
    )
    lost = "connection lost"
    unknown = text_out(desk, "Your Clinic: A nurse tried to call you.", "unknown", reason=lost)
    with desk.parts.db.begin() as session:
        session.execute(update(OutboundEvent).filter_by(subject_id=unknown).values(cause=lost))
        phone = clinic.Phone("Front desk", "+12025550171")
        clinic.keep_phone(session, phone, desk.parts.settings.zone, now=desk.clock.now(), staff="staff-bea")
    return injection, unknown


def month_before(desk: Desk) -> None:
    """What a February brought, for the reports: the same at every run."""
    chance = random.Random(7)
    reasons = ["clinical", "nurse", "schedule", "schedule", "admin", "urgent"]
    with desk.parts.db.begin() as session:
        for number in range(240):
            day = datetime(2026, 2, 1 + number % 28, 13, tzinfo=UTC)
            at = day + timedelta(minutes=min(chance.gauss(240, 130), 600) if number % 7 else 30)
            _past_item(session, chance, at, reasons[number % len(reasons)], number)
            _past_messages(desk, session, chance, at, number)


def _past_item(session: Session, chance: random.Random, at: datetime, reason: str, number: int) -> None:
    tried = at + timedelta(minutes=chance.expovariate(1 / 25))
    reached = chance.random() < 0.85
    outcome = "reached_resolved" if reached else "no_answer"
    item = CallbackItem(
        id=uuid.uuid4(),
        reason=reason,
        priority=2,
        number_key=f"past{number}",
        source="text" if number % 2 else "call",
        status="done",
        promised_at=at + 2 * HOUR,
        created_at=at,
        first_claimed_at=tried,
        first_attempt_at=tried,
        first_contact_at=tried if reached else None,
        closed_at=tried + timedelta(minutes=9),
        outcome=outcome if reached else "unreached_closed",
    )
    session.add(item)
    session.flush()
    session.add(CallbackEvent(subject_id=item.id, at=at, status="new", cause="requested", actor="line"))
    session.add(CallbackOutcome(item_id=item.id, at=tried, staff_id=BEA.id, outcome=outcome))


def _past_messages(desk: Desk, session: Session, chance: random.Random, at: datetime, number: int) -> None:
    contact = contact_for(session, desk.parts.keyring, "+12025550160", at=at)
    heard = InboundMessage(
        id=uuid.uuid4(),
        message_sid=f"SM{number:032x}",
        contact_id=contact.id,
        sender="+12025550160",
        body="hi",
        received_at=at,
        topic=chance.choice(["recovery", "risks", "nurse", "onset"]),
    )
    sent = OutboundMessage(
        id=uuid.uuid4(),
        contact_id=contact.id,
        number_hash=contact.number_hash,
        purpose="reminder",
        priority=5,
        content_id="reminder.day1:1",
        language="en",
        body="How are you?",
        send_after=at,
        sending_at=at,
        created_at=at,
        status="undelivered" if number % 60 == 9 else chance.choices(["delivered", "sent"], [94, 6])[0],
        step=chance.choice(["day1", "day3", "week1"]),
        answer=chance.choice(["well", "well", "question", "silence"]),
    )
    call = Call(
        id=uuid.uuid4(),
        call_sid=f"CA{number:032x}",
        contact_id=contact.id,
        carrier_status="completed",
        started_at=at,
        ended_at=at + timedelta(minutes=2),
        seconds=120,
    )
    session.add_all([heard, sent])
    if number % 3 == 0:
        session.add(call)
        session.flush()
        said = json.dumps([["voice.greeting:1" if number % 60 == 0 else "answer.recovery:1", "words"]])
        session.add(CallStep(call_id=call.id, step=0, heard="", document="", said=said, at=at))
