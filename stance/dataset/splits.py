"""Statements go to splits in whole groups, so that no split can be passed by having read another.

A group is everything that hangs together: statements of one page, an article's sentences, a contrast statement and
its base, near-duplicates. It goes to one split:

1. to an evaluation split that a source fixes for one of its members (`split` in the data config), and to validation
   only if no other is asked for;
2. else to `test_unseen`, if a member's theatre is one of those that train and validation must never see;
3. else to `train`, `validation` or `test`, stratified by label.

Members who may not follow their group are held back, which means left out: a source's training material (contrast
statements) outside of train, statements of other theatres in a group of an unseen one, statements of a fixed
article's page.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from stance.config import Settings
from stance.dataset.cleaning import Pair
from stance.errors import DataError, problem
from stance.schema import INVENTED, Example, label_indices

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
TEST_UNSEEN: Final = "test_unseen"

Tie: TypeAlias = Literal["page", "base", "near_duplicates", "speaker", "conflict", "theatre"]
Share = Annotated[float, Field(ge=0, lt=1)]


class SplitSettings(Settings):
    """What holds statements together, and how groups are shared out."""

    group_by: tuple[Tie, ...] = Field(
        ("page", "base", "near_duplicates"),
        description="what makes a group; page is a web page or an article; an empty list splits at random",
    )
    validation: Share = Field(0.10, description="share of the statements of seen theatres")
    test: Share = Field(0.15, description="share of the statements of seen theatres")
    unseen_theatres: tuple[str, ...] = Field((), description="theatres kept whole for test_unseen")
    seed: int = Field(0, ge=0, description="of the shuffle before groups are shared out")

    @model_validator(mode="after")
    def _shares(self) -> "SplitSettings":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave something to train")
        if _folds(self) > 100:
            raise ValueError("validation and test must be whole hundredths, such as 0.15")
        return self


def group(examples: Sequence[Example], pairs: Sequence[Pair], settings: SplitSettings) -> list[str | None]:
    """Return the group of each of `n` examples: the smallest id among all that are tied to it, even in a chain.

    Invented statements change no group, so that more of them leave every split as it was: they join the one group that
    they are tied to, and have none (`None`) where they are tied to several.
    """
    late = {position for position, example in enumerate(examples) if example.kind == INVENTED}
    ties = list(_ties(examples, pairs, settings))
    names = _components(examples, [tie for tie in ties if late.isdisjoint(tie)])
    joined = _components(examples, [tie for tie in ties if late.issuperset(tie)])
    touched: dict[str, set[str]] = defaultdict(set)
    for tie in ties:
        for position, other in (tie, tie[::-1]):
            if position in late and other not in late:
                touched[joined[position]].add(names[other])
    found: list[str | None] = list(names)
    for position in late:
        others = sorted(touched[joined[position]]) or [joined[position]]
        found[position] = others[0] if len(others) == 1 else None
    return found


def _components(examples: Sequence[Example], ties: Sequence[tuple[int, int]]) -> list[str]:
    """Return the smallest id among all examples that `ties` connect with each of `n` examples."""
    parent = list(range(len(examples)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in ties:
        parent[root(one)] = root(other)
    smallest: dict[int, str] = {}
    for node, example in enumerate(examples):
        top = root(node)
        smallest[top] = min(example.id, smallest.get(top, example.id))
    return [smallest[root(node)] for node in range(len(examples))]


def assign(examples: Sequence[Example], fixed: Mapping[str, str], settings: SplitSettings) -> list[str | None]:
    """Return the split of each of `n` grouped examples, `None` for those held back; `fixed` maps ids to fixed splits.

    Raises:
        DataError: an unseen theatre does not occur, or there are too few groups to share out.
    """
    _check_theatres(examples, settings)
    members: dict[str, list[int]] = defaultdict(list)
    for position, example in enumerate(examples):
        members[example.group].append(position)
    home: dict[str, str] = {}
    for name, positions in members.items():
        if (split := _home([examples[p] for p in positions], fixed, settings)) is not None:
            home[name] = split
    claimed = {example.group for example in examples if fixed.get(example.id, TRAIN) != TRAIN}
    free = [p for name, positions in members.items() if name not in home for p in positions]
    home |= _share_out([examples[p] for p in free if examples[p].id not in fixed], settings)
    return [
        None
        if example.group in claimed and example.id not in fixed
        else _follow(example, home.get(example.group), fixed, settings)
        for example in examples
    ]


def _ties(examples: Sequence[Example], pairs: Sequence[Pair], settings: SplitSettings) -> Iterator[tuple[int, int]]:
    if "near_duplicates" in settings.group_by:
        yield from ((pair.first, pair.second) for pair in pairs)
    first: dict[tuple[str, str], int] = {}
    for position in sorted(range(len(examples)), key=lambda at: examples[at].kind == INVENTED):
        example = examples[position]
        values = {
            "page": example.source_url,
            "base": example.base or example.id,
            "speaker": example.speaker,
            "conflict": example.conflict,
            "theatre": example.theatre,
        }
        for tie, value in values.items():
            if tie in settings.group_by and value is not None:
                yield position, first.setdefault((tie, value), position)


def _home(members: Sequence[Example], fixed: Mapping[str, str], settings: SplitSettings) -> str | None:
    """The split that a group must go to, if any; evaluation splits come before training."""
    asked = {fixed[example.id] for example in members if example.id in fixed}
    if evaluation := sorted(asked - {TRAIN}, key=lambda split: (split == VALIDATION, split)):
        return evaluation[0]
    if any(example.theatre in settings.unseen_theatres for example in members):
        return TEST_UNSEEN
    return TRAIN if all(example.id in fixed for example in members) else None


def _follow(example: Example, home: str | None, fixed: Mapping[str, str], settings: SplitSettings) -> str | None:
    """The split of an example whose group lives in `home`, or `None` where it must be held back."""
    if example.id in fixed:
        return home if fixed[example.id] == home else None
    if home == TEST_UNSEEN and example.theatre not in settings.unseen_theatres:
        return None
    return home


def _share_out(examples: Sequence[Example], settings: SplitSettings) -> dict[str, str]:
    """Map the groups of `examples` to train, validation and test, with like label shares in each."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [example.group for example in examples]
    folds = _folds(settings)
    if folds == 1 or not examples:
        return dict.fromkeys(groups, TRAIN)
    if len(set(groups)) < folds:
        expected = f"at least {folds} groups to share out by validation {settings.validation} and test {settings.test}"
        raise DataError(problem("splits", expected, str(len(set(groups))), "Add data or choose rounder shares."))
    labels = label_indices([example.label for example in examples])
    if (most := max(Counter(labels.tolist()).values())) < folds:
        expected = f"a label with at least {folds} statements to share out"
        raise DataError(problem("splits", expected, f"{most} at most", "Add data or choose rounder shares."))
    kfold = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
    test, validation = round(settings.test * folds), round(settings.validation * folds)
    names = [TEST] * test + [VALIDATION] * validation + [TRAIN] * (folds - test - validation)
    home: dict[str, str] = {}
    for name, (_, chosen) in zip(names, kfold.split(labels, labels, groups), strict=True):
        home |= dict.fromkeys((groups[position] for position in chosen), name)
    return home


def _folds(settings: SplitSettings) -> int:
    """The number of equal folds of which both shares are whole numbers."""
    return lcm(Fraction(str(settings.validation)).denominator, Fraction(str(settings.test)).denominator)


def _check_theatres(examples: Sequence[Example], settings: SplitSettings) -> None:
    known = {example.theatre for example in examples if example.theatre}
    for theatre in settings.unseen_theatres:
        if theatre not in known:
            got = f"none of {theatre!r}"
            todo = f"Theatres there are: {', '.join(sorted(known))}."
            raise DataError(problem("splits.unseen_theatres", "theatres with statements", got, todo))
