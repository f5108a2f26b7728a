"""What must hold for the clinic's words before a patient reads or hears them.

`problems` is used by the tests and by `python -m nurseline content check`. An entry without a
signature is no problem here: see Content.unsigned.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from nurseline.content.claims import plain_words, unsupported
from nurseline.content.entries import LONGEST, Channel, Content, Entry, Language
from nurseline.content.ids import REMINDERS, REQUIRED_IDS, TELL_THE_RULES, WITHOUT_LIMIT
from nurseline.content.load import FIRST_LANGUAGE
from nurseline.content.moments import longest_promise
from nurseline.content.reading import fernandez_huerta, flesch_kincaid_grade, sentences, words
from nurseline.content.released import changed_unraised, read_released
from nurseline.content.segments import ONE_PART, TWO_PARTS, gsm7_length, outside_gsm7

HARDEST_GRADE: Final = 6.0  # clinic.md 6: AMA and NIH advise the 6th grade
EASIEST_SPANISH: Final = 80.0  # Fernandez Huerta: "easy"
LONGEST_SENTENCE: Final = 15  # words
LONGEST_SPEECH: Final = 50  # words: 20 seconds at 150 a minute
_EMERGENCY_IDS: Final = frozenset({"emergency", "emergency.both", "crisis", "urgent"})
_CHANNELS: Final[tuple[Channel, ...]] = ("text", "voice")
_NAMED_IDS: Final = frozenset({"schedule.ask_time", "nurse.done", "clinical", "admin"})
_OFFERED: Final = re.compile(r"[A-ZÑ]{3,}")
_UNSPEAKABLE: Final = re.compile(r"\d{3,}|[/&#*+@]|\bmsgs?\b")
_CAPITALS: Final = re.compile(r"\b(?!AM\b|PM\b)[A-ZÑÁÉÍÓÚ]{2,}\b")


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: in which language and entry, which rule it breaks, and how."""

    language: str
    id: str
    rule: str
    detail: str


def problems(content: Content) -> list[Problem]:
    """All faults of all languages, in the order of the files."""
    found: list[Problem] = []
    for code in content.languages:
        language = content.language(code)
        found += [Problem(code, *fault) for fault in _ids(content, language)]
        longest = longest_values(content, code)
        for entry in language.entries.values():
            for rule in _RULES:
                found += [Problem(code, entry.id, *fault) for fault in rule(entry, language, longest)]
        found += [Problem(code, *fault) for fault in _reading(language)]
    unraised = changed_unraised(content, read_released())
    found += [Problem(code, entry_id, "version", detail) for code, entry_id, detail in unraised]
    return found


def longest_values(content: Content, language: str) -> Mapping[str, str]:
    """The longest value each slot can have in a text, for measuring."""
    labels = [entry.label for entry in content.language(language).entries.values() if _can_be_named(entry)]
    label = max(labels, key=len, default="")
    values = {name: "M" * length for name, length in LONGEST.items()}
    return MappingProxyType(
        {
            **values,
            "phone_spoken": "2 0 2, 5 5 5, 0 1 0 0",
            "number_spoken": "2 0 2, 5 5 5, 0 1 0 0",
            "promise": longest_promise(content, language),
            "who": "x " * 5,
            "reason": "x " * 9,
            "last_digits": "0 1 2 3",
            "first": label,
            "second": label,
        }
    )


def filled(entry: Entry, channel: Channel, longest: Mapping[str, str]) -> str:
    """The words of an entry with the longest values in its slots; an unknown slot stays open."""
    return re.sub(r"\{([a-z_]+)\}", lambda m: longest.get(m[1], m[0]), entry.template(channel))


def _can_be_named(entry: Entry) -> bool:
    return entry.id.startswith("answer.") or entry.id in (
        "schedule.ask_time",
        "nurse.done",
        "clinical",
        "admin",
    )


def _is_text(entry: Entry) -> bool:
    return not entry.id.startswith("voice.")


def _is_spoken(entry: Entry) -> bool:
    return entry.voice is not None or not _is_text(entry) or entry.id.startswith("answer.")


_Faults = Iterator[tuple[str, str]]


def _slots(entry: Entry, _language: Language, longest: Mapping[str, str]) -> _Faults:
    for name in sorted((entry.slots("text") | entry.slots("voice")) - longest.keys()):
        yield "slots", f"nothing fills {{{name}}}"


def _alphabet(entry: Entry, _language: Language, _longest: Mapping[str, str]) -> _Faults:
    shown = entry.label if _can_be_named(entry) else ""
    shown += entry.text if _is_text(entry) and entry.id not in WITHOUT_LIMIT else ""
    if strange := outside_gsm7(shown):
        yield "alphabet", f"not in GSM-7: {' '.join(strange)}"


def _length(entry: Entry, _language: Language, longest: Mapping[str, str]) -> _Faults:
    text = filled(entry, "text", longest)
    if not _is_text(entry) or entry.id in WITHOUT_LIMIT or outside_gsm7(text):
        return
    limit = ONE_PART if entry.id in REMINDERS | _EMERGENCY_IDS else TWO_PARTS
    length = gsm7_length(text)
    if length > limit:
        yield "length", f"{length} septets with the longest values, at most {limit}"


