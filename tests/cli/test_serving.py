"""The model of a run, served by MLflow's own server and asked over HTTP, as a program in another language would."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import mlflow
import pytest

from stance.schema import LABELS

Ask = Callable[..., tuple[int, Any]]
Serve = Callable[..., AbstractContextManager[str]]
pytestmark = pytest.mark.slow
PATIENCE = 180
"""Seconds until a request that is not answered counts as lost."""


@pytest.fixture(scope="module")
def server(project: Path, serve: Serve) -> Iterator[str]:
    """The address of a server of the project's TF-IDF model."""
    before = mlflow.get_tracking_uri()
    store = f"sqlite:///{project}/experiments/mlflow.db"
    mlflow.set_tracking_uri(store)
    (run, *_) = mlflow.search_runs(
        search_all_experiments=True, filter_string="params.`model.kind` = 'tfidf'", output_format="list"
    )
    mlflow.set_tracking_uri(before)
    # MLflow starts the server proper with the first `uvicorn` on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    arguments = ["models", "serve", "--model-uri", f"runs:/{run.info.run_id}/model", "--env-manager", "local"]
    with serve(arguments, {"MLFLOW_TRACKING_URI": store, "PATH": path}, project, "/ping") as address:
        yield f"{address}/invocations"


@pytest.fixture
def ask(server: str) -> Ask:
    """A function of what is sent, as JSON if it is not text: the status and the JSON of the answer."""

    def post(sent: Any, kind: str = "application/json") -> tuple[int, Any]:
        body = (sent if isinstance(sent, str) else json.dumps(sent)).encode()
        request = urllib.request.Request(server, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return post


def test_texts_get_labels_and_probabilities_in_each_form_of_request(ask: Ask) -> None:
    texts = ["We refuse to disarm", "Arms belong to the state alone"]
    status, answer = ask({"dataframe_split": {"columns": ["text"], "data": [[text] for text in texts]}})
    assert status == 200
    assert [row["label"] for row in answer["predictions"]] == ["anti", "pro"]
    for row in answer["predictions"]:
        assert list(row) == ["label", *(f"p_{label}" for label in LABELS)]
        assert sum(row[f"p_{label}"] for label in LABELS) == pytest.approx(1)
    assert ask({"dataframe_records": [{"text": text} for text in texts]}) == (200, answer)
    assert ask({"inputs": {"text": texts}}) == (200, answer)
    assert ask("text\n" + "".join(f"{text}\n" for text in texts), "text/csv") == (200, answer)


INPUT = "the model's input: expected"
NO_COLUMN = f"{INPUT} one column 'text', got the columns none. Rename the column of texts."
NO_TEXT = f"{INPUT} one text or more, got none. Give rows with a column 'text'."


@pytest.mark.parametrize(
    "sent, message",
    [
        ({"dataframe_records": [{"quote": "We refuse to disarm"}]}, NO_COLUMN),
        ({"dataframe_records": []}, NO_COLUMN),
        ({"inputs": None}, NO_COLUMN),
        ({"dataframe_split": {"columns": ["text"], "data": []}}, NO_TEXT),
        ({"inputs": []}, NO_TEXT),
        ({"instances": []}, NO_TEXT),
        *(
            (
                {"dataframe_records": [{"text": "We refuse to disarm"}, {"text": text}]},
                f"{INPUT} a text in row 2, got none ({reason}). Give a string in 'text'.",
            )
            for text, reason in (
                (None, "missing"),
                (" \n", "blank"),
                (7, "not a string"),
                (["We refuse to disarm"], "not a string"),
                ("a\0b", "NUL byte"),
            )
        ),
    ],
)
def test_a_request_without_texts_is_told_what_is_expected(ask: Ask, sent: Any, message: str) -> None:
    status, answer = ask(sent)
    assert status == 400
    assert answer["message"].endswith(f"Error: {message}")
    assert "stack_trace" not in answer


@pytest.mark.parametrize(
    "sent, expected",
    [
        ("We refuse to disarm", "valid JSON formatted string"),
        ("", "valid JSON formatted string"),
        ([], "JSON dictionary with exactly one of the input fields"),
        ({"texts": ["We refuse to disarm"]}, "JSON dictionary with exactly one of the input fields"),
        ({"dataframe_split": "We refuse to disarm"}, "split format must be a dictionary"),
    ],
)
def test_a_request_that_is_no_table_is_told_what_is_expected(ask: Ask, sent: Any, expected: str) -> None:
    status, answer = ask(sent)
    assert status == 400
    assert expected in answer["message"]
    assert "stack_trace" not in answer
