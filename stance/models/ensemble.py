"""Saved models vote: the mean of their calibrated log-probabilities.

Models that learnt from different statements or with different sizes err in different places, and their mean errs less
(Dietterich 2000, https://doi.org/10.1007/3-540-45014-9_1). The parts are trained and judged by themselves first;
fitting reads them and learns nothing more, so it takes seconds. Saved are the files of all, with `0.`, `1.` and so on
in front of their names.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stance.config import Settings
from stance.errors import ConfigError, ModelError, problem
from stance.models import Model, softmax
from stance.models import load as load_classifier
from stance.schema import Attribution, Example, FloatArray, Query

_FACTS: Final = "ensemble.json"
_SETTING: Final = "model.params.models"


class Params(Settings):
    """Settings of the ensemble."""

    models: tuple[Path, ...] = Field((), description="folders of two or more saved models, trained on the same data")


class Part(BaseModel):
    """One of the models: its kind, its settings and what divides its logits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    params: dict[str, Any]
    temperature: float = Field(gt=0)


class Facts(BaseModel):
    """The content of `ensemble.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: tuple[Part, ...] = Field(min_length=2)


class Ensemble:
    """Models with what calibrates them."""

    def __init__(self, parts: Sequence[Part], models: Sequence[Model]) -> None:
        """Take `m` models and a description of each."""
        self.parts = list(parts)
        self.models = list(models)

    def logits(self, queries: Sequence[Query]) -> FloatArray:
        """Return the mean of the models' calibrated log-probabilities of `n` queries, shape (n, k)."""
        scores = [
            np.log(softmax(model.logits(queries) / part.temperature).clip(1e-12))
            for part, model in zip(self.parts, self.models, strict=True)
        ]
        return np.asarray(np.mean(scores, axis=0), dtype=np.float64)

    def explain(self, query: Query, label: int) -> list[Attribution]:
        """Return what moved the first model: units differ from kind to kind, and cannot be added up."""
        return self.models[0].explain(query, label)

    def save(self, folder: Path) -> None:
        """Write the files of all models and `ensemble.json`."""
        for number, model in enumerate(self.models):
            with tempfile.TemporaryDirectory() as scratch:
                model.save(Path(scratch))
                for path in sorted(Path(scratch).iterdir()):
                    shutil.move(path, folder / f"{number}.{path.name}")
        facts = Facts(parts=tuple(self.parts))
        (folder / _FACTS).write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")


def origins(params: Params) -> list[Mapping[str, Any]]:
    """Return where each of the models came from: all must have learnt from the data that the ensemble is judged on.

    The `fingerprint` of the model stands beside what its manifest tells.

    Raises:
        ModelError: a folder holds no model.
    """
    from stance.models import _folder

    return [
        {**(_folder.read_manifest(folder).get("origin") or {}), "fingerprint": _folder.fingerprint(folder)}
        for folder in params.models
    ]


def fit(train: Sequence[Example], validation: Sequence[Example], params: Params, seed: int) -> Ensemble:
    """Read the models; `train`, `validation` and `seed` play no part.

    Raises:
        ConfigError: fewer than two models are named.
        ModelError: a folder holds no model, or a damaged one.
    """
    if len(params.models) < 2:
        got = f"{len(params.models)}"
        raise ConfigError(problem(_SETTING, "folders of two or more saved models", got, "Train and name them."))
    found = [load_classifier(folder) for folder in params.models]
    parts = [
        Part(kind=one.kind, params=one.params.model_dump(mode="json"), temperature=one.temperature) for one in found
    ]
    return Ensemble(parts, [one.model for one in found])


def load(folder: Path, params: Params) -> Ensemble:
    """Rebuild a saved model; the folders that it was made from are not needed.

    Raises:
        ModelError: a file is missing or unreadable, or does not fit the others.
    """
    from stance.models import _folder

    try:
        facts = Facts.model_validate_json((folder / _FACTS).read_bytes())
    except (OSError, ValidationError) as error:
        got = str(error).splitlines()[0]
        raise ModelError(problem(folder / _FACTS, "the parts of an ensemble", got, "Train it again.")) from error
    models = []
    for number, part in enumerate(facts.parts):
        where = f"{folder / _FACTS}: parts.{number}"
        models.append(_folder.load_part(folder, f"{number}.", part.kind, part.params, where))
    return Ensemble(facts.parts, models)
