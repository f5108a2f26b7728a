"""The short menu as a pure state machine: where a conversation stands and what was meant give the
reply, the effects and the next place. The same machine serves texts and calls."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from nurseline.content import Channel
from nurseline.dialogue.moves import (
    Heard,
    alarm,
    answer,
    arrive,
    calm,
    miss,
    more,
    offer,
    remind,
    repeat,
    request,
    waiting_for,
)
from nurseline.dialogue.places import LISTS, candidates, numbers, prompt
from nurseline.dialogue.state import (
    ANSWERS,
    Effect,
    FlagReview,
    OptIn,
    OptOut,
    Reason,
    RequestCallback,
    Say,
    SetLanguage,
    State,
    Turn,
    WrongNumber,
)
from nurseline.language.meaning import Meaning

IDLE_SECONDS: Final = 30 * 60
REMINDER_OPEN_SECONDS: Final = 3 * 24 * 3600
"""A reminder's question stays open until about the next one."""

_ACTIONS: Final = ("nurse", "clinical", "schedule", "admin")  # who reaches a person soonest comes first
_UNWELCOMED: Final = frozenset({"stop", "start", "help", "wrong_number", "emergency", "urgent"})
_PHONE: Final = re.compile(r"1?([2-9]\d{2}[2-9]\d{6})")
_NUMBER_KEYS: Final = 11
_NOTHING: Final = Meaning(tier="none", topic="unknown", confidence=0.0)


def begin(
    *,
    channel: Channel,
    language: str = "en",
    new: bool = False,
    languages: tuple[str, ...] = ("en",),
    open_reason: Reason | None = None,
) -> Turn:
    """The first words of a call: emergency sentence, clinic's name, menu.

    `languages` are those the line may speak. `open_reason` names an open request of this number, whose
    promise is then said first.
    """
    start = State(language=language if language in languages else languages[0])
    turn = arrive(Heard(start, _NOTHING, channel, "", languages, True), "menu")
    if channel == "text":
        return _finished(replace(turn, say=(Say("welcome"), *turn.say)) if new else turn, start)
    first = [Say("voice.emergency_first"), Say("voice.greeting")]
    first += [Say("voice.language", language=code) for code in languages if code != start.language]
    if open_reason in ("schedule", "admin"):
        first.append(Say(f"{open_reason}.already", promise_for=open_reason))
    elif open_reason:
        first.append(Say("nurse.already", promise_for=open_reason))
    return replace(_finished(turn, start), say=(*first, *turn.say))


def respond(
    state: State,
    meaning: Meaning,
    *,
    channel: Channel,
    new: bool = False,
    idle_seconds: float | None = None,
    words: str = "",
    languages: tuple[str, ...] = ("en",),
    can_call_back: bool = True,
) -> Turn:
    """One step: what was meant, heard where the conversation stood.

    `idle_seconds` is the time since the last exchange; `words` is what was written, said or keyed;
    `languages` are those the line may use now; `can_call_back` is False for an anonymous caller.
    Never raises for any State or Meaning, and always says something.
    """
    kept = state if state.language in languages else replace(state, language=languages[0])
    known, switched = _language_of(kept, meaning, languages)
    at = Heard(known, meaning, channel, words, languages, can_call_back)
    if _alarming(meaning):
        turn = alarm(at)
    elif channel == "text" and idle_seconds is not None and idle_seconds > _patience(state):
        turn = _after_idle(at)
    else:
        turn = _turn(at)
    if new and channel == "text":
        turn = _welcomed(at, turn)
    review: tuple[Effect, ...] = (FlagReview(),) if meaning.tier == "review" else ()
    return _finished(replace(turn, effects=(*switched, *turn.effects, *review)), kept)


def silence(state: State, *, can_call_back: bool = True, languages: tuple[str, ...] = ("en",)) -> Turn:
    """Nothing was heard on a call: help that rises, and the third time a recorded callback."""
    kept = state if state.language in languages else replace(state, language=languages[0])
    count = kept.silences + 1
    counted = replace(kept, silences=count)
    at = Heard(counted, _NOTHING, "voice", "", languages, can_call_back)
    urgent_words = kept.recall("alarm")
    if urgent_words in ("emergency", "crisis"):
        return _finished(Turn(counted, (Say(urgent_words),), ends=count >= 3), kept)
    if kept.place == "done":
        goodbye = count >= 2
        says = (Say("voice.goodbye"),) if goodbye else prompt(counted, "voice")
        return _finished(Turn(counted, says, ends=goodbye), kept)
    if count < 3:
        return _finished(Turn(counted, (Say(f"voice.silence.{count}"), *prompt(counted, "voice"))), kept)
    return _finished(_third_silence(at), kept)


