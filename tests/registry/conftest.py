"""A tiny model on disk and tracked runs made by hand."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.comparison import Read, Run
from stance.comparison.predictions import Predictions
from stance.models import Classifier, _folder, majority
from stance.schema import LABELS, Example, label_indices


@pytest.fixture
def classifier() -> Classifier:
    examples = [Example(f"{n}", f"text {n}", LABELS[n % 3], f"{n}") for n in range(4)]
    origin = {
        "name": "tiny",
        "data": "arms",
        "data_fingerprint": "ab" * 32,
        "train_labels": {"anti": 2, "neutral": 1, "pro": 1},
    }
    params = majority.Params()
    return Classifier("majority", params, majority.fit(examples, [], params, seed=0), 1.5, origin=origin)


@pytest.fixture
def saved(classifier: Classifier, tmp_path: Path) -> Path:
    _folder.save(classifier, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def tracked() -> Callable[..., Read]:
    """A function of predicted labels, a name, and of what else differs: 30 statements in as many groups."""

    def make(predicted: Sequence[Any], name: str, groups: int = 30, **params: str) -> Read:
        ids = tuple(f"s{number:02}" for number in range(30))
        gold = np.array([number % 3 for number in range(30)])
        run = Run(name[0] * 32, name, "0", {"data.fingerprint": "f" * 64, **params})
        return Read(
            run,
            Predictions(ids, tuple(f"g{n % groups}" for n in range(30)), ids, gold, label_indices(predicted), None),
        )

    return make
