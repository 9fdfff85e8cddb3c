import math

import numpy as np
import pytest

from stance.errors import DataError
from stance.evaluation import Bin, expected_calibration_error, fit_temperature, reliability

GOLD = np.array([0, 0, 1, 2])
# Confidences 0.5, 0.6, 0.6 and 1.0; right, wrong, right and wrong.
PROBABILITIES = np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.2, 0.6, 0.2], [1.0, 0.0, 0.0]])


def test_the_calibration_error_is_what_a_hand_computes() -> None:
    # Bins of 0.2: (0.4, 0.6] holds three, 2 right of an expected 1.7; (0.8, 1] holds one, 0 right of an expected 1.
    assert expected_calibration_error(GOLD, PROBABILITIES, bins=5) == pytest.approx((0.3 + 1.0) / 4)


def test_gaps_of_opposite_sign_in_different_bins_do_not_cancel() -> None:
    gold = np.array([0, 1])
    probabilities = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    assert expected_calibration_error(gold, probabilities) == pytest.approx(0.75)


def test_a_model_that_is_sure_and_right_is_calibrated() -> None:
    assert expected_calibration_error(GOLD, np.eye(3)[GOLD]) == 0


def test_reliability_shows_every_bin_with_its_upper_edge_included() -> None:
    found = reliability(GOLD, PROBABILITIES, bins=5)
    assert [(part.low, part.high, part.n) for part in found] == [
        (0.0, 0.2, 0),
        (0.2, 0.4, 0),
        (0.4, 0.6, 3),
        (0.6, 0.8, 0),
        (0.8, 1.0, 1),
    ]
    assert found[2].confidence == pytest.approx(1.7 / 3)
    assert found[2].accuracy == pytest.approx(2 / 3)
    assert found[4] == Bin(0.8, 1.0, 1, 1.0, 0.0)
    assert math.isnan(found[0].confidence)
    assert math.isnan(found[0].accuracy)


def test_the_bins_give_the_calibration_error() -> None:
    parts = [part for part in reliability(GOLD, PROBABILITIES) if part.n]
    error = sum(part.n * abs(part.accuracy - part.confidence) for part in parts) / GOLD.size
    assert expected_calibration_error(GOLD, PROBABILITIES) == pytest.approx(error)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_spoilt_the_logits_is_found(temperature: float) -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(scale=2, size=(20_000, 3))
    # The largest of logits plus Gumbel noise is a draw from their softmax.
    gold = (true + generator.gumbel(size=true.shape)).argmax(axis=1)
    assert fit_temperature(true * temperature, gold) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_stays_within_its_limits() -> None:
    gold = np.array([0, 1, 2])
    assert fit_temperature(np.eye(3) * 5, gold) == pytest.approx(0.05, rel=1e-3)
    assert fit_temperature(np.eye(3) * -5, gold) == pytest.approx(20, rel=1e-3)


def test_logits_that_no_temperature_changes_give_one() -> None:
    assert fit_temperature(np.full((4, 3), 7.0), GOLD) == 1.0


@pytest.mark.parametrize(
    ("logits", "gold", "message"),
    [
        (
            np.empty((0, 3)),
            np.empty(0, dtype=np.int64),
            "temperature: expected at least one example, got none. Give the model a validation split.",
        ),
        (
            np.zeros((2, 3)),
            np.array([0]),
            "temperature: expected logits (n, k) and gold (n,), got logits (2, 3) and gold (1,). "
            "Give one row of logits per gold label.",
        ),
        (
            np.array([[0.0, np.nan, 0.0], [0.0, 1.0, 0.0]]),
            np.array([0, 1]),
            "temperature: expected finite logits, got 1 rows that are not. Check that training converged.",
        ),
        (
            np.zeros((1, 3)),
            np.array([3]),
            "temperature: expected gold labels from 0 to 2, got 3 to 3. Check the labels.",
        ),
    ],
)
def test_unusable_logits_are_refused(logits: np.ndarray, gold: np.ndarray, message: str) -> None:
    with pytest.raises(DataError) as refusal:
        fit_temperature(logits, gold)
    assert str(refusal.value) == message
