"""Every way through the menu, by trying it: used by the tests and printed for a nurse to check.

Starts where conversations start, tries every kind of meaning at every state that can be reached, and
goes on from there. Pure; what differs only in counters or in repeated words counts as the same state.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, get_args

from nurseline.content import Channel
from nurseline.dialogue.machine import EVERYBODY, begin, connected, recorded, respond, silence
from nurseline.dialogue.state import Can, RequestCallback, State, Turn, reminded
from nurseline.language.meaning import Command, Daypart, Evidence, Meaning, Topic

SILENCE: Final = "(silence)"
_MOST_COUNTED = 4
_NUMBER: Final = "2025550123"


@dataclass(frozen=True, slots=True)
class Example:
    """Something a patient may say at any place, with a name for reports."""

    name: str
    meaning: Meaning
    words: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing tried: where, what was heard (None: silence on a call), and the turn that followed."""

    channel: Channel
    before: State
    heard: Example | None
    turn: Turn

    @property
    def name(self) -> str:
        """What was heard, in a word or two."""
        return self.heard.name if self.heard else SILENCE

    @property
    def reaches_person(self) -> bool:
        """True when the step asks a person to call, or rings one."""
        return self.turn.then == "connect" or any(
            isinstance(effect, RequestCallback) for effect in self.turn.effects
        )


ANSWERED: Final = Example("(somebody answered)", Meaning("none", "unknown", 0.0))
NOBODY: Final = Example("(nobody answered)", Meaning("none", "unknown", 0.0))
SPOKE: Final = Example("(a message was spoken)", Meaning("none", "unknown", 0.0))
SAID_NOTHING: Final = Example("(nothing was spoken)", Meaning("none", "unknown", 0.0))


def everything_heard() -> tuple[Example, ...]:
    """One example of each kind of meaning: topics, pairs of topics, numbers, commands, alarms, unknown."""
    kinds = [Example(topic, _meaning(topic), topic) for topic in get_args(Topic)]
    kinds += [Example(f"={number}", _meaning("unknown", choice=number), str(number)) for number in range(13)]
    kinds += [Example(f"/{word}", _meaning("unknown", command=word), word) for word in get_args(Command)]
    kinds += [Example(f"~{part}", _meaning("unknown", daypart=part), part) for part in get_args(Daypart)]
    pairs: tuple[tuple[Topic, Topic], ...] = (
        ("onset", "duration"),
        ("expect", "suitability"),
        ("recovery", "nurse"),
        ("schedule", "risks"),
        ("clinical", "schedule"),
    )
    kinds += [Example(f"{one}+{two}", _meaning(one, second_topic=two)) for one, two in pairs]
    kinds += [
        Example("one likely", _meaning("unknown", candidates=("onset",)), "when hmm"),
        Example("two likely", _meaning("unknown", candidates=("recovery", "clinical")), "sore hmm"),
        Example("free words", _meaning("unknown"), "tuesday before noon"),
        Example("a choice by name", _meaning("unknown"), "What they are"),
        Example("a reminder in words", _meaning("unknown"), "getting worse"),
        Example("nothing", _meaning("unknown"), ""),
        Example("a phone number", _meaning("unknown"), _NUMBER),
        Example("half a number", _meaning("unknown"), "55501"),
        Example("schedule+morning", _meaning("schedule", daypart="morning"), "book me in the morning"),
        Example("emergency", Meaning("emergency", "emergency", 1.0), "can't breathe"),
        Example("emergency, and stop", Meaning("emergency", "emergency", 1.0, second_topic="stop"), "x"),
        Example("crisis", Meaning("emergency", "emergency", 1.0, (Evidence("crisis.die", "x"),)), "x"),
        Example("urgent", Meaning("urgent", "urgent", 1.0), "fever"),
        Example("review", Meaning("review", "recovery", 1.0), "sore"),
        Example("spanish", Meaning("none", "onset", 1.0, language="es"), "cuando"),
        Example("ask for spanish", Meaning("none", "language", 1.0, language="es"), "espanol"),
        Example("ask for english", Meaning("none", "language", 1.0, language="en"), "english"),
    ]
    return tuple(kinds)


def walk(channel: Channel, *, languages: tuple[str, ...] = ("en",), can: Can = EVERYBODY) -> Iterator[Step]:
    """Every step from every state that can be reached, each state once."""
    kinds = everything_heard()
    first = begin(channel=channel, language=languages[0], languages=languages).state
    queue = deque([State(language=languages[0]), first, reminded(State(language=languages[0]))])
    seen = {_key(state) for state in queue}
    while queue:
        state = queue.popleft()
        for step in _tried(state, kinds, channel, languages, can):
            yield step
            key = _key(step.turn.state)
            if key not in seen and not step.turn.ends:
                seen.add(key)
                queue.append(step.turn.state)


def table(steps: Iterator[Step]) -> list[str]:
    """One line per place and thing heard: what is said, what is done, where it leads."""
    lines: dict[tuple[str, str], str] = {}
    for step in steps:
        said = " + ".join(say.id for say in step.turn.say)
        done = ", ".join(type(effect).__name__ for effect in step.turn.effects)
        to = "ends" if step.turn.ends else step.turn.state.place
        line = f"{step.before.place:16} {step.name:22} -> {to:16} {said}{f' [{done}]' if done else ''}"
        lines.setdefault((step.before.place, step.name), line)
    return [lines[key] for key in sorted(lines)]


def _tried(
    state: State,
    kinds: tuple[Example, ...],
    channel: Channel,
    languages: tuple[str, ...],
    can: Can,
) -> Iterator[Step]:
    for heard in kinds:
        turn = respond(
            state,
            heard.meaning,
            channel=channel,
            words=heard.words,
            languages=languages,
            can=can,
        )
        yield Step(channel, state, heard, turn)
    if channel == "voice":
        yield Step(channel, state, None, silence(state, can=can, languages=languages))
    if state.place == "connecting":
        for reached in (True, False):
            turn = connected(state, reached=reached, can=can, languages=languages)
            yield Step(channel, state, ANSWERED if reached else NOBODY, turn)
    if state.place == "recording":
        for kept in (True, False):
            turn = recorded(state, kept=kept, can=can, languages=languages)
            yield Step(channel, state, SPOKE if kept else SAID_NOTHING, turn)


def _key(state: State) -> State:
    """The state without what does not change what can follow."""
    return replace(state, misses=min(state.misses, _MOST_COUNTED), last=())


def _meaning(topic: Topic, **more: object) -> Meaning:
    return replace(Meaning("none", topic, 1.0), **more)  # type: ignore[arg-type]
