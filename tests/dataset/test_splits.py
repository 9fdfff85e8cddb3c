"""Every rule of how statements go to splits in whole groups."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.config import validate
from stance.dataset.cleaning import Pair
from stance.dataset.splits import SplitSettings, assign, group
from stance.errors import ConfigError, DataError
from stance.schema import LABELS, Example

TIES = ("page", "base", "near_duplicates", "speaker", "conflict", "theatre")
NO_SHARES = SplitSettings(validation=0, test=0)


def example(id: str, label: Any = "pro", **more: Any) -> Example:
    return Example(id, f"Text {id}.", label, more.pop("group", id), **more)


def grouped(examples: list[Example], settings: SplitSettings, pairs: list[Pair] | None = None) -> list[Example]:
    groups = group(examples, pairs or [], settings)
    return [replace(one, group=name) for one, name in zip(examples, groups, strict=True)]


def homes(examples: list[Example], fixed: dict[str, str], settings: SplitSettings) -> dict[str, str | None]:
    together = grouped(examples, settings)
    return dict(zip([one.id for one in examples], assign(together, fixed, settings), strict=True))


def many(groups: int, size: int = 1, theatres: int = 1) -> list[Example]:
    """Statements of `groups` groups with labels in turn."""
    return [
        example(f"{g:03}-{n}", LABELS[(g + n) % 3], group=f"{g:03}", theatre=f"t{g % theatres}")
        for g in range(groups)
        for n in range(size)
    ]


def shares(found: list[str | None]) -> dict[str | None, float]:
    return {name: count / len(found) for name, count in Counter(found).items()}


def _tied(one: Example, other: Example, ties: tuple[str, ...]) -> bool:
    fields = {"page": "source_url", "speaker": "speaker", "conflict": "conflict", "theatre": "theatre"}
    for tie, field in fields.items():
        if tie in ties and getattr(one, field) is not None and getattr(one, field) == getattr(other, field):
            return True
    return "base" in ties and (one.base or one.id) == (other.base or other.id)


def _brute_groups(examples: list[Example], pairs: list[Pair], ties: tuple[str, ...]) -> list[str]:
    """Take over a tied example's smaller id until nothing changes."""
    names = [one.id for one in examples]
    near = {(pair.first, pair.second) for pair in pairs} if "near_duplicates" in ties else set()
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(examples):
            for j, other in enumerate(examples):
                joined = _tied(one, other, ties) or (i, j) in near or (j, i) in near
                if joined and names[j] < names[i]:
                    names[i] = names[j]
                    changed = True
    return names


few = st.one_of(st.none(), st.sampled_from("xyz"))
rows = st.lists(st.tuples(few, few, few, few, st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=10)


@given(rows, st.sets(st.sampled_from(TIES)), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4))
def test_groups_are_the_connected_components_of_all_ties(
    rows: list[tuple[str | None, str | None, str | None, str | None, int | None]],
    ties: set[str],
    near: list[tuple[int, int]],
) -> None:
    examples = [
        example(str(9 - n), source_url=page, speaker=who, conflict=conflict, theatre=theatre, base=base and str(base))
        for n, (page, who, conflict, theatre, base) in enumerate(rows)
    ]
    pairs = [Pair(min(pair), max(pair), 0.6) for pair in near if max(pair) < len(rows) and pair[0] != pair[1]]
    settings = SplitSettings.model_validate({"group_by": sorted(ties)})
    assert group(examples, pairs, settings) == _brute_groups(examples, pairs, tuple(ties))


def test_a_group_takes_the_smallest_id_along_a_chain() -> None:
    chain = [example("c", source_url="p"), example("b", source_url="p"), example("b~a", base="b"), example("a")]
    assert group(chain, [Pair(2, 3, 0.7)], SplitSettings()) == ["a", "a", "a", "a"]


