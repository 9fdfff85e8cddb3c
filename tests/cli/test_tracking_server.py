"""Training and comparing by way of a real `mlflow server` on this machine's loopback."""

import csv
import io
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

Call = Callable[..., Any]
Serve = Callable[..., AbstractContextManager[str]]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a store and artefacts of its own, which it serves."""
    folder = tmp_path_factory.mktemp("server")
    arguments = ["server", "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    arguments += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    with serve(arguments, {}, folder, "/health") as address:
        yield address


@pytest.fixture(scope="module")
def place(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's data and configs, and no store."""
    folder = tmp_path_factory.mktemp("client")
    shutil.copytree(project / "data", folder / "data")
    for name in ("majority.yaml", "tfidf.yaml"):
        shutil.copy(project / name, folder)
    return folder


def test_training_comparing_and_scoring_go_through_the_server(server: str, place: Path, call_in: Call) -> None:
    def call(*arguments: str) -> Any:
        done = call_in(place, *arguments, MLFLOW_TRACKING_URI=server)
        assert done.returncode == 0, done.stderr
        return done

    for kind in ("majority", "tfidf"):
        trained = call("train", f"{kind}.yaml", "--out", kind, "--set", "evaluate=[test]")
        # MLflow's client would print the address of the run there.
        assert "http" not in trained.stdout
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(server)
    try:
        (run,) = mlflow.search_runs(
            experiment_names=["disarmament"], filter_string="params.name = 'tfidf'", output_format="list"
        )
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
        assert loaded.predict(pd.DataFrame({"text": ["We refuse to disarm"]}))["label"].tolist() == ["anti"]
    finally:
        mlflow.set_tracking_uri(before)
    compared = call("compare", "tfidf", "majority", "--split", "test", "--format", "csv")
    names = {row["name"] for row in csv.DictReader(io.StringIO(compared.stdout)) if row["table"] == "run"}
    assert names == {"tfidf", "majority"}
    scored = call("score", "We refuse to disarm", "--model", f"runs:/{run.info.run_id}/model")
    assert scored.stdout.splitlines()[1].startswith("anti")
    assert sorted(path.name for path in place.iterdir()) == ["data", "majority", "majority.yaml", "tfidf", "tfidf.yaml"]


def test_an_experiment_goes_through_the_server_and_is_found_done(server: str, place: Path, call_in: Call) -> None:
    (place / "far.yaml").write_text("name: far\nconfigs: [majority.yaml]\nprotocols: [theatres]\nfolds: 2\n")
    first, again = (call_in(place, "experiment", "far.yaml", MLFLOW_TRACKING_URI=server) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "theatres 2 majority seed 0  done   " in first.stdout
    assert "theatres 2 majority seed 0  done before" in again.stdout
    compared = call_in(place, "compare", "far", "--split", "theatres", MLFLOW_TRACKING_URI=server)
    assert compared.returncode == 0, compared.stderr


def test_a_server_that_does_not_answer_is_one_line(place: Path, call_in: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (place / "far.yaml").write_text("name: far\nconfigs: [majority.yaml]\nprotocols: [theatres]\nfolds: 2\n")
        done = call_in(
            place, "experiment", "far.yaml", MLFLOW_TRACKING_URI=address, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("Error: far: expected an answer by MLflow, got API request to ")
    assert done.stderr.endswith("Check MLFLOW_TRACKING_URI.\n")
