import json
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stance.errors import DataError
from stance.evaluation import Bin, Estimate, Majority, Point, bootstrap, evaluate, scores

GOLD = np.array([0, 1, 1, 2])
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
GROUPS = ["a", "a", "b", "b"]


def test_every_metric_comes_with_the_interval_of_the_bootstrap(simulate: Callable[..., Any]) -> None:
    gold, probabilities, groups = simulate(n=80)
    found = evaluate(gold, probabilities, groups, resamples=40, seed=5)
    estimates = scores(gold, probabilities)
    intervals = bootstrap(gold, probabilities, groups, scores, resamples=40, seed=5)
    assert list(found.metrics) == [*estimates, "coverage_at_accuracy_90", "accuracy_at_coverage_50"]
    for name, value in estimates.items():
        assert found.metrics[name] == Estimate(value, intervals[name].low, intervals[name].high)


def test_an_evaluation_counts_what_it_saw() -> None:
    found = evaluate(GOLD, PROBABILITIES, GROUPS, resamples=5)
    assert (found.n, found.groups, found.labels) == (4, 2, {"anti": 1, "neutral": 2, "pro": 1})
    assert found.confusion == ((1, 0, 0), (1, 1, 0), (0, 0, 1))
    assert len(found.reliability) == 15
    # 0.6 is the upper edge of the ninth of 15 bins.
    assert found.reliability[8] == Bin(8 / 15, 9 / 15, 2, 0.6, 0.5)
    assert found.risk_coverage[0] == Point(0.25, 0.0, 0.8)
    assert found.metrics["coverage_at_accuracy_90"].value == 0.5
    assert found.metrics["accuracy_at_coverage_50"].value == 1.0


def test_the_majority_label_is_the_one_of_the_training_data() -> None:
    found = evaluate(GOLD, PROBABILITIES, GROUPS, majority=2, resamples=0).majority
    f1 = 2 * 1 / (4 + 1)
    assert found == Majority("pro", "training", pytest.approx(f1 / 3), pytest.approx(f1 / 2), 0.25)


def test_without_training_data_the_majority_label_is_read_off_gold_and_says_so() -> None:
    found = evaluate(GOLD, PROBABILITIES, GROUPS, resamples=0).majority
    assert (found.label, found.most_frequent_in, found.f_avg, found.accuracy) == ("neutral", "gold", 0.0, 0.5)


def test_a_facet_is_broken_down_largest_value_first_and_none_last_among_equals() -> None:
    facets = {"theatre": [None, "x", "x", "a"]}
    found = evaluate(GOLD, PROBABILITIES, GROUPS, facets=facets, majority=1, resamples=5).facets["theatre"]
    assert [(part.value, part.n, part.groups) for part in found] == [("x", 2, 2), ("a", 1, 1), (None, 1, 1)]
    largest = found[0]
    assert largest.labels == {"anti": 0, "neutral": 2, "pro": 0}
    assert (largest.accuracy.value, largest.majority_accuracy) == (0.5, 1.0)
    assert found[1].majority_accuracy == 0.0
    assert largest.macro_f1.value == pytest.approx(2 / 3 / 3)


def test_a_slice_has_an_interval_from_thirty_statements_on(simulate: Callable[..., Any]) -> None:
    gold, probabilities, groups = simulate(n=59)
    facets = {"theatre": ["large"] * 30 + ["small"] * 29}
    large, small = evaluate(gold, probabilities, groups, facets=facets, resamples=20).facets["theatre"]
    assert large.accuracy.low < large.accuracy.high
    assert math.isnan(small.accuracy.low)
    assert math.isnan(small.macro_f1.high)


