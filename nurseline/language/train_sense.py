"""Train the net of sense.py on the vectors of the examples: Adam on cross entropy, in a fixed order.

What one net makes of an odd text hangs on how its weights began: a hundred more examples turned ordinary
texts into emergencies and back. So several are trained from different beginnings, and their scores are
averaged, which is one wider net again.

Every processor rounds a little differently, so a file trained elsewhere can differ in its last digits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nurseline.language.encoder import WIDTH, Vectors
from nurseline.language.sense import SenseModel

_SEED = 20240
_ROUNDS = 18
_BATCH = 64
_RATE = 1e-3
_HIDDEN = 64
_NETS = 3
_SHRINK = 1e-3
_MOMENTS = (0.9, 0.999)


class _Adam:
    """Steps of one array of weights (Kingma and Ba 2015)."""

    def __init__(self, weights: Vectors) -> None:
        self.weights = weights
        self._mean = np.zeros_like(weights)
        self._square = np.zeros_like(weights)
        self._steps = 0

    def step(self, gradient: Vectors) -> None:
        self._steps += 1
        slow, slower = _MOMENTS
        self._mean += (1 - slow) * (gradient - self._mean)
        self._square += (1 - slower) * (gradient * gradient - self._square)
        rate = _RATE * (1 - slower**self._steps) ** 0.5 / (1 - slow**self._steps)
        self.weights -= (rate * self._mean / (np.sqrt(self._square) + 1e-8)).astype(np.float32)


def train_sense(encoded: Vectors, right: NDArray[np.int64], labels: Sequence[str]) -> SenseModel:
    """A net that gives each vector its label; `right` holds the number of the label of each row."""
    nets = [_one(encoded, right, labels, np.random.default_rng(_SEED + number)) for number in range(_NETS)]
    outer = np.concatenate([net.outer for net in nets])
    outer /= _NETS
    bias: Vectors = np.add.reduce([net.outer_bias for net in nets])
    bias /= _NETS
    hidden = np.concatenate([net.hidden for net in nets], axis=1)
    return SenseModel(tuple(labels), hidden, np.concatenate([net.hidden_bias for net in nets]), outer, bias)


def _one(
    encoded: Vectors, right: NDArray[np.int64], labels: Sequence[str], chance: np.random.Generator
) -> SenseModel:
    layers = [
        _Adam(_start(chance, WIDTH, (WIDTH, _HIDDEN))),
        _Adam(_start(chance, WIDTH, (_HIDDEN,))),
        _Adam(_start(chance, _HIDDEN, (_HIDDEN, len(labels)))),
        _Adam(_start(chance, _HIDDEN, (len(labels),))),
    ]
    hidden, hidden_bias, outer, outer_bias = (layer.weights for layer in layers)
    model = SenseModel(tuple(labels), hidden, hidden_bias, outer, outer_bias)
    for _ in range(_ROUNDS):
        order = chance.permutation(len(right))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            for layer, gradient in zip(layers, _gradients(model, encoded[rows], right[rows]), strict=True):
                layer.step(gradient)
    return model


def _start(chance: np.random.Generator, width: int, shape: tuple[int, ...]) -> Vectors:
    bound = (6 / (width + shape[-1])) ** 0.5
    return chance.uniform(-bound, bound, shape).astype(np.float32)


def _gradients(model: SenseModel, encoded: Vectors, right: NDArray[np.int64]) -> list[Vectors]:
    inner = np.maximum(encoded @ model.hidden + model.hidden_bias, 0)
    pull = model.probabilities(encoded)
    pull[np.arange(len(right)), right] -= 1
    pull /= len(right)
    back = (pull @ model.outer.T) * (inner > 0)
    shrink = _SHRINK / len(right)
    return [
        encoded.T @ back + shrink * model.hidden,
        back.sum(axis=0),
        inner.T @ pull + shrink * model.outer,
        pull.sum(axis=0),
    ]
