"""Choosing a recipe without touching a test split: cross-validation over whole theatres on train and validation.

Every statement of train and validation is predicted once by a model that saw nothing of its theatre. Contrast
statements are never predicted; they join the training part where their theatre does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stance.errors import DataError, problem
from stance.schema import CONTRAST, Example, FloatArray, label_indices
from stance.training import RunConfig, fit_examples, weigh


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

    statements = [example for example in examples if example.kind != CONTRAST]
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
        away = {example.theatre for example in held_out if example.theatre} | {example.group for example in held_out}
        yield Fold([e for e in examples if e.theatre not in away and e.group not in away], held_out)


def cross_validate(config: RunConfig, examples: Sequence[Example], folds: int = 6) -> tuple[list[Example], FloatArray]:
    """Return the statements of `examples` in fold order and their out-of-fold probabilities (n, k), uncalibrated."""
    asked: list[Example] = []
    answers = []
    for fold in theatre_folds(examples, folds):
        classifier = fit_examples(config, weigh(fold.train, config.data.contrast_weight), [])
        answers.append(classifier.predict_proba([example.query for example in fold.held_out]))
        asked += fold.held_out
    return asked, np.concatenate(answers)
