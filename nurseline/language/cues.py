"""Cues of a text in order, to be asked for by where they begin."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from nurseline.language.lexicon import Hit

LONGEST_CUE = 8  # words


def starts_inside(hit: Hit, others: Sequence[Hit]) -> bool:
    """Whether a hit begins inside one of the others."""
    return any(other.first <= hit.first <= other.last for other in others)


class Sorted:
    """Hits in order, to be asked for by where they begin."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = hits
        self._firsts = [hit.first for hit in hits]

    def starting(self, first: int, last: int) -> Sequence[Hit]:
        """The hits that begin from word `first` to word `last`."""
        return self.hits[bisect_left(self._firsts, first) : bisect_right(self._firsts, last)]

    def any_from(self, first: int, last: int) -> bool:
        """Whether one begins from word `first` to word `last`."""
        index = bisect_left(self._firsts, first)
        return index < len(self._firsts) and self._firsts[index] <= last

    def covers(self, hit: Hit) -> bool:
        """Whether the hit begins inside one of these."""
        return starts_inside(hit, self.starting(hit.first - LONGEST_CUE, hit.first))
