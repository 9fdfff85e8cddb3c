"""Examples go in, label probabilities come out. This page is the contract; each file beside it is one model.

A model file offers `Params` (its settings), `fit(train, validation, params, seed)` and `load(folder, params)`, both
of which return a `Model`. One whose models can be exported offers `load_export(folder, params, graphs)` as well, and
one that may be made of trained models offers `origins(params)`, empty where it is not, so that data they should not
have seen is noticed. Files are found on disk (`stance.plugins`); nothing else has to be told about a new one.

A `Classifier` is a fitted model with what makes its probabilities trustworthy: the temperature found on validation, the
labels and targets it knows, and where it came from. It is what is saved, loaded and asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stance.config import Settings
from stance.schema import DEFAULT_TARGET, Attribution, Example, FloatArray, Query
from stance.text import normalise

if TYPE_CHECKING:
    from stance.models._runtime import Runtime


class Model(Protocol):
    """A fitted model."""

    def logits(self, queries: Sequence[Query]) -> FloatArray:
        """Return the scores of `n` queries before calibration, shape (n, k), in the order of `LABELS`."""

    def explain(self, query: Query, label: int) -> list[Attribution]:
        """Return what moved the score of the label at position `label`, in the order of the text."""

    def save(self, folder: Path) -> None:
        """Write the model's own files (JSON and safetensors only) into the existing, empty `folder`."""


class ModelFile(Protocol):
    """What a file in this folder offers."""

    Params: type[Settings]

    def fit(self, train: Sequence[Example], validation: Sequence[Example], params: Any, seed: int) -> Model:
        """Fit on `train`; `validation` may only decide when to stop, never enter the weights."""

    def load(self, folder: Path, params: Any) -> Model:
        """Rebuild what `save` wrote.

        Raises:
            ModelError: a file is missing, damaged or does not fit the others.
        """


@dataclass(frozen=True, slots=True)
class Classifier:
    """A fitted model, calibrated and labelled.

    `temperature` divides the logits before the softmax (Guo et al. 2017, https://arxiv.org/abs/1706.04599).
    `fingerprint` is the SHA-256 of the manifest that it was loaded by, and with it of every weight; None if it is new.
    """

    kind: str
    params: Settings
    model: Model
    temperature: float = 1.0
    targets: tuple[str, ...] = (DEFAULT_TARGET,)
    origin: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = field(default=None, compare=False)

    def predict_proba(self, queries: Sequence[Query]) -> FloatArray:
        """Return calibrated probabilities of `n` queries, shape (n, k), each row summing to 1.

        Texts are normalised first, as the dataset builder normalised those that the model was trained on.
        """
        normal = [replace(query, text=normalise(query.text)) for query in queries]
        return softmax(self.model.logits(normal) / self.temperature)


def softmax(logits: FloatArray) -> FloatArray:
    """Return the softmax over the last axis, safe for large logits."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float64)


def load(folder: Path, runtime: "Runtime" = "torch") -> Classifier:
    """Return the classifier saved in `folder`, to be computed by `runtime` (see `stance.models._runtime`).

    What is checked is said in `stance.models._folder`.

    Raises:
        ModelError: the folder is missing, damaged, of another program or version, or made for other labels; or so is
            the export that `runtime` means.
        ConfigError: the kind of model has no such runtime.
    """
    from stance.models import _folder

    return _folder.load(folder, runtime)
