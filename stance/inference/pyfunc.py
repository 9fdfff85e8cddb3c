"""How MLflow loads a saved model: `mlflow.pyfunc.log_model(loader_module="stance.inference.pyfunc", data_path=FOLDER)`.

The model is logged as its folder, JSON and safetensors, and rebuilt by `Predictor.load`: nothing is pickled.

Who scores a table, with Spark for one, wants its rows back even where a text is missing. Who asks a server
(`mlflow models serve`) about a text that is none has made a mistake, and gets status 400 and a message that names it.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import pandas as pd
from mlflow.exceptions import MlflowException

from stance.errors import ConfigError, DataError, problem
from stance.inference.predictor import Predictor, missing_reason
from stance.inference.rows import Columns
from stance.models import Classifier, load
from stance.schema import Prediction

TARGET: Final = "target"
_COLUMNS = Columns(text="text", prefix="")
_WHERE: Final = "the model's input"

_SERVING: Final = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"
"""The environment variable that MLflow's server sets for itself."""


class RequestError(DataError, MlflowException):  # type: ignore[misc]  # MLflow has no types
    """An input that cannot be answered. MLflow's server shows the message of its own errors, not of others."""


class StanceModel:
    """What MLflow calls."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the columns `label`, `p_anti`, `p_neutral`, `p_pro` for the `n` rows of the column `text`.

        The index is that of the input. A text that is missing, blank, damaged or no string gets None and NaN. A column
        `target` says what each stance is towards; a model that knows one target does without. `params` is there because
        MLflow passes it; the model has none.

        Raises:
            RequestError: there is no column `text`, or several; the model knows several targets, and there is no column
                `target`; or a server is asked about no text, or about one that is missing, blank, damaged or no string.
        """
        names = [str(name) for name in model_input.columns]
        if names.count(_COLUMNS.text) != 1:
            got = f"the columns {', '.join(map(repr, names)) or 'none'}"
            _refuse(_WHERE, f"one column {_COLUMNS.text!r}", got, "Rename the column of texts.")
        if os.environ.get(_SERVING) == "true":
            _refuse_missing(list(model_input[_COLUMNS.text]))
        texts = [text if isinstance(text, str) else None for text in model_input[_COLUMNS.text]]
        targets = list(model_input[TARGET]) if TARGET in names else [None] * len(texts)
        predictions = self._answers(texts, [target if isinstance(target, str) else None for target in targets])
        label, *shares = _COLUMNS.added
        table = pd.DataFrame(
            {label: [p.label if p else None for p in predictions]}, index=model_input.index, dtype=object
        )
        for k, name in enumerate(shares):
            table[name] = [p.probabilities[k] if p else float("nan") for p in predictions]
        return table

    def _answers(self, texts: Sequence[str | None], targets: Sequence[str | None]) -> list[Prediction | None]:
        """The predictions in the order of the texts, asked target by target."""
        answers: list[Prediction | None] = [None] * len(texts)
        for target in dict.fromkeys(targets):
            rows = [row for row, wanted in enumerate(targets) if wanted == target]
            try:
                predictor = Predictor(self.classifier, target)
            except ConfigError as error:
                message = str(error).replace("--target", f"the column {TARGET!r}", 1)
                raise RequestError.invalid_parameter_value(message) from error
            found = predictor.predict([texts[row] for row in rows])
            for row, prediction in zip(rows, found, strict=True):
                answers[row] = prediction
        return answers


def _refuse(where: str, expected: str, got: str, todo: str) -> NoReturn:
    raise RequestError.invalid_parameter_value(problem(where, expected, got, todo))


def _refuse_missing(texts: Sequence[object]) -> None:
    """Refuse a request without texts, or with one that would get no answer."""
    if not texts:
        _refuse(_WHERE, "one text or more", "none", f"Give rows with a column {_COLUMNS.text!r}.")
    for number, text in enumerate(texts, start=1):
        absent = text is None or text is pd.NA or (isinstance(text, float) and math.isnan(text))
        reason = missing_reason(text) if isinstance(text, str) else "missing" if absent else "not a string"
        if reason:
            _refuse(_WHERE, f"a text in row {number}", f"none ({reason})", f"Give a string in {_COLUMNS.text!r}.")


def _load_pyfunc(data_path: str) -> StanceModel:
    """Return the model saved in the folder `data_path`, for MLflow, which looks for this name.

    Raises:
        ModelError: the folder is missing, damaged or made for other labels.
    """
    return StanceModel(load(Path(data_path)))