def _menu_words(entry: Entry, language: Language, _longest: Mapping[str, str]) -> _Faults:
    taken = language.forbidden_words
    if entry.id not in TELL_THE_RULES and _is_text(entry):
        for word in sorted(taken.intersection(_OFFERED.findall(entry.text))):
            yield "menu words", f"{word} is a word carriers act on and cannot be a choice"
    if entry.label.upper() in taken:
        yield "menu words", f"the label {entry.label!r} is a word carriers act on"


def _speech(entry: Entry, _language: Language, longest: Mapping[str, str]) -> _Faults:
    if not _is_spoken(entry):
        return
    said = entry.template("voice")
    for odd in dict.fromkeys(_UNSPEAKABLE.findall(said) + _CAPITALS.findall(said)):
        yield "speech", f"{odd!r} cannot be read aloud"
    length = len(words(filled(entry, "voice", {**longest, "hours": "x " * 9, "clinic": "x " * 5})))
    if length > LONGEST_SPEECH:
        yield "speech", f"{length} words, at most {LONGEST_SPEECH} (20 seconds)"


def _plain(entry: Entry, language: Language, _longest: Mapping[str, str]) -> _Faults:
    lists = plain_words(language.code)
    for channel, template in {"text": entry.text, "voice": entry.voice or entry.text}.items():
        hard = lists.jargon.intersection(word.lower() for word in words(template))
        for word in sorted(hard):
            yield "plain words", f"{word!r} is hard to understand ({channel})"
    for sentence in sentences(entry.text):
        count = len(words(sentence))
        if entry.id.startswith("answer.") and count > LONGEST_SENTENCE:
            yield "plain words", f"{count} words in one sentence: {sentence!r}"


def _reminder(entry: Entry, language: Language, _longest: Mapping[str, str]) -> _Faults:
    if entry.id not in REMINDERS:
        return
    for needed in ("{clinic}", "{phone}", "911", "STOP"):
        if needed not in entry.text:
            yield "reminder", f"must name {needed}"
    said = {word.lower() for word in words(entry.text)} | {word.lower() for word in words(entry.voice or "")}
    for word in sorted(plain_words(language.code).private_words & said):
        yield "reminder", f"{word!r} tells others about the treatment"


def _emergency(entry: Entry, _language: Language, _longest: Mapping[str, str]) -> _Faults:
    if entry.id in _EMERGENCY_IDS and "911" not in entry.text:
        yield "emergency", "must say to call 911"
    if entry.id == "crisis" and "988" not in entry.text:
        yield "emergency", "must name 988"


def _claims(entry: Entry, language: Language, _longest: Mapping[str, str]) -> _Faults:
    if entry.id.startswith("answer."):
        yield from (("claims", detail) for detail in unsupported(entry, language.code))


_RULES: Final[tuple[Callable[[Entry, Language, Mapping[str, str]], _Faults], ...]] = (
    _slots,
    _alphabet,
    _length,
    _menu_words,
    _speech,
    _plain,
    _reminder,
    _emergency,
    _claims,
)


def _ids(content: Content, language: Language) -> Iterator[tuple[str, str, str]]:
    first = content.language(FIRST_LANGUAGE)
    for missing in sorted((REQUIRED_IDS | first.entries.keys()) - language.entries.keys()):
        yield missing, "ids", "is missing"
    for extra in sorted(language.entries.keys() - first.entries.keys()):
        yield extra, "ids", f"is not in {first.file}"
    for entry in language.entries.values():
        model = first.entries.get(entry.id)
        if model is None or model is entry:
            continue
        if (entry.section, entry.quotes) != (model.section, model.quotes):
            yield entry.id, "ids", f"section and quotes differ from {first.file}"
        for channel in _CHANNELS:
            if entry.slots(channel) != model.slots(channel):
                yield entry.id, "ids", f"slots of {channel} differ from {first.file}"


def _reading(language: Language) -> Iterator[tuple[str, str, str]]:
    """Every topic by itself, the rest by section: single messages are too short to score."""
    texts: dict[str, list[str]] = defaultdict(list)
    for entry in language.entries.values():
        topic = re.sub(r"\.\d+$", "", entry.id) if entry.id.startswith("answer.") else entry.section
        texts[topic].append(entry.text)
        if entry.voice:
            texts[f"{topic} (voice)"].append(entry.voice)
    for topic, parts in texts.items():
        joined = "\n".join(parts)
        if language.code == "es":
            ease = fernandez_huerta(joined)
            if ease < EASIEST_SPANISH:
                yield topic, "reading", f"ease {ease:.0f}, at least {EASIEST_SPANISH:.0f}"
        elif (grade := flesch_kincaid_grade(joined)) > HARDEST_GRADE:
            yield topic, "reading", f"grade {grade:.1f}, at most {HARDEST_GRADE:.0f}"
