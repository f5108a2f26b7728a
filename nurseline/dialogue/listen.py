"""Reading a meaning where it was heard: the rules first, then what only this place understands,
numbers, commands, topics; what none of them takes is a misunderstanding."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from nurseline.dialogue.moves import (
    ALL_BUSY,
    ANSWERED,
    BEFORE_NINE,
    Heard,
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
    without_number,
)
from nurseline.dialogue.places import (
    LISTS,
    REMINDER,
    answer_id,
    candidates,
    named,
    numbers,
    plain,
    prompt,
    reminder_reply,
)
from nurseline.dialogue.state import ANSWERS, OptIn, OptOut, Say, SendText, SetLanguage, Turn, WrongNumber

_AFTER_WORDS: Final = ("topic", "done", "menu")  # where "no" asks for nothing more
_ACTIONS: Final = ("nurse", "clinical", "schedule", "admin")  # who reaches a person soonest comes first
_ASKED_BACK: Final = MappingProxyType(
    {"stop": "confirm_stop", "start": "confirm_start", "wrong_number": "confirm_wrong"}
)
"""On a call words of consent count only once they were asked back and confirmed: where that is asked."""
_IF_NOT: Final = MappingProxyType(
    {"record_consent": "done", "text_consent": "done", **dict.fromkeys(_ASKED_BACK.values(), "menu")}
)
"""Where yes or no is asked: where a no leads."""
_WORSE: Final = MappingProxyType({"well": ("question", "worse"), "question": ("worse",)})
"""For each answer to a reminder: which ones correct it."""
_GOODBYE: Final = re.compile(r"\b(?:good)?bye\b|\badios\b|\bchao\b|\bhasta (?:luego|pronto)\b")
_PHONE: Final = re.compile(r"1?([2-9]\d{2}[2-9]\d{6})")


def listen(at: Heard) -> Turn:
    """The turn for what was heard."""
    for reading in (_rules, _here, _corrected, _numbers, _commands, _topics, _names):
        turn = reading(at)
        if turn is not None:
            return turn
    return miss(at)


def _rules(at: Heard) -> Turn | None:
    """Opt-out and the other words that mean the same everywhere."""
    if at.voice and at.meaning.topic in _ASKED_BACK:
        return arrive(at, _ASKED_BACK[at.meaning.topic])
    match at.meaning.topic:
        case "stop":
            return _stop(at)
        case "start":
            return _start(at)
        case "wrong_number":
            return _wrong_number(at)
        case "help":
            return Turn(replace(at.state, misses=0, silences=0), (Say("help"),))
        case "language":
            return _switch(at, at.meaning.language)
    return None


def _stop(at: Heard) -> Turn:
    return Turn(replace(calm(at.state), place="menu"), (Say("optout.confirmed"),), (OptOut(),))


def _start(at: Heard) -> Turn:
    return Turn(replace(calm(at.state), place="menu"), (Say("optin.confirmed"),), (OptIn(),))


def _wrong_number(at: Heard) -> Turn:
    return Turn(replace(calm(at.state), place="menu"), (Say("wrong_number"),), (WrongNumber(),))


def _switch(at: Heard, code: str) -> Turn:
    if code not in at.languages:
        return offer(at, "nurse", Say("language.not_available"))
    by_key = at.voice and at.meaning.choice is not None
    noted = at.state.remember(**{BEFORE_NINE: at.state.language if by_key else None})
    turn = arrive(replace(at, state=replace(noted, language=code)), "menu")
    # On a call one key switches: whoever pressed it by mistake hears the way back.
    back = (
        [Say("voice.language", language=other) for other in at.languages if other != code] if at.voice else []
    )
    return replace(turn, say=(Say("language.changed"), *back, *turn.say), effects=(SetLanguage(code),))


def _here(at: Heard) -> Turn | None:
    """What only this place understands."""
    match at.state.place:
        case "callback_number" | "confirm_number":
            return _number(at)
        case "schedule_time":
            return _time(at)
        case "offer_person":
            return _offered(at)
        case asked if asked in _IF_NOT:
            return _agreed(at, _IF_NOT[asked])
        case "connecting":
            return _waiting(at)
        case "unsure":
            likely = candidates(at.state)
            if at.meaning.command == "yes" and len(likely) == 1:
                return choose(at, likely[0])
        case "reminder":
            return _reminded(at)
    return None


def _reminded(at: Heard) -> Turn | None:
    if at.voice and at.meaning.choice == 9:
        return _stop(at)
    if at.meaning.choice is not None or at.meaning.command is not None:
        return None
    numbered = at.words.strip()[:1] in ("1", "2", "3")
    unclear = at.meaning.topic in ("unknown", "thanks")
    said = reminder_reply(at.state, at.words) if numbered or unclear else None
    return remind(at, said) if said else None


def _corrected(at: Heard) -> Turn | None:
    """A number that says worse than the one a reminder was just answered with: the first was mistyped."""
    said = REMINDER.get(at.meaning.choice or 0)
    corrects = _WORSE.get(at.state.recall(ANSWERED) or "", ())
    return remind(at, said) if said in corrects else None


def _number(at: Heard) -> Turn | None:
    """A phone number, checked for shape only, read back, then used."""
    keyed = _PHONE.fullmatch(re.sub(r"\D", "", at.words)) if at.words.isascii() else None
    if keyed:
        state = replace(at.state, place="confirm_number", misses=0, silences=0).remember(number=keyed[1])
        return Turn(state, prompt(state, at.channel))
    if at.state.place == "confirm_number" and at.state.recall("number"):
        # Zero here is somebody who wants a person, and has given a number.
        if at.meaning.choice in (0, 1) or at.meaning.command == "yes":
            known = at.state.remember(call_number=at.state.recall("number"))
            return request(
                replace(at, state=known), waiting_for(at.state), best_time=at.state.recall("best_time")
            )
        if at.meaning.choice == 2 or at.meaning.command in ("no", "back"):
            state = replace(at.state, place="callback_number", misses=0, silences=0).remember(number=None)
            return Turn(state, prompt(state, at.channel))
    if at.meaning.topic == "nurse" or at.meaning.choice == 0:
        free = at.can.connect and not at.state.recall(ALL_BUSY)
        return request(at, "nurse") if free else without_number(at)
    return miss(at) if at.meaning.choice is not None else None


def _time(at: Heard) -> Turn | None:
    """The best time of day: a number, a part of the day, or any words, kept as they are."""
    meaning = at.meaning
    if meaning.choice in (1, 2, 3):
        return choose(at, numbers(at.state, at.channel)[meaning.choice])
    if meaning.daypart and meaning.choice != 0:
        return request(at, "schedule", best_time=at.words or meaning.daypart)
    if meaning.choice is not None:
        return None
    # What is no clear question is about the time: staff read the words, and nobody is asked twice.
    asks = meaning.candidates and "?" in at.words
    free = meaning.topic == "unknown" and meaning.command is None and not asks
    longer = meaning.topic == "schedule" and len(at.words.split()) > 2
    if at.words.strip() and (free or longer):
        return request(at, "schedule", best_time=at.words)
    if meaning.command == "no":
        return arrive(at, "menu")
    return None


def _offered(at: Heard) -> Turn | None:
    meaning = at.meaning
    wants_person = meaning.topic == "nurse" or meaning.choice == 0
    if wants_person and at.can.connect:
        return request(at, "nurse")
    if wants_person or meaning.command == "yes":
        return request(at, waiting_for(at.state))
    return arrive(at, "menu") if meaning.command == "no" else None


def _agreed(at: Heard, otherwise: str) -> Turn | None:
    """Yes or no in words to what was asked; a no leads to ``otherwise``."""
    if at.meaning.command == "yes":
        return choose(at, numbers(at.state, at.channel)[1])
    return arrive(at, otherwise) if at.meaning.command == "no" else None


def _waiting(at: Heard) -> Turn | None:
    """Something was heard while the words before the ringing were said: it rings at once, words cut short.

    Only who wants to hear it again, or to go back to the menu, is not put through.
    """
    match at.meaning.command:
        case "repeat":
            state = replace(at.state, misses=0, silences=0)
            return Turn(state, state.last or prompt(state, at.channel), then="connect")
        case "menu" | "back":
            return arrive(at, "menu")
    if at.meaning.topic == "menu" or at.meaning.choice == 9:
        return None
    return Turn(at.state, (Say("voice.one_moment"),), then="connect")


def _record(at: Heard) -> Turn:
    """The caller agreed: record what is said."""
    state = replace(calm(at.state), place="recording")
    return Turn(state, (Say("voice.record_now"),), then="record")


def _ask_to_text(at: Heard) -> Turn:
    """Say what a text costs and means before it is sent."""
    topic, part = at.state.topic, at.state.part
    state = replace(calm(at.state), place="text_consent", topic=topic, part=part)
    return Turn(state, prompt(state, at.channel))


def _text(at: Heard) -> Turn:
    """Text the answer that was heard, once."""
    topic = at.state.topic
    turn = arrive(at, "done")
    if topic is None:
        return turn
    told = (answer_id(topic, max(at.state.part - 1, 0)),)
    return replace(turn, say=(Say("voice.text_sent"), *turn.say), effects=(SendText(told),))


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
        "record": lambda at: arrive(at, "record_consent"),
        "record_now": _record,
        "text": _ask_to_text,
        "text_now": _text,
        "stop_now": _stop,
        "start_now": _start,
        "wrong_now": _wrong_number,
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
        case "no" if at.voice and at.state.place in ("topic", "done"):
            return arrive(at, "done")  # asks for nothing more, but nobody is hung up on
        case "no" if not at.voice and at.state.place in _AFTER_WORDS and not at.state.recall("alarm"):
            return _thanks(at) if at.state.last else None
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
    before = tuple(Say(answer_id(name, 0)) for name in told)
    return replace(turn, say=(*before, *turn.say))


def _names(at: Heard) -> Turn | None:
    """The name of a choice, written out as the list shows it."""
    chosen = named(at.state, at.channel, at.words)
    return choose(at, chosen) if chosen else None


def _thanks(at: Heard) -> Turn:
    calmed = replace(at.state, misses=0, silences=0)
    if not at.voice:
        return Turn(calmed, (Say("thanks"),))
    if at.state.place in ("topic", "done"):
        if _GOODBYE.search(plain(at.words)):
            return Turn(replace(calmed, place="done"), (Say("thanks"), Say("voice.goodbye")), ends=True)
        turn = arrive(at, "done")
        return replace(turn, say=(Say("thanks"), *turn.say))
    return Turn(calmed, (Say("thanks"), *prompt(calmed, at.channel)))