def _third_silence(at: Heard) -> Turn:
    state = at.state
    if state.place == "reminder":
        return Turn(state, (Say("voice.goodbye"),), ends=True)
    recorded = ("voice.callback_recorded", "voice.callback_recorded")
    reason = waiting_for(state)
    best_time, number = state.recall("best_time"), state.recall("number")
    if state.place == "confirm_number" and number:
        # Better a number nobody confirmed than no number at all.
        at = replace(at, state=state.remember(call_number=number))
    elif state.place in ("callback_number", "confirm_number"):
        return Turn(state, (Say("voice.no_number"), Say("voice.goodbye")), (FlagReview(),), ends=True)
    return request(at, reason, best_time=best_time, before=(Say("voice.silence.3"),), words=recorded)


def _alarming(meaning: Meaning) -> bool:
    return meaning.tier in ("emergency", "urgent") or meaning.topic in ("emergency", "urgent")


def _patience(state: State) -> int:
    return REMINDER_OPEN_SECONDS if state.place == "reminder" else IDLE_SECONDS


def _language_of(
    state: State, meaning: Meaning, languages: tuple[str, ...]
) -> tuple[State, tuple[Effect, ...]]:
    """Follow a patient who writes in another language of ours; "en" is also what unclear texts get."""
    code = meaning.language
    clear = meaning.topic not in ("unknown", "language") and meaning.choice is None
    if code in (state.language, "en") or code not in languages or not clear:
        return state, ()
    return replace(state, language=code), (SetLanguage(code),)


def _after_idle(at: Heard) -> Turn:
    """Back to the top, then read the message. Who had asked for a visit still gets the call."""
    top = replace(at, state=State(language=at.state.language))
    if at.state.place != "schedule_time":
        return _turn(top)
    if at.meaning.daypart or (
        at.meaning.topic == "unknown" and at.meaning.choice is None and at.words.strip()
    ):
        return request(at, "schedule", best_time=at.words or at.meaning.daypart)
    taken = request(top, "schedule")
    turn = _turn(top)
    asked = any(isinstance(effect, RequestCallback) for effect in turn.effects)
    if asked or turn.state.place == "schedule_time":
        return turn
    return replace(turn, say=(*taken.say, *turn.say), effects=(*taken.effects, *turn.effects))


def _welcomed(at: Heard, turn: Turn) -> Turn:
    """The first reply to a new number says what this is, then answers."""
    if at.meaning.topic in _UNWELCOMED or _alarming(at.meaning):
        return turn
    if turn.state.misses and turn.say[0].id == "not_understood":
        turn = replace(arrive(at, "menu"), effects=turn.effects)
        turn = replace(turn, state=replace(turn.state, misses=1))
    return replace(turn, say=(Say("welcome"), *turn.say))


def _finished(turn: Turn, before: State) -> Turn:
    """Remember what to repeat, and say what input the next step takes."""
    state = turn.state
    repair = state.misses > 0 or state.silences > 0 or turn.say[-1].id in ("thanks", "help")
    last = before.last if repair else tuple(say for say in turn.say if say.id != "welcome")
    number = state.place == "callback_number"
    return replace(
        turn,
        state=replace(state, last=last),
        expects_input=not turn.ends,
        keys=_NUMBER_KEYS if number else 1,
        keys_only=state.misses >= 2,
    )


def _turn(at: Heard) -> Turn:
    for listen in (_rules, _here, _numbers, _commands, _topics):
        turn = listen(at)
        if turn is not None:
            return turn
    return miss(at)


def _rules(at: Heard) -> Turn | None:
    """Opt-out and the other words that mean the same everywhere."""
    top = replace(calm(at.state), place="menu").remember(list="menu")
    match at.meaning.topic:
        case "stop":
            return Turn(top, (Say("optout.confirmed"),), (OptOut(),))
        case "start":
            return Turn(top, (Say("optin.confirmed"),), (OptIn(),))
        case "wrong_number":
            return Turn(top, (Say("wrong_number"),), (WrongNumber(),))
        case "help":
            return Turn(replace(at.state, misses=0, silences=0), (Say("help"),))
        case "language":
            return _switch(at, at.meaning.language)
    return None


def _switch(at: Heard, code: str) -> Turn:
    if code not in at.languages:
        return offer(at, "nurse", Say("language.not_available"))
    turn = arrive(replace(at, state=replace(at.state, language=code)), "menu")
    return replace(turn, say=(Say("language.changed"), *turn.say), effects=(SetLanguage(code),))


def _here(at: Heard) -> Turn | None:
    """What only this place understands."""
    match at.state.place:
        case "callback_number" | "confirm_number":
            return _number(at)
        case "schedule_time":
            return _time(at)
        case "offer_person":
            return _offered(at)
        case "unsure":
            likely = candidates(at.state)
            if at.meaning.command == "yes" and len(likely) == 1:
                return choose(at, likely[0])
        case "reminder":
            if at.voice and at.meaning.choice == 9:
                return _rules(replace(at, meaning=replace(at.meaning, topic="stop")))
    return None


