"""The words of the line as they stand in the files."""

import re

import pytest

from nurseline.content import LONGEST, gsm7_length, load_content, longest_promise, segments
from nurseline.content.checks import filled, longest_values, problems
from nurseline.content.ids import REMINDERS, REQUIRED_IDS, WITHOUT_LIMIT
from nurseline.content.source import source_sections

CONTENT = load_content()


def test_nothing_is_wrong_with_the_words():
    assert problems(CONTENT) == []


def test_every_id_the_house_relies_on_is_there():
    for code in CONTENT.languages:
        assert CONTENT.by_language[code].entries.keys() >= REQUIRED_IDS


def test_every_section_of_the_clinics_text_has_an_answer():
    answered = {e.section for e in CONTENT.by_language["en"].entries.values() if e.id.startswith("answer.")}
    assert answered == set(source_sections())
    assert len(answered) == 7


@pytest.mark.parametrize("code", CONTENT.languages)
def test_reminders_and_emergency_words_fit_one_segment_with_the_longest_clinic_name(code):
    longest = longest_values(CONTENT, code)
    assert len(longest["clinic"]) == 30
    for name in REMINDERS | {"emergency", "emergency.both", "crisis", "urgent"}:
        text = filled(CONTENT.get(name, code), "text", longest)
        assert segments(text) == 1, (name, gsm7_length(text))


@pytest.mark.parametrize("code", CONTENT.languages)
def test_every_text_fits_two_segments_with_the_longest_values(code):
    longest = longest_values(CONTENT, code)
    for entry in CONTENT.by_language[code].entries.values():
        if not entry.id.startswith("voice.") and entry.id not in WITHOUT_LIMIT:
            assert segments(filled(entry, "text", longest)) <= 2, entry.id


@pytest.mark.parametrize("code", CONTENT.languages)
def test_every_entry_can_be_rendered_for_both_channels_and_leaves_no_slot(code):
    values = longest_values(CONTENT, code)
    for entry in CONTENT.by_language[code].entries.values():
        for channel in ("text", "voice"):
            needed = {name: values[name] for name in entry.slots(channel)}
            said = CONTENT.render(entry.id, code, channel=channel, **needed)
            assert "{" not in said.text
            assert "}" not in said.text
            assert (said.id, said.language, said.version) == (entry.id, code, entry.version)


def test_a_signed_language_has_no_entry_without_reviewer():
    for code in CONTENT.languages:
        unsigned = CONTENT.unsigned(code)
        assert set(unsigned) == {e.id for e in CONTENT.by_language[code].entries.values() if not e.reviewer}
        assert (code in CONTENT.signed_languages()) == (unsigned == [])


@pytest.mark.parametrize("code", CONTENT.languages)
def test_every_first_reply_and_help_tells_to_call_911(code):
    for name in (
        "welcome",
        "help",
        "optout.confirmed",
        "not_understood",
        "offer_person",
        "failure.stored",
        "failure.unstored",
        "nurse.done",
        "clinical",
        "urgent",
    ):
        assert "911" in CONTENT.get(name, code).text, name


def test_the_hole_in_the_clinics_text_is_not_filled():
    text = CONTENT.get("answer.conditions").text
    assert "some other muscle problems" in text
    assert not re.search(r"headache|migraine|fibromyalgia|sciatica|such as|including", text, re.IGNORECASE)


def test_the_longest_promise_is_really_the_longest():
    assert len(longest_promise(CONTENT, "en")) == len("Wednesday, September 30 by 12:55 PM")
    spoken = "el miércoles 30 de septiembre antes de las 12:55 de la madrugada"
    assert longest_promise(CONTENT, "es", "voice") == spoken


def test_the_longest_clinic_facts_are_limited():
    assert LONGEST["clinic"] == 30
