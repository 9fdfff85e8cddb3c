"""How far a score might lie elsewhere on other statements of the same kind: the cluster bootstrap.

Statements of one page or one speaker resemble each other, so whole groups are drawn, with replacement, and each brings
all its statements (Davison & Hinkley 1997, "Bootstrap methods and their application", section 3.8; Field & Welsh 2007,
"Bootstrapping clustered data", JRSS B 69:369). Drawing single statements would give intervals that are too narrow. With
few groups (below some 20) these are too narrow as well. The interval speaks of new groups, not of a new training run.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from stance.schema import FloatArray, IntArray

LEVEL: Final = 0.95
"""The share of resamples inside an interval."""

Statistic: TypeAlias = Callable[[IntArray, FloatArray], Mapping[str, float]]
"""Scores by name from gold labels (n,) and probabilities (n, k), such as `metrics.scores`."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval; both ends are NaN where none can be given."""

    low: float
    high: float


NO_INTERVAL: Final = Interval(math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score and its 95 % interval; both ends are NaN where none can be given."""

    value: float
    low: float = math.nan
    high: float = math.nan


def bootstrap(
    gold: IntArray,
    probabilities: FloatArray,
    groups: Sequence[str],
    statistic: Statistic,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return a 95 % percentile interval for each score that `statistic` names.

    A percentile interval need not hold the estimate: a score that resampling shifts, such as the expected calibration
    error, can lie outside. With a single group, or no resamples, nothing can be said and both ends are NaN.

    Args:
        gold: positions of the gold labels, shape (n,).
        probabilities: shape (n, k).
        groups: the group of each statement, n of them.
        statistic: scores by name; called once per resample.
        resamples: how many times the groups are drawn.
        seed: same seed and same groups, same draws; see `resampled_rows`.
    """
    if resamples == 0 or len(set(groups)) == 1:
        return dict.fromkeys(statistic(gold, probabilities), NO_INTERVAL)
    drawn = [statistic(gold[rows], probabilities[rows]) for rows in resampled_rows(groups, resamples, seed)]
    tail = (1 - LEVEL) / 2
    intervals = {}
    for name in drawn[0]:
        low, high = np.quantile([values[name] for values in drawn], [tail, 1 - tail])
        intervals[name] = Interval(float(low), float(high))
    return intervals


def resampled_rows(groups: Sequence[str], resamples: int, seed: int) -> Iterator[IntArray]:
    """Yield `resamples` times the rows of as many groups as there are, drawn with replacement, each group whole.

    Their number varies where groups differ in size. The draws depend on `groups` and `seed` alone, so that two models
    asked about the same statements can be compared pair by pair.
    """
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        times = np.bincount(generator.integers(names.size, size=names.size), minlength=names.size)
        yield np.repeat(np.arange(group_of.size), times[group_of])
