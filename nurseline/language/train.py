"""Train both models: `python -m nurseline.language.train`.

Reads examples/build-*.tsv (never the measure files), writes model.json (topics) and model-tier.json (tiers).
The same examples give the same files: the order is shuffled with a fixed seed and nothing else is random.
Where several topics are right answers, the one the model already prefers among them is learned (so a long
list of acceptable answers teaches little).
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import click

from nurseline.language.examples_file import EXAMPLES, Example, read_examples
from nurseline.language.features import features, tier_features
from nurseline.language.model import MODEL_FILE, TIER_MODEL_FILE, LinearModel, save_model, softmax
from nurseline.language.reader import Reader, reader

_SEED = 20240
_ROUNDS = 14
_RATE = 0.5
_SHRINK = 6e-4
_LEAST_SEEN = 2
TIER_LABELS = ("emergency", "urgent", "none")


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from one example: its features and the right labels."""

    features: tuple[str, ...]
    labels: tuple[int, ...]


def build_examples() -> list[Example]:
    """The examples to build on."""
    return [row for path in sorted(EXAMPLES.glob("build-*.tsv")) for row in read_examples(path)]


def lessons(rows: Sequence[Example], labels: Sequence[str], using: Reader) -> list[Lesson]:
    """Features and labels of examples."""
    made: list[Lesson] = []
    seeing = tier_features if labels == list(TIER_LABELS) else features
    for row in rows:
        look = using.look(row.text, row.lang)
        if not look.reading.words:
            continue
        seen = seeing(look.reading.words, look.hits, using.lexicon.corrected, look.reading.asks, using.signs)
        right = tuple(labels.index(label) for label in _accepted(row, labels))
        if right:
            made.append(Lesson(tuple(seen), right))
    return made


def _accepted(row: Example, labels: Sequence[str]) -> list[str]:
    """The labels that are right for an example: its tier for the tier model, else its topics."""
    if "none" in labels:
        return [row.tier if row.tier in labels else "none"]
    return [] if row.tier in TIER_LABELS[:2] else [topic for topic in row.accept if topic in labels]


def train(rows: Sequence[Example], labels: Sequence[str], using: Reader) -> dict[str, list[float]]:
    """Weights per feature, one per label: softmax regression with AdaGrad steps."""
    learned = lessons(rows, labels, using)
    counts = Counter(feature for lesson in learned for feature in lesson.features)
    width = len(labels)
    weights = {name: [0.0] * width for name, count in counts.items() if count >= _LEAST_SEEN}
    squares = {name: [1e-3] * width for name in weights}
    prepared = [([name for name in lesson.features if name in weights], lesson.labels) for lesson in learned]
    shuffler = random.Random(_SEED)  # noqa: S311 - an order of examples, no secret
    for turn in range(_ROUNDS):
        shuffler.shuffle(prepared)
        for names, right in prepared:
            _step(names, right, weights, squares, turn)
    return weights


def _step(
    names: Sequence[str],
    right: Sequence[int],
    weights: dict[str, list[float]],
    squares: dict[str, list[float]],
    turn: int,
) -> None:
    if not names:
        return
    scale = 1 / math.sqrt(len(names))
    totals = [sum(column) * scale for column in zip(*(weights[name] for name in names), strict=True)]
    probabilities = softmax(totals)
    mass = sum(probabilities[label] for label in right)
    pulls = [(label, chance) for label, chance in enumerate(probabilities)]
    steps: list[tuple[int, float]] = []
    for label, chance in pulls:
        aim = (chance / mass if turn > 1 else 1 / len(right)) if label in right else 0.0
        if abs(chance - aim) > 0.002:
            steps.append((label, (chance - aim) * scale))
    for name in names:
        row, past = weights[name], squares[name]
        for label, pull in steps:
            gradient = pull + _SHRINK * row[label]
            past[label] += gradient * gradient
            row[label] -= _RATE * gradient / math.sqrt(past[label])


def label_list(rows: Sequence[Example]) -> list[str]:
    """The topics that occur as an answer, sorted."""
    return sorted({topic for row in rows for topic in row.accept} - set(TIER_LABELS))


@click.command()
@click.option("--warmth", default=1.0, show_default=True, help="How sharp the probabilities are.")
def main(warmth: float) -> None:
    """Train on examples/build-*.tsv and write both models."""
    rows = build_examples()
    for path, labels in ((MODEL_FILE, label_list(rows)), (TIER_MODEL_FILE, list(TIER_LABELS))):
        kept = save_model(path, labels, train(rows, labels, reader()), warmth)
        size = path.stat().st_size
        click.echo(f"{path.name}: {len(rows)} examples, {len(labels)} labels, {kept} features, {size} bytes")


def as_model(weights: dict[str, list[float]], labels: Sequence[str], warmth: float) -> LinearModel:
    """A model straight from training, for checks."""
    return LinearModel(labels, {name: dict(enumerate(row)) for name, row in weights.items()}, warmth)


if __name__ == "__main__":
    main()
