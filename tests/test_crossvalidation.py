"""Folds of whole theatres: nobody is asked about a theatre that it has seen."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.config import validate
from stance.crossvalidation import cross_validate, leave_one_theatre_out, theatre_folds
from stance.errors import ConfigError, DataError
from stance.models import Classifier, majority
from stance.models._folder import save
from stance.schema import LABELS, Example
from stance.training import RunConfig

WORDS = {"anti": "keep rifles", "neutral": "meet on Tuesday", "pro": "disarm now"}


def example(id: str, label: Any, theatre: str | None, **more: Any) -> Example:
    return Example(id, f"{WORDS[label]} {id}", label, more.pop("group", id), theatre=theatre, **more)


def corpus(theatres: int = 6, size: int = 6) -> list[Example]:
    return [
        example(f"t{theatre}-{n}", LABELS[n % 3], f"t{theatre}") for theatre in range(theatres) for n in range(size)
    ]


def config(**changes: Any) -> RunConfig:
    tree = {
        "name": "x",
        "data": {"path": "nowhere", "contrast_weight": 0.5},
        "model": {"kind": "tfidf", "params": {"C": 5.0}},
    }
    return validate(RunConfig, tree | changes, "config")


def test_every_statement_is_held_out_once_with_its_whole_theatre() -> None:
    examples = corpus()
    folds = list(theatre_folds(examples, 3))
    assert len(folds) == 3
    assert sorted(e.id for fold in folds for e in fold.held_out) == sorted(e.id for e in examples)
    for fold in folds:
        assert not {e.theatre for e in fold.train} & {e.theatre for e in fold.held_out}
        assert len(fold.train) + len(fold.held_out) == len(examples)
        assert Counter(e.label for e in fold.held_out) == {"anti": 4, "neutral": 4, "pro": 4}


def test_contrasts_are_learnt_from_where_their_theatre_is_and_never_asked_about() -> None:
    contrasts = [example(f"t{n}-0~x", "pro", f"t{n}", kind="contrast", base=f"t{n}-0") for n in range(6)]
    for fold in theatre_folds(corpus() + contrasts, 3):
        assert all(e.kind != "contrast" for e in fold.held_out)
        theatres = {e.theatre for e in fold.held_out}
        assert {e.theatre for e in fold.train if e.kind == "contrast"} == {f"t{n}" for n in range(6)} - theatres


def test_invented_statements_leave_with_the_group_of_their_base_and_are_never_asked_about() -> None:
    invented = [example(f"inv-{n}", "pro", None, kind="invented", group=f"t{n}-0", base=f"t{n}-0") for n in range(6)]
    for fold in theatre_folds(corpus() + invented, 3):
        assert all(e.kind != "invented" for e in fold.held_out)
        away = {e.group for e in fold.held_out}
        assert {e.group for e in fold.train if e.kind == "invented"} == {f"t{n}-0" for n in range(6)} - away


@pytest.mark.parametrize(
    ("setting", "tree"),
    [
        ("data.teacher", {"data": {"path": "nowhere", "teacher": "said.csv"}}),
        ("model.params.teacher_vectors", {"model": {"kind": "tfidf", "params": {"teacher_vectors": "said.csv"}}}),
    ],
)
def test_a_teacher_that_has_seen_the_held_out_theatres_is_refused(setting: str, tree: dict[str, Any]) -> None:
    run = config(**tree)
    with pytest.raises(ConfigError) as caught:
        cross_validate(run, corpus(), folds=3)
    assert str(caught.value) == (
        f"{setting}: expected nothing in cross-validation, got said.csv, whose model has seen the theatres that are "
        "held out. Take it out, or give each fold a teacher of its own: experiments/recipe/run.py."
    )


def test_splits_that_are_added_to_train_are_refused() -> None:
    run = config(data={"path": "nowhere", "extra_train_splits": ["test"]}, evaluate=["validation"])
    with pytest.raises(ConfigError) as caught:
        cross_validate(run, corpus(), folds=3)
    assert str(caught.value) == (
        "data.extra_train_splits: expected nothing beside a fold, got test. Take it out, or judge the model on a split."
    )


def saved(folder: Path) -> list[str]:
    """The folders of two models that have seen every theatre."""
    for name in ("one", "two"):
        model = majority.fit(corpus(), [], majority.Params(), 0)
        save(Classifier("majority", majority.Params(), model, origin={"name": name}), folder / name)
    return [str(folder / "one"), str(folder / "two")]


def test_saved_models_that_may_have_seen_the_held_out_theatres_are_refused(tmp_path: Path) -> None:
    run = config(model={"kind": "ensemble", "params": {"models": saved(tmp_path)}})
    with pytest.raises(ConfigError) as caught:
        cross_validate(run, corpus(), folds=3)
    assert str(caught.value) == (
        "model.kind: expected a model that learns from its fold alone, got ensemble of 2 saved models, which may have "
        "learnt from more. Take it out, or judge it on a split."
    )


def test_a_cascade_of_saved_models_is_refused_and_one_that_learns_by_itself_is_not(tmp_path: Path) -> None:
    first = {"kind": "tfidf", "params": {}}
    second = {"kind": "ensemble", "params": {"models": saved(tmp_path)}}
    with pytest.raises(ConfigError) as caught:
        cross_validate(config(model={"kind": "cascade", "params": {"first": first, "second": second}}), corpus(), 3)
    assert str(caught.value) == (
        "model.kind: expected a model that learns from its fold alone, got cascade of 2 saved models, which may have "
        "learnt from more. Take it out, or judge it on a split."
    )
    plain = config(model={"kind": "cascade", "params": {"first": first, "second": {"kind": "majority"}}})
    asked, _ = cross_validate(plain, corpus(), folds=3)
    assert len(asked) == len(corpus())


def test_a_group_that_reaches_into_the_fold_is_not_learnt_from() -> None:
    bridge = [example("bridge-0", "pro", "t0", group="bridge"), example("bridge-1", "pro", "t1", group="bridge")]
    for fold in theatre_folds(corpus(2) + bridge, 2):
        assert "bridge" in {e.group for e in fold.held_out}
        assert "bridge" not in {e.group for e in fold.train}


def test_a_statement_without_a_theatre_is_a_fold_unit_by_its_group() -> None:
    homeless = [example(f"h{n}", LABELS[n % 3], None, group=f"g{n // 3}") for n in range(9)]
    for fold in theatre_folds(homeless, 3):
        assert len({e.group for e in fold.held_out}) == 1
        assert not {e.group for e in fold.train} & {e.group for e in fold.held_out}


def test_the_seed_decides_the_folds() -> None:
    ways = [[[e.id for e in f.held_out] for f in theatre_folds(corpus(12), 3, seed)] for seed in (0, 0, 1)]
    assert ways[0] == ways[1]
    assert ways[0] != ways[2]


def test_fewer_theatres_than_folds_are_refused() -> None:
    with pytest.raises(DataError) as error:
        list(theatre_folds(corpus(2), 3))
    assert str(error.value) == "cross-validation: expected at least 3 theatres, got 2 theatres. Ask for fewer folds."


def test_too_few_statements_of_every_label_are_refused() -> None:
    with pytest.raises(DataError) as error:
        list(theatre_folds([example(f"{n}", LABELS[n % 3], f"t{n}") for n in range(6)], 4))
    assert str(error.value) == (
        "cross-validation: expected a label with at least 4 statements, got 2 at most. Ask for fewer folds."
    )


def test_every_statement_is_predicted_once_from_words_of_other_theatres() -> None:
    examples = corpus()
    asked, probabilities = cross_validate(config(), examples, folds=3)
    assert sorted(e.id for e in asked) == sorted(e.id for e in examples)
    assert probabilities.shape == (36, 3)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert [LABELS[index] for index in probabilities.argmax(axis=1)] == [e.label for e in asked]


def test_contrasts_weigh_what_the_config_says() -> None:
    false = [example(f"c{n}", "anti", "t9", kind="contrast", group=f"c{n}") for n in range(30)]
    false = [Example(e.id, "disarm now", "anti", e.group, theatre="t9", kind="contrast") for e in false]
    ways = {}
    for weight in (0.0, 10.0):
        run = config(data={"path": Path("nowhere"), "contrast_weight": weight})
        asked, probabilities = cross_validate(run, corpus() + false, folds=3)
        ways[weight] = np.mean([p[2] for e, p in zip(asked, probabilities, strict=True) if e.label == "pro"])
    assert ways[0.0] > 0.5 > ways[10.0]


def test_each_theatre_is_left_out_once_with_the_groups_that_reach_into_it() -> None:
    bridge = [example("bridge-0", "pro", "t0", group="bridge"), example("bridge-1", "pro", "t1", group="bridge")]
    contrast = [example("t2-0~x", "pro", "t2", kind="contrast", base="t2-0")]
    folds = list(leave_one_theatre_out(corpus(3) + bridge + contrast))
    assert [{e.theatre for e in fold.held_out} for fold in folds] == [{"t0"}, {"t1"}, {"t2"}]
    assert [len(fold.held_out) for fold in folds] == [7, 7, 6]
    for fold in folds:
        assert not {e.theatre for e in fold.train} & {e.theatre for e in fold.held_out}
        assert not {e.group for e in fold.train} & {e.group for e in fold.held_out}
    assert [len(fold.train) for fold in folds] == [13, 13, 14]


def test_one_theatre_cannot_be_left_out() -> None:
    with pytest.raises(DataError) as error:
        list(leave_one_theatre_out(corpus(1)))
    assert str(error.value) == "cross-validation: expected at least 2 theatres, got 1. Choose another protocol."
