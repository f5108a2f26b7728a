"""Segments, reading ease and moments in words."""

import sys
import types
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.content import gsm7_length, hours_words, is_gsm7, load_content, promise_words, segments
from nurseline.content.reading import (
    english_syllables,
    fernandez_huerta,
    flesch_kincaid_grade,
    sentences,
    spanish_syllables,
    words,
)

CONTENT = load_content()
EASTERN = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("á" * 70, 1),
        ("á" * 71, 2),
        ("á" * 134, 2),
        ("á" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("a" * 1600, 11),
        ("it’s", 1),
    ],
)
def test_segments_are_counted_as_the_carrier_counts_them(text, count):
    assert segments(text) == count  # figures of the carrier's own calculator


def test_spanish_letters_inside_and_outside_the_alphabet():
    assert is_gsm7("é ñ ü ¿ ¡ à Ñ")
    for letter in "áíóúÁÍÓÚ–•…’":
        assert not is_gsm7(letter)
    assert gsm7_length("[€]") == 6
    with pytest.raises(ValueError, match="not in GSM-7"):
        gsm7_length("•")


@given(st.text(max_size=700))
def test_longer_texts_never_take_fewer_segments(text):
    assert segments(text) <= segments(text + "a")


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("injection", 3), ("muscle", 2), ("area", 3), ("people", 2), ("usually", 4), ("emergency", 4),
        ("scheduled", 2), ("infected", 3), ("soreness", 2), ("choices", 2), ("someone", 2), ("911", 1),
    ],
)  # fmt: skip
def test_english_syllables(word, count):
    assert english_syllables(word) == count


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("inyección", 3), ("alivio", 3), ("días", 2), ("enfermera", 4), ("tratamiento", 4), ("área", 3),
        ("quiere", 2), ("guía", 2), ("hay", 1), ("leer", 2), ("ciudad", 2), ("y", 1), ("pingüino", 3),
    ],
)  # fmt: skip
def test_spanish_syllables(word, count):
    assert spanish_syllables(word) == count


@pytest.fixture
def oracle(monkeypatch):
    """textstat 0.7.4 imports pkg_resources, which setuptools ships no longer; the grade does not use it."""
    monkeypatch.setitem(sys.modules, "pkg_resources", types.ModuleType("pkg_resources"))
    from textstat.textstat import textstatistics

    return textstatistics()


def test_the_grade_agrees_with_another_implementation(oracle):
    answers = [e.text for e in CONTENT.by_language["en"].entries.values() if e.id.startswith("answer.")]
    hard = (
        "Administration of corticosteroids occasionally produces considerable temporary discomfort. "
        "Individuals experiencing persistent symptoms should immediately consult their physician."
    )
    for text in (" ".join(answers), hard):
        # The oracle hyphenates instead of counting syllables, and so counts fewer.
        assert flesch_kincaid_grade(text) == pytest.approx(oracle.flesch_kincaid_grade(text), abs=2, rel=0.15)
        assert flesch_kincaid_grade(text) > oracle.flesch_kincaid_grade(text) - 1
    assert flesch_kincaid_grade(hard) > 12


def test_an_easy_spanish_text_scores_easier_than_a_hard_one():
    easy = "La aguja pone la medicina en el punto. El alivio puede durar dias."
    hard = "Habitualmente experimentamos complicaciones medicamentosas extraordinariamente desagradables."
    assert fernandez_huerta(easy) > 80 > fernandez_huerta(hard)
    assert fernandez_huerta("") == 100
    assert flesch_kincaid_grade("") == 0


@given(st.text(max_size=300))
def test_any_text_can_be_measured(text):
    assert isinstance(flesch_kincaid_grade(text), float)
    assert isinstance(fernandez_huerta(text), float)
    assert all(sentences(text))
    assert all(words(text))


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (datetime(2026, 3, 6, 16, 30, tzinfo=EASTERN), "today by 4:30 PM"),
        (datetime(2026, 3, 6, 16, 58, tzinfo=EASTERN), "today by 5 PM"),
        (datetime(2026, 3, 6, 16, 0, 1, tzinfo=EASTERN), "today by 4:05 PM"),
        (datetime(2026, 3, 6, 12, 0, tzinfo=EASTERN), "today by 12 PM"),
        (datetime(2026, 3, 7, 0, 0, tzinfo=EASTERN), "today by midnight"),
        (datetime(2026, 3, 7, 0, 1, tzinfo=EASTERN), "tonight by 12:05 AM"),
        (datetime(2026, 3, 8, 0, 0, tzinfo=EASTERN), "tomorrow by midnight"),
        (datetime(2026, 3, 9, 9, 0, tzinfo=EASTERN), "Monday, March 9 by 9 AM"),
    ],
)
def test_a_promise_is_said_as_a_day_and_a_time(due, said):
    now = datetime(2026, 3, 6, 10, 0, tzinfo=EASTERN)
    assert promise_words(due, now, CONTENT) == said


def test_a_promise_needs_zones():
    with pytest.raises(ValueError, match="zone"):
        promise_words(datetime(2026, 3, 6), datetime.now(UTC), CONTENT)  # noqa: DTZ001


@given(st.integers(0, 20 * 365 * 24 * 60))
def test_a_promise_fits_the_length_that_messages_are_checked_with(minutes):
    due = datetime(2020, 1, 1, tzinfo=EASTERN) + timedelta(minutes=minutes)
    said = promise_words(due, due - timedelta(days=3), CONTENT)
    assert len(said) <= len("Wednesday, September 30 by 12:55 PM")


@pytest.mark.parametrize(
    ("spec", "text", "voice"),
    [
        ("Mon-Fri 08:00-17:00", "Mon-Fri 8 AM-5 PM", "Monday to Friday, 8 AM to 5 PM"),
        (
            "Mon-Thu 08:00-12:00,13:00-17:30; Fri 08:00-12:00",
            "Mon-Thu 8 AM-12 PM, 1 PM-5:30 PM, Fri 8 AM-12 PM",
            "Monday to Thursday, 8 AM to 12 PM, 1 PM to 5:30 PM, Friday, 8 AM to 12 PM",
        ),
        ("by appointment", "by appointment", "by appointment"),
        ("Mon-Xyz 08:00-17:00", "Mon-Xyz 08:00-17:00", "Mon-Xyz 08:00-17:00"),
    ],
)
def test_opening_hours_are_said_in_words(spec, text, voice):
    assert hours_words(spec, CONTENT) == text
    assert hours_words(spec, CONTENT, channel="voice") == voice
