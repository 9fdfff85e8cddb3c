"""The statistics against other people's code, and by simulation."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from stance.comparison.paired import Difference, consensus, difference, holm, mcnemar, sampled
from stance.evaluation import resampled_rows
from stance.schema import IntArray


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_two_sided_binomial_test_of_the_discordant_pairs(won: int, lost: int) -> None:
    expected = binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 50), st.integers(1, 400), st.integers(0, 400), st.integers(0, 50))
def test_mcnemar_agrees_with_statsmodels(both: int, won: int, lost: int, neither: int) -> None:
    theirs = statsmodels_mcnemar([[both, won], [lost, neither]], exact=True).pvalue
    assert mcnemar(won, lost) == pytest.approx(min(1.0, theirs), rel=1e-9)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12)


def test_holm_does_not_count_tests_that_could_not_be_made() -> None:
    adjusted = holm([0.02, math.nan, 0.01])
    assert math.isnan(adjusted[1])
    assert [adjusted[0], adjusted[2]] == [0.02, 0.02]
    assert holm([]) == []


def _labels(seed: int, *shape: int) -> IntArray:
    return np.random.default_rng(seed).integers(3, size=shape)


def test_scores_are_means_over_seeds_of_what_scikit_learn_gives_on_the_shared_resamples() -> None:
    gold, predicted, groups = _labels(0, 60), _labels(1, 3, 60), [f"g{at // 4}" for at in range(60)]
    found = sampled(gold, predicted, groups, "macro_f1", resamples=20, seed=5)

    def score(rows: IntArray) -> float:
        options = {"average": "macro", "labels": [0, 1, 2], "zero_division": 0}
        return float(np.mean([f1_score(gold[rows], one[rows], **options) for one in predicted]))

    assert found.value == pytest.approx(score(np.arange(60)))
    np.testing.assert_allclose(found.drawn, [score(rows) for rows in resampled_rows(groups, 20, 5)])


def test_the_difference_is_that_of_the_scores_with_its_interval_and_p_by_definition() -> None:
    gold, groups = _labels(0, 90), [f"g{at // 3}" for at in range(90)]
    good = np.where(np.arange(90) % 3 == 0, _labels(1, 90), gold)
    bad = np.where(np.arange(90) % 3 == 1, gold, _labels(2, 90))
    one, other = (sampled(gold, each[None], groups, "accuracy", resamples=500) for each in (good, bad))
    found = difference(one, other)
    drawn = np.array([(good[r] == gold[r]).mean() - (bad[r] == gold[r]).mean() for r in resampled_rows(groups, 500, 0)])
    observed = (good == gold).mean() - (bad == gold).mean()
    assert found.value == pytest.approx(observed)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    assert found.p == (1 + (np.abs(drawn - observed) >= observed - 1e-9).sum()) / 501


def test_the_difference_the_other_way_round_is_its_mirror_image() -> None:
    gold, groups = _labels(0, 80), [f"g{at // 2}" for at in range(80)]
    one, other = (sampled(gold, _labels(seed, 1, 80), groups, "f_avg", resamples=200) for seed in (1, 2))
    there, back = difference(one, other), difference(other, one)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.p == back.p


def test_a_run_does_not_differ_from_itself() -> None:
    gold, predicted, groups = _labels(0, 30), _labels(1, 1, 30), [f"g{at}" for at in range(30)]
    one = sampled(gold, predicted, groups, "macro_f1", resamples=50)
    assert difference(one, one) == Difference(0.0, 0.0, 0.0, 1.0)


def test_of_a_single_group_nothing_can_be_said() -> None:
    gold = _labels(0, 30)
    one, other = (sampled(gold, _labels(seed, 1, 30), ["page"] * 30, "accuracy") for seed in (1, 2))
    found = difference(one, other)
    assert found.value == one.value - other.value
    assert all(math.isnan(value) for value in (found.low, found.high, found.p, one.interval.low))


def test_the_consensus_is_the_commonest_label_and_in_a_tie_that_of_the_earliest_seed() -> None:
    by_statement = [(0, 1, 1), (2, 2, 0), (2, 1, 0), (1, 0, 2)]
    assert consensus(np.array(by_statement).T).tolist() == [1, 2, 2, 1]
    assert consensus(np.array([[0, 2], [1, 2], [2, 0], [1, 0], [2, 1]])).tolist() == [1, 2]


Simulated = Callable[[int, float], Difference]


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    """Two runs on 60 groups of 1 to 5 statements whose outcomes hang together within a group."""

    def simulate(seed: int, gain: float) -> Difference:
        generator = np.random.default_rng(seed)
        group_of = np.repeat(np.arange(60), generator.integers(1, 6, size=60))
        gold = generator.integers(3, size=group_of.size)
        predicted = []
        for accuracy in (0.6 + gain, 0.6):
            # With the beta law's parameters adding up to 4 the correlation within a group is 1 / 5.
            chance = generator.beta(4 * accuracy, 4 * (1 - accuracy), size=60)[group_of]
            wrong = (gold + generator.integers(1, 3, size=gold.size)) % 3
            predicted.append(np.where(generator.random(gold.size) < chance, gold, wrong))
        groups = group_of.astype(str).tolist()
        one, other = (sampled(gold, each[None], groups, "accuracy", 200, seed) for each in predicted)
        return difference(one, other)

    return simulate


def test_the_interval_covers_the_true_difference_as_often_as_it_says(simulated: Simulated) -> None:
    found = [simulated(seed, 0.1) for seed in range(250)]
    covered = np.mean([one.low <= 0.1 <= one.high for one in found])
    # 0.95 +- 3 standard errors of 250 draws, and the percentile interval is known to be a little narrow.
    assert 0.90 <= covered <= 0.99


def test_the_p_value_is_as_small_as_it_says_when_nothing_differs(simulated: Simulated) -> None:
    p_values = np.array([simulated(seed, 0.0).p for seed in range(1000, 1250)])
    for level, most in ((0.05, 0.10), (0.2, 0.28), (0.5, 0.6)):
        assert level / 3 <= (p_values <= level).mean() <= most
