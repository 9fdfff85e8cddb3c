"""What the examples that a model is fitted on must have; every model that needs it checks it here."""

from collections.abc import Sequence
from typing import Final

from stance.errors import DataError, problem
from stance.schema import LABELS, Example

_WHERE: Final = "the training split"


def check_labels(train: Sequence[Example]) -> None:
    """Refuse examples without one for each label.

    Raises:
        DataError: a label is missing.
    """
    missing = sorted(set(LABELS) - {example.label for example in train})
    if missing:
        todo = "Add examples, or train on another split."
        raise DataError(problem(_WHERE, f"examples of {', '.join(LABELS)}", f"none of {', '.join(missing)}", todo))


def check_votes(train: Sequence[Example]) -> None:
    """Refuse examples whose votes cannot be learnt from.

    Raises:
        DataError: an example has no share of the votes for each label.
    """
    for example in train:
        if len(example.soft) != len(LABELS):
            got = f"{len(example.soft)} in {example.id}"
            todo = "Build the dataset with votes, or set model.params.soft_labels to false."
            raise DataError(problem(_WHERE, f"{len(LABELS)} shares of votes", got, todo))
