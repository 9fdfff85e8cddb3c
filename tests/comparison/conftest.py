"""Runs that need no MLflow."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from stance.comparison import Read, Run
from stance.comparison.predictions import Predictions
from stance.schema import LABELS

MakeRun = Callable[..., Read]


def _positions(letters: str) -> np.ndarray:
    return np.array(["anp".index(letter) for letter in letters], dtype=np.int64)


@pytest.fixture
def make_run() -> MakeRun:
    """A run from letters: `gold` and `predicted` such as `anpp`; one group a statement unless told."""
    made = 0

    def make(
        gold: str,
        predicted: str,
        name: str = "one",
        seed: str | None = "0",
        groups: Sequence[str] = (),
        ids: Sequence[str] = (),
        texts: Sequence[str] = (),
        probabilities: bool = True,
        **params: str,
    ) -> Read:
        nonlocal made
        made += 1
        n = len(gold)
        labels = _positions(predicted)
        predictions = Predictions(
            tuple(ids or (f"s{at}" for at in range(n))),
            tuple(groups or (f"g{at}" for at in range(n))),
            tuple(texts or (f"text {at}" for at in range(n))),
            _positions(gold),
            labels,
            np.eye(len(LABELS))[labels] if probabilities else None,
        )
        return Read(Run(f"{made:08x}{made:024x}", name, seed, params), predictions)

    return make
