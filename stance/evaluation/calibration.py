"""Do the probabilities mean what they say? Temperature scaling and the reliability of the most probable label.

Sources: Guo et al. 2017, "On calibration of modern neural networks", https://arxiv.org/abs/1706.04599; Naeini et al.
2015, "Obtaining well calibrated probabilities using Bayesian binning".
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from stance.errors import DataError, problem
from stance.schema import FloatArray, IntArray

BINS: Final = 15
"""Bins of equal width, as in Guo et al. 2017."""

COOLEST, HOTTEST = 0.05, 20.0
"""Where a temperature is searched. Labels that the logits separate without a mistake pull it to 0, hence the limit."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions whose confidence lies in (low, high]; mean confidence and accuracy are NaN in an empty bin."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def fit_temperature(logits: FloatArray, gold: IntArray) -> float:
    """Return the temperature between 0.05 and 20 that, dividing the logits, makes the gold labels most likely.

    The log-likelihood is concave in 1 / T, so it has one peak over log T and a bounded scalar search finds it. Where no
    temperature changes anything (in every row all logits are equal) it is 1.

    Args:
        logits: scores before the softmax, shape (n, k).
        gold: positions of the gold labels, shape (n,).

    Raises:
        DataError: there is no example, the shapes do not fit, a logit is not finite or a gold label is out of range.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    _check_logits(logits, gold)
    if not np.ptp(logits, axis=1).any():
        return 1.0
    rows = np.arange(gold.size)
    leads = logits - logits[rows, gold][:, None]
    leads[rows, gold] = -np.inf

    def loss(log_temperature: float) -> float:
        # ln(1 + sum of exp(lead / T) over the other labels): the plain log-softmax would round to 0 where it is sure.
        return float(np.logaddexp(0, logsumexp(leads / math.exp(log_temperature), axis=1)).mean())

    limits = (math.log(COOLEST), math.log(HOTTEST))
    found = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))


def _check_logits(logits: FloatArray, gold: IntArray) -> None:
    where = "temperature"
    if gold.size == 0:
        raise DataError(problem(where, "at least one example", "none", "Give the model a validation split."))
    if logits.ndim != 2 or gold.shape != logits.shape[:1]:
        got = f"logits {logits.shape} and gold {gold.shape}"
        raise DataError(problem(where, "logits (n, k) and gold (n,)", got, "Give one row of logits per gold label."))
    if not np.isfinite(logits).all():
        rows = int((~np.isfinite(logits)).any(axis=1).sum())
        raise DataError(problem(where, "finite logits", f"{rows} rows that are not", "Check that training converged."))
    if gold.min() < 0 or gold.max() >= logits.shape[1]:
        got = f"{gold.min()} to {gold.max()}"
        raise DataError(problem(where, f"gold labels from 0 to {logits.shape[1] - 1}", got, "Check the labels."))


def expected_calibration_error(gold: IntArray, probabilities: FloatArray, bins: int = BINS) -> float:
    """Return the mean distance between accuracy and confidence over `bins` bins, weighted by their statements, 0 to 1.

    Confidence is the probability of the most probable label; bins are of equal width (Naeini et al. 2015; Guo et al.
    2017, equation 3). On few statements chance alone makes it larger than 0, and so does resampling once more.
    """
    bin_of, confidence, correct = _binned(gold, probabilities, bins)
    gaps = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / gold.size)


def reliability(gold: IntArray, probabilities: FloatArray, bins: int = BINS) -> list[Bin]:
    """Return all `bins` bins of the reliability diagram, lowest confidence first, empty ones included."""
    bin_of, confidence, correct = _binned(gold, probabilities, bins)
    counts = np.bincount(bin_of, minlength=bins)
    confidences = np.bincount(bin_of, weights=confidence, minlength=bins)
    corrects = np.bincount(bin_of, weights=correct, minlength=bins)
    return [
        Bin(
            low=index / bins,
            high=(index + 1) / bins,
            n=int(n),
            confidence=float(confidences[index] / n) if n else math.nan,
            accuracy=float(corrects[index] / n) if n else math.nan,
        )
        for index, n in enumerate(counts)
    ]


def _binned(gold: IntArray, probabilities: FloatArray, bins: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return per statement its bin, the probability of its most probable label and whether that is right (0 or 1)."""
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == gold).astype(np.float64)
    inner_edges = np.arange(1, bins) / bins
    return np.searchsorted(inner_edges, confidence, side="left").astype(np.int64), confidence, correct
