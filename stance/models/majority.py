"""The baseline that reads nothing: every text gets the label shares of the training examples."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stance.config import Settings
from stance.errors import ModelError, problem
from stance.schema import LABELS, Attribution, Example, FloatArray, Query, label_indices


class Params(Settings):
    """The majority model has nothing to set."""


class Majority:
    """Log label shares, the same for every query; shares have one example added to each label, so none is zero."""

    def __init__(self, log_shares: FloatArray) -> None:
        """Take the log shares of the `k` labels, shape (k,)."""
        self.log_shares = log_shares

    def logits(self, queries: Sequence[Query]) -> FloatArray:
        """Return the log label shares for each of `n` queries, shape (n, k)."""
        return np.tile(self.log_shares, (len(queries), 1))

    def explain(self, query: Query, label: int) -> list[Attribution]:
        """Return nothing: no word of a text moves this model."""
        return []

    def save(self, folder: Path) -> None:
        """Write the log shares as `majority.json`."""
        (folder / "majority.json").write_text(
            json.dumps({"log_shares": self.log_shares.tolist()}) + "\n", encoding="utf-8"
        )


def fit(train: Sequence[Example], validation: Sequence[Example], params: Params, seed: int) -> Majority:
    """Count the labels of `train` by weight."""
    weights = np.array([example.weight for example in train])
    counts = np.bincount(label_indices([example.label for example in train]), weights=weights, minlength=len(LABELS))
    return Majority(np.log((counts + 1.0) / (counts + 1.0).sum()))


def load(folder: Path, params: Params) -> Majority:
    """Rebuild a saved model.

    Raises:
        ModelError: `majority.json` does not hold one finite number for each label.
    """
    path = folder / "majority.json"
    try:
        log_shares = np.array(json.loads(path.read_text(encoding="utf-8"))["log_shares"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(problem(path, "log label shares", str(error), "Train the model again.")) from error
    if log_shares.shape != (len(LABELS),) or not np.isfinite(log_shares).all():
        raise ModelError(problem(path, f"{len(LABELS)} finite log shares", str(log_shares), "Train the model again."))
    return Majority(log_shares)
