import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from stance.evaluation import confusion, scores
from stance.evaluation.metrics import label_scores
from stance.schema import LABELS, FloatArray, IntArray

INDICES = [0, 1, 2]


@st.composite
def predictions(draw: st.DrawFn) -> tuple[IntArray, FloatArray]:
    """Few statements, so that labels are often absent, and few distinct probabilities, so that ties are frequent."""
    rows = st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any)
    weights = np.array(draw(st.lists(rows, min_size=1, max_size=12)), dtype=np.float64)
    gold = draw(st.lists(st.integers(0, 2), min_size=len(weights), max_size=len(weights)))
    return np.array(gold), weights / weights.sum(axis=1, keepdims=True)


@given(predictions())
@settings(max_examples=60, deadline=None)
def test_scores_agree_with_scikit_learn(case: tuple[IntArray, FloatArray]) -> None:
    gold, probabilities = case
    predicted = probabilities.argmax(axis=1)
    f1 = oracle.f1_score(gold, predicted, labels=INDICES, average=None, zero_division=0)
    found = scores(gold, probabilities)
    expected = {
        "macro_f1": oracle.f1_score(gold, predicted, labels=INDICES, average="macro", zero_division=0),
        "f1_anti": f1[0],
        "f1_neutral": f1[1],
        "f1_pro": f1[2],
        "f_avg": (f1[0] + f1[2]) / 2,
        "accuracy": oracle.accuracy_score(gold, predicted),
        "log_loss": oracle.log_loss(gold, probabilities, labels=INDICES),
        "brier": oracle.brier_score_loss(gold, probabilities, labels=INDICES, scale_by_half=False),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert list(found) == [*expected, "ece", "aurc"]


@given(predictions())
@settings(max_examples=30, deadline=None)
def test_confusion_agrees_with_scikit_learn(case: tuple[IntArray, FloatArray]) -> None:
    gold, probabilities = case
    predicted = probabilities.argmax(axis=1)
    found = confusion(gold, predicted)
    np.testing.assert_array_equal(found, oracle.confusion_matrix(gold, predicted, labels=INDICES))
    assert found.dtype == np.int64


def test_a_label_absent_from_gold_and_predictions_counts_as_zero() -> None:
    assert label_scores(np.array([0, 1]), np.array([0, 1]))["macro_f1"] == pytest.approx(2 / 3)


def test_f_avg_leaves_neutral_out() -> None:
    found = label_scores(np.array([0, 2, 1, 1]), np.array([0, 2, 0, 2]))
    assert (found["f1_anti"], found["f1_neutral"], found["f1_pro"]) == pytest.approx((2 / 3, 0, 2 / 3))
    assert found["f_avg"] == pytest.approx(2 / 3)


def test_every_label_has_its_f1() -> None:
    assert {f"f1_{label}" for label in LABELS} <= set(label_scores(np.array([0]), np.array([0])))
