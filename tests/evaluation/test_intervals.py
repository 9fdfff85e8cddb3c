from collections.abc import Callable
from math import isnan
from typing import Any

import numpy as np
import pytest

from stance.evaluation import bootstrap, resampled_rows, scores
from stance.schema import FloatArray, IntArray


def accuracy(gold: IntArray, probabilities: FloatArray) -> dict[str, float]:
    return {"accuracy": float((probabilities.argmax(axis=1) == gold).mean())}


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others(simulate: Callable[..., Any]) -> None:
    case = simulate()
    first = bootstrap(*case, scores, resamples=50, seed=3)
    assert bootstrap(*case, scores, resamples=50, seed=3) == first
    assert bootstrap(*case, scores, resamples=50, seed=4) != first


def test_the_global_generator_is_left_alone(simulate: Callable[..., Any]) -> None:
    before = np.random.get_state()[1].copy()
    bootstrap(*simulate(), accuracy, resamples=5, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_groups_are_drawn_whole_and_as_many_as_there_are() -> None:
    groups = ["a", "b", "b", "c", "a", "a"]
    members = {"a": {0, 4, 5}, "b": {1, 2}, "c": {3}}
    draws = list(resampled_rows(groups, resamples=40, seed=0))
    assert len(draws) == 40
    for rows in draws:
        times = {name: {int((rows == row).sum()) for row in inside} for name, inside in members.items()}
        assert all(len(counts) == 1 for counts in times.values())
        assert sum(counts.pop() for counts in times.values()) == len(members)
    assert len({len(rows) for rows in draws}) > 1


def test_the_draws_do_not_depend_on_the_predictions(simulate: Callable[..., Any]) -> None:
    groups = simulate().groups
    pairs = zip(resampled_rows(groups, 3, seed=1), resampled_rows(groups, 3, seed=1), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_an_interval_holds_the_estimate(simulate: Callable[..., Any]) -> None:
    gold, probabilities, groups = simulate()
    intervals = bootstrap(gold, probabilities, groups, scores, resamples=200, seed=0)
    estimates = scores(gold, probabilities)
    assert list(intervals) == list(estimates)
    for name in ("macro_f1", "f_avg", "accuracy", "log_loss", "brier", "aurc"):
        assert intervals[name].low < estimates[name] < intervals[name].high, name


def test_an_interval_is_the_binomial_one_where_every_statement_is_its_own_group() -> None:
    gold = np.zeros(400, dtype=np.int64)
    probabilities = np.eye(3)[np.repeat([0, 1], [300, 100])]
    found = bootstrap(gold, probabilities, [str(row) for row in range(400)], accuracy, resamples=2000, seed=0)
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.006)


def test_groups_that_stand_or_fall_together_widen_the_interval() -> None:
    right = np.repeat(np.arange(40) % 2, 10)
    gold, probabilities = np.zeros(400, dtype=np.int64), np.eye(3)[right]
    widths = {}
    for name, groups in {"alone": np.arange(400), "together": np.arange(400) // 10}.items():
        found = bootstrap(gold, probabilities, [str(group) for group in groups], accuracy, resamples=300, seed=0)
        widths[name] = found["accuracy"].high - found["accuracy"].low
    # Ten copies of one coin: the standard error grows by the root of ten.
    assert widths["together"] / widths["alone"] == pytest.approx(10**0.5, rel=0.15)


@pytest.mark.parametrize(("groups", "resamples"), [(["one"] * 200, 20), (["one", "two"] * 100, 0)])
def test_without_a_second_group_or_resamples_there_is_no_interval(
    simulate: Callable[..., Any], groups: list[str], resamples: int
) -> None:
    gold, probabilities, _ = simulate(n=200)
    found = bootstrap(gold, probabilities, groups, accuracy, resamples=resamples, seed=0)
    assert list(found) == ["accuracy"]
    assert isnan(found["accuracy"].low)
    assert isnan(found["accuracy"].high)