@given(st.integers(0, 2**32 - 1))
def test_invented_statements_change_no_group_and_join_the_one_that_they_are_tied_to(seed: int) -> None:
    rng = Random(seed)
    said = [example(f"s{n}", source_url=rng.choice("uvwxyz")) for n in range(6)]
    invented = [example(f"i{n}", kind="invented", base=rng.choice(said).id) for n in range(4)]
    pairs = [Pair(*rng.sample(range(10), 2), 0.6) for _ in range(rng.randrange(4))]
    alone = group(said, [pair for pair in pairs if max(pair.first, pair.second) < 6], NO_SHARES)
    together = group(said + invented, pairs, NO_SHARES)
    assert together[:6] == alone
    home = {one.id: name for one, name in zip(said, alone, strict=True)}
    for at, one in enumerate(invented, start=6):
        near = {at}
        for _ in invented:  # all invented ones that are alike, even in a chain
            near |= {
                other
                for pair in pairs
                for other in (pair.first, pair.second)
                if other > 5 and near & {pair.first, pair.second}
            }
        touched = {home[invented[n - 6].base or ""] for n in near}
        touched |= {
            alone[other]
            for pair in pairs
            for n in near
            for other in (pair.first, pair.second)
            if n in (pair.first, pair.second) and other < 6
        }
        assert together[at] == (touched.pop() if len(touched) == 1 else None), one.id


def test_a_page_and_a_speaker_of_the_same_name_are_no_tie() -> None:
    both = [example("1", source_url="x"), example("2", speaker="x")]
    assert group(both, [], SplitSettings(group_by=("page", "speaker"))) == ["1", "2"]


def test_a_fixed_evaluation_split_takes_its_statement_and_holds_back_the_rest_of_its_page() -> None:
    page = [example("1", source_url="p"), example("2", source_url="p"), example("3")]
    assert homes(page, {"1": "seeds"}, NO_SHARES) == {"1": "seeds", "2": None, "3": "train"}


def test_statements_fixed_to_train_are_held_back_outside_of_train() -> None:
    page = [example("1", theatre="nepal"), example("1~a", base="1", kind="contrast"), example("2~a", base="2")]
    settings = NO_SHARES.model_copy(update={"unseen_theatres": ("nepal",)})
    assert homes([*page, example("2")], {"1~a": "train", "2~a": "train"}, settings) == {
        "1": "test_unseen",
        "1~a": None,
        "2~a": "train",
        "2": "train",
    }


def test_a_group_of_statements_fixed_to_train_goes_to_train() -> None:
    assert homes(
        [example("1", source_url="p"), example("2", source_url="p")], {"1": "train", "2": "train"}, NO_SHARES
    ) == {
        "1": "train",
        "2": "train",
    }


def test_a_group_with_an_unseen_theatre_goes_to_test_unseen_and_its_other_theatres_are_held_back() -> None:
    settings = NO_SHARES.model_copy(update={"unseen_theatres": ("nepal",)})
    page = [example("1", theatre="nepal", source_url="p"), example("2", theatre="iraq", source_url="p"), example("3")]
    assert homes(page, {}, settings) == {"1": "test_unseen", "2": None, "3": "train"}


def test_a_fixed_evaluation_split_comes_before_an_unseen_theatre() -> None:
    settings = NO_SHARES.model_copy(update={"unseen_theatres": ("nepal",)})
    page = [example("1", theatre="nepal", source_url="p"), example("2", theatre="nepal", source_url="p")]
    assert homes(page, {"1": "seeds"}, settings) == {"1": "seeds", "2": None}


@pytest.mark.parametrize("other", ["test", "web"])
def test_of_two_fixed_splits_of_a_group_validation_comes_last(other: str) -> None:
    page = [example("1", source_url="p"), example("2", source_url="p")]
    assert homes(page, {"1": "validation", "2": other}, NO_SHARES) == {"1": None, "2": other}


def test_an_official_split_stays_whole() -> None:
    given = [example("1"), example("2"), example("3")]
    fixed = {"1": "train", "2": "validation", "3": "test"}
    assert homes(given, fixed, NO_SHARES) == fixed


def test_shares_are_those_of_the_settings() -> None:
    examples = many(400, size=2)
    found = shares(assign(examples, {}, SplitSettings(validation=0.1, test=0.15)))
    assert found == {
        "train": pytest.approx(0.75, abs=0.01),
        "validation": pytest.approx(0.10, abs=0.01),
        "test": pytest.approx(0.15, abs=0.01),
    }


def test_shares_are_those_of_the_seen_theatres() -> None:
    examples = many(200, theatres=2)
    found = shares(assign(examples, {}, SplitSettings(validation=0.2, test=0.2, unseen_theatres=("t1",))))
    assert found == {
        "test_unseen": 0.5,
        "train": pytest.approx(0.3, abs=0.01),
        "validation": pytest.approx(0.1, abs=0.01),
        "test": pytest.approx(0.1, abs=0.01),
    }


