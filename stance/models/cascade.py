"""Two models: a cheap one answers where it is sure, a costly one reads the rest.

Each is calibrated on validation by itself, and the threshold is the one that gives the costly model the fewest texts at
no more than a stated loss of macro-F1 there (Viola and Jones 2001 for the idea; for text, Varshney and Baral 2022,
https://arxiv.org/abs/2210.05528). Saved are the files of both, with `first.` and `second.` in front of their names.
"""

import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stance.config import Settings, validate
from stance.errors import ModelError, problem
from stance.models import Model, ModelFile, softmax
from stance.models._batches import macro_f1
from stance.schema import Attribution, Example, FloatArray, IntArray, Query, label_indices

logger = logging.getLogger(__name__)

_FACTS: Final = "cascade.json"
_STAGES: Final = ("first", "second")
_TEMPERATURES: Final = np.geomspace(0.1, 10, 201)


class Stage(Settings):
    """One of the two models."""

    kind: str = Field(description="a file of stance/models/")
    params: dict[str, Any] = Field(default_factory=dict, description="settings of that model")


class Params(Settings):
    """Settings of the cascade."""

    first: Stage = Field(Stage(kind="tfidf"), description="the cheap model")
    second: Stage = Field(Stage(kind="transformer"), description="the costly model")
    max_loss: float = Field(
        0.005, ge=0, le=1, description="macro-F1 on validation that may be lost against the costly model alone"
    )

    @model_validator(mode="after")
    def _no_nest(self) -> "Params":
        if "cascade" in (self.first.kind, self.second.kind):
            raise ValueError("a cascade inside a cascade")
        return self


class Facts(BaseModel):
    """The content of `cascade.json`: temperatures of both models, and what the first has to be surer than."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    temperatures: tuple[float, float] = Field(description="above 0")
    threshold: float = Field(ge=0, le=1)


class Cascade:
    """Two fitted models; `threshold` is the probability of a label above which the first model's answer counts."""

    def __init__(self, first: Model, second: Model, temperatures: tuple[float, float], threshold: float) -> None:
        """Take the models with the temperatures that calibrate them."""
        self.first = first
        self.second = second
        self.temperatures = temperatures
        self.threshold = threshold

    def logits(self, queries: Sequence[Query]) -> FloatArray:
        """Return the calibrated log-probabilities of `n` queries, shape (n, k), each from one of the models."""
        scores = _log_probabilities(self.first.logits(queries) / self.temperatures[0])
        rest = np.flatnonzero(self.deferred(scores)).tolist()
        asked = self.second.logits([queries[at] for at in rest]) / self.temperatures[1]
        scores[rest] = _log_probabilities(asked)
        return scores

    def deferred(self, scores: FloatArray) -> Any:
        """Return which of the first model's log-probabilities (n, k) do not count, shape (n,)."""
        return scores.max(axis=1, initial=-np.inf) <= np.log(max(self.threshold, 1e-300))

    def explain(self, query: Query, label: int) -> list[Attribution]:
        """Return what moved the score in the model that answers."""
        scores = _log_probabilities(self.first.logits([query]) / self.temperatures[0])
        return (self.second if self.deferred(scores)[0] else self.first).explain(query, label)

    def save(self, folder: Path) -> None:
        """Write the files of both models and `cascade.json`."""
        for stage, model in zip(_STAGES, (self.first, self.second), strict=True):
            with tempfile.TemporaryDirectory() as scratch:
                model.save(Path(scratch))
                for path in sorted(Path(scratch).iterdir()):
                    shutil.move(path, folder / f"{stage}.{path.name}")
        facts = Facts(temperatures=self.temperatures, threshold=self.threshold)
        (folder / _FACTS).write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")


def origins(params: Params) -> list[Mapping[str, Any]]:
    """Return where the saved models came from that the two are made of; none if both learn all by themselves.

    Raises:
        ConfigError: a kind or a setting of one of the models is wrong.
        ModelError: a folder that one of them names holds no model.
    """
    found: list[Mapping[str, Any]] = []
    for file, settings in _files(params):
        if (ask := getattr(file, "origins", None)) is not None:
            found += ask(settings)
    return found


