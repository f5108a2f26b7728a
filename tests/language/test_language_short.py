"""Replies to a menu: numbers, menu words, times of day, keys."""

import pytest

from nurseline.language import keyed, understand


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("1.", 1), ("#1", 1), ("one", 1), ("One!", 1), ("uno", 1), ("option 2", 2),
        ("opción 3", 3), ("number three", 3),
        ("2 please", 2), ("(4)", 4), ("1️⃣", 1), ("１", 1), ("the second one", 2), ("to", 2),
        ("dos por favor", 2), ("5)", 5),
    ],
)  # fmt: skip
def test_a_message_that_is_only_a_number_is_a_choice(text: str, number: int) -> None:
    assert understand(text).choice == number


@pytest.mark.parametrize(
    "text",
    [
        "1 and 3",
        "i have 2 questions",
        "for my back",
        "to whom",
        "10 out of 10 pain",
        "911",
        "one side of my face is numb",
    ],
)
def test_a_number_inside_a_sentence_is_no_choice(text: str) -> None:
    assert understand(text).choice is None


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("more", "more"), ("tell me more", "more"), ("más", "more"), ("menu", "menu"),
        ("Main menu please", "menu"), ("repeat", "repeat"),
        ("otra vez", "repeat"), ("yes", "yes"), ("sí", "yes"), ("nope", "no"), ("no gracias", "no"),
        ("go back", "back"),
    ],
)  # fmt: skip
def test_a_menu_word_is_a_command(text: str, command: str) -> None:
    assert understand(text).command == command


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("mornings", "morning"), ("tomorrow morning", "morning"), ("9am", "morning"),
        ("after 3pm", "afternoon"), ("around 6 pm", "evening"),
        ("por la tarde", "afternoon"), ("en la noche", "evening"), ("whenever", "any"),
        ("any time is fine", "any"), ("cuando puedan", "any"),
    ],
)  # fmt: skip
def test_a_time_of_day_is_heard(text: str, part: str) -> None:
    assert understand(text, place="schedule").daypart == part


@pytest.mark.parametrize(
    "text", ["good morning", "buenas tardes", "i was sore this morning", "it hurts at night"]
)
def test_a_greeting_or_a_sentence_is_no_time_of_day(text: str) -> None:
    assert understand(text).daypart is None


def test_keys_of_a_phone_are_meanings() -> None:
    assert keyed("2").choice == 2
    assert keyed("0").topic == "nurse"
    assert keyed("*").command == "repeat"
    assert (keyed("#").command, keyed("#").topic) == ("menu", "menu")
    assert keyed("x").choice is None
    assert keyed("").topic == "unknown"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("español", "es"),
        ("in spanish please", "es"),
        ("english please", "en"),
        ("no hablo ingles", "es"),
        ("do you speak spanish", "es"),
    ],
)
def test_asking_for_a_language_names_it(text: str, language: str) -> None:
    meaning = understand(text)
    assert (meaning.topic, meaning.language) == ("language", language)


def test_the_language_of_a_text_is_seen() -> None:
    assert understand("cuanto dura el alivio").language == "es"
    assert understand("how long does it last", language="es").language == "en"
    assert understand("ok", language="es").language == "es"
