"""What a model is worth when it may decline to decide: the most confident statements are decided first.

Confidence is the probability of the most probable label. Statements of equal confidence form a block that no threshold
can part; inside a block the curve is the mean over all orders of its statements, so that neither the order of the file
nor luck decides, and a model of constant confidence has a flat curve.

Sources: Geifman & El-Yaniv 2017, "Selective classification for deep neural networks", https://arxiv.org/abs/1705.08500;
Geifman, Uziel & El-Yaniv 2019, "Bias-reduced uncertainty estimation", https://arxiv.org/abs/1805.08206 (AURC).
"""

import math
from dataclasses import dataclass

import numpy as np

from stance.schema import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Point:
    """The share `coverage` of the statements, those of confidence `threshold` or more, has the error rate `risk`."""

    coverage: float
    risk: float
    threshold: float


def risk_coverage(gold: IntArray, probabilities: FloatArray, points: int = 200) -> list[Point]:
    """Return the curve by rising coverage: a point per statement or, if those are too many, `points` spaced evenly."""
    risks = _risks(gold, probabilities)
    confidence = -np.sort(-probabilities.max(axis=1))
    shown = np.unique(np.ceil(np.linspace(0, gold.size, min(points, gold.size) + 1)[1:]).astype(np.int64))
    return [Point(float(i / gold.size), float(risks[i - 1]), float(confidence[i - 1])) for i in shown]


def aurc(gold: IntArray, probabilities: FloatArray) -> float:
    """Return the area under the risk-coverage curve: the mean risk over the coverages 1/n, 2/n .. 1, from 0 to 1."""
    return float(_risks(gold, probabilities).mean())


def coverage_at_accuracy(gold: IntArray, probabilities: FloatArray, accuracy: float) -> float:
    """Return the largest share of statements that a confidence threshold decides with at least `accuracy`, 0 if none.

    The threshold is the best one for these very statements: what the ranking allows, not a promise for others.
    """
    errors, size = _blocks(gold, probabilities)
    decided = np.cumsum(size)
    enough = (decided - np.cumsum(errors)) / decided >= accuracy
    return float(decided[enough].max(initial=0) / gold.size)


def accuracy_at_coverage(gold: IntArray, probabilities: FloatArray, coverage: float) -> float:
    """Return the accuracy on the most confident share `coverage` of the statements, rounded up to a whole statement."""
    # Without the allowance 0.07 of 100 statements would be 8: the product is a hair above 7 in floating point.
    decided = max(1, math.ceil(coverage * gold.size - 1e-9))
    return float(1 - _risks(gold, probabilities)[decided - 1])


def _risks(gold: IntArray, probabilities: FloatArray) -> FloatArray:
    """Return the expected error rate of the 1, 2 .. n most confident statements, shape (n,)."""
    errors, size = _blocks(gold, probabilities)
    expected = np.repeat(errors / size, size)
    return np.asarray(np.cumsum(expected) / np.arange(1, gold.size + 1), dtype=np.float64)


def _blocks(gold: IntArray, probabilities: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the errors and the statements of each block of equal confidence, most confident first."""
    wrong = (probabilities.argmax(axis=1) != gold).astype(np.float64)
    _, block, size = np.unique(-probabilities.max(axis=1), return_inverse=True, return_counts=True)
    return np.bincount(block, weights=wrong).astype(np.float64), size.astype(np.int64)
