"""Choosing a recipe without touching a test split: cross-validation over whole theatres on train and validation.

Every statement of train and validation is predicted once by a model that saw nothing of its theatre. Invented
statements are never predicted; they join the training part where their theatre and the group of their base do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stance.errors import ConfigError, DataError, problem
from stance.schema import MADE_UP, Example, FloatArray, label_indices
from stance.training import RunConfig, check_learns_alone, fit_examples, teacher_files, weigh


@dataclass(frozen=True, slots=True)
class Fold:
    """What a model may learn from, and the statements of other theatres that it is asked about."""

    train: list[Example]
    held_out: list[Example]


def theatre_folds(examples: Sequence[Example], folds: int, seed: int = 0) -> Iterator[Fold]:
    """Yield `folds` folds of whole theatres with like label shares.

    A group that reaches into a fold from another theatre is left out of that fold's training part.

    Raises:
        DataError: there are fewer theatres than folds, or fewer statements of every label.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    statements = [example for example in examples if example.kind not in MADE_UP]
    theatres = [example.theatre or example.group for example in statements]
    if len(set(theatres)) < folds:
        got = f"{len(set(theatres))} theatres"
        raise DataError(problem("cross-validation", f"at least {folds} theatres", got, "Ask for fewer folds."))
    labels = label_indices([example.label for example in statements])
    if (most := int(np.bincount(labels).max())) < folds:
        expected = f"a label with at least {folds} statements"
        raise DataError(problem("cross-validation", expected, f"{most} at most", "Ask for fewer folds."))
    for _, chosen in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, theatres):
        held_out = [statements[position] for position in chosen]
        yield _without(examples, held_out)


def leave_one_theatre_out(examples: Sequence[Example]) -> Iterator[Fold]:
    """Yield one fold for each theatre, in the order of their names, under the same rules as `theatre_folds`.

    Raises:
        DataError: there are fewer than two theatres.
    """
    by_theatre: dict[str, list[Example]] = {}
    for example in examples:
        if example.kind not in MADE_UP:
            by_theatre.setdefault(example.theatre or example.group, []).append(example)
    if len(by_theatre) < 2:
        todo = "Choose another protocol."
        raise DataError(problem("cross-validation", "at least 2 theatres", str(len(by_theatre)), todo))
    for theatre in sorted(by_theatre):
        yield _without(examples, by_theatre[theatre])


def _without(examples: Sequence[Example], held_out: list[Example]) -> Fold:
    """The fold of `held_out`: what shares a theatre or a group with it is not learnt from."""
    away = {example.theatre for example in held_out if example.theatre} | {example.group for example in held_out}
    return Fold([e for e in examples if e.theatre not in away and e.group not in away], held_out)


def answer(config: RunConfig, fold: Fold) -> FloatArray:
    """Return the probabilities (n, k), uncalibrated, that a model trained on the fold gives its held-out statements.

    Raises:
        ConfigError: the config learns from a teacher, or its model is made of saved ones.
        DataError: nothing is left to learn from.
    """
    check_unseen(config)
    classifier = fit_examples(config, weigh(fold.train, config.data), [])
    return classifier.predict_proba([example.query for example in fold.held_out])


def check_unseen(config: RunConfig) -> None:
    """Refuse what brings knowledge of the held-out theatres along: a teacher, or a model made of saved ones.

    Raises:
        ConfigError: the config has one of them.
        ModelError: a folder that should hold a saved model does not.
    """
    for setting, file in teacher_files(config).items():
        got = f"{file}, whose model has seen the theatres that are held out"
        todo = "Take it out, or give each fold a teacher of its own: experiments/recipe/run.py."
        raise ConfigError(problem(setting, "nothing in cross-validation", got, todo))
    check_learns_alone(config, "fold")


def cross_validate(config: RunConfig, examples: Sequence[Example], folds: int = 6) -> tuple[list[Example], FloatArray]:
    """Return the statements of `examples` in fold order and their out-of-fold probabilities (n, k), uncalibrated.

    Raises:
        ConfigError: the config learns from a teacher, or its model is made of saved ones.
        DataError: there are too few theatres or statements for the folds.
    """
    asked: list[Example] = []
    answers = []
    for fold in theatre_folds(examples, folds):
        answers.append(answer(config, fold))
        asked += fold.held_out
    return asked, np.concatenate(answers)
