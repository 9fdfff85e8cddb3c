"""Do 95 % intervals hold the truth 95 times in 100? By simulation, on groups whose statements hang together.

A larger one with more shapes of data is `experiments/coverage/`.
"""

import numpy as np
import pytest

from stance.evaluation import bootstrap
from stance.evaluation.metrics import label_scores
from stance.schema import FloatArray, IntArray

GROUPS, REPEATS, RESAMPLES = 100, 200, 200


def _draw(generator: np.random.Generator, groups: int) -> tuple[IntArray, FloatArray, list[str]]:
    """Draw groups of 1 to 5 statements of mostly one label, right together or wrong together, as one-hot answers."""
    group_of = np.repeat(np.arange(groups), generator.integers(1, 6, size=groups))
    usual = generator.choice(3, p=[0.35, 0.4, 0.25], size=groups)[group_of]
    gold = np.where(generator.random(group_of.size) < 0.6, usual, generator.integers(3, size=group_of.size))
    # With the beta law's parameters adding up to 1 the correlation within a group is 1 / 2.
    chance = generator.beta(0.65, 0.35, size=groups)[group_of]
    right = generator.random(group_of.size) < chance
    answer = np.where(right, gold, (gold + generator.integers(1, 3, size=gold.size)) % 3)
    return gold.astype(np.int64), np.eye(3)[answer], group_of.astype(str).tolist()


def _scores(gold: IntArray, probabilities: FloatArray) -> dict[str, float]:
    found = label_scores(gold, probabilities.argmax(axis=1))
    return {name: found[name] for name in ("accuracy", "macro_f1")}


@pytest.fixture(scope="module")
def covered() -> dict[str, dict[str, float]]:
    """How often intervals hold the truth, by metric, if groups are drawn and if single statements are."""
    generator = np.random.default_rng(0)
    # The truth is the score on very many groups: its standard error is below 0.001.
    truth = _scores(*_draw(generator, 100_000)[:2])
    hits: dict[str, dict[str, list[bool]]] = {way: {name: [] for name in truth} for way in ("groups", "statements")}
    for repeat in range(REPEATS):
        gold, probabilities, groups = _draw(generator, GROUPS)
        for way, units in (("groups", groups), ("statements", [str(at) for at in range(gold.size)])):
            for name, one in bootstrap(gold, probabilities, units, _scores, RESAMPLES, repeat).items():
                hits[way][name].append(one.low <= truth[name] <= one.high)
    return {way: {name: float(np.mean(all_)) for name, all_ in of_way.items()} for way, of_way in hits.items()}


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_intervals_over_groups_hold_the_truth_as_often_as_they_say(
    covered: dict[str, dict[str, float]], metric: str
) -> None:
    # 0.95 +- 3 standard errors of 200 draws (0.046); the percentile interval is known to be a little narrow.
    assert 0.89 <= covered["groups"][metric] <= 0.99


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_intervals_that_forget_the_groups_hold_it_less_often(covered: dict[str, dict[str, float]], metric: str) -> None:
    assert covered["statements"][metric] < covered["groups"][metric] - 0.02
