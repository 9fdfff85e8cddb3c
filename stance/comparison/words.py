"""A paired test in words: which is better, by how much, how sure that is, and on what."""

import math
from typing import Final

from stance.comparison.paired import Metric
from stance.comparison.predictions import clean
from stance.comparison.systems import Comparison, Pair

SURE: Final = 0.05
"""An adjusted p-value below it is called a difference."""

NAMES: Final[dict[Metric, str]] = {
    "macro_f1": "macro-F1",
    "f_avg": "F1 of pro and anti",
    "accuracy": "accuracy",
}


def sentence(pair: Pair, comparison: Comparison) -> str:
    """Return what the paired bootstrap says of two systems."""
    found, metric = pair.difference, NAMES[comparison.metric]
    basis = f"{_count(comparison.n, 'statement')} of {_count(comparison.groups, 'group')}"
    if math.isnan(found.p):
        return f"Between {clean(pair.one)} and {clean(pair.other)} nothing can be tested on {basis}."
    better, worse, sign = (pair.one, pair.other, 1) if found.value >= 0 else (pair.other, pair.one, -1)
    low, high = sorted((sign * found.low, sign * found.high))
    interval = f"[{low:.3f}, {high:.3f}]".replace("-", "−")
    p = "p < 0.001" if pair.p_holm < 0.001 else f"p = {pair.p_holm:.3f}"
    after = f"{p} after Holm" if len(comparison.pairs) > 1 else p
    by = f"by {abs(found.value):.3f} {interval} {metric}, {after}, on {basis}"
    if pair.p_holm < SURE:
        return f"{clean(better)} is better than {clean(worse)} {by}."
    return f"Whether {clean(better)} is better than {clean(worse)} is not certain: it leads {by}."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