def _number(at: Heard) -> Turn | None:
    """A phone number, checked for shape only, read back, then used."""
    keyed = _PHONE.fullmatch(re.sub(r"\D", "", at.words)) if at.words.isascii() else None
    if keyed:
        state = replace(at.state, place="confirm_number", misses=0, silences=0).remember(number=keyed[1])
        return Turn(state, prompt(state, at.channel))
    if at.state.place == "confirm_number" and at.state.recall("number"):
        if at.meaning.choice == 1 or at.meaning.command == "yes":
            known = at.state.remember(call_number=at.state.recall("number"))
            return request(
                replace(at, state=known), waiting_for(at.state), best_time=at.state.recall("best_time")
            )
        if at.meaning.choice == 2 or at.meaning.command in ("no", "back"):
            state = replace(at.state, place="callback_number", misses=0, silences=0).remember(number=None)
            return Turn(state, prompt(state, at.channel))
    wants_person = at.meaning.topic == "nurse"
    return miss(at) if at.meaning.choice is not None or wants_person else None


def _time(at: Heard) -> Turn | None:
    """The best time of day: a number, a part of the day, or any words, kept as they are."""
    meaning = at.meaning
    if meaning.choice in (1, 2, 3):
        return choose(at, numbers(at.state, at.channel)[meaning.choice])
    if meaning.daypart and meaning.choice != 0:
        return request(at, "schedule", best_time=at.words or meaning.daypart)
    if meaning.choice is not None:
        return None
    free = meaning.topic == "unknown" and meaning.command is None and not meaning.candidates
    longer = meaning.topic == "schedule" and len(at.words.split()) > 2
    if at.words.strip() and (free or longer):
        return request(at, "schedule", best_time=at.words)
    if meaning.command == "no":
        return arrive(at, "menu")
    return None


def _offered(at: Heard) -> Turn | None:
    meaning = at.meaning
    if meaning.command == "yes" or meaning.topic == "nurse" or meaning.choice == 0:
        return request(at, waiting_for(at.state))
    return arrive(at, "menu") if meaning.command == "no" else None


def _numbers(at: Heard) -> Turn | None:
    choice = at.meaning.choice
    if choice is None:
        return None
    if choice == 0:
        return request(at, "nurse")
    if choice == 9 and at.voice and len(at.languages) > 1:
        others = [code for code in at.languages if code != at.state.language]
        return _switch(at, others[0])
    chosen = numbers(at.state, at.channel).get(choice)
    return choose(at, chosen) if chosen else None


def choose(at: Heard, chosen: str) -> Turn:
    """What a number or a word stands for, done."""
    if chosen in LISTS:
        return arrive(at, chosen)
    if chosen in ANSWERS:
        return answer(at, chosen)
    act = _ACTS.get(chosen)
    return act(at) if act else miss(at)


def _schedule(at: Heard) -> Turn:
    if at.meaning.daypart and at.meaning.choice is None:
        return request(at, "schedule", best_time=at.words or at.meaning.daypart)
    return arrive(at, "schedule_time")


_ACTS: Final[Mapping[str, Callable[[Heard], Turn]]] = MappingProxyType(
    {
        "schedule": _schedule,
        "nurse": lambda at: request(at, "nurse"),
        "clinical": lambda at: offer(at, "clinical"),
        "admin": lambda at: offer(at, "admin"),
        "yes": lambda at: request(at, waiting_for(at.state)),
        "well": lambda at: remind(at, "well"),
        "question": lambda at: remind(at, "question"),
        "worse": lambda at: remind(at, "worse"),
        "morning": lambda at: request(at, "schedule", best_time="morning"),
        "afternoon": lambda at: request(at, "schedule", best_time="afternoon"),
        "any": lambda at: request(at, "schedule", best_time="any"),
        "more": more,
        "repeat": repeat,
    }
)


def _commands(at: Heard) -> Turn | None:
    match at.meaning.command:
        case "repeat":
            return repeat(at)
        case "more":
            return more(at)
        case "menu":
            return arrive(at, "menu")
        case "back":
            shown = at.state.recall("list") or "menu"
            return arrive(at, shown if shown in LISTS else "menu")
        case "no" if at.state.place in ("topic", "done", "menu") and at.state.last:
            return _thanks(at)
        case "no" if at.state.place == "unsure":
            return arrive(at, "menu")
    return None


def _topics(at: Heard) -> Turn | None:
    topic, second = at.meaning.topic, at.meaning.second_topic
    if topic == "menu":
        return arrive(at, "menu")
    if topic == "thanks":
        return _thanks(at)
    if topic in ANSWERS and second not in _ACTIONS:
        return answer(at, topic, second=second)
    wanted = [name for name in _ACTIONS if name in (topic, second)]
    if not wanted:
        return None
    turn = choose(at, wanted[0])
    told = [name for name in (topic, second) if name in ANSWERS]
    before = tuple(Say(f"answer.{name}") for name in told)
    return replace(turn, say=(*before, *turn.say))


def _thanks(at: Heard) -> Turn:
    calmed = replace(at.state, misses=0, silences=0)
    if not at.voice:
        return Turn(calmed, (Say("thanks"),))
    if at.state.place in ("topic", "done"):
        return Turn(replace(calmed, place="done"), (Say("thanks"), Say("voice.goodbye")), ends=True)
    return Turn(calmed, (Say("thanks"), *prompt(calmed, at.channel)))
