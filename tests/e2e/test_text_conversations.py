"""Whole conversations by text, from the handset to the queue."""

from __future__ import annotations

import sqlalchemy as sa

from nurseline.callbacks.service import queue
from nurseline.consent.service import state_of
from nurseline.messaging.models import InboundMessage, OutboundMessage
from tests.e2e.conftest import Line
from tests.support.waiting import wait_for

PATIENT = "+12025550123"


def reasons(line: Line) -> list[str]:
    with line.parts.db.begin() as session:
        return [item.reason for item in queue(session)]


def test_a_new_patient_reads_about_side_effects_and_asks_to_be_scheduled(line: Line) -> None:
    welcome, menu = line.phone.text(PATIENT, "hi")
    assert "Emergency? Call 911" in welcome
    assert "Reply STOP" in welcome
    assert "2 Side effects" in menu
    (risks,) = line.phone.text(PATIENT, "2")
    assert "bruise" in risks
    (asked,) = line.phone.text(PATIENT, "schedule")
    assert "What time of day" in asked
    (promised,) = line.phone.text(PATIENT, "1.")
    assert "We will call you" in promised
    assert reasons(line) == ["schedule"]
    assert line.phone.errors() == []


def test_every_reply_is_recorded_and_reported_delivered(line: Line) -> None:
    line.phone.text(PATIENT, "menu")
    outbound = sa.select(OutboundMessage)

    def delivered() -> bool:
        with line.parts.db.begin() as session:
            rows = session.scalars(outbound).all()
            return bool(rows) and all(
                r.status == "delivered" and r.content_id and r.provider_sid for r in rows
            )

    wait_for(delivered, 10, "the replies to be reported as delivered")


def test_an_emergency_from_an_opted_out_number_still_raises_the_item_and_tries_to_answer(line: Line) -> None:
    line.phone.text(PATIENT, "STOP")
    line.phone.text(PATIENT, "i cant breathe")
    assert reasons(line) == ["emergency"]
    with line.parts.db.begin() as session:
        reply = session.scalars(sa.select(OutboundMessage)).one()
        assert "Call 911" in (reply.body or "")
    blocked = [entry for entry in line.phone.errors() if entry["code"] == 21610]
    assert blocked, "the carrier was asked to deliver the 911 words although it blocks the number"


def test_stop_gets_no_second_answer_and_is_written_into_the_ledger(line: Line) -> None:
    assert line.phone.text(PATIENT, "Stop") == [
        reply["body"] for reply in line.phone.thread(PATIENT) if reply["by_carrier"]
    ]
    with line.parts.db.begin() as session:
        ledger = state_of(session, line.parts.keyring.number_hash(PATIENT))
        assert ledger is not None
        assert (ledger.status, ledger.carrier_blocked) == ("opted_out", True)


def test_a_picture_is_answered_with_words_and_not_fetched(line: Line) -> None:
    replies = line.phone.text(PATIENT, "", media=[{"content_type": "image/jpeg"}])
    assert any("picture" in reply or "photo" in reply for reply in replies)


def test_texts_are_stored_once_and_encrypted(line: Line) -> None:
    line.phone.text(PATIENT, "my shoulder hurts since the shots")
    with line.parts.db.engine.connect() as connection:
        raw = connection.execute(sa.text("SELECT body, sender FROM inbound_messages")).one()
    assert b"shoulder" not in bytes(raw.body)
    assert PATIENT.encode() not in bytes(raw.sender)
    with line.parts.db.begin() as session:
        assert session.scalars(sa.select(InboundMessage)).one().body == "my shoulder hurts since the shots"
