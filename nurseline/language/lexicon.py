"""The word groups of rules/*.toml, and where they occur in a text.

All groups are kept in one tree of words, so that finding every group in a text takes one walk from each
word, whatever the number of groups: the time grows with the length of the text and nothing else.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from nurseline.language.normalise import Word, contract
from nurseline.language.spanish import forms
from nurseline.language.spelling import Speller

RULES = Path(__file__).parent / "rules"

# Words that may stand inside a phrase without being written in it: they cost no distance (fillers) or half
# a word (little words).
FILLERS = frozenset(
    "really so very just like kinda kind sorta sort um uh totally literally actually pretty super quite "
    "even also right fucking damn freaking lil little bit muy bien pues ya tan honestly basically "
    "seriously maybe slightly completely probably suddenly somewhat constantly always already".split()
)
LIGHT = frozenset(
    "a an my his her your our their the this that these those of el la los las mi mis su sus un una "
    "unos unas tu tus al del de lo".split()
)
# Words that say nothing of a body by themselves: a text of nothing else is no alarm.
FUNCTION_WORDS = (
    FILLERS
    | LIGHT
    | frozenset(
        "i im me you u he she it its we they is are was were be been am do does did dont didnt doesnt can "
        "cant could couldnt will would wont wouldnt should have has had havent hasnt ive id ill to in on at "
        "for with and or but so if what who when where how why yes no not ok okay hi hello hey please thanks "
        "there here now then yo me te se le nos no si que es son esta estoy ya y o pero con por para en un "
        "hola oye oiga gracias puedo puede quiero tengo tiene".split()
    )
)
_SKIPPABLE = FILLERS | LIGHT | frozenset("is are was has have been be esta estan me te se le nos les".split())
_MOST_SKIPS = 3
_RANGE = re.compile(r"#(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:[fc]|/\d+)?")
_VARIANTS = 500  # most wordings one line with alternatives may stand for


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hit:
    """A group found in a text: the indices of its first and last word."""

    first: int
    last: int


Hits = Mapping[str, Sequence[Hit]]


def load_toml(name: str) -> dict[str, Any]:
    """A rule file of this room, by name."""
    return tomllib.loads((RULES / f"{name}.toml").read_text(encoding="utf-8"))


def group_entries(group: Mapping[str, Any]) -> list[str]:
    """Every wording of a group: its single words and its phrases."""
    return [*str(group.get("words", "")).split(), *group.get("phrases", ())]


def check_alternatives(line: str, tokens: Sequence[str]) -> None:
    """Refuse two lists of alternatives side by side: "a|two words|b" joins words that were meant apart.

    Raises ValueError. Words that belong together are written "two_words"; lists that follow each other are
    written "a|b > c|d".
    """
    for first, second in pairwise(tokens):
        if "|" in first and "|" in second:
            raise ValueError(f"{line!r}: {first} {second}: write words_together, or > between two lists")


def _variants(phrase: str) -> Iterator[list[str]]:
    if ".." in phrase:
        raise ValueError(f"{phrase!r}: the words of a group stand together; a gap is for the lines of a rule")
    check_alternatives(phrase, phrase.split())
    choices: list[list[str]] = [[]]
    for part in phrase.replace(" > ", " ").split():
        options = part.split("|")
        if len(choices) * len(options) > _VARIANTS:
            raise ValueError(f"too many alternatives in {phrase!r}")
        choices = [[*done, *option.split("_")] for done in choices for option in options]
    return iter(choices)


def _without_little_words(tokens: list[str]) -> list[str]:
    """Little words at the end of a phrase were written on purpose; the others go."""
    end = len(tokens)
    while end and tokens[end - 1] in LIGHT:
        end -= 1
    kept = [token for token in tokens[:end] if token not in LIGHT] + tokens[end:]
    return kept if len(kept) > 1 else tokens


class Lexicon:
    """Groups of words, to be found in texts."""

    def __init__(self) -> None:
        self._root = _Node()
        self._ranges: list[tuple[str, float, float]] = []
        self.words: set[str] = set()
        self.prefixes: set[str] = set()
        self._speller: Speller | None = None
        self._symbols = lru_cache(maxsize=20000)(self._find_symbols)

    def add(self, group: str, entries: Iterable[str], *, exact: bool = False) -> None:
        """Add wordings to a group; see the head of concepts.toml for how they are written.

        With `exact` the little words of a wording must be there too.
        """
        for entry in entries:
            for tokens in _variants(contract(entry)):
                self._add_tokens(group, tokens if exact else _without_little_words(tokens))

    def _add_tokens(self, group: str, tokens: list[str]) -> None:
        node = self._root
        for token in tokens:
            if match := _RANGE.fullmatch(token):
                self._ranges.append((token, float(match[1]), float(match[2])))
            elif token.endswith("*"):
                self.prefixes.add(token[:-1])
            else:
                self.words.add(token)
            node = node.children.setdefault(token, _Node())
        if group not in node.groups:
            node.groups.append(group)

    def correct_with(self, speller: Speller) -> None:
        """From now on read unknown words as the known word they misspell."""
        self._speller = speller
        self._symbols.cache_clear()

    def known(self, word: str) -> bool:
        """Whether some group names this word, alone or by its beginning."""
        return word in self.words or any(word[:size] in self.prefixes for size in range(3, len(word) + 1))

    def corrected(self, word: str) -> str:
        """The word itself, or the known word it misspells."""
        if self._speller is None or self.known(word):
            return word
        return self._speller.correct(word)

    def _find_symbols(self, word: str) -> tuple[str, ...]:
        symbols: list[str] = []
        for form in dict.fromkeys((word, self.corrected(word))):
            symbols.append(form)
            symbols += [f"{form[:size]}*" for size in range(2, len(form) + 1) if form[:size] in self.prefixes]
            symbols += [other for other in forms(form) if other in self.words]
        if number := _NUMBER.fullmatch(word):
            value = float(number[1])
            symbols += [token for token, low, high in self._ranges if low <= value <= high]
        return tuple(dict.fromkeys(symbols))

    def find(self, words: Sequence[Word]) -> dict[str, list[Hit]]:
        """Where each group occurs, in order. Phrases do not run over a sentence end."""
        hits: dict[str, list[Hit]] = {}
        symbols = [self._symbols(word.plain) for word in words]
        for first in range(len(words)):
            self._walk(words, symbols, first, hits)
        return hits

    def _walk(
        self, words: Sequence[Word], symbols: list[tuple[str, ...]], first: int, hits: dict[str, list[Hit]]
    ) -> None:
        found: set[tuple[str, int]] = set()
        sentence = words[first].sentence
        waiting: list[tuple[_Node, int, int]] = [(self._root, first, 0)]
        while waiting:
            node, index, skipped = waiting.pop()
            if index >= len(words) or words[index].sentence != sentence:
                continue
            for symbol in symbols[index]:
                child = node.children.get(symbol)
                if child is None:
                    continue
                found.update((group, index) for group in child.groups)
                if child.children:
                    waiting.append((child, index + 1, 0))
            if node is not self._root and skipped < _MOST_SKIPS and words[index].plain in _SKIPPABLE:
                waiting.append((node, index + 1, skipped + 1))
        for last, group in sorted((last, group) for group, last in found):
            hits.setdefault(group, []).append(Hit(first, last))
