"""Whether an answer says only what the clinic's text says: its numbers, its words, its quotes."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from nurseline.content.entries import Entry
from nurseline.content.load import FOLDER
from nurseline.content.reading import sentences
from nurseline.content.source import one_line, source_sections

_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_AMOUNT: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:(?:-|to|a)\s*(\d+(?:[.,]\d+)?)\s*)?([^\W\d_]*)")
_ENGLISH: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPANISH: Final = ("dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce")
_NUMBER_WORDS: Final = MappingProxyType(
    {word: str(value) for names in (_ENGLISH, _SPANISH) for value, word in enumerate(names, start=2)}
)
_UNITS: Final = MappingProxyType({"hora": "hour", "semana": "week", "dia": "day", "mes": "month"})
_ENDINGS: Final = ("iness", "ment", "ness", "ing", "ied", "ies", "ed", "es", "ly", "y", "s", "e")


@dataclass(frozen=True, slots=True)
class PlainWords:
    """The lists of plain_words.toml for one language."""

    function_words: frozenset[str]
    house_sentences: frozenset[str]
    jargon: frozenset[str]
    private_words: frozenset[str]
    plain: Mapping[str, tuple[str, ...]]


@cache
def plain_words(language: str) -> PlainWords:
    """The lists for a language; empty ones, which let no answer pass, when the file has none."""
    lists = tomllib.loads((FOLDER / "plain_words.toml").read_text("utf-8"))
    data: dict[str, Any] = defaultdict(list, lists.get(language, {"plain": {}}))
    return PlainWords(
        function_words=frozenset(data["function_words"]),
        house_sentences=frozenset(data["house_sentences"]),
        jargon=frozenset(data["jargon"]),
        private_words=frozenset(data["private_words"]),
        plain=MappingProxyType({word: tuple(of) for word, of in data["plain"].items()}),
    )


def unsupported(entry: Entry, language: str) -> Iterator[str]:
    """What in an answer the clinic's text does not carry; nothing when all is well."""
    section = source_sections().get(entry.section)
    if section is None:
        yield f"the clinic's text has no section {entry.section!r}"
        return
    if not entry.quotes:
        yield "names no quotes of the clinic's text"
    for quote in entry.quotes:
        if one_line(quote) not in section:
            yield f"the section does not say {quote!r}"
    for text in {entry.template("text"), entry.template("voice")}:
        yield from _beyond(text, section, plain_words(language))


def _beyond(text: str, section: str, words: PlainWords) -> Iterator[str]:
    """Numbers and words of a text that the section lacks."""
    stems = frozenset(map(stem, _WORD.findall(section.lower().replace("-", " "))))
    amounts = frozenset(_amounts(section))
    for sentence in sentences(text):
        if f"{sentence}." in words.house_sentences:
            continue
        for amount in dict.fromkeys(_amounts(sentence)):
            if amount not in amounts:
                yield f"the section has no amount {' '.join(amount).strip()!r}"
        for word in dict.fromkeys(_WORD.findall(sentence.lower())):
            if not _supported(word, stems, words):
                yield f"the section has no word for {word!r} in {sentence!r}"


def stem(word: str) -> str:
    """A word without its ending, for comparing: bruising and bruise, areas and area."""
    base = unaccented(word)
    for ending in _ENDINGS:
        if base.endswith(ending) and len(base) - len(ending) >= 3:
            return base[: -len(ending)]
    return base


def unaccented(text: str) -> str:
    """Lower case, without the accents that a text message cannot carry."""
    return text.lower().translate(str.maketrans("áéíóúü", "aeiouu"))


def _supported(word: str, stems: frozenset[str], words: PlainWords) -> bool:
    if word in words.function_words or word in _NUMBER_WORDS or stem(word) in stems:
        return True
    return any(stem(source) in stems for source in words.plain.get(word, ()))


def _amounts(text: str) -> Iterator[tuple[str, str]]:
    """Every number with its unit, in one form: ("72", "hour"); both ends of a range get the unit."""
    plain = re.sub(r"[^\W\d_]+", lambda match: _NUMBER_WORDS.get(match[0].lower(), match[0]), text)
    for match in _AMOUNT.finditer(plain):
        unit = unaccented(match[3]).removesuffix("s")
        unit = _UNITS.get(unit, unit)
        yield match[1], unit
        if match[2]:
            yield match[2], unit
