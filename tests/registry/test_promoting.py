"""Who may take the alias: unless shown to be worse, on the same statements and the same data."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stance.comparison import Read
from stance.errors import DataError
from stance.registry.promoting import _description, _judge
from stance.schema import LABELS

RIGHT = [LABELS[n % 3] for n in range(30)]
WRONG = [LABELS[(n + 1) % 3] for n in range(30)]
ONE_WRONG = ["neutral", *RIGHT[1:]]
BOTH = "b seed 0 (bbbbbbbb) and version 3, a seed 0 (aaaaaaaa)"
FORCE = "If it has to be: --force --reason TEXT."


def refusal(new: Read, old: Read) -> str:
    with pytest.raises(DataError) as error:
        _judge(new, old, "3")
    return str(error.value)


def test_a_model_that_is_shown_to_be_worse_is_refused(tracked: Callable[..., Read]) -> None:
    assert refusal(tracked(WRONG, "b"), tracked(RIGHT, "a")) == (
        "b seed 0 (bbbbbbbb): expected a model not shown to be worse than version 3, got macro-F1 -1.000 "
        f"[-1.000, -1.000] on 30 statements of 30 groups of test_unseen. {FORCE}"
    )


def test_a_model_that_is_a_little_worse_by_chance_is_accepted(tracked: Callable[..., Read]) -> None:
    said = _judge(tracked(ONE_WRONG, "b"), tracked(RIGHT, "a"), "3")
    assert said.startswith("Not shown to be worse than version 3: macro-F1 -0.03")
    assert said.endswith("+0.000] on 30 statements of 30 groups of test_unseen.")


def test_a_better_model_is_accepted(tracked: Callable[..., Read]) -> None:
    assert _judge(tracked(RIGHT, "b"), tracked(WRONG, "a"), "3") == (
        "Not shown to be worse than version 3: macro-F1 +1.000 [+1.000, +1.000] on 30 statements of 30 groups of "
        "test_unseen."
    )


def test_models_of_other_data_are_refused_with_what_differs(tracked: Callable[..., Read]) -> None:
    new = tracked(RIGHT, "b", **{"data.fingerprint": "e" * 64, "data.n_train": "20", "data.name": "arms"})
    old = tracked(RIGHT, "a", **{"data.n_train": "10", "data.name": "arms"})
    assert refusal(new, old) == (
        f"{BOTH}: expected models trained on the same data, got fingerprints eeeeeeeeeeee and ffffffffffff; "
        f"n_train 20 and 10. Train one again. {FORCE}"
    )


def test_a_run_that_does_not_tell_its_data_is_refused(tracked: Callable[..., Read]) -> None:
    old = tracked(RIGHT, "a")
    assert refusal(tracked(RIGHT, "b"), replace(old, run=replace(old.run, params={}))) == (
        f"{BOTH}: expected models trained on the same data, got a run that does not tell its data.fingerprint. "
        f"Train one again. {FORCE}"
    )


def test_models_of_other_teachers_are_refused(tracked: Callable[..., Read]) -> None:
    said = {"data.teacher": "said.csv", "data.teacher_sha256": "a" * 64}
    old = tracked(RIGHT, "a", **said)
    assert _judge(tracked(RIGHT, "b", **said), old, "3").startswith("Not shown to be worse")
    assert refusal(tracked(RIGHT, "b", **said | {"data.teacher_sha256": "b" * 64}), old) == (
        f"{BOTH}: expected models trained on the same data, got teachers' files bbbbbbbbbbbb and aaaaaaaaaaaa. "
        f"Train one again. {FORCE}"
    )
    assert refusal(tracked(RIGHT, "b", **{"data.teacher": "said.csv"}), old) == (
        f"{BOTH}: expected models trained on the same data, got a run that does not tell its data.teacher_sha256. "
        f"Train one again. {FORCE}"
    )


def test_models_that_learnt_from_other_splits_are_refused(tracked: Callable[..., Read]) -> None:
    more = tracked(RIGHT, "b", **{"data.extra_train_splits": "['test']"})
    assert refusal(more, tracked(RIGHT, "a")) == (
        f"{BOTH}: expected models trained on the same data, got extra_train_splits ['test'] and none. "
        f"Train one again. {FORCE}"
    )
    assert _judge(more, tracked(RIGHT, "a", **{"data.extra_train_splits": "['test']"}), "3").startswith("Not shown")


def test_a_model_with_a_teacher_may_follow_one_without(tracked: Callable[..., Read]) -> None:
    taught = tracked(RIGHT, "b", **{"data.teacher": "said.csv", "data.teacher_sha256": "a" * 64})
    alone = tracked(RIGHT, "a", **{"data.teacher": "None"})
    assert _judge(taught, alone, "3").startswith("Not shown to be worse")


def test_other_statements_are_refused_and_named(tracked: Callable[..., Read]) -> None:
    old = tracked(RIGHT, "a")
    other = replace(old, predictions=replace(old.predictions, ids=("x", *old.predictions.ids[1:])))
    assert refusal(tracked(RIGHT, "b"), other) == (
        "b seed 0 (bbbbbbbb) and version 3, a seed 0 (aaaaaaaa): expected the same statements, gold labels and groups, "
        "got 1 only in b seed 0 (bbbbbbbb) (s00) and 1 only in version 3, a seed 0 (aaaaaaaa) (x). "
        "Compare runs that were evaluated on the same data."
    )


def test_one_group_proves_nothing(tracked: Callable[..., Read]) -> None:
    assert refusal(tracked(RIGHT, "b", groups=1), tracked(RIGHT, "a", groups=1)) == (
        f"{BOTH}: expected statements of more than one group, got a single one, on which nothing can be tested. {FORCE}"
    )


def test_a_description_that_the_server_has_no_room_for_is_cut_between_sections() -> None:
    whole = "---\nlicense: x\n---\n\n# Title\n\n## One\n\nshort\n\n## Two\n\n" + "long " * 2000
    assert _description(whole) == ("# Title\n\n## One\n\nshort\n\nMore is in the artefact `card/README.md` of the run.")
    assert _description("---\nlicense: x\n---\n\n# Title\n") == "# Title"
