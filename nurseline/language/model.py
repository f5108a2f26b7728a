"""The models of topics and tiers: a linear model over named features, small enough to read, stored as JSON.

Trained by `python -m nurseline.language.train`; see there for how.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MODEL_FILE = Path(__file__).parent / "model.json"
TIER_MODEL_FILE = Path(__file__).parent / "model-tier.json"
_LEAST_WEIGHT = 0.08


@dataclass(frozen=True, slots=True)
class Guess:
    """A label with its probability."""

    label: str
    probability: float


class LinearModel:
    """Softmax over sums of feature weights, divided by the root of the number of known features.

    `weights` holds a row per feature of `names`: hundredths for each label in the order of `labels`.
    """

    def __init__(
        self, labels: Sequence[str], names: Iterable[str], weights: NDArray[np.int16], warmth: float
    ) -> None:
        self.labels = tuple(labels)
        self._rows = {name: row for row, name in enumerate(names)}
        self._weights = weights
        self._warmth = warmth

    def scores(self, features: Iterable[str]) -> list[float]:
        """One score per label."""
        rows = [row for feature in features if (row := self._rows.get(feature)) is not None]
        scale = self._warmth / (100 * math.sqrt(max(len(rows), 1)))
        return [int(total) * scale for total in self._weights[rows].sum(axis=0)]

    def guesses(self, features: Iterable[str]) -> list[Guess]:
        """All labels, likeliest first."""
        probabilities = softmax(self.scores(features))
        ranked = sorted(zip(self.labels, probabilities, strict=True), key=lambda pair: -pair[1])
        return [Guess(label, probability) for label, probability in ranked]

    def reasons(self, features: Iterable[str], label: str, count: int = 3) -> list[str]:
        """The features that spoke most for a label."""
        index = self.labels.index(label)
        weighed = [
            (int(self._weights[row, index]), name)
            for name in features
            if (row := self._rows.get(name)) is not None
        ]
        return [name for weight, name in sorted(weighed, reverse=True)[:count] if weight > 0]


def softmax(scores: Sequence[float]) -> list[float]:
    """Scores as probabilities."""
    highest = max(scores)
    raised = [math.exp(score - highest) for score in scores]
    total = sum(raised)
    return [value / total for value in raised]


def load_model(path: Path = MODEL_FILE) -> LinearModel:
    """A trained model. The file holds labels and, per feature, hundredths for each label."""
    content = json.loads(path.read_text(encoding="utf-8"))
    weights = np.array(list(content["weights"].values()), dtype=np.int16)
    return LinearModel(content["labels"], content["weights"], weights, content["warmth"])


def save_model(
    path: Path, labels: Sequence[str], weights: Mapping[str, Sequence[float]], warmth: float
) -> int:
    """Write a model, dropping weights near zero; gives back the number of features kept."""
    kept: dict[str, list[int]] = {}
    for name in sorted(weights):
        row = [round(weight * 100) if abs(weight) >= _LEAST_WEIGHT else 0 for weight in weights[name]]
        if any(row):
            kept[name] = row
    content = {"labels": list(labels), "warmth": round(warmth, 3), "weights": kept}
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=True) + "\n", encoding="utf-8")
    return len(kept)
