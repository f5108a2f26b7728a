"""Train the models: `python -m nurseline.language.train`.

Reads examples/build-*.tsv (never the measure files), writes model.json (topics), model-tier.json (tiers, by
words) and model-sense.json (tiers, by the sense of the whole text).
The same examples give the same files: the order is shuffled with a fixed seed and nothing else is random
(the file of the net can differ in its last digits where a processor rounds otherwise).
Where several topics are right answers, the one the model already prefers among them is learned (so a long
list of acceptable answers teaches little).
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from nurseline.language.encoder import plain, vectors
from nurseline.language.examples_file import EXAMPLES, Example, read_examples
from nurseline.language.features import features, tier_features
from nurseline.language.model import MODEL_FILE, TIER_MODEL_FILE, save_model, softmax
from nurseline.language.reader import Look, Reader, reader
from nurseline.language.sense import SENSE_MODEL_FILE, SenseModel, save_sense
from nurseline.language.train_sense import train_sense

_SEED = 20240
_ROUNDS = 14
_RATE = 0.5
_SHRINK = 6e-4
_LEAST_SEEN = 2
_NEAR_ENOUGH = 0.002  # of a probability to its aim
TIER_LABELS = ("emergency", "urgent", "none")


class Read(NamedTuple):
    """An example and what the reader finds in it."""

    row: Example
    look: Look


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from one example: its features and the right labels."""

    features: tuple[str, ...]
    labels: tuple[int, ...]


def build_examples() -> list[Example]:
    """The examples to build on."""
    return [row for path in sorted(EXAMPLES.glob("build-*.tsv")) for row in read_examples(path)]


def looks(rows: Sequence[Example], using: Reader) -> list[Read]:
    """Examples with what the reader finds in them; those without a word are left out."""
    read = [Read(row, using.look(row.text, row.lang)) for row in rows]
    return [item for item in read if item.look.reading.words]


def lessons(read: Sequence[Read], labels: Sequence[str], using: Reader) -> list[Lesson]:
    """Features and labels of examples."""
    made: list[Lesson] = []
    seeing = tier_features if labels == list(TIER_LABELS) else features
    for row, look in read:
        right = tuple(labels.index(label) for label in _accepted(row, labels))
        if right:
            words, asks = look.reading.words, look.reading.asks
            seen = seeing(words, look.hits, using.lexicon.corrected, asks, using.signs)
            made.append(Lesson(tuple(seen), right))
    return made


def _accepted(row: Example, labels: Sequence[str]) -> list[str]:
    """The labels that are right for an example: its tier for the tier model, else its topics."""
    if "none" in labels:
        return [row.tier if row.tier in labels else "none"]
    return [] if row.tier in TIER_LABELS[:2] else [topic for topic in row.accept if topic in labels]


def train(read: Sequence[Read], labels: Sequence[str], using: Reader) -> dict[str, Sequence[float]]:
    """Weights per feature, one per label: softmax regression with AdaGrad steps."""
    learned = lessons(read, labels, using)
    counts = Counter(feature for lesson in learned for feature in lesson.features)
    rows = {name: row for row, name in enumerate(name for name, n in counts.items() if n >= _LEAST_SEEN)}
    weights = np.zeros((len(rows), len(labels)))
    squares = np.full_like(weights, 1e-3)
    prepared = [
        (np.array([rows[name] for name in lesson.features if name in rows], dtype=np.intp), lesson.labels)
        for lesson in learned
    ]
    shuffler = random.Random(_SEED)  # noqa: S311 - an order of examples, no secret
    for turn in range(_ROUNDS):
        shuffler.shuffle(prepared)
        for seen, right in prepared:
            if len(seen):
                _step(seen, list(right), weights, squares, turn)
    return {name: weights[row].tolist() for name, row in rows.items()}


def _step(
    seen: NDArray[np.intp],
    right: list[int],
    weights: NDArray[np.float64],
    squares: NDArray[np.float64],
    turn: int,
) -> None:
    scale = 1 / math.sqrt(len(seen))
    mine = weights[seen]
    chances = np.array(softmax((mine.sum(axis=0) * scale).tolist()))
    aim = np.zeros_like(chances)
    aim[right] = chances[right] / chances[right].sum() if turn > 1 else 1 / len(right)
    pull = chances - aim
    wrong = np.abs(pull) > _NEAR_ENOUGH
    if wrong.any():
        gradient = (pull * scale + _SHRINK * mine) * wrong
        past = squares[seen] + gradient * gradient
        squares[seen] = past
        weights[seen] = mine - _RATE * gradient / np.sqrt(past)


def sense_model(read: Sequence[Read]) -> SenseModel:
    """The net of the tiers, trained on examples."""
    right = np.array([TIER_LABELS.index(_accepted(row, TIER_LABELS)[0]) for row, _ in read])
    return train_sense(vectors([plain(look.reading.words) for _, look in read]), right, TIER_LABELS)


def label_list(rows: Sequence[Example]) -> list[str]:
    """The topics that occur as an answer, sorted."""
    return sorted({topic for row in rows for topic in row.accept} - set(TIER_LABELS))


@click.command()
@click.option("--warmth", default=1.0, show_default=True, help="How sharp the probabilities are.")
def main(warmth: float) -> None:
    """Train on examples/build-*.tsv and write the models."""
    using = reader()
    rows = build_examples()
    read = looks(rows, using)
    save_sense(SENSE_MODEL_FILE, sense_model(read))
    click.echo(f"{SENSE_MODEL_FILE.name}: {SENSE_MODEL_FILE.stat().st_size} bytes")
    for path, labels in ((MODEL_FILE, label_list(rows)), (TIER_MODEL_FILE, list(TIER_LABELS))):
        kept = save_model(path, labels, train(read, labels, using), warmth)
        size = path.stat().st_size
        click.echo(f"{path.name}: {len(rows)} examples, {len(labels)} labels, {kept} features, {size} bytes")


if __name__ == "__main__":
    main()
