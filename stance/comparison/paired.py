"""Is one run better than another on the same statements, and how sure is that?

All runs are scored on the same resamples (`evaluation.resampled_rows`), so that a difference is taken resample by
resample. Sources: Efron & Tibshirani 1993, "An introduction to the bootstrap", chapters 13 (percentile interval) and
16 (tests); Berg-Kirkpatrick, Burkett & Klein 2012, "An empirical investigation of statistical significance in NLP",
https://aclanthology.org/D12-1091; McNemar 1947, Psychometrika 12:153; Holm 1979, "A simple sequentially rejective
multiple test procedure", Scandinavian Journal of Statistics 6:65.

What is tested are the trained models, not the recipes: with the seeds averaged, seeds are taken as given.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from stance.evaluation import Interval, resampled_rows
from stance.evaluation.intervals import LEVEL, NO_INTERVAL
from stance.evaluation.metrics import label_scores
from stance.schema import LABELS, FloatArray, IntArray

Metric: TypeAlias = Literal["macro_f1", "f_avg", "accuracy"]
METRICS: Final[tuple[Metric, ...]] = ("macro_f1", "f_avg", "accuracy")

RESAMPLES: Final = 2000
"""The least p-value that can come out is 1 / 2001, and one near 0.05 is known to within 0.01 (two standard errors)."""

_SAME: Final = 1e-12
"""Two differences of scores closer than this are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A score, mean over the seeds of a run: `value` on all statements, `drawn` on each resample, shape (resamples,).

    `drawn` is empty where there is a single group, of which nothing can be drawn.
    """

    value: float
    drawn: FloatArray

    @property
    def interval(self) -> Interval:
        """The 95 % percentile interval; both ends are NaN where there are no resamples."""
        return _percentile(self.drawn)


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two scores, its 95 % percentile interval and the two-sided p-value of no difference."""

    value: float
    low: float
    high: float
    p: float


def sampled(
    gold: IntArray,
    predicted: IntArray,
    groups: Sequence[str],
    metric: Metric,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Sampled:
    """Return the mean score of `s` sets of predicted labels on `n` statements, and on resamples of their groups.

    Equal `groups`, `resamples` and `seed` give equal resamples: only such results may be subtracted.

    Args:
        gold: positions of the gold labels, shape (n,).
        predicted: positions of the predicted labels, one row a seed, shape (s, n).
        groups: the group of each statement, n of them.
        metric: a score of `evaluation.metrics.label_scores`.
        resamples: how many times the groups are drawn.
        seed: of the draws.
    """

    def score(rows: IntArray) -> float:
        return float(np.mean([label_scores(gold[rows], one[rows])[metric] for one in predicted]))

    draws = resampled_rows(groups, resamples, seed) if len(set(groups)) > 1 else ()
    return Sampled(score(np.arange(gold.size)), np.array([score(rows) for rows in draws], dtype=np.float64))


def difference(one: Sampled, other: Sampled) -> Difference:
    """Return `one` minus `other`.

    The p-value is the share of resamples whose difference lies at least as far from the observed one as that lies from
    0: the resampled differences, moved so that their centre is no difference, are the null distribution (Efron &
    Tibshirani, section 16.4; Berg-Kirkpatrick et al., figure 1, there one-sided). The observed one counts as a further
    resample, so that p is never 0 (Davison & Hinkley 1997, equation 4.11). It is NaN where there are no resamples.
    """
    value, drawn = one.value - other.value, one.drawn - other.drawn
    interval = _percentile(drawn)
    if not drawn.size:
        return Difference(value, interval.low, interval.high, math.nan)
    as_far = int((np.abs(drawn - value) >= abs(value) - _SAME).sum())
    return Difference(value, interval.low, interval.high, (1 + as_far) / (1 + drawn.size))


def mcnemar(won: int, lost: int) -> float:
    """Return the two-sided exact p-value of McNemar's test: statements that only one of two runs has right are coins.

    It takes statements as independent, so that with large groups it is too sure; the bootstrap is not.

    Args:
        won: statements that only the first run has right.
        lost: statements that only the second run has right.
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values, adjusted by Holm for there being so many, in the given order; NaN stays NaN, uncounted."""
    tests = sorted((p, at) for at, p in enumerate(p_values) if not math.isnan(p))
    adjusted, highest = [math.nan] * len(p_values), 0.0
    for rank, (p, at) in enumerate(tests):
        highest = max(highest, min(1.0, (len(tests) - rank) * p))
        adjusted[at] = highest
    return adjusted


def consensus(predicted: IntArray) -> IntArray:
    """Return the label that most seeds predict for each statement; of labels tied, the one that the earliest seed has.

    Args:
        predicted: positions of the predicted labels, one row a seed, shape (s, n).

    Returns:
        Positions of labels, shape (n,).
    """
    votes = np.zeros((predicted.shape[1], len(LABELS)))
    for rank, one in enumerate(predicted):
        # The extras sum to less than 1/2: they order ties and overrule no majority.
        votes[np.arange(one.size), one] += 1 + 0.25 * 0.5**rank
    labels: IntArray = votes.argmax(axis=1).astype(np.int64)
    return labels


def _percentile(drawn: FloatArray) -> Interval:
    if not drawn.size:
        return NO_INTERVAL
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high))
