"""Everything that is loaded once: word groups, rules, spelling. `look` gives the findings of one text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from nurseline.language.emergency import EmergencyDetector
from nurseline.language.lexicon import RULES, Hits, Lexicon, group_entries, load_toml
from nurseline.language.meaning import Language
from nurseline.language.normalise import Reading, Word, contract, read
from nurseline.language.optout import OptOutDetector
from nurseline.language.patterns import Finder, Rule, compile_rule
from nurseline.language.spanish import forms, sound
from nurseline.language.spelling import Speller
from nurseline.language.tongue import tongue

_SHORTEST_BY_EAR = 4  # letters
_SHORTEST_JOINED = 7  # letters
# Words that are often run together with the next one.
_HEADS = frozenset("cant dont wont not no my mi im me se stop hard help puedo siento falta chest".split())
_BETWEEN_WORDS = re.compile(r"[\s|_]+")


@dataclass(frozen=True, slots=True)
class Look:
    """A text that was read, with its groups found."""

    reading: Reading
    finder: Finder
    hits: Hits
    language: Language


class Reader:
    """Compiled rules of this room. Made once per process."""

    def __init__(self) -> None:
        self.lexicon = Lexicon()
        self.emergency = EmergencyDetector(self.lexicon)
        key_words = key_words_of(load_toml("concepts"), 5)
        self.topics = load_toml("topics")
        key_words |= key_words_of(self.topics["groups"], 7)
        for name, group in self.topics["groups"].items():
            self.lexicon.add(f"topics.{name}", group_entries(group))
        self.optout = OptOutDetector(self.lexicon)
        known = frozenset(f"topics.{name}" for name in self.topics["groups"])
        self.strong: list[tuple[str, Rule]] = [
            (
                topic,
                compile_rule(
                    f"topic-{topic}", _qualified(rule["match"]), rule.get("near", 6), self.lexicon, known
                ),
            )
            for topic, rule in self.topics["strong"].items()
        ]
        self.signs: list[Rule] = [
            compile_rule(f"r:{topic}", _qualified(rule["match"]), rule.get("near", 4), self.lexicon, known)
            for topic, rule in self.topics["signs"].items()
        ]
        self.whole = {
            contract(phrase): topic
            for topic, table in self.topics["whole"].items()
            for phrase in table["phrases"]
        }
        self.polite = frozenset(self.topics["polite"]["words"].split())
        spelling = load_toml("spelling")
        self._shorthand = dict(spelling["any"])
        self._spanish_shorthand = {**spelling["any"], **spelling["es"]}
        real = [line.strip() for line in (RULES / "lookalikes.txt").read_text(encoding="utf-8").splitlines()]
        self.lexicon.correct_with(Speller(key_words, [*real, *self.lexicon.words]))
        self._real = frozenset(real)
        self._by_sound = {
            sound(word): word for word in sorted(key_words_of(load_toml("concepts"), _SHORTEST_BY_EAR))
        }

    def look(self, text: str, language: str) -> Look:
        """Read a text and find its groups."""
        reading = self._apart(read(text, self._shorthand))
        spoken = tongue([word.plain for word in reading.words], text, language)
        if spoken == "es":
            reading = self._by_ear(self._apart(read(text, self._spanish_shorthand)))
        hits = self.lexicon.find(reading.words)
        return Look(reading, Finder(reading.words, hits), hits, spoken)

    def _apart(self, reading: Reading) -> Reading:
        """Words written as one ("cantbreathe") taken apart, where no rule knows the whole."""
        words: list[Word] = []
        for word in reading.words:
            words += [replace(word, plain=part) for part in self._parts(word.plain)]
        return reading if len(words) == len(reading.words) else replace(reading, words=tuple(words))

    def _parts(self, word: str) -> tuple[str, ...]:
        if len(word) < _SHORTEST_JOINED or word in self._real or not word.isalpha():
            return (word,)
        if self.lexicon.corrected(word) != word or self.lexicon.known(word):
            return (word,)
        for size in range(min(len(word) - _SHORTEST_BY_EAR, 6), 1, -1):
            head, rest = word[:size], word[size:]
            if head in _HEADS and rest in self.lexicon.words:
                return (head, rest)
        return (word,)

    def _by_ear(self, reading: Reading) -> Reading:
        """Spanish words no rule knows, written by ear, as the word that sounds the same."""
        words = tuple(
            word if (heard := self._heard(word.plain)) == word.plain else replace(word, plain=heard)
            for word in reading.words
        )
        return reading if words == reading.words else replace(reading, words=words)

    def _heard(self, word: str) -> str:
        if len(word) < _SHORTEST_BY_EAR or word in self._real or self.lexicon.known(word):
            return word
        if any(form in self.lexicon.words for form in forms(word)):
            return word
        return self._by_sound.get(sound(word), word)


def key_words_of(groups: Mapping[str, Mapping[str, Any]], shortest: int) -> set[str]:
    """The words of groups that misspellings are read as: letters only, long enough to be sure."""
    words = {
        word
        for group in groups.values()
        for entry in group_entries(group)
        for word in _BETWEEN_WORDS.split(entry)
    }
    return {word for word in words if word.isalpha() and len(word) >= shortest}


def _qualified(lines: list[str]) -> list[str]:
    return [line.replace("<", "<topics.") for line in lines]


@cache
def reader() -> Reader:
    """The reader of this process."""
    return Reader()
