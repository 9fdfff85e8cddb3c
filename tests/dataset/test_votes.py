"""Votes become labels and agreement by hand-counted numbers."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.dataset.votes import Agreement, VoteSettings, agreement, decide, shares
from stance.schema import LABELS, Annotation, Label, Vote

NAMES = "abcdefghijklmnopqrstuvwxyz"


def votes(*labels: Label) -> tuple[Vote, ...]:
    return tuple(Vote(name, label) for name, label in zip(NAMES, labels, strict=False))


def statements(*rows: str) -> list[Annotation]:
    """A statement a row; the characters A, N, P are the labels of annotators a, b, c and a dot is no vote."""
    names: dict[str, Label] = {"A": "anti", "N": "neutral", "P": "pro"}
    return [
        Annotation(
            str(number),
            "Text.",
            tuple(Vote(who, names[mark]) for who, mark in zip(NAMES, row, strict=False) if mark != "."),
            f"a.jsonl:{number}",
        )
        for number, row in enumerate(rows, 1)
    ]


def test_the_label_of_most_votes_wins() -> None:
    assert decide(votes("pro", "anti", "pro"), VoteSettings()) == "pro"


@pytest.mark.parametrize(("without_majority", "label"), [("drop", None), ("first", "pro"), ("neutral", "neutral")])
def test_a_tie_has_no_majority_and_goes_as_the_settings_say(without_majority: str, label: str | None) -> None:
    settings = VoteSettings.model_validate({"without_majority": without_majority})
    assert decide(votes("pro", "anti"), settings) == label


def test_a_tie_of_the_two_leading_labels_is_no_majority_even_with_enough_agreement() -> None:
    assert decide(votes("pro", "anti", "pro", "anti", "neutral"), VoteSettings(min_agreement=0.4)) is None


def test_too_little_agreement_is_no_majority() -> None:
    three_of_five = votes("pro", "pro", "pro", "anti", "neutral")
    assert decide(three_of_five, VoteSettings(min_agreement=0.6)) == "pro"
    assert decide(three_of_five, VoteSettings(min_agreement=0.61)) is None


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_share_of_votes_equal_to_min_agreement_is_enough(count: int, others: int) -> None:
    cast = [Vote(str(n), "pro") for n in range(count)] + [Vote(str(-n), "anti") for n in range(1, min(others, count))]
    settings = VoteSettings(min_agreement=round(count / len(cast), 2))
    assert decide(cast, settings) == ("pro" if count / len(cast) >= round(count / len(cast), 2) else None)


def test_fourteen_of_twenty_five_votes_are_fifty_six_percent() -> None:
    # 0.56 * 25 is a little more than 14 in floating point.
    cast = [Vote(str(n), "pro" if n < 14 else "anti") for n in range(25)]
    assert decide(cast, VoteSettings(min_agreement=0.56)) == "pro"


def test_soft_labels_are_the_shares_of_the_votes_in_the_order_of_the_labels() -> None:
    assert shares(votes("pro", "anti", "pro", "pro")) == (0.25, 0.0, 0.75)


@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=9))
def test_shares_sum_to_one_and_the_winner_has_the_largest(labels: list[Label]) -> None:
    cast = votes(*labels)
    assert sum(shares(cast)) == pytest.approx(1)
    if (winner := decide(cast, VoteSettings(min_agreement=0))) is not None:
        assert shares(cast)[LABELS.index(winner)] == max(shares(cast))


def test_agreement_of_two_annotators_is_what_a_pencil_says() -> None:
    # Ten statements: 4 pro-pro, 3 anti-anti, 1 neutral-neutral, 1 pro-anti, 1 neutral-pro.
    found = agreement(statements("PP", "PP", "PP", "PP", "AA", "AA", "AA", "NN", "PA", "NP"))
    # Observed disagreement 2 / 10. Votes: 10 pro, 7 anti, 3 neutral; expected disagreement
    # 1 - (10 * 9 + 7 * 6 + 3 * 2) / (20 * 19) = 242 / 380. Alpha = 1 - (2 / 10) / (242 / 380).
    assert found == Agreement(
        statements=10,
        alpha=pytest.approx(1 - (2 / 10) / (242 / 380)),
        unanimous=0.8,
        pairs={"a and b": 0.8},
        labels={"anti": pytest.approx(6 / 7), "neutral": pytest.approx(2 / 3), "pro": pytest.approx(8 / 10)},
    )


def test_alpha_counts_units_with_missing_votes_by_what_they_have() -> None:
    # Coincidences: a unit of m votes adds its ordered pairs of votes, each divided by m - 1.
    # AA.A: 3 AA. NNPN: 2 NN, 1 NP, 1 PN. PPPP twice: 8 PP. NNNN twice: 8 NN. AAN: 1 AA, 1 AN, 1 NA. P: nothing.
    # 26 votes: 5 anti, 12 neutral, 9 pro; 4 of 26 coincidences disagree.
    expected = 1 - (5 * 4 + 12 * 11 + 9 * 8) / (26 * 25)
    found = agreement(statements("AA.A", "NNPN", "PPPP", "PPPP", "NNNN", "P...", "AAN.", "NNNN")).alpha
    assert found == pytest.approx(1 - (4 / 26) / expected)


def test_alpha_is_that_of_a_published_example_with_two_values() -> None:
    """Krippendorff 2011, section A: two observers, ten units, alpha 0.095."""
    meg, owen = "0100000010", "1110010000"
    rows = ["".join("AP"[int(vote)] for vote in pair) for pair in zip(meg, owen, strict=True)]
    assert agreement(statements(*rows)).alpha == pytest.approx(0.095, abs=0.0005)


def test_pairs_are_counted_where_both_voted_and_labels_over_all_votes() -> None:
    found = agreement(statements("PP.", "P.P", "PPA", "A.."))
    assert found.statements == 3
    assert found.unanimous == pytest.approx(2 / 3)
    assert found.pairs == {"a and b": 1.0, "a and c": 0.5, "b and c": 0.0}
    # Third statement: each of its two pro votes is repeated by one of the two others, its anti vote by none.
    assert found.labels == {"anti": 0.0, "pro": pytest.approx((2 + 2 + 2 * 1 / 2) / 6)}


def test_agreement_needs_two_votes_on_a_statement() -> None:
    assert agreement(statements("P..", ".A.")) == Agreement(0, None, None, {}, {})


def test_alpha_is_not_defined_while_one_label_only_is_in_use() -> None:
    assert agreement(statements("PP", "PP")) == Agreement(2, None, 1.0, {"a and b": 1.0}, {"pro": 1.0})


def _alpha_by_hand(rows: Sequence[Sequence[Label]]) -> float:
    """One minus observed by expected disagreement over all pairs of votes."""
    n = sum(len(row) for row in rows)
    observed = sum(sum(one != other for one in row for other in row) / (len(row) - 1) for row in rows)
    counts = [sum(list(row).count(label) for row in rows) for label in LABELS]
    expected = (n * (n - 1) - sum(count * (count - 1) for count in counts)) / (n - 1)
    return 1 - observed / expected


@given(st.lists(st.lists(st.sampled_from(LABELS), min_size=2, max_size=5), min_size=1, max_size=12))
def test_alpha_is_one_minus_observed_by_expected_disagreement(rows: list[list[Label]]) -> None:
    annotations = [Annotation(str(n), "T.", votes(*row), f"a:{n}") for n, row in enumerate(rows)]
    found = agreement(annotations).alpha
    if len({label for row in rows for label in row}) < 2:
        assert found is None
    else:
        assert found == pytest.approx(_alpha_by_hand(rows))
