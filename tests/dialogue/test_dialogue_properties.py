"""Nothing that can be stored or heard breaks the dialogue."""

import json
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from nurseline.content import load_content
from nurseline.dialogue import PLACES, Can, Promise, State, compose, fill, promises_needed, respond, silence
from nurseline.language.meaning import Command, Daypart, Evidence, Meaning, Tier, Topic

FACTS = {
    "clinic": "The clinic",
    "phone": "202-555-0100",
    "phone_spoken": "2 0 2, 5 5 5, 0 1 0 0",
    "address": "1 Main Street",
    "hours": "Mon-Fri 08:00-17:00",
}
KEYS = st.sampled_from(
    ["alarm", "best_time", "candidates", "list", "number", "call_number", "pending", "reason", "second", "x"]
)
VALUES = st.sampled_from(
    [
        "emergency",
        "crisis",
        "onset,duration",
        "aftercare",
        "2025550123",
        "nurse",
        "schedule",
        "onset",
        "",
        "junk",
    ]
) | st.text(max_size=20)
STATES = st.builds(
    State,
    place=st.sampled_from(sorted(PLACES)),
    topic=st.none() | st.sampled_from(["what", "expect", "risks", "recovery"]),
    part=st.integers(0, 50),
    misses=st.integers(0, 50),
    silences=st.integers(0, 50),
    language=st.sampled_from(["en", "es", "xx"]),
    memory=st.dictionaries(KEYS, VALUES, max_size=6).map(lambda pairs: tuple(sorted(pairs.items()))),
)
MEANINGS = st.builds(
    Meaning,
    tier=st.sampled_from(get_args(Tier)),
    topic=st.sampled_from(get_args(Topic)),
    confidence=st.floats(0, 1),
    evidence=st.lists(st.builds(Evidence, st.text(max_size=9), st.text(max_size=9)), max_size=2).map(tuple),
    second_topic=st.none() | st.sampled_from(get_args(Topic)),
    candidates=st.lists(st.sampled_from(get_args(Topic)), max_size=4).map(tuple),
    choice=st.none() | st.integers(-5, 10**12),
    command=st.none() | st.sampled_from(get_args(Command)),
    daypart=st.none() | st.sampled_from(get_args(Daypart)),
    language=st.sampled_from(["en", "es"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(
    STATES,
    MEANINGS,
    st.sampled_from(["text", "voice"]),
    st.text(max_size=50) | st.from_regex(r"\d{0,12}"),
    st.booleans(),
    st.booleans(),
    st.none() | st.floats(0, 1e9),
)
def test_any_state_and_meaning_gives_words_that_can_be_said(
    state, meaning, channel, words, new, can_call_back, idle
):
    turn = respond(
        state,
        meaning,
        channel=channel,
        new=new,
        idle_seconds=idle,
        words=words,
        can=Can(call_back=can_call_back),
        languages=load_content().languages,
    )
    promises = {reason: Promise("today by 5 PM") for reason in promises_needed(turn)}
    messages = compose(fill(turn, promises), FACTS, channel=channel)
    assert messages
    assert all(message.text.strip() for message in messages)
    assert turn.state.place in PLACES
    assert State.from_json(turn.state.to_json()) == turn.state


@given(STATES, st.booleans())
def test_silence_at_any_state_gives_words(state, can_call_back):
    turn = silence(state, can=Can(call_back=can_call_back))
    assert turn.say
    assert State.from_json(turn.state.to_json()) == turn.state


@given(STATES, MEANINGS, st.text(max_size=30))
def test_the_same_step_twice_gives_the_same_turn(state, meaning, words):
    once = respond(state, meaning, channel="text", words=words)
    assert once == respond(state, meaning, channel="text", words=words)


@given(STATES)
def test_a_state_survives_storage(state):
    assert State.from_json(state.to_json()) == state
    assert State.from_json(json.loads(state.to_json())) == state


@given(JSON | st.binary(max_size=40) | st.text(max_size=60))
def test_junk_gives_a_fresh_state(junk):
    assert State.from_json(junk) == State()
    assert State.from_json(json.dumps(junk) if not isinstance(junk, bytes) else junk) == State()


@given(STATES, st.sampled_from(["place", "topic", "part", "misses", "memory", "last", "language"]), JSON)
def test_a_state_with_one_bad_field_is_refused_whole_or_still_valid(state, field, value):
    data = json.loads(state.to_json())
    data[field] = value
    loaded = State.from_json(data)
    assert loaded.place in PLACES
    assert respond(loaded, Meaning("none", "menu", 1.0), channel="text").say


def test_storage_nested_beyond_reason_gives_a_fresh_state():
    assert State.from_json("[" * 100_000) == State()
