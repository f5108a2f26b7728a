"""Misspelled words: an unknown word is read as the one known word it is very near to.

One slip for words of five letters or more, two for ten or more, the same first letter; words that are
real words of their own (rules/lookalikes.txt, and the words of the examples) are left alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

_SHORTEST = 5
_LONGEST = 24
_TWO_SLIPS = 10


def slips_allowed(length: int) -> int:
    """How many wrong letters a word of this length may have and still be recognised."""
    if length < _SHORTEST:
        return 0
    return 2 if length >= _TWO_SLIPS else 1


class Speller:
    """Corrects unknown words towards `targets`; never touches a word in `real`."""

    def __init__(self, targets: Iterable[str], real: Iterable[str]) -> None:
        self._targets = frozenset(word for word in targets if len(word) >= _SHORTEST and word.isalpha())
        self._real = frozenset(real)
        self._by_letter: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self._targets):
            self._by_letter[word[0]].append(word)
        self.correct = lru_cache(maxsize=20000)(self._correct)

    def _correct(self, word: str) -> str:
        if word in self._real or word in self._targets or not word.isalpha():
            return word
        if not _SHORTEST <= len(word) <= _LONGEST:
            return word
        slips = slips_allowed(len(word))
        near = extractOne(word, self._by_letter.get(word[0], ()), scorer=OSA.distance, score_cutoff=slips)
        if near is None or near[1] > slips_allowed(len(near[0])) or len(near[0]) < _SHORTEST:
            return word
        return str(near[0])
