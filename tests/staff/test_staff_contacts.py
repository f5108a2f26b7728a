"""A contact's page, and the page of messages to check."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import sqlalchemy as sa
from markupsafe import escape

from nurseline.callbacks.outcomes import OUTCOMES
from nurseline.consent import service as consent
from nurseline.messaging.models import Call, CallStep, InboundMessage, OutboundEvent, OutboundMessage
from nurseline.staff.models import StaffAudit
from tests.staff.conftest import PATIENT, Desk
from tests.staff.test_staff_enrolment import enrol


def text_in(desk: Desk, body: str, **more: object) -> uuid.UUID:
    """A text came in."""
    contact = desk.contact()
    row = InboundMessage(
        id=uuid.uuid4(),
        message_sid=f"SM{uuid.uuid4().hex}",
        contact_id=contact.id,
        sender=PATIENT,
        body=body,
        received_at=desk.clock.now(),
        **more,
    )
    with desk.parts.db.begin() as session:
        session.add(row)
    return row.id


def text_out(desk: Desk, body: str | None, status: str, **more: object) -> uuid.UUID:
    """A message of ours."""
    contact, now = desk.contact(), desk.clock.now()
    values = {
        "id": uuid.uuid4(),
        "contact_id": contact.id,
        "number_hash": contact.number_hash,
        "purpose": "reply",
        "priority": 1,
        "content_id": "menu",
        "language": "en",
        "body": body,
        "send_after": now,
        "status": status,
        "created_at": now,
        "sending_at": now,
        **more,
    }
    with desk.parts.db.begin() as session:
        session.add(OutboundMessage(**values))
        session.flush()
        event = {"subject_id": values["id"], "at": now, "status": status, "cause": "because", "actor": "line"}
        session.add(OutboundEvent(**event))
    return values["id"]  # type: ignore[return-value]


def places(page: str, *words: str) -> list[int]:
    """Where these stand on a page, in their order."""
    return [page.index(one) for one in words]


def test_everything_stands_in_one_timeline_the_newest_first_with_times_in_the_clinics_zone(
    desk: Desk,
) -> None:
    first = text_in(desk, "hi there")
    text_out(desk, "welcome words", "delivered", in_reply_to=first, position=0)
    text_out(desk, "menu words", "sent", in_reply_to=first, position=1)
    desk.clock.advance(timedelta(minutes=3))
    text_in(desk, "<i>my</i> arm", tier="urgent")
    page = desk.signed_in().get(f"/staff/contacts/{desk.contact().id}").text
    timeline = page[page.index("newest first") :]
    found = places(timeline, "&lt;i&gt;my&lt;/i&gt; arm", "menu words", "welcome words", "hi there")
    assert found == sorted(found)
    assert "Today, 10:00 AM" in page
    assert "Today, 10:03 AM" in page
    assert "Worrying symptom" in page
    assert "Delivered" in page


def test_what_did_not_go_is_shown_with_the_reason(desk: Desk) -> None:
    text_out(desk, None, "skipped", purpose="reminder", step="day3", reason="too late", sending_at=None)
    text_out(desk, "lost words", "failed", reason="carrier error 30003", error_code=30003)
    page = desk.signed_in().get(f"/staff/contacts/{desk.contact().id}").text
    assert "Left out" in page
    assert "It could not go in time." in page
    assert "Aftercare message, 72 hours" in page
    assert "The phone or its network could not take the message at that time. (Error 30003.)" in page
    assert "carrier error" not in page


def test_planned_messages_show_the_words_they_will_have(desk: Desk) -> None:
    ada = desk.signed_in()
    enrol(ada)
    page = ada.get(f"/staff/contacts/{desk.contact().id}").text
    assert str(escape(desk.parts.say("reminder.day1", "en").text)) in page
    assert "Today, 2:30 PM" in page
    assert "until Tomorrow, 2:30 AM" in page


def test_calls_show_what_was_heard_and_said(desk: Desk) -> None:
    contact = desk.contact()
    with desk.parts.db.begin() as session:
        call = Call(
            id=uuid.uuid4(),
            call_sid="CA" + "1" * 32,
            contact_id=contact.id,
            started_at=desk.clock.now(),
            seconds=95,
        )
        session.add(call)
        session.flush()
        for step, (heard, said) in enumerate(
            [("", "Press 1 for side effects."), ("1", "Soreness is common."), ("", "Goodbye.")]
        ):
            session.add(
                CallStep(
                    call_id=call.id,
                    step=step,
                    heard=heard,
                    document="<Response/>",
                    at=desk.clock.now(),
                    said=json.dumps([[["menu:1"], said]]),
                )
            )
    page = desk.signed_in().get(f"/staff/contacts/{contact.id}").text
    for words in (
        "Press 1 for side effects.",
        "Soreness is common.",
        "Goodbye.",
        "3 steps",
        "Nothing was heard",
    ):
        assert words in page
    assert "menu:1" not in page
    assert "&lt;Response" not in page


def test_consent_and_who_said_what_about_it_are_shown(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    page = ada.get(f"/staff/contacts/{desk.contact().id}").text
    assert "Never asked" in page
    enrol(ada)
    page = ada.get(f"/staff/contacts/{desk.contact().id}").text
    assert "Agreed to messages" in page
    assert "told staff" in page
    with desk.parts.db.begin() as session:
        record = consent.Record(
            desk.contact().number_hash, desk.clock.now(), "text", "please stop texting me"
        )
        consent.opt_out(session, record, carrier_blocked=True)
    page = ada.get(f"/staff/contacts/{desk.contact().id}").text
    assert "Ended messages" in page
    assert "please stop texting me" in page
    assert "The carrier itself refuses messages" in page


def test_the_number_is_masked_until_asked_for_or_claimed_and_every_look_is_written_down(desk: Desk) -> None:
    item, contact = desk.item(), desk.contact()
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    path = f"/staff/contacts/{contact.id}"
    assert "202-555-0123" not in ada.get(path).text
    assert "202-555-0123" in ada.post(f"{path}/number", follow_redirects=True).text
    assert "202-555-0123" not in ben.get(path).text
    ben.post(f"/staff/items/{item}/claim")
    assert "202-555-0123" in ben.get(path).text
    with desk.parts.db.begin() as session:
        seen = session.execute(
            sa.select(StaffAudit.what, sa.func.count())
            .where(StaffAudit.contact_id == contact.id)
            .group_by(StaffAudit.what)
        )
        assert dict(seen.all()) == {"saw_contact": 4, "revealed_number": 1}


def test_requests_of_the_contact_are_listed_with_their_outcome(desk: Desk) -> None:
    item = desk.item("schedule")
    ada = desk.signed_in()
    ada.post(f"/staff/items/{item}/claim")
    ada.post(f"/staff/items/{item}/outcome", {"outcome": "left_voicemail"})
    page = ada.get(f"/staff/contacts/{desk.contact().id}").text
    assert "Wants to be scheduled" in page
    assert OUTCOMES["left_voicemail"] in page


def test_long_words_of_every_kind_are_shown_whole(desk: Desk) -> None:
    for body in ("x" * 1600, "😀" * 400, "مرحبا " * 200, "a\0b\x1b[31m"):
        text_in(desk, body)
    answer = desk.signed_in().get(f"/staff/contacts/{desk.contact().id}")
    assert answer.status_code == 200
    assert "x" * 1600 in answer.text
    assert "😀" * 400 in answer.text
