"""The models of topics and tiers: a linear model over named features, small enough to read, stored as JSON.

Trained by `python -m nurseline.language.train`; see there for how.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL_FILE = Path(__file__).parent / "model.json"
TIER_MODEL_FILE = Path(__file__).parent / "model-tier.json"


@dataclass(frozen=True, slots=True)
class Guess:
    """A label with its probability."""

    label: str
    probability: float


class LinearModel:
    """Softmax over sums of feature weights, divided by the root of the number of known features."""

    def __init__(
        self, labels: Sequence[str], weights: Mapping[str, Mapping[int, float]], warmth: float
    ) -> None:
        self.labels = tuple(labels)
        self._weights = weights
        self._warmth = warmth

    def scores(self, features: Iterable[str]) -> list[float]:
        """One score per label."""
        totals = [0.0] * len(self.labels)
        known = 0
        for feature in features:
            weights = self._weights.get(feature)
            if weights is None:
                continue
            known += 1
            for label, weight in weights.items():
                totals[label] += weight
        scale = self._warmth / math.sqrt(max(known, 1))
        return [total * scale for total in totals]

    def guesses(self, features: Iterable[str]) -> list[Guess]:
        """All labels, likeliest first."""
        probabilities = softmax(self.scores(features))
        ranked = sorted(zip(self.labels, probabilities, strict=True), key=lambda pair: -pair[1])
        return [Guess(label, probability) for label, probability in ranked]

    def reasons(self, features: Iterable[str], label: str, count: int = 3) -> list[str]:
        """The features that spoke most for a label."""
        index = self.labels.index(label)
        weighed = [(self._weights[name].get(index, 0.0), name) for name in features if name in self._weights]
        return [name for weight, name in sorted(weighed, reverse=True)[:count] if weight > 0]

    def knows(self, feature: str) -> bool:
        """Whether the feature was seen in training."""
        return feature in self._weights


def softmax(scores: Sequence[float]) -> list[float]:
    """Scores as probabilities."""
    highest = max(scores)
    raised = [math.exp(score - highest) for score in scores]
    total = sum(raised)
    return [value / total for value in raised]


def load_model(path: Path = MODEL_FILE) -> LinearModel:
    """A trained model. The file holds labels and, per feature, pairs of label number and weight * 100."""
    content = json.loads(path.read_text(encoding="utf-8"))
    weights = {
        name: {int(pairs[at]): pairs[at + 1] / 100 for at in range(0, len(pairs), 2)}
        for name, pairs in content["weights"].items()
    }
    return LinearModel(content["labels"], weights, content["warmth"])


def save_model(
    path: Path, labels: Sequence[str], weights: Mapping[str, Sequence[float]], warmth: float
) -> int:
    """Write a model, dropping weights near zero; gives back the number of features kept."""
    kept: dict[str, list[int]] = {}
    for name in sorted(weights):
        pairs: list[int] = [
            value
            for index, weight in enumerate(weights[name])
            if abs(weight) >= 0.08
            for value in (index, round(weight * 100))
        ]
        if pairs:
            kept[name] = pairs
    content = {"labels": list(labels), "warmth": round(warmth, 3), "weights": kept}
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=True) + "\n", encoding="utf-8")
    return len(kept)
