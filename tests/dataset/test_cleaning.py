"""What says the same twice, what nearly does, and what contradicts itself."""

from itertools import combinations
from random import Random
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.config import validate
from stance.dataset.cleaning import CleaningSettings, Pair, contradictions, duplicates, similar_pairs
from stance.errors import ConfigError
from stance.schema import Example

TEXT = "The militia will hand over its rifles to the army before the end of the month."
NEAR = TEXT.replace("rifles", "rifles and mortars")


def example(id: str, text: str = TEXT, label: Any = "pro", **more: Any) -> Example:
    return Example(id, text, label, id, **more)


def jaccard(one: str, other: str) -> float:
    """The likeness of two texts of letters and single spaces, written out again."""
    a, b = ({text[i : i + 5] for i in range(max(len(text) - 4, 1))} for text in (one, other))
    return len(a & b) / len(a | b)


def removed(*examples: Example, threshold: float = 0.8, protected: frozenset[str] = frozenset()) -> dict[str, str]:
    pairs = similar_pairs(examples, 0.5)
    found = duplicates(examples, pairs, threshold, protected)
    return {examples[gone].id: examples[stays].id for gone, stays in found.items()}


def test_likeness_is_the_jaccard_index_of_five_character_shingles() -> None:
    # abcdefgh: abcde bcdef cdefg defgh; abcdefgx: abcde bcdef cdefg defgx.
    assert similar_pairs([example("1", "abcdefgh"), example("2", "abcdefgx")], 0.5) == [Pair(0, 1, 3 / 5)]


def test_case_punctuation_and_spaces_make_no_difference() -> None:
    assert similar_pairs([example("1", "Lay down, your ARMS!"), example("2", "lay down your  arms")], 1.0) == [
        Pair(0, 1, 1.0)
    ]


def test_texts_shorter_than_a_shingle_are_alike_when_equal() -> None:
    assert similar_pairs([example("1", "No."), example("2", "no"), example("3", "Yes")], 0.5) == [Pair(0, 1, 1.0)]


def test_texts_on_different_targets_are_never_alike() -> None:
    assert similar_pairs([example("1"), example("2", target="the ceasefire")], 0.5) == []


words = st.sampled_from(["arms", "army", "lay down", "give up", "keep", "rifle", "militia", "never", "all", "will"])
corpora = st.lists(st.lists(words, min_size=3, max_size=12).map(" ".join), min_size=2, max_size=12)


@settings(max_examples=25)
@given(corpora)
def test_every_pair_above_four_fifths_is_found_and_every_likeness_is_exact(texts: list[str]) -> None:
    found = {(pair.first, pair.second): pair.likeness for pair in similar_pairs([example(t, t) for t in texts], 0.5)}
    for first, second in combinations(range(len(texts)), 2):
        likeness = jaccard(texts[first], texts[second])
        if likeness >= 0.8:
            assert (first, second) in found
        assert found.get((first, second), likeness) == likeness
    assert all(likeness >= 0.5 for likeness in found.values())


def test_most_pairs_just_above_a_high_threshold_are_found() -> None:
    texts = ["".join(Random(seed).choices(ascii_lowercase, k=100)) for seed in range(60)]
    twins = [example(f"{text}{end}", text[:-4] + end) for text in texts for end in ("0000", "1111")]
    found = similar_pairs(twins, 0.9)
    assert set(found) <= {Pair(2 * n, 2 * n + 1, 92 / 100) for n in range(60)}
    assert len(found) > 45


def test_the_later_of_two_exact_duplicates_goes() -> None:
    assert removed(example("b"), example("a")) == {"a": "b"}


def test_the_later_of_two_near_duplicates_goes_from_the_threshold_on() -> None:
    likeness = jaccard(TEXT.lower().strip("."), NEAR.lower().strip("."))
    assert removed(example("1"), example("2", NEAR), threshold=likeness) == {"2": "1"}
    assert removed(example("1"), example("2", NEAR), threshold=likeness + 0.01) == {}


def test_of_three_duplicates_the_first_stays() -> None:
    assert removed(example("1"), example("2"), example("3")) == {"2": "1", "3": "1"}


def test_the_same_text_under_another_label_is_no_duplicate() -> None:
    assert removed(example("1"), example("2", label="anti")) == {}


def test_a_contrast_stays_beside_its_base_and_its_siblings_but_not_beside_a_strange_statement() -> None:
    base, one = example("1"), example("1~a", kind="contrast", base="1")
    two = example("1~b", kind="contrast", base="1")
    assert removed(base, one, two) == {}
    assert removed(example("9"), one) == {"1~a": "9"}


def test_a_protected_text_stays_and_the_earlier_one_goes() -> None:
    assert removed(example("1"), example("2"), protected=frozenset({"2"})) == {"1": "2"}


def test_two_protected_texts_both_stay() -> None:
    assert removed(example("1"), example("2"), protected=frozenset({"1", "2"})) == {}


def test_nothing_repeats_a_text_that_is_gone() -> None:
    examples = [example("1"), example("2"), example("3")]
    chain = [Pair(0, 1, 0.9), Pair(1, 2, 0.9)]
    assert duplicates(examples, chain, 0.8) == {1: 0}


def test_contradictions_are_like_texts_under_different_labels_without_contrasts() -> None:
    examples = [example("1"), example("2", label="anti"), example("1~a", label="neutral", kind="contrast", base="1")]
    pairs = similar_pairs(examples, 0.5)
    assert contradictions(examples, pairs, 0.9) == [Pair(0, 1, 1.0)]
    assert contradictions(examples, [Pair(0, 1, 0.85)], 0.9) == []


def test_a_cluster_threshold_above_that_of_duplicates_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        validate(CleaningSettings, {"duplicate": 0.5, "cluster": 0.6}, "cleaning")
    assert str(error.value) == (
        "cleaning: the settings: expected settings that fit together, got cluster must not be above duplicate: "
        "removed texts are alike, too. Change one of them."
    )
