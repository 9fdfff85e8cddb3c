"""How MLflow loads a saved model: `mlflow.pyfunc.log_model(loader_module="stance.inference.pyfunc", data_path=FOLDER)`.

The model is logged as its folder, JSON and safetensors, and rebuilt by `Predictor.load`: nothing is pickled.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from stance.errors import DataError, problem
from stance.inference.predictor import Predictor
from stance.inference.rows import Columns
from stance.models import Classifier, load
from stance.schema import Prediction

TARGET: Final = "target"
_COLUMNS = Columns(text="text", prefix="")


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
            DataError: there is no column `text`, or several.
            ConfigError: the model knows several targets, and there is no column `target`.
        """
        names = [str(name) for name in model_input.columns]
        if names.count(_COLUMNS.text) != 1:
            got = f"the columns {', '.join(map(repr, names)) or 'none'}"
            raise DataError(
                problem("the model's input", f"one column {_COLUMNS.text!r}", got, "Rename the column of texts.")
            )
        texts = [text if isinstance(text, str) else None for text in model_input[_COLUMNS.text]]
        predictions = self._answers(texts, list(model_input[TARGET]) if TARGET in names else [None] * len(texts))
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
            found = Predictor(self.classifier, target).predict([texts[row] for row in rows])
            for row, prediction in zip(rows, found, strict=True):
                answers[row] = prediction
        return answers


def _load_pyfunc(data_path: str) -> StanceModel:
    """Return the model saved in the folder `data_path`, for MLflow, which looks for this name.

    Raises:
        ModelError: the folder is missing, damaged or made for other labels.
    """
    return StanceModel(load(Path(data_path)))
