from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stance.errors import DataError
from stance.evaluation import evaluate, table

GOLD = np.array([0, 1, 1, 2])
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])


def test_a_small_table_reads_as_a_whole() -> None:
    seen = evaluate(
        GOLD, PROBABILITIES, ["a", "b", "c", "d"], facets={"theatre": ["x", "x", None, "x"]}, majority=1, resamples=100
    )
    unseen = evaluate(GOLD[:2], PROBABILITIES[:2], ["a", "a"])
    assert table({"test": seen, "test_unseen": unseen}) == EXPECTED


def test_no_resamples_are_named_as_the_reason_for_no_intervals() -> None:
    found = evaluate(GOLD, PROBABILITIES, ["a", "b", "c", "d"], majority=1, resamples=0)
    assert "test: no intervals, since none were asked for (0 resamples).\n" in table({"test": found})


def test_many_evaluations_and_long_values_stay_within_a_hundred_columns(simulate: Callable[..., Any]) -> None:
    gold, probabilities, groups = simulate(n=120)
    facets = {"theatre": ["a theatre whose name goes on and on, far beyond what any terminal would show at once"] * 120}
    found = evaluate(gold, probabilities, groups, facets=facets, resamples=20)
    text = table({f"evaluation_{number}": found for number in range(7)})
    assert max(map(len, text.splitlines())) <= 100
    assert sum(line.startswith("macro_f1 ") for line in text.splitlines()) > 1
    assert text.count("evaluation_6 ") == 1
    assert "\x1b" not in text
    assert text.isascii()


def test_a_table_of_nothing_is_refused() -> None:
    with pytest.raises(DataError) as refusal:
        table({})
    assert str(refusal.value) == "table: expected at least one evaluation, got none. Evaluate a split first."


EXPECTED = """\
                         test                   test_unseen
statements               4                      2
groups                   4                      1
gold anti                1 (25%)                1 (50%)
gold neutral             2 (50%)                1 (50%)
gold pro                 1 (25%)                0 (0%)
majority label           neutral (in training)  anti (in gold)
macro_f1                 0.778 [0.18, 1.00]     0.667
  majority               0.222                  0.222
f1_anti                  0.667 [0.00, 1.00]     1.000
f1_neutral               0.667 [0.00, 1.00]     1.000
f1_pro                   1.000 [0.00, 1.00]     0.000
f_avg                    0.833 [0.00, 1.00]     0.500
  majority               0.000                  0.333
accuracy                 0.750 [0.25, 1.00]     1.000
  majority               0.500                  0.500
log_loss                 0.574 [0.27, 1.03]     0.290
brier                    0.325 [0.09, 0.70]     0.100
ece                      0.175 [0.10, 0.48]     0.250
aurc                     0.104 [0.00, 0.75]     0.000
coverage_at_accuracy_90  0.500 [0.00, 1.00]     1.000
accuracy_at_coverage_50  1.000 [0.25, 1.00]     1.000

Lower is better: log_loss, brier, ece, aurc. macro_f1 is over all labels, f_avg over anti and pro.
Resampling shifts ece upwards: its interval can lie above the estimate.
test: 95% intervals, percentile bootstrap over 4 groups, 100 resamples, seed 0.
test_unseen: no intervals, since all statements are of one group.
test_unseen: the majority label was read off the gold labels; the training data's was not given.

test: gold labels in rows, predicted labels in columns
gold       anti  neutral   pro  recall
anti          1        0     0    1.00
neutral       1        1     0    0.50
pro           0        0     1    1.00
precision  0.50     1.00  1.00

test by theatre
theatre  n  anti/neutral/pro  macro_f1  accuracy  majority
x        3             1/1/1  1.000     1.000     0.333
(none)   1             0/1/0  0.000 *   0.000     1.000
* A label is missing from gold, so that macro_f1 cannot reach 1.

test_unseen: gold labels in rows, predicted labels in columns
gold       anti  neutral  pro  recall
anti          1        0    0    1.00
neutral       0        1    0    1.00
pro           0        0    0       -
precision  1.00     1.00    -
"""


def test_without_breakdown_the_table_ends_with_its_notes() -> None:
    found = evaluate(GOLD, PROBABILITIES, ["a", "b", "c", "d"], resamples=0)
    assert table({"test": found}).startswith(table({"test": found}, breakdown=False).rstrip("\n"))
    assert "in rows" not in table({"test": found}, breakdown=False)
