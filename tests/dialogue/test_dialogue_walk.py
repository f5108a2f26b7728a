"""Every thing a patient may say at every state that can be reached, in texts and on calls."""

import re
from dataclasses import replace
from functools import cache
from itertools import groupby

import pytest

from nurseline.content import gsm7_length, load_content
from nurseline.content.checks import longest_values
from nurseline.dialogue import (
    PLACES,
    Can,
    Promise,
    RequestCallback,
    State,
    compose,
    fill,
    promises_needed,
    respond,
    silence,
)
from nurseline.dialogue.places import numbers
from nurseline.dialogue.walk import Step, everything_heard, table, walk
from nurseline.language.meaning import Meaning

CONTENT = load_content()
VOICE_ONLY = {"done", "confirm_stop", "confirm_wrong", "confirm_start"}
EVERYTHING = Can(connect=True, record=True, text=True)
WAYS = [
    ("text", Can(), ("en",)),
    ("voice", Can(), ("en",)),
    ("voice", Can(call_back=False), ("en",)),
    ("voice", EVERYTHING, CONTENT.languages),
    ("voice", replace(EVERYTHING, call_back=False), ("en",)),
    *((channel, Can(), CONTENT.languages) for channel in ("text", "voice")),
]


def _abilities(can: Can) -> str:
    return "".join(name[0] for name in ("call_back", "record", "text") if getattr(can, name)) + (
        "p" if can.connect else ""
    )


@cache
def steps(way) -> tuple[Step, ...]:
    channel, can, languages = way
    return tuple(walk(channel, languages=languages, can=can))


def states(way) -> list[State]:
    return list(dict.fromkeys(step.before for step in steps(way)))


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{_abilities(way[1])}-{'-'.join(way[2])}")
def way(request):
    return request.param


def test_the_walk_visits_every_place_of_the_channel(way):
    channel, can, _ = way
    expected = set(PLACES)
    if channel == "text":
        expected -= VOICE_ONLY
    if can.call_back:
        expected -= {"callback_number", "confirm_number"}
    if not can.connect:
        expected -= {"connecting"}
    if not can.record:
        expected -= {"record_consent", "recording"}
    if not can.text:
        expected -= {"text_consent"}
    assert {step.before.place for step in steps(way)} == expected


def test_every_step_says_words_that_exist_and_fit(way):
    channel = way[0]
    facts = {code: longest_values(CONTENT, code) for code in CONTENT.languages}
    for step in steps(way):
        language = step.turn.state.language
        promises = {
            reason: Promise(facts[language]["promise"], closed=True) for reason in promises_needed(step.turn)
        }
        messages = compose(fill(step.turn, promises), facts[language], channel=channel, content=CONTENT)
        assert messages, step
        assert len(messages) <= 3, step
        for message in messages:
            assert message.text.strip()
            assert "{" not in message.text
            if channel == "text":
                assert gsm7_length(message.text) <= 306, (step.before.place, step.name, message.text)
            else:
                spoken = message.text.replace("M" * 30, "").replace("H" * 50, "")
                assert not re.search(r"\bReply\b|\b911\b|\b988\b|[/&#*]", spoken), (step.name, message.text)


def test_no_step_is_a_dead_end(way):
    """From every state the menu and a person are one word away."""
    by_state = groupby(sorted(steps(way), key=lambda step: repr(step.before)), key=lambda step: step.before)
    for state, tried in by_state:
        heard = {step.name: step.turn for step in tried}
        assert heard["menu"].state.place == "menu", state
        assert heard["menu"].say[-1].id in ("menu", "voice.menu")
        assert heard["emergency"].effects, state


def test_every_state_reaches_a_person_in_at_most_two_steps(way):
    """By word; where the number is hidden it must be keyed in and confirmed first."""
    can = way[1]
    at_once = can.call_back or can.connect
    words = {kind.name: kind for kind in everything_heard()}
    ways_out = [words["nurse"]] if at_once else [words["nurse"], words["a phone number"], words["=1"]]
    for state in states(way):
        assert _steps_to_a_person(state, ways_out, way, limit=3) <= (2 if at_once else 3), state


@pytest.mark.parametrize("channel", ["text", "voice"])
def test_every_state_reaches_a_person_in_at_most_two_numbers(channel):
    way = (channel, Can(), ("en",))
    keys = [kind for kind in everything_heard() if kind.name.startswith("=")]
    for state in states(way):
        assert _steps_to_a_person(state, keys, way, limit=2) <= 2, state


def _steps_to_a_person(state: State, kinds, way, *, limit: int) -> int:
    channel, can, languages = way
    turns = [
        respond(
            state,
            kind.meaning,
            channel=channel,
            words=kind.words,
            languages=languages,
            can=can,
        )
        for kind in kinds
    ]
    if any(turn.then == "connect" for turn in turns):
        return 1
    if any(isinstance(effect, RequestCallback) for turn in turns for effect in turn.effects):
        return 1
    if limit == 1:
        return 99
    return 1 + min(_steps_to_a_person(turn.state, kinds, way, limit=limit - 1) for turn in turns)