def test_splits_have_like_shares_of_each_label_even_if_groups_lean_to_one() -> None:
    random = Random(0)
    examples = [
        example(f"{g:03}-{n}", LABELS[g % 3] if random.random() < 0.8 else "pro", group=f"{g:03}")
        for g in range(300)
        for n in range(random.randint(1, 5))
    ]
    all_labels = Counter(one.label for one in examples)
    found = assign(examples, {}, SplitSettings())
    for split in ("train", "validation", "test"):
        labels = Counter(one.label for one, home in zip(examples, found, strict=True) if home == split)
        for label in LABELS:
            assert labels[label] / labels.total() == pytest.approx(all_labels[label] / all_labels.total(), abs=0.03)


def test_no_group_is_ever_in_two_splits() -> None:
    examples = many(60, size=3)
    homes_of: dict[str, set[str | None]] = {}
    for one, home in zip(examples, assign(examples, {}, SplitSettings(validation=0.2, test=0.2)), strict=True):
        homes_of.setdefault(one.group, set()).add(home)
    assert {len(found) for found in homes_of.values()} == {1}


def test_the_order_of_the_rows_makes_no_difference() -> None:
    examples = many(80, size=2, theatres=4)
    settings = SplitSettings(validation=0.1, test=0.2, unseen_theatres=("t3",))
    shuffled = Random(1).sample(examples, len(examples))
    ways = [
        dict(zip([e.id for e in order], assign(order, {}, settings), strict=True)) for order in (examples, shuffled)
    ]
    assert ways[0] == ways[1]


def test_the_seed_decides_which_groups_go_where() -> None:
    examples = many(80)
    ways = [assign(examples, {}, SplitSettings(validation=0.1, test=0.2, seed=seed)) for seed in (0, 0, 1)]
    assert ways[0] == ways[1]
    assert ways[0] != ways[2]


def test_an_empty_group_by_splits_a_page_at_random() -> None:
    examples = [example(f"{n:02}", LABELS[n % 3], source_url="p") for n in range(40)]
    found = homes(examples, {}, SplitSettings(group_by=(), validation=0.25, test=0.25))
    assert Counter(found.values()) == {"train": 20, "test": 10, "validation": 10}


def test_no_shares_put_everything_into_train() -> None:
    assert set(assign(many(3), {}, NO_SHARES)) == {"train"}


def test_nothing_to_share_out_is_no_error() -> None:
    assert assign([], {}, SplitSettings()) == []


def test_an_unknown_unseen_theatre_is_refused() -> None:
    with pytest.raises(DataError) as error:
        assign(many(4, theatres=2), {}, SplitSettings(unseen_theatres=("t0", "mars")))
    assert str(error.value) == (
        "splits.unseen_theatres: expected theatres with statements, got none of 'mars'. Theatres there are: t0, t1."
    )


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(DataError) as error:
        assign(many(19, size=3), {}, SplitSettings())
    assert str(error.value) == (
        "splits: expected at least 20 groups to share out by validation 0.1 and test 0.15, got 19. "
        "Add data or choose rounder shares."
    )


def test_too_few_statements_of_every_label_are_refused() -> None:
    with pytest.raises(DataError) as error:
        assign(many(21), {}, SplitSettings())
    assert str(error.value) == (
        "splits: expected a label with at least 20 statements to share out, got 7 at most. "
        "Add data or choose rounder shares."
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"validation": 0.5, "test": 0.5},
            "splits: the settings: expected settings that fit together, got validation and test together must leave "
            "something to train. Change one of them.",
        ),
        (
            {"validation": 0.125, "test": 0.1234},
            "splits: the settings: expected settings that fit together, got validation and test must be whole "
            "hundredths, such as 0.15. Change one of them.",
        ),
        ({"test": 1}, "splits: test: expected less than 1, got 1. Change it."),
        (
            {"group_by": ["pages"]},
            "splits: group_by.0: expected 'page', 'base', 'near_duplicates', 'speaker', 'conflict' or 'theatre', got "
            "'pages'. Change it.",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        validate(SplitSettings, settings, "splits")
    assert str(error.value) == message


def test_a_free_statement_tied_to_a_fixed_test_statement_is_held_back_so_that_official_sets_do_not_grow() -> None:
    tied = [example("fixed", source_url="page"), example("free", source_url="page"), example("other")]
    assert homes(tied, {"fixed": "test"}, NO_SHARES) == {"fixed": "test", "free": None, "other": "train"}
