"""Runs become systems, and systems a comparison."""

import math
from collections.abc import Callable

import pytest

from stance.comparison import Read, compare
from stance.comparison.systems import group
from stance.errors import ConfigError

MakeRun = Callable[..., Read]
GOLD = "anpanpanp"


def test_runs_that_differ_in_nothing_but_the_seed_are_one_system_in_the_order_of_seeds(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, GOLD, "tfidf", seed, C="1") for seed in ("10", "2", "1")]
    (members,) = group([*runs]).values()
    assert [one.run.seed for one in members] == ["1", "2", "10"]


def test_other_settings_or_a_seed_twice_make_another_system_with_a_name_that_tells_them_apart(
    make_run: MakeRun,
) -> None:
    first = make_run(GOLD, GOLD, "tfidf", "0", C="1")
    settings = make_run(GOLD, GOLD, "tfidf", "1", C="2")
    again = make_run(GOLD, GOLD, "tfidf", "0", C="1")
    other = make_run(GOLD, GOLD, "majority", "0")
    assert list(group([first, settings, again, other])) == [
        "tfidf 00000001",
        "tfidf 00000002",
        "tfidf 00000003",
        "majority",
    ]


def test_a_foreign_run_that_is_called_like_another_system_hides_none(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, GOLD, name, C=c) for name, c in (("a", "1"), ("a", "2"), ("a 00000001", "1"))]
    assert list(group(runs)) == ["a 00000001", "a 00000002", f"a 00000001 {runs[2].run.id}"]


def test_a_system_has_the_mean_over_seeds_and_its_range(make_run: MakeRun) -> None:
    runs = [
        make_run(GOLD, predicted, "m", str(seed)) for seed, predicted in enumerate((GOLD, "anpanpaaa", "anpaaaaaa"))
    ]
    (system,) = compare(runs, "test", "accuracy", resamples=200).systems
    assert (system.seeds, system.lowest, system.highest) == (("0", "1", "2"), pytest.approx(5 / 9), 1.0)
    assert (system.mean, system.accuracy) == pytest.approx((21 / 27, 21 / 27))
    assert system.interval.low < system.mean < system.interval.high
    assert system.ece == pytest.approx((0 + 2 + 4) / 27)


def test_a_run_without_probabilities_has_no_calibration_error(make_run: MakeRun) -> None:
    (system,) = compare([make_run(GOLD, GOLD, probabilities=False)], "test", resamples=10).systems
    assert system.ece is None


def test_systems_are_ordered_by_score_and_paired_better_minus_worse(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, "a" * 9, "bad"), make_run(GOLD, GOLD, "good"), make_run(GOLD, "anpanpaaa", "fair")]
    found = compare(runs, "test", resamples=100)
    assert [system.name for system in found.systems] == ["good", "fair", "bad"]
    assert [(pair.one, pair.other) for pair in found.pairs] == [("good", "fair"), ("good", "bad"), ("fair", "bad")]
    assert all(pair.difference.value > 0 for pair in found.pairs)
    assert [(pair.won, pair.lost) for pair in found.pairs] == [(2, 0), (6, 0), (4, 0)]


def test_p_values_are_adjusted_for_the_pairs_that_are_tested(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, "a" * 9, "bad"), make_run(GOLD, GOLD, "good"), make_run(GOLD, "anpanpaaa", "fair")]
    every = compare(runs, "test", resamples=100)
    assert [pair.mcnemar for pair in every.pairs] == [0.5, 0.03125, 0.125]
    assert [pair.mcnemar_holm for pair in every.pairs] == [0.5, 0.09375, 0.25]
    against = compare(runs, "test", baseline="bad", resamples=100)
    assert [(pair.one, pair.other, pair.mcnemar_holm) for pair in against.pairs] == [
        ("good", "bad", 0.0625),
        ("fair", "bad", 0.125),
    ]


def test_an_unknown_baseline_is_refused_with_the_nearest_name(make_run: MakeRun) -> None:
    with pytest.raises(ConfigError) as caught:
        compare(
            [make_run(GOLD, GOLD, "tfidf"), make_run(GOLD, GOLD, "majority")], "test", baseline="tfdif", resamples=1
        )
    assert str(caught.value) == (
        "--baseline: expected one of majority, tfidf, got 'tfdif'. Change it. Did you mean 'tfidf'?"
    )


def test_changed_statements_come_lost_first_then_won_then_wrong_by_both(make_run: MakeRun) -> None:
    better = make_run("anpp", "anpa", "better", texts=["w", "x", "y", "z"])
    worse = make_run("anpp", "naan", "worse", texts=["w", "x", "y", "z"])
    lucky = make_run("anpp", "aaap", "lucky", texts=["w", "x", "y", "z"])
    pairs = {
        (pair.one, pair.other): pair.changed for pair in compare([better, worse, lucky], "test", resamples=1).pairs
    }
    changed = pairs["better", "lucky"]
    assert [(one.outcome, one.id, one.text, one.gold, one.one, one.other) for one in changed] == [
        ("lost", "s3", "z", "pro", "anti", "pro"),
        ("won", "s1", "x", "neutral", "neutral", "anti"),
        ("won", "s2", "y", "pro", "pro", "anti"),
    ]
    assert [(one.outcome, one.id) for one in pairs["better", "worse"]][-1] == ("wrong", "s3")


def test_settings_are_those_that_differ_without_the_sizes_of_the_data(make_run: MakeRun) -> None:
    common = {"data.path": "here", "model.C": "1"}
    one = make_run(GOLD, GOLD, "one", **common | {"model.kind": "tfidf", "data.n_test": "9"})
    two = make_run(GOLD, "a" * 9, "two", **{"data.path": "here", "model.kind": "majority", "data.n_test": "8"})
    assert compare([one, two], "test", resamples=1).settings == {
        "model.C": ("1", None),
        "model.kind": ("tfidf", "majority"),
    }


def test_a_single_group_gives_scores_without_intervals_or_bootstrap(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, labels, name, groups=["g"] * 9) for name, labels in (("one", GOLD), ("two", "a" * 9))]
    found = compare(runs, "test")
    assert math.isnan(found.systems[0].interval.low)
    assert math.isnan(found.pairs[0].p_holm)
    assert found.pairs[0].mcnemar_holm == 0.03125
