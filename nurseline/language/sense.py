"""The sense of a whole text: a small net on its vector, trained on our examples.

The linear model (model.py) knows the words of the examples; this one knows what texts mean that share no
word with them. Their guesses are averaged, because they are wrong about different texts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from nurseline.language.encoder import Vectors, vectors

SENSE_MODEL_FILE = Path(__file__).parent / "model-sense.json"
_FINE = 1000  # weights are stored in thousandths
_ARRAYS = ("hidden", "hidden_bias", "outer", "outer_bias")


@dataclass(frozen=True, slots=True)
class SenseModel:
    """One hidden layer: `labels`, and weights and biases of the hidden and the outer layer."""

    labels: tuple[str, ...]
    hidden: Vectors
    hidden_bias: Vectors
    outer: Vectors
    outer_bias: Vectors

    def guesses(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        """For each text (as `encoder.plain` gives it) the probability of each label."""
        return [
            dict(zip(self.labels, map(float, row), strict=True)) for row in self.probabilities(vectors(texts))
        ]

    def probabilities(self, encoded: Vectors) -> Vectors:
        """A row of probabilities per vector."""
        inner = np.maximum(encoded @ self.hidden + self.hidden_bias, 0)
        scores = inner @ self.outer + self.outer_bias
        raised: Vectors = np.exp(scores - scores.max(axis=1, keepdims=True))
        raised /= raised.sum(axis=1, keepdims=True)
        return raised


@cache
def load_sense(path: Path = SENSE_MODEL_FILE) -> SenseModel:
    """The trained net. The file holds labels and the four arrays in thousandths."""
    content = json.loads(path.read_text(encoding="utf-8"))
    arrays = (np.array(content[name], dtype=np.float32) / np.float32(_FINE) for name in _ARRAYS)
    return SenseModel(tuple(content["labels"]), *arrays)


def save_sense(path: Path, model: SenseModel) -> None:
    """Write a trained net."""
    content: dict[str, object] = {"labels": list(model.labels)}
    for name in _ARRAYS:
        content[name] = np.rint(getattr(model, name) * _FINE).astype(int).tolist()
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
