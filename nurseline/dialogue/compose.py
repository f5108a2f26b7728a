"""From what a turn says to words: promises filled in, texts packed into few messages."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nurseline.content import (
    CLINIC_PARAMS,
    TWO_PARTS,
    Channel,
    Content,
    Rendered,
    gsm7_length,
    hours_words,
    is_gsm7,
    load_content,
)
from nurseline.dialogue.state import Promise, Reason, Say, Turn

_ALONE: Final = frozenset({"welcome"})  # first of its turn, and a message of its own
WORDS_A_MINUTE: Final = 150  # the speed of the voice (clinic rules 6)
LONGEST_PROMPT: Final = 20  # seconds (clinic rules 6)


@dataclass(frozen=True, slots=True)
class Message:
    """One text to send, or one run of words to say, with the entries and versions it carries."""

    text: str
    language: str
    entries: tuple[tuple[str, int], ...]
    breath: int = 0
    """On a call: the prompt it is part of. Each prompt takes at most `LONGEST_PROMPT` seconds."""

    @property
    def versions(self) -> str:
        """The entries and versions in one line, as stored beside a message: "menu:1 followup:2"."""
        return " ".join(f"{name}:{version}" for name, version in self.entries)


def promises_needed(turn: Turn) -> tuple[Reason, ...]:
    """The callback items whose promised time the words of this turn speak of."""
    return tuple(dict.fromkeys(say.promise_for for say in turn.say if say.promise_for))


def fill(turn: Turn, promises: Mapping[Reason, Promise]) -> Turn:
    """The turn with promises in its words, also in what will be repeated.

    An item that was open before gets its own words; out of hours the words say so. Without a promise
    the patient hears that a nurse will call, and no time.
    """
    say = _filled(turn.say, promises)
    return replace(turn, say=say, state=replace(turn.state, last=_filled(turn.state.last, promises)))


def compose(
    turn: Turn, clinic: Mapping[str, str], *, channel: Channel, content: Content | None = None
) -> tuple[Message, ...]:
    """The words of a filled turn. `clinic` holds the clinic's facts (CLINIC_PARAMS).

    Texts are joined by line breaks as long as they fit two parts; on a call every run of one
    language is one message, since each needs its own voice, and what is too long for one prompt goes on
    in the next. ContentError as Content.render.
    """
    words = content or load_content()
    rendered = [one for say in turn.say if (one := _render(say, turn, clinic, channel, words))]
    if channel == "voice":
        return _runs(rendered)
    messages: list[Message] = []
    for one in rendered:
        last = messages[-1] if messages else None
        joined = f"{last.text}\n{one.text}" if last else ""
        if last and last.entries[0][0] not in _ALONE and _fits(joined):
            messages[-1] = Message(joined, one.language, (*last.entries, (one.id, one.version)))
        else:
            messages.append(Message(one.text, one.language, ((one.id, one.version),)))
    return tuple(messages)


def _filled(says: Iterable[Say], promises: Mapping[Reason, Promise]) -> tuple[Say, ...]:
    filled: list[Say] = []
    for say in says:
        if say.promise_for is None:
            filled.append(say)
            continue
        promise = promises.get(say.promise_for)
        if promise is None:
            filled.append(Say("failure.stored", language=say.language))
            continue
        # Nurses who are all busy are at work, whatever the opening hours say.
        if promise.closed and not any(one.id in {"closed", "voice.nobody_free"} for one in filled):
            filled.append(Say("closed", language=say.language))
        said = say.already if promise.already and say.already else say.id
        params = (*(pair for pair in say.params if pair[0] != "promise"), ("promise", promise.words))
        filled.append(replace(say, id=said, params=params, promise_for=None))
    return tuple(filled)


def _render(
    say: Say, turn: Turn, clinic: Mapping[str, str], channel: Channel, content: Content
) -> Rendered | None:
    language = say.language or turn.state.language
    facts = {name: value for name, value in clinic.items() if name in CLINIC_PARAMS}
    if facts.get("hours"):
        facts["hours"] = hours_words(facts["hours"], content, language, channel=channel)
    slots = content.get(say.id, language).slots(channel)
    if say.optional and any(name in slots and not facts.get(name, "").strip() for name in CLINIC_PARAMS):
        return None
    return content.render(say.id, language, channel=channel, **facts, **dict(say.params))


def spoken_seconds(words: str) -> float:
    """How long it takes to say these words."""
    return len(re.findall(r"[\w'’]+", words)) * 60 / WORDS_A_MINUTE


def _runs(rendered: Iterable[Rendered]) -> tuple[Message, ...]:
    runs: list[Message] = []
    breath, seconds = 0, 0.0
    for one in rendered:
        length = spoken_seconds(one.text)
        if seconds and seconds + length > LONGEST_PROMPT:
            breath, seconds = breath + 1, 0.0
        seconds += length
        entry = (one.id, one.version)
        if runs and (runs[-1].language, runs[-1].breath) == (one.language, breath):
            last = runs[-1]
            runs[-1] = replace(last, text=f"{last.text} {one.text}", entries=(*last.entries, entry))
        else:
            runs.append(Message(one.text, one.language, (entry,), breath))
    return tuple(runs)


def _fits(text: str) -> bool:
    return is_gsm7(text) and gsm7_length(text) <= TWO_PARTS
