import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.evaluation import Point, accuracy_at_coverage, aurc, coverage_at_accuracy, risk_coverage
from stance.schema import FloatArray, IntArray


def predictions(confidences: list[float], right: list[bool]) -> tuple[IntArray, FloatArray]:
    """Predictions of anti with the given confidences, right or wrong as given."""
    probabilities = np.array([[each, (1 - each) / 2, (1 - each) / 2] for each in confidences])
    return np.where(right, 0, 1), probabilities


FOUR = predictions([0.6, 0.9, 0.7, 0.8], [False, True, True, False])
TIED = predictions([0.9, 0.5, 0.5], [True, True, False])


def test_the_curve_is_what_a_hand_computes() -> None:
    # Most confident first: right, wrong, right, wrong.
    found = risk_coverage(*FOUR)
    assert found == [
        Point(0.25, 0.0, 0.9),
        Point(0.5, 0.5, 0.8),
        Point(0.75, pytest.approx(1 / 3), 0.7),
        Point(1.0, 0.5, 0.6),
    ]
    assert aurc(*FOUR) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_a_tie_is_the_mean_over_its_orders() -> None:
    # The tied pair is right-wrong or wrong-right: risks (0, 0, 1/3) or (0, 1/2, 1/3).
    assert [point.risk for point in risk_coverage(*TIED)] == pytest.approx([0, 1 / 4, 1 / 3])
    assert aurc(*TIED) == pytest.approx((0 + 1 / 4 + 1 / 3) / 3)


def test_a_constant_confidence_gives_a_flat_curve() -> None:
    case = predictions([0.4] * 5, [True, True, False, True, False])
    assert [point.risk for point in risk_coverage(*case)] == pytest.approx([0.4] * 5)
    assert aurc(*case) == pytest.approx(0.4)


@given(st.lists(st.tuples(st.sampled_from([0.4, 0.6, 0.8]), st.booleans()), min_size=1, max_size=12), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_statements_does_not_matter(statements: list[tuple[float, bool]], chance: object) -> None:
    shuffled = statements.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (predictions(*map(list, zip(*each, strict=True))) for each in (statements, shuffled))
    assert aurc(*one) == pytest.approx(aurc(*other))
    assert coverage_at_accuracy(*one, 0.75) == coverage_at_accuracy(*other, 0.75)
    assert accuracy_at_coverage(*one, 0.5) == pytest.approx(accuracy_at_coverage(*other, 0.5))


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    case = predictions(list(np.linspace(0.4, 0.9, 1000)), [False] + [True] * 999)
    found = risk_coverage(*case, points=7)
    assert len(found) == 7
    assert found[-1] == Point(1.0, pytest.approx(0.001), 0.4)


def test_coverage_at_an_accuracy_is_the_largest_share_that_reaches_it() -> None:
    assert coverage_at_accuracy(*FOUR, 0.9) == 0.25
    # 2 of 3 are right although only 1 of 2 is: a later threshold may do better.
    assert coverage_at_accuracy(*FOUR, 0.6) == 0.75
    assert coverage_at_accuracy(*FOUR, 0.5) == 1.0


def test_exactly_the_accuracy_asked_for_is_enough() -> None:
    case = predictions([0.8] * 10, [True] * 9 + [False])
    assert coverage_at_accuracy(*case, 0.9) == 1.0


def test_a_threshold_cannot_part_a_tie() -> None:
    # One of the tied pair is right, yet both are decided or neither is.
    assert coverage_at_accuracy(*TIED, 0.9) == pytest.approx(1 / 3)
    assert coverage_at_accuracy(*predictions([0.5, 0.5], [True, False]), 0.9) == 0


def test_accuracy_at_a_coverage_rounds_the_statements_up() -> None:
    assert accuracy_at_coverage(*FOUR, 0.5) == 0.5
    assert accuracy_at_coverage(*FOUR, 0.51) == pytest.approx(2 / 3)
    assert accuracy_at_coverage(*FOUR, 0.01) == 1.0


def test_accuracy_at_a_coverage_is_not_led_astray_by_floating_point() -> None:
    # 0.07 * 100 is 7.000000000000001; the eighth statement is the first mistake.
    case = predictions(list(np.linspace(0.9, 0.4, 100)), [True] * 7 + [False] * 93)
    assert accuracy_at_coverage(*case, 0.07) == 1.0
