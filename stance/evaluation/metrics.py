"""The scores of one set of predictions; numpy only and quick, because the intervals compute them a thousand times."""

from typing import Final

import numpy as np

from stance.evaluation.calibration import expected_calibration_error
from stance.evaluation.selective import aurc
from stance.schema import LABELS, FloatArray, IntArray

LOWER_IS_BETTER: Final = frozenset({"log_loss", "brier", "ece", "aurc"})
"""The metrics that measure a loss; of all others more is better."""

_ANTI, _PRO = LABELS.index("anti"), LABELS.index("pro")


def scores(gold: IntArray, probabilities: FloatArray) -> dict[str, float]:
    """Return every metric of `n` predictions, by name; the headline `macro_f1` comes first.

    - `macro_f1`: mean of the F1 of all `k` labels, always all of them: a label that is absent from gold and predictions
      counts as 0 (scikit-learn's `f1_score` with `labels=range(k)` and `zero_division=0`). Where gold lacks a label the
      most that can be reached is therefore (k - 1) / k.
    - `f1_anti`, `f1_neutral`, `f1_pro`: the F1 of each label.
    - `f_avg`: mean of the F1 of pro and anti (SemEval-2016 Task 6, https://aclanthology.org/S16-1003). Neutral counts
      only through the mistakes it causes.
    - `accuracy`: share of statements whose most probable label is the gold one.
    - `log_loss`: mean of -ln p(gold label), in nats; a probability of 0 counts as 2.2e-16, the step of a float at 1.
    - `brier`: mean of the squared distance between probabilities and the gold label's unit vector, from 0 to 2 (Brier
      1950, "Verification of forecasts expressed in terms of probability").
    - `ece`: `calibration.expected_calibration_error` with 15 bins.
    - `aurc`: `selective.aurc`.

    Args:
        gold: positions of the gold labels, shape (n,), n > 0.
        probabilities: shape (n, k), in the order of `LABELS`.
    """
    of_gold = probabilities[np.arange(gold.size), gold]
    # |p - e|^2 = |p|^2 - 2 p_gold + 1 spares the one-hot matrix.
    brier = (probabilities**2).sum(axis=1).mean() - 2 * of_gold.mean() + 1
    return {
        **label_scores(gold, probabilities.argmax(axis=1)),
        "log_loss": float(-np.log(np.maximum(of_gold, np.finfo(np.float64).eps)).mean()),
        "brier": float(brier),
        "ece": expected_calibration_error(gold, probabilities),
        "aurc": aurc(gold, probabilities),
    }


def label_scores(gold: IntArray, predicted: IntArray) -> dict[str, float]:
    """Return the scores of `n` predicted labels that need no probabilities: those from `macro_f1` to `accuracy`."""
    matrix = confusion(gold, predicted)
    hits = np.diagonal(matrix)
    # A label that is nowhere has no mentions: dividing its 0 hits by 1 makes its F1 the 0 that `scores` promises.
    f1 = 2 * hits / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1), 1)
    return {
        "macro_f1": float(f1.mean()),
        **{f"f1_{label}": float(value) for label, value in zip(LABELS, f1, strict=True)},
        "f_avg": float((f1[_ANTI] + f1[_PRO]) / 2),
        "accuracy": float(hits.sum() / gold.size),
    }


def confusion(gold: IntArray, predicted: IntArray) -> IntArray:
    """Return how often each gold label (row) met each predicted label (column), shape (k, k)."""
    k = len(LABELS)
    return np.bincount(gold * k + predicted, minlength=k * k).reshape(k, k).astype(np.int64)
