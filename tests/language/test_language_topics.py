"""Topics, two questions in one message, and abstaining when unsure."""

import pytest

from nurseline.language import understand


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("what is a trigger point injection", "what"),
        ("what conditions do you treat", "conditions"),
        ("what happens during the procedure", "expect"),
        ("how long will i be sore", "recovery"),
        ("when does it start working", "onset"),
        ("how long does the relief last", "duration"),
        ("what are the side effects", "risks"),
        ("am i a good candidate", "suitability"),
        ("i need to make an appointment", "schedule"),
        ("can a nurse call me", "nurse"),
        ("can i take tylenol", "clinical"),
        ("can i take zzyprexol", "clinical"),
        ("ice or heat", "clinical"),
        ("im pregnant is it safe", "clinical"),
        ("how much does it cost", "admin"),
        ("cancel my appointment", "admin"),
        ("hi", "menu"),
        ("thank you so much", "thanks"),
        ("👍🏽", "thanks"),
        ("help", "help"),
        ("you have the wrong number", "wrong_number"),
        ("cuanto dura el alivio", "duration"),
        ("puedo bañarme hoy", "clinical"),
        ("nesesito una sita", "schedule"),
        ("numero equivocado", "wrong_number"),
        ("cuanto cuesta", "admin"),
    ],
)
def test_a_plain_question_finds_its_topic(text: str, topic: str) -> None:
    meaning = understand(text)
    assert (meaning.tier, meaning.topic) == ("none", topic)


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("when does it kick in and how long does it last", ("onset", "duration")),
        ("what are the side effects and do you take aetna", ("risks", "admin")),
        ("cuando hace efecto y cuanto dura", ("onset", "duration")),
    ],
)
def test_two_questions_in_one_message_are_both_heard(text: str, topics: tuple[str, str]) -> None:
    meaning = understand(text)
    assert (meaning.topic, meaning.second_topic) == topics


@pytest.mark.parametrize(
    "text", ["asdf qwer zxcv", "the blue one over there", "???", "", "   ", "\u200b", "هل يمكنك"]
)
def test_an_unclear_text_is_unknown(text: str) -> None:
    assert understand(text).topic == "unknown"


def test_an_unsure_reading_names_the_likeliest_topics() -> None:
    meaning = understand("so about the thing with the shots")
    assert meaning.topic != "unknown" or 1 <= len(meaning.candidates) <= 2


def test_a_question_split_in_two_is_answered_once_it_is_clear() -> None:
    assert understand("it last", previous="how long does").topic == "duration"
