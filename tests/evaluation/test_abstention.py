import math

import numpy as np
import pytest

from stance.evaluation import Estimate, decided, decided_table
from stance.evaluation.abstention import Decided

# Confidence 0.8 right, 0.7 wrong, 0.6 right, 0.5 wrong; gold anti, neutral, pro, pro.
GOLD = np.array([0, 1, 2, 2])
SURE = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.5, 0.2, 0.3]])
GROUPS = ["a", "b", "c", "c"]


def test_what_is_decided_is_what_a_hand_computes() -> None:
    found = decided(GOLD, SURE, GROUPS, 0.6)
    assert (found.n, found.coverage) == (3, 0.75)
    assert found.accuracy.value == pytest.approx(2 / 3)
    # F1 of anti is 2/3, of neutral 0, of pro 1.
    assert found.macro_f1.value == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high


def test_a_low_threshold_decides_everything_and_a_high_one_nothing() -> None:
    everything, nothing = decided(GOLD, SURE, GROUPS, 0.0), decided(GOLD, SURE, GROUPS, 0.81)
    assert (everything.n, everything.coverage, everything.accuracy.value) == (4, 1.0, 0.5)
    assert (nothing.n, nothing.coverage) == (0, 0.0)
    assert math.isnan(nothing.accuracy.value)
    assert nothing.as_dict()["macro_f1"] == {"value": None, "low": None, "high": None}


def test_a_single_group_gets_no_interval() -> None:
    assert math.isnan(decided(GOLD, SURE, GROUPS, 0.75).accuracy.low)


def test_the_table_has_a_line_for_each() -> None:
    found = {
        "test": Decided(0.6, 1234, 0.75, Estimate(0.9, 0.8, 1.0), Estimate(0.5)),
        "other": Decided(0.6, 0, 0.0, Estimate(math.nan), Estimate(math.nan)),
    }
    assert decided_table(found) == (
        "statements of a confidence of 0.6 or more\n"
        "       decided  share  accuracy            macro_f1\n"
        "test     1,234  0.750  0.900 [0.80, 1.00]  0.500\n"
        "other        0  0.000  -                   -\n"
    )