def test_the_dict_is_strict_json_with_null_for_what_cannot_be_given() -> None:
    found = evaluate(GOLD, PROBABILITIES, ["one"] * 4, facets={"theatre": ["x", None, "x", "x"]}).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["metrics"]["accuracy"] == {"value": 0.75, "low": None, "high": None}
    assert found["reliability"][0] == {"low": 0.0, "high": 1 / 15, "n": 0, "confidence": None, "accuracy": None}
    assert found["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert found["facets"]["theatre"][1]["value"] is None
    assert (found["resamples"], found["seed"]) == (1000, 0)


def test_the_flat_numbers_are_finite_and_prefixed() -> None:
    with_intervals = evaluate(GOLD, PROBABILITIES, GROUPS, resamples=5)
    found = with_intervals.flat("test_")
    assert found["test_macro_f1"] == with_intervals.metrics["macro_f1"].value
    assert found["test_macro_f1_low"] == with_intervals.metrics["macro_f1"].low
    assert found["test_macro_f1_high"] == with_intervals.metrics["macro_f1"].high
    assert found["test_majority_accuracy"] == 0.5
    assert (found["test_n"], found["test_groups"]) == (4.0, 2.0)
    without = evaluate(GOLD, PROBABILITIES, ["one"] * 4).flat()
    assert "macro_f1" in without
    assert not any(name.endswith(("_low", "_high")) for name in without)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"gold": np.empty(0, dtype=np.int64)},
            "evaluation: expected at least one statement, got none. Check the split or the file.",
        ),
        (
            {"gold": np.array([0, 1, 1, 3])},
            "evaluation: expected gold labels as whole numbers from 0 to 2, got int64 of shape (4,) from 0 to 3. "
            "Use stance.schema.label_indices.",
        ),
        (
            {"gold": np.array([0.0, 1.0, 1.0, 2.0])},
            "evaluation: expected gold labels as whole numbers from 0 to 2, got float64 of shape (4,) from 0.0 to 2.0. "
            "Use stance.schema.label_indices.",
        ),
        (
            {"probabilities": PROBABILITIES[:3]},
            "evaluation: expected probabilities of shape (4, 3), got (3, 3). "
            "Give each statement one row, in the order anti, neutral, pro.",
        ),
        (
            {"probabilities": np.array([[0.8, 0.1, 0.1], [np.nan, 0.7, 0.3], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])},
            "evaluation: expected probabilities from 0 to 1 that sum to 1, got [nan, 0.7, 0.3] in row 1. "
            "Apply a softmax to the logits first.",
        ),
        (
            {"probabilities": np.array([[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [2.0, -1.5, 0.5]])},
            "evaluation: expected probabilities from 0 to 1 that sum to 1, got [2.0, -1.5, 0.5] in row 3. "
            "Apply a softmax to the logits first.",
        ),
        (
            {"probabilities": PROBABILITIES / 2},
            "evaluation: expected probabilities from 0 to 1 that sum to 1, got [0.4, 0.05, 0.05] in row 0. "
            "Apply a softmax to the logits first.",
        ),
        ({"groups": ["a"]}, "evaluation: expected 4 groups, got 1. Give one for each statement."),
        (
            {"facets": {"theatre": ["x"] * 5}},
            "evaluation: expected 4 values of the facet 'theatre', got 5. Give one for each statement.",
        ),
        (
            {"majority": 3},
            "evaluation: expected a majority label from 0 to 2, got 3. Use stance.schema.label_indices.",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(change: dict[str, Any], message: str) -> None:
    asked = {"gold": GOLD, "probabilities": PROBABILITIES, "groups": GROUPS, **change}
    with pytest.raises(DataError) as refusal:
        evaluate(asked.pop("gold"), asked.pop("probabilities"), asked.pop("groups"), **asked)
    assert str(refusal.value) == message


def test_probabilities_rounded_to_four_decimals_are_accepted() -> None:
    thirds = np.full((4, 3), 0.3333)
    assert evaluate(GOLD, thirds, GROUPS, resamples=0).n == 4


def test_other_number_types_are_taken_as_they_are_meant() -> None:
    narrow = evaluate(GOLD.astype(np.int8), PROBABILITIES.astype(np.float32), GROUPS, resamples=5)
    wide = evaluate(GOLD, PROBABILITIES, GROUPS, resamples=5)
    assert narrow.metrics["macro_f1"] == wide.metrics["macro_f1"]
    assert narrow.metrics["log_loss"].value == pytest.approx(wide.metrics["log_loss"].value, rel=1e-6)


def test_the_stage_is_imported_without_scipy_matplotlib_or_sklearn() -> None:
    code = "import sys, stance.evaluation; print({'scipy', 'matplotlib', 'sklearn'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown == "set()\n"
