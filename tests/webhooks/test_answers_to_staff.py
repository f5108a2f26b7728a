"""What a patient writes in answer to a text of staff reaches a person, not "we did not get that"."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.staff_texts import Words, write
from tests.webhooks.support import PATIENT, Carrier


def staff_wrote(carrier: Carrier) -> None:
    """The patient wrote, and a nurse answered by text."""
    carrier.text("hi")
    parts = carrier.parts
    with parts.db.begin() as session:
        contact = contact_for(session, parts.keyring, PATIENT, at=parts.clock.now())
        words = Words("Your Clinic: Which door do you mean?", "staff.opening:1 staff.words", "en")
        more = {"key": uuid.uuid4(), "staff": "staff-1", "seen": None, "asks": False}
        assert write(session, contact, words, now=parts.clock.now(), **more)


def asked_for(carrier: Carrier) -> list[tuple[str, str]]:
    """The reasons of open items with the words that led to them."""
    with carrier.parts.db.begin() as session:
        query = sa.select(CallbackItem.reason, CallbackWords.words).join(CallbackWords)
        return [(reason, words) for reason, words in session.execute(query.order_by(CallbackWords.id))]


def test_an_answer_that_the_line_does_not_understand_goes_to_a_nurse(carrier: Carrier) -> None:
    staff_wrote(carrier)
    reply = " ".join(carrier.text("the blue one by the garage"))
    assert "did not get that" not in reply
    assert "A nurse will call you" in reply
    assert asked_for(carrier) == [("nurse", "the blue one by the garage")]
    assert "We have your request." in " ".join(carrier.text("the purple one, not the blue"))
    assert len(asked_for(carrier)) == 2


def test_what_the_line_understands_it_still_does_itself(carrier: Carrier) -> None:
    staff_wrote(carrier)
    assert "24 to 72 hours" in " ".join(carrier.text("when does it start to work?"))
    assert "911" in " ".join(carrier.text("I can't breathe"))
    assert [reason for reason, _ in asked_for(carrier)] == ["emergency"]


@pytest.mark.parametrize("later", [timedelta(hours=25)])
def test_a_day_later_the_line_asks_again_what_was_meant(carrier: Carrier, later: timedelta) -> None:
    staff_wrote(carrier)
    carrier.clock.advance(later)
    carrier.text("the blue one by the garage")
    assert asked_for(carrier) == []
