"""What a model is worth at a threshold: how many statements it decides, and how well.

`selective` shows the whole curve; this is the point on it that `stance predict --min-confidence` will work at.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stance.evaluation.intervals import Estimate, bootstrap
from stance.evaluation.metrics import label_scores
from stance.schema import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Decided:
    """The scores of the `n` statements, a share `coverage` of all, of confidence `threshold` or more; NaN if none."""

    threshold: float
    n: int
    coverage: float
    accuracy: Estimate
    macro_f1: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Return everything as nested dicts ready for JSON; what cannot be given (NaN) is None."""
        estimates = {
            name: {key: None if math.isnan(value) else value for key, value in asdict(estimate).items()}
            for name, estimate in (("accuracy", self.accuracy), ("macro_f1", self.macro_f1))
        }
        return {"threshold": self.threshold, "n": self.n, "coverage": self.coverage} | estimates


def decided(
    gold: IntArray,
    probabilities: FloatArray,
    groups: Sequence[str],
    threshold: float,
    resamples: int = 1000,
    seed: int = 0,
) -> Decided:
    """Return the scores of those of `n` statements whose largest probability is `threshold` or more.

    The intervals are those of `intervals.bootstrap` over the groups of the decided statements.
    """
    rows = (probabilities.max(axis=1) >= threshold).nonzero()[0]
    if not rows.size:
        nothing = Estimate(math.nan)
        return Decided(threshold, 0, 0.0, nothing, nothing)
    inside = [groups[row] for row in rows]

    def statistic(gold: IntArray, probabilities: FloatArray) -> dict[str, float]:
        return label_scores(gold, probabilities.argmax(axis=1))

    values = statistic(gold[rows], probabilities[rows])
    intervals = bootstrap(gold[rows], probabilities[rows], inside, statistic, resamples, seed)
    accuracy, macro_f1 = (
        Estimate(values[name], intervals[name].low, intervals[name].high) for name in ("accuracy", "macro_f1")
    )
    return Decided(threshold, rows.size, rows.size / gold.size, accuracy, macro_f1)
