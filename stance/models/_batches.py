"""Which examples a training step sees together, and what it is to learn from each. Numbers only, no network."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from stance.schema import LABELS, Example, FloatArray, IntArray, label_indices

_POOL: Final = 16
"""Batches whose texts are sorted by length among each other: little padding, yet every epoch mixes anew."""


def loss_weights(examples: Sequence[Example], smoothing: float, soft: bool, balanced: bool) -> FloatArray:
    """Return what the negative log-probability of each label of `n` examples weighs in the loss, shape (n, k).

    The rows hold the target distribution (one label, or the shares of the votes), smoothed (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567), times the inverse frequency of the label, times the `weight` of the example, all
    scaled so that a row sums to 1 on average.
    """
    k = len(LABELS)
    onehot = np.eye(k)[label_indices([example.label for example in examples])]
    shares = np.array([example.soft for example in examples], dtype=np.float64) if soft else onehot
    table = (1 - smoothing) * shares + smoothing / k
    if balanced:
        table = table / onehot.mean(axis=0)
    table = table * np.array([[example.weight] for example in examples])
    return np.asarray(table * len(examples) / table.sum(), dtype=np.float64)


class Batches:
    """The batches of an epoch, other ones in each, always equally many; determined by `seed` and the epoch's number.

    Units, examples with one key in `units`, stay in one batch (an over-long unit is cut). Texts of similar length meet,
    to save padding; the batches come in random order, so that length and learning rate do not go together.
    """

    def __init__(self, lengths: IntArray, units: Sequence[str], size: int, seed: int) -> None:
        """Take the lengths of the `n` texts in tokens, shape (n,), and the number of examples in a batch."""
        self._lengths = lengths
        self._size = size
        self._seed = seed
        self._epoch = 0
        self._count = -(-len(lengths) // size)
        members: dict[str, list[int]] = {}
        for index, unit in enumerate(units):
            members.setdefault(unit, []).append(index)
        # No unit is longer than the mean batch, so that one begins in each stretch of the order and no batch is empty.
        cut = len(lengths) // self._count
        self._units = [unit[at : at + cut] for unit in members.values() for at in range(0, len(unit), cut)]

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the positions of the examples of each batch of the next epoch."""
        generator = np.random.default_rng([self._seed, self._epoch])
        self._epoch += 1
        order = generator.permutation(len(self._units))
        pool = _POOL * self._size * len(self._units) // len(self._lengths)
        batches: list[list[int]] = [[] for _ in range(self._count)]
        placed = 0
        for start in range(0, len(order), pool):
            for unit in sorted(order[start : start + pool], key=lambda u: self._lengths[self._units[u]].max()):
                batches[placed * self._count // len(self._lengths)].extend(self._units[unit])
                placed += len(self._units[unit])
        return iter([batches[number] for number in generator.permutation(self._count)])


def macro_f1(predicted: IntArray, gold: IntArray) -> float:
    """Return the mean of the labels' F1 for `n` predicted and true positions in `LABELS`; 0 for a label unseen."""
    scores = []
    for label in range(len(LABELS)):
        hits = np.sum((predicted == label) & (gold == label))
        scores.append(2 * hits / max(np.sum(predicted == label) + np.sum(gold == label), 1))
    return float(np.mean(scores))
