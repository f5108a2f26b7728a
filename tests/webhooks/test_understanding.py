"""What patients really write, from the webhook to the reply and the queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.callbacks.service import queue
from nurseline.language import Meaning
from nurseline.parts import attach
from nurseline.webhooks import reception
from tests.webhooks.support import Carrier, heard, new_sid


def reasons(carrier: Carrier) -> list[str]:
    with carrier.parts.db.begin() as session:
        return [item.reason for item in queue(session)]


@pytest.fixture
def bilingual(carrier: Carrier) -> Carrier:
    """The same line with Spanish on offer."""
    carrier.parts = replace(carrier.parts, languages=("en", "es"))
    attach(carrier.client.application, carrier.parts)
    return carrier


@pytest.mark.parametrize("second", ["yes", "1", "ok", "no", "thanks", "menu", "2."])
def test_two_short_replies_are_not_read_together(carrier: Carrier, second: str) -> None:
    carrier.text("hi")
    carrier.text(second)
    assert not set(reasons(carrier)) & {"emergency", "urgent"}


def test_an_emergency_split_over_two_texts_is_caught_and_staff_read_both(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_words(text: str, *, previous: str | None = None, **_: object) -> Meaning:
        both = f"{previous} {text}" if previous else text
        alarm = "half one" in both and "half two" in both
        return Meaning("emergency" if alarm else "none", "emergency" if alarm else "unknown", 1.0)

    monkeypatch.setattr(reception, "understand", by_words)
    carrier.text("half one")
    carrier.clock.advance(timedelta(seconds=40))
    assert any("911 now" in reply for reply in carrier.text("half two"))
    with carrier.parts.db.begin() as session:
        assert queue(session)[0].reason == "emergency"
        assert session.scalars(sa.select(CallbackWords)).one().words == "half one\nhalf two"


def test_two_texts_that_are_hours_apart_are_not_read_together(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def watched(text: str, *, previous: str | None = None, **_: object) -> Meaning:
        seen.append(previous)
        return Meaning("none", "unknown", 0.0)

    monkeypatch.setattr(reception, "understand", watched)
    carrier.text("half one")
    carrier.clock.advance(timedelta(minutes=3))
    carrier.text("half two")
    assert seen == [None, None]


def test_a_denied_sign_next_to_a_real_one_does_not_hide_it(carrier: Carrier) -> None:
    assert any("911 now" in reply for reply in carrier.text("no fever but hard to breathe"))


def test_words_about_suicide_get_988_and_911(carrier: Carrier) -> None:
    (reply,) = carrier.text("i dont want to live anymore")
    assert "988" in reply
    assert "911" in reply
    assert reasons(carrier) == ["emergency"]


def test_an_urgent_sign_gets_the_same_day_words_and_an_urgent_item(carrier: Carrier) -> None:
    reply = carrier.text("the spot is hot and red and pus is coming out")[-1]
    assert "911" in reply
    assert reasons(carrier) == ["urgent"]


def test_a_medical_question_the_clinics_text_does_not_answer_goes_to_a_nurse(carrier: Carrier) -> None:
    reply = carrier.text("can i take my eliquis tonight")[-1]
    assert "nurse should answer" in reply
    assert "nurse will call you" in carrier.text("1")[-1]
    assert reasons(carrier) == ["clinical"]


def test_an_old_sign_is_answered_as_asked_and_shown_to_staff(carrier: Carrier) -> None:
    replies = carrier.text("i had chest pain last year, how long does the relief last")
    assert not any("911 now" in reply for reply in replies)
    assert "clinical" in reasons(carrier)


def test_asking_for_spanish_switches_and_is_remembered_also_on_a_call(bilingual: Carrier) -> None:
    assert any("1 Después" in r or "Responda" in r or "Escriba" in r for r in bilingual.text("español"))
    bilingual.clock.advance(timedelta(hours=5))
    menu = bilingual.text("menu")[-1]
    assert "How can we help" not in menu
    said = heard(bilingual.call(new_sid("CA"), 0))
    assert "marque 1" in said


def test_spanish_is_not_announced_while_nobody_has_signed_it(carrier: Carrier) -> None:
    assert not any("Responda" in reply for reply in carrier.text("español"))


def test_an_emergency_in_spanish_is_caught_whatever_language_is_set(carrier: Carrier) -> None:
    assert any("911" in reply for reply in carrier.text("no puedo respirar"))
    assert reasons(carrier) == ["emergency"]


def test_the_words_that_led_to_an_item_stand_in_it(carrier: Carrier) -> None:
    carrier.text("my leg went numb and i cant feel it at all")
    with carrier.parts.db.begin() as session:
        item: CallbackItem = queue(session)[0]
        assert item.source == "text"