def fit(train: Sequence[Example], validation: Sequence[Example], params: Params, seed: int) -> Cascade:
    """Fit both models on `train`; `validation` sets temperatures and threshold. Without it the second answers all.

    Raises:
        ConfigError: a kind or a setting of one of the models is wrong.
        DataError: one of the models refuses the data.
    """
    first, second = (file.fit(train, validation, settings, seed) for file, settings in _files(params))
    if not validation:
        logger.warning("Without a validation split nothing says where the first model is sure: the second answers all.")
        return Cascade(first, second, (1.0, 1.0), threshold=1.0)
    gold = label_indices([example.label for example in validation])
    queries = [example.query for example in validation]
    scores = [model.logits(queries) for model in (first, second)]
    warmth = (_temperature(scores[0], gold), _temperature(scores[1], gold))
    shares = [softmax(score / temperature) for score, temperature in zip(scores, warmth, strict=True)]
    threshold = choose(shares[0], shares[1], gold, params.max_loss)
    return Cascade(first, second, warmth, threshold)


def load(folder: Path, params: Params) -> Cascade:
    """Rebuild a saved model.

    Raises:
        ModelError: a file is missing or unreadable, or does not fit the others or `params`.
    """
    from stance.models import _folder

    try:
        facts = Facts.model_validate_json((folder / _FACTS).read_bytes())
    except (OSError, ValidationError) as error:
        got = str(error).splitlines()[0]
        raise ModelError(problem(folder / _FACTS, "the facts about a cascade", got, "Train it again.")) from error
    models = []
    for name, stage in zip(_STAGES, _pair(params), strict=True):
        models.append(_folder.load_part(folder, f"{name}.", stage.kind, stage.params, f"model.params.{name}"))
    return Cascade(models[0], models[1], facts.temperatures, facts.threshold)


def curve(first: FloatArray, second: FloatArray, gold: IntArray) -> list[tuple[float, float, float]]:
    """Return what each threshold does to `n` texts: (threshold, share deferred, macro-F1), most deferred first.

    `first` and `second` are the calibrated probabilities of the two models, shape (n, k).
    """
    sure = first.max(axis=1)
    points = []
    for threshold in [1.0, *np.unique(sure)[::-1].tolist(), 0.0]:
        deferred = sure <= threshold
        predicted = np.where(deferred, second.argmax(axis=1), first.argmax(axis=1))
        points.append((float(threshold), float(deferred.mean()), macro_f1(predicted, gold)))
    return points


def choose(first: FloatArray, second: FloatArray, gold: IntArray, max_loss: float) -> float:
    """Return the lowest threshold that loses at most `max_loss`, as do all above it: one lucky point is no ground.

    It lies between the probabilities of two texts, so that rounding decides nothing.
    """
    points = curve(first, second, gold)
    least = points[0][2] - max_loss
    above, chosen = 1.0, 1.0
    for threshold, _, score in points:
        if score < least:
            break
        above, chosen = chosen, threshold
    return (above + chosen) / 2


def _files(params: Params) -> list[tuple[ModelFile, Settings]]:
    """The files of both models with their checked settings."""
    from stance.models import _folder

    found = []
    for name, stage in zip(_STAGES, _pair(params), strict=True):
        file = _folder.model_file(stage.kind, f"model.params.{name}.kind")
        found.append((file, validate(file.Params, stage.params, f"model.params.{name}.params")))
    return found


def _pair(params: Params) -> tuple[Stage, Stage]:
    return params.first, params.second


def _log_probabilities(scores: FloatArray) -> FloatArray:
    return np.asarray(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True), dtype=np.float64)


def _temperature(scores: FloatArray, gold: IntArray) -> float:
    """Return the temperature with the least negative log-likelihood, to a fortieth of its size."""
    rows = np.arange(len(gold))
    losses = [-_log_probabilities(scores / t)[rows, gold].mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])
