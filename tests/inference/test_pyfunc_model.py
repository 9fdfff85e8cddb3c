"""MLflow loads and asks the same predictor."""

import math
from dataclasses import replace

import mlflow.pyfunc
import pandas as pd
import pytest

from stance.errors import DataError
from stance.inference.pyfunc import StanceModel, _load_pyfunc

ANTI = "We will never hand over our guns."
PRO = "They must lay down their weapons."


def expected(predictor, texts, index):
    answers = predictor.predict(texts)
    return pd.DataFrame(
        {
            "label": pd.Series([a.label if a else None for a in answers], index=index, dtype=object),
            **{
                name: [a.probabilities[k] if a else math.nan for a in answers]
                for k, name in enumerate(("p_anti", "p_neutral", "p_pro"))
            },
        },
        index=index,
    )


def test_the_rows_keep_their_index_and_missing_texts_have_no_label(model_folder, predictor):
    table = pd.DataFrame({"text": [ANTI, None, math.nan, 7, " ", PRO], "id": range(6)}, index=list("abcdef"))
    result = _load_pyfunc(str(model_folder)).predict(table, params={})
    texts = [ANTI, None, None, None, " ", PRO]
    pd.testing.assert_frame_equal(result, expected(predictor, texts, table.index))


def test_no_rows_give_an_empty_table(model_folder):
    result = _load_pyfunc(str(model_folder)).predict(pd.DataFrame({"text": []}))
    assert list(result.columns) == ["label", "p_anti", "p_neutral", "p_pro"]
    assert len(result) == 0


@pytest.mark.parametrize(
    "names, got",
    [
        ([], "the columns none"),
        (["id", "Text"], "the columns 'id', 'Text'"),
        (["text", "text"], "the columns 'text', 'text'"),
    ],
)
def test_a_table_without_one_text_column_is_refused(model_folder, names, got):
    with pytest.raises(DataError) as caught:
        _load_pyfunc(str(model_folder)).predict(pd.DataFrame([["a"] * len(names)], columns=names))
    assert str(caught.value) == (
        f"the model's input: expected one column 'text', got {got}. Rename the column of texts."
    )


def test_mlflow_saves_and_loads_the_model(model_folder, predictor, tmp_path):
    mlflow.pyfunc.save_model(
        tmp_path / "saved", loader_module="stance.inference.pyfunc", data_path=str(model_folder), pip_requirements=[]
    )
    assert not [path for path in (tmp_path / "saved").rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    table = pd.DataFrame({"text": [ANTI, PRO]})
    result = mlflow.pyfunc.load_model(str(tmp_path / "saved")).predict(table)
    pd.testing.assert_frame_equal(result, expected(predictor, [ANTI, PRO], table.index))


def test_a_column_of_targets_is_asked_target_by_target_in_the_order_of_the_rows(predictor):
    several = replace(predictor.classifier, targets=("a treaty", "a truce"))
    table = pd.DataFrame({"text": [ANTI, PRO, None, ANTI], "target": ["a truce", "a treaty", "a truce", "a treaty"]})
    result = StanceModel(several).predict(table)
    assert list(result["label"]) == ["anti", "pro", None, "anti"]


def test_several_targets_and_no_column_of_them_is_refused(predictor):
    several = replace(predictor.classifier, targets=tuple(f"t{number}" for number in range(20)))
    with pytest.raises(DataError) as caught:
        StanceModel(several).predict(pd.DataFrame({"text": [ANTI]}))
    assert str(caught.value) == (
        "the column 'target': expected one of 't0', 't1', 't2', 't3', 't4', 't5', 't6', 't7' and 12 more, got nothing. "
        "Name one."
    )