def test_an_emergency_is_answered_with_its_words_alone_from_every_state(way):
    for step in steps(way):
        if step.name in ("emergency", "emergency, and stop", "crisis"):
            expected = {"crisis"} if step.name == "crisis" else {"emergency", "emergency.both"}
            assert len(step.turn.say) == 1, step
            assert step.turn.say[0].id in expected
            assert step.turn.state.place == "menu"
            assert any(isinstance(e, RequestCallback) and e.reason == "emergency" for e in step.turn.effects)
            assert not step.turn.ends


def test_an_urgent_text_is_promised_a_nurse_from_every_state(way):
    for step in steps(way):
        if step.name == "urgent":
            ids = [say.id for say in step.turn.say]
            assert ids[0] in ("urgent", "voice.urgent_first")
            asked = step.turn.state.place == "callback_number"
            assert (
                asked
                or step.turn.then == "connect"
                or any(isinstance(e, RequestCallback) and e.reason == "urgent" for e in step.turn.effects)
            )


def test_an_opt_out_is_taken_at_every_state(way):
    for step in steps(way):
        if step.name in ("stop", "emergency, and stop"):
            done = {type(effect).__name__ for effect in step.turn.effects}
            asked_back = way[0] == "voice"  # a word that is only heard may not have been meant for us
            assert ("OptOut" in done) is not asked_back, step
            if asked_back and step.name == "stop":
                assert step.turn.state.place == "confirm_stop"


def test_a_spoken_promise_belongs_to_a_request_made_in_the_same_step(way):
    for step in steps(way):
        if step.name == "/repeat":
            continue  # repeated words hold the promise already
        asked = {effect.reason for effect in step.turn.effects if isinstance(effect, RequestCallback)}
        assert set(promises_needed(step.turn)) <= asked, step


def test_a_call_ends_only_for_who_was_served(way):
    for step in steps(way):
        if not step.turn.ends:
            assert step.turn.expects_input
            continue
        assert way[0] == "voice"
        alarmed = step.before.recall("alarm") is not None
        exhausted = step.before.place in ("callback_number", "confirm_number") and step.name == "(silence)"
        served = step.before.place in ("topic", "done", "reminder")
        assert alarmed or exhausted or served, step
        assert step.name in ("(silence)", "thanks", "/no"), step


@pytest.mark.parametrize("can", [Can(), Can(call_back=False), EVERYTHING])
def test_silence_without_end_ends_the_call_and_nobody_waiting_is_forgotten(can):
    for state in states(("voice", can, ("en",))):
        current, effects, turns = state, [], 0
        while turns < 12:
            turn = silence(current, can=can)
            effects += turn.effects
            current, turns = turn.state, turns + 1
            if turn.ends:
                break
        assert turn.ends, state
        served = state.place in ("done", "reminder") or state.recall("alarm")
        assert effects or served, state  # a callback, or staff told of a caller without a number


@pytest.mark.parametrize("channel", ["text", "voice"])
def test_nonsense_without_end_is_always_answered(channel):
    nonsense = Meaning("none", "unknown", 0.0)
    for state in states((channel, Can(), ("en",))):
        current = state
        for _ in range(6):
            turn = respond(current, nonsense, channel=channel, words="")
            assert turn.say, state
            current = turn.state


@pytest.mark.parametrize("channel", ["text", "voice"])
def test_every_number_that_is_announced_does_something(channel):
    facts = longest_values(CONTENT, "en")
    for state in states((channel, Can(), ("en",))):
        if state.place == "topic" and channel == "text":
            continue  # an answer announces words; its numbers mean the list before it
        again = respond(state, Meaning("none", "unknown", 0.0, command="repeat"), channel=channel)
        promises = {reason: Promise("today by 5 PM") for reason in promises_needed(again)}
        text = " ".join(
            m.text for m in compose(fill(again, promises), facts, channel=channel, content=CONTENT)
        )
        pattern = r"press (\d)\b" if channel == "voice" else r"(?:^|\n|[Rr]eply )(\d)\b"
        for number in map(int, re.findall(pattern, text)):
            turn = respond(
                state, Meaning("none", "unknown", 0.0, choice=number), channel=channel, words=str(number)
            )
            assert turn.state.misses == 0, (state, number, text)


def test_menus_are_short_enough():
    start = State()
    assert len(numbers(start, "text")) <= 5
    spoken = CONTENT.get("voice.menu").text
    assert len(re.findall(r"press [1-9]", spoken)) <= 4
    assert "press 0" in spoken


def test_every_section_of_the_clinics_text_is_two_choices_away():
    start, found = State(), set()
    for first in range(1, 6):
        one = respond(start, Meaning("none", "unknown", 1.0, choice=first), channel="text")
        found |= {say.id for say in one.say}
        for second in range(1, 6):
            two = respond(one.state, Meaning("none", "unknown", 1.0, choice=second), channel="text")
            found |= {say.id for say in two.say}
    sections = {CONTENT.get(id_).section for id_ in found if id_.startswith("answer.")}
    assert len(sections) == 7


def test_the_walk_can_be_printed(way):
    lines = table(iter(steps(way)))
    assert len(lines) > 400
    assert any("RequestCallback" in line for line in lines)


def test_every_state_survives_storage(way):
    for state in states(way):
        assert State.from_json(state.to_json()) == state
