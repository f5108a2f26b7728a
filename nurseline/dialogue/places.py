"""The map of the menu: what each number does at each place, and what is said on arrival."""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nurseline.content import Channel, load_content
from nurseline.dialogue.state import ANSWERS, Say, State

TOP: Final = MappingProxyType({1: "aftercare", 2: "risks", 3: "about", 4: "schedule", 5: "nurse"})
LISTS: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "menu": TOP,
        "aftercare": MappingProxyType({1: "recovery", 2: "onset", 3: "duration", 4: "risks", 5: "nurse"}),
        "about": MappingProxyType({1: "what", 2: "conditions", 3: "expect", 4: "suitability", 5: "nurse"}),
    }
)
"""For each list of choices: number -> topic, list or action."""

AFTER_ANSWER: Final = MappingProxyType({1: "more", 3: "schedule"})
"""Keys after an answer on the phone; in texts the numbers still mean the list shown last."""
BY_TEXT: Final = MappingProxyType({1: "more", 2: "text", 3: "schedule"})

OFFER: Final = MappingProxyType({1: "yes", 2: "menu"})
REMINDER: Final = MappingProxyType({1: "well", 2: "question", 3: "worse"})
TIMES: Final = MappingProxyType({1: "morning", 2: "afternoon", 3: "any"})

_ABOUT_SYMPTOMS: Final = frozenset({"recovery", "risks", "onset"})
_OFFERS: Final = MappingProxyType({"clinical": "clinical", "admin": "admin"})
_ASKS: Final = MappingProxyType(
    {
        ("schedule_time", "text"): "schedule.ask_time",
        ("schedule_time", "voice"): "schedule.ask_time",
        ("reminder", "text"): "reminder.unclear",
        ("reminder", "voice"): "reminder.unclear",
        ("callback_number", "voice"): "voice.ask_number",
        ("confirm_number", "voice"): "voice.ask_number",
        ("done", "voice"): "voice.anything_else",
        ("connecting", "voice"): "voice.connecting",
        ("record_consent", "voice"): "voice.record_consent",
        ("recording", "voice"): "voice.record_now",
        ("text_consent", "voice"): "voice.text_consent",
        ("confirm_stop", "voice"): "voice.confirm_stop",
        ("confirm_wrong", "voice"): "voice.confirm_wrong",
        ("confirm_start", "voice"): "voice.confirm_start",
    }
)
_LABELS: Final = MappingProxyType(
    {
        "schedule": "schedule.ask_time",
        "nurse": "nurse.done",
        "clinical": "clinical",
        "admin": "admin",
        "menu": "menu",
        "aftercare": "menu.aftercare",
        "about": "menu.about",
    }
)


_NUMBERS: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "aftercare": LISTS["aftercare"],
        "about": LISTS["about"],
        "offer_person": OFFER,
        "reminder": REMINDER,
        "schedule_time": TIMES,
        "record_consent": MappingProxyType({1: "record_now"}),
        "text_consent": MappingProxyType({1: "text_now"}),
        "confirm_stop": MappingProxyType({1: "stop_now"}),
        "confirm_wrong": MappingProxyType({1: "wrong_now"}),
        "confirm_start": MappingProxyType({1: "start_now"}),
        "callback_number": MappingProxyType({}),
        "confirm_number": MappingProxyType({}),
    }
)


def numbers(state: State, channel: Channel) -> Mapping[int, str]:
    """What each number means where the conversation stands; empty where digits are typed in."""
    if state.place == "topic" and channel == "voice":
        return BY_TEXT if state.recall("text") else AFTER_ANSWER
    if state.place == "done" and state.recall("record"):
        return MappingProxyType({1: "record"})
    likely = candidates(state)
    if state.place == "unsure" and likely:
        return dict(enumerate((*likely, *(("menu",) if len(likely) == 1 else ()), "nurse"), start=1))
    if state.place == "topic":
        return LISTS.get(state.recall("list") or "menu", TOP)
    return _NUMBERS.get(state.place, TOP)


def home_of(topic: str | None) -> str:
    """The list in which a topic stands."""
    return "aftercare" if topic in LISTS["aftercare"].values() else "about" if topic in ANSWERS else "menu"


def parts(topic: str) -> int:
    """How many parts the answer to a topic has."""
    entries = load_content().by_language["en"].entries
    count = 1
    while f"answer.{topic}.{count + 1}" in entries:
        count += 1
    return count


def answer_id(topic: str, part: int) -> str:
    """Content id of a part (from 0) of an answer."""
    return f"answer.{topic}" if part == 0 else f"answer.{topic}.{part + 1}"


