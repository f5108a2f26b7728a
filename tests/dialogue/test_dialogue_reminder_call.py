"""A call that reads a reminder: who may hear what, whatever is heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.content import load_content
from nurseline.content.claims import plain_words
from nurseline.content.ids import REMINDERS
from nurseline.dialogue import OptOut, State, compose, fill, promises_needed
from nurseline.dialogue.reminder_call import PLEASE_CALL, PRESS_ONE, called, respond_called, silence_called
from nurseline.dialogue.state import Promise
from nurseline.language import keyed, understand
from tests.dialogue.test_dialogue_properties import FACTS, MEANINGS

CONTENT = load_content()
LANGUAGES = CONTENT.languages
REMINDER = "reminder.day1"
HEARD = st.none() | st.tuples(MEANINGS, st.booleans(), st.text(max_size=20))


def said(turn) -> list[str]:
    return [say.id for say in turn.say]


def next_turn(state: State, heard):
    if heard is None:
        return silence_called(state, languages=LANGUAGES)
    meaning, by_key, words = heard
    return respond_called(state, meaning, by_key=by_key, words=words, languages=LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reminder", sorted(REMINDERS))
def test_each_who_answers_hears_what_is_meant_for_them(reminder: str, language: str) -> None:
    heard = {
        by: called(by, reminder, language=language, languages=LANGUAGES)
        for by in ("human", "machine", "unknown")
    }
    assert {by: said(turn) for by, turn in heard.items()} == {
        "human": [reminder],
        "machine": [PLEASE_CALL],
        "unknown": [PRESS_ONE],
    }
    assert [by for by, turn in heard.items() if turn.ends] == ["machine"]
    assert all(turn.state.language == language for turn in heard.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_machine_or_nobody_in_particular_hears_tells_nothing_of_the_treatment(language: str) -> None:
    private = plain_words(language).private_words
    for name in (PLEASE_CALL, PRESS_ONE):
        words = {word.strip(".,?") for word in CONTENT.get(name, language).text.lower().split()}
        assert not words & private, name
        assert "{clinic}" in CONTENT.get(name, language).text


def test_a_language_that_is_not_offered_is_not_spoken() -> None:
    assert called("human", REMINDER, language="es", languages=("en",)).state.language == "en"


@given(st.lists(HEARD, max_size=8), st.sampled_from(["human", "unknown"]))
def test_whatever_is_heard_gets_words_and_an_end_only_after_silence_or_for_who_was_served(heard, by) -> None:
    turn = called(by, REMINDER, language="en", languages=LANGUAGES)
    for one in heard:
        if turn.ends:
            return
        before = turn.state
        turn = next_turn(before, one)
        promises = {reason: Promise("today by 5 PM") for reason in promises_needed(turn)}
        assert all(message.text for message in compose(fill(turn, promises), FACTS, channel="voice"))
        assert State.from_json(turn.state.to_json()) == turn.state
        if turn.ends:
            # At the question for a key words are no answer either: a machine speaks, too.
            waits = by == "unknown" and before.place == "reminder"
            assert one is None or before.place in ("topic", "done") or waits


@given(st.lists(st.tuples(MEANINGS, st.just(False), st.text(max_size=20)) | st.none(), max_size=6))
def test_without_a_key_the_reminder_is_never_read(heard) -> None:
    turn = called("unknown", REMINDER, language="en", languages=LANGUAGES)
    for one in heard:
        if turn.ends:
            return
        turn = next_turn(turn.state, one)
        assert REMINDER not in said(turn)


@given(st.lists(HEARD, max_size=5), st.sampled_from(["human", "unknown"]))
def test_nine_ends_messages_after_whatever_came_before(heard, by) -> None:
    turn = called(by, REMINDER, language="en", languages=LANGUAGES)
    for one in heard:
        if turn.ends:
            return
        turn = next_turn(turn.state, one)
    if not turn.ends and turn.keys == 1:
        last = respond_called(turn.state, keyed("9"), by_key=True, words="9", languages=LANGUAGES)
        assert OptOut() in last.effects


def test_an_emergency_is_heard_before_anything_else_at_each_prompt() -> None:
    for by in ("human", "unknown"):
        state = called(by, REMINDER, language="en").state
        turn = respond_called(state, understand("I can't breathe"), by_key=False, words="I can't breathe")
        assert said(turn) == ["emergency"]
        assert not turn.ends


def test_who_stays_silent_is_asked_three_times_and_then_to_call() -> None:
    turn = called("human", REMINDER, language="en")
    heard = []
    for _ in range(3):
        turn = silence_called(turn.state)
        heard.append((said(turn), turn.ends))
    assert heard == [
        (["voice.silence.1", "reminder.unclear"], False),
        (["voice.silence.2", "reminder.unclear", "voice.for_a_nurse"], False),
        ([PLEASE_CALL], True),
    ]