def label(topic: str, language: str) -> str:
    """The short name of a topic as shown in a list."""
    return load_content().get(_LABELS.get(topic, f"answer.{topic}"), language).label


def named(state: State, channel: Channel, words: str) -> str | None:
    """The choice of this place whose short name was written out instead of its number."""
    said = plain(words)
    for chosen in numbers(state, channel).values():
        if (chosen in ANSWERS or chosen in _LABELS) and plain(label(chosen, state.language)) == said:
            return chosen
    return None


def reminder_reply(state: State, words: str) -> str | None:
    """well, question or worse, when a reminder was answered in words or by a number with words."""
    said = plain(words)
    number = re.match(r"([123])\b", said)
    if number:
        return REMINDER[int(number[1])]
    replies = load_content().language(state.language).replies
    for answer in ("worse", "question"):
        if any(re.search(rf"\b{re.escape(plain(phrase))}\b", said) for phrase in replies[answer]):
            return answer
    return "well" if said in map(plain, replies["well"]) else None


def hints(state: State, channel: Channel = "voice") -> tuple[str, ...]:
    """What is likely to be said here, for the speech recogniser: names of the choices, usual words."""
    names = [
        label(chosen, state.language)
        for chosen in numbers(state, channel).values()
        if chosen in ANSWERS or chosen in _LABELS
    ]
    return tuple(dict.fromkeys((*names, *load_content().language(state.language).hints)))


def plain(words: str) -> str:
    """Lower case, no accents, no signs, single blanks: for comparing what was written with names."""
    bare = unicodedata.normalize("NFKD", words.lower().replace("'", "").replace("’", ""))
    return " ".join(re.findall(r"[a-z0-9]+", bare.encode("ascii", "ignore").decode()))


def candidates(state: State) -> tuple[str, ...]:
    """The topics that were offered at "unsure"; at most two."""
    offered = (state.recall("candidates") or "").split(",")
    return tuple(topic for topic in offered if topic in ANSWERS or topic in _LABELS)[:2]


def followup(state: State, channel: Channel) -> Say:
    """The hint that closes an answer."""
    more_to_hear = state.topic is not None and state.part < parts(state.topic)
    kind = ".more" if more_to_hear else ".symptoms" if state.topic in _ABOUT_SYMPTOMS else ""
    if channel == "voice":
        return Say(f"voice.followup{kind}{'.text' if state.recall('text') else ''}")
    return Say(f"followup{kind}")


def prompt(state: State, channel: Channel) -> tuple[Say, ...]:
    """What a place asks, said on arrival and again after a silence or misunderstanding."""
    voice = channel == "voice"
    match state.place:
        case "aftercare" | "about":
            return (Say(f"voice.menu.{state.place}" if voice else f"menu.{state.place}"),)
        case "topic":
            return (followup(state, channel),)
        case "unsure" if candidates(state):
            return (_which(state),)
        case "offer_person":
            return _offer(state)
        case "done" if voice and state.recall("record"):
            return (Say("voice.anything_else.record"),)
        case "confirm_number" if state.recall("number"):
            return (Say("voice.number_confirm", (("number_spoken", _spoken(state.recall("number") or "")),)),)
    return (Say(_ASKS.get((state.place, channel), "voice.menu" if voice else "menu")),)


def asked_again(state: State) -> tuple[Say, ...]:
    """What a place asks on a call of somebody who did not choose, with the choices that were left out before.

    After an answer only the usual choices are said, so that it stays short.
    """
    rest = (Say("voice.followup.rest"),) if state.place == "topic" else ()
    return (*prompt(state, "voice"), *rest)


def names_a_person(state: State) -> bool:
    """Whether what the place asks on a call tells how to reach a person."""
    return state.place in {"start", "topic", "unsure", "offer_person", "confirm_stop", *LISTS}


def _which(state: State) -> Say:
    likely = candidates(state)
    names = [label(topic, state.language) for topic in likely]
    if len(names) == 1:
        return Say("unsure_one", (("first", names[0]),))
    return Say("unsure", (("first", names[0]), ("second", names[1])))


def _offer(state: State) -> tuple[Say, ...]:
    words = _OFFERS.get(state.recall("reason") or "", "offer_person.again")
    return (Say("admin.address", optional=True), Say("admin")) if words == "admin" else (Say(words),)


def _spoken(digits: str) -> str:
    groups = (digits[:3], digits[3:6], digits[6:])
    return ", ".join(" ".join(group) for group in groups if group)
