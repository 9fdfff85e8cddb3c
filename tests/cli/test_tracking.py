"""What a training leaves in MLflow, read back by MLflow's own client, as somebody without this package would."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.entities import Run as MlflowRun

Run = Callable[..., Any]


@pytest.fixture
def logged(project: Path) -> Iterator[MlflowRun]:
    """The MLflow run of the TF-IDF training, with MLflow pointed at the project's store."""
    before = mlflow.get_tracking_uri()
    with contextlib.chdir(project):
        mlflow.set_tracking_uri("sqlite:///experiments/mlflow.db")
        (run,) = mlflow.search_runs(
            experiment_names=["disarmament"],
            filter_string="params.`model.kind` = 'tfidf'",
            order_by=["attributes.start_time ASC"],
            max_results=1,
            output_format="list",
        )
        yield run
    mlflow.set_tracking_uri(before)


def _artefact(run: MlflowRun, path: str) -> str:
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{path}")


def test_a_run_is_finished_and_named_after_its_config_and_seed(logged: MlflowRun) -> None:
    assert (logged.info.status, logged.info.run_name) == ("FINISHED", "tfidf-seed0")


def test_parameters_are_the_whole_config_with_defaults_and_the_data(logged: MlflowRun, project: Path) -> None:
    params = logged.data.params
    assert params["model.params.C"] == "5.0" or float(params["model.params.C"]) > 0
    assert params["seed"] == "0"
    assert params["data.name"] == "tiny"
    assert len(params["data.fingerprint"]) == 64
    assert params["data.n_test_unseen"] == "9"


def test_every_metric_of_every_split_has_an_interval(logged: MlflowRun) -> None:
    for split in ("validation", "test", "test_unseen"):
        for name in ("macro_f1", "f_avg", "accuracy", "ece", "brier", "log_loss", "aurc"):
            assert {f"{split}.{name}", f"{split}.{name}_low", f"{split}.{name}_high"} <= logged.data.metrics.keys()
        assert f"{split}.majority_macro_f1" in logged.data.metrics


def test_predictions_of_each_statement_are_kept(logged: MlflowRun, tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text(_artefact(logged, "predictions/test.csv"), encoding="utf-8")
    table = pd.read_csv(path)
    assert list(table.columns) == [
        *("id", "group", "theatre", "actor_type", "text", "label", "predicted", "p_anti", "p_neutral", "p_pro")
    ]
    assert (table["label"] == table["predicted"]).mean() == pytest.approx(logged.data.metrics["test.accuracy"])


def test_plots_card_and_evaluation_are_artefacts(logged: MlflowRun) -> None:
    names = {
        entry.path
        for folder in ("plots/test", "data", "evaluation")
        for entry in mlflow.artifacts.list_artifacts(run_id=logged.info.run_id, artifact_path=folder)
    }
    assert {"plots/test/confusion.png", "plots/test/reliability.png", "data/README.md", "evaluation/test.json"} <= names
    assert json.loads(_artefact(logged, "evaluation/test.json"))["n"] == int(logged.data.params["data.n_test"])


def test_the_logged_model_scores_a_frame_with_its_signature(logged: MlflowRun) -> None:
    model = mlflow.pyfunc.load_model(f"runs:/{logged.info.run_id}/model")
    assert model.metadata.get_input_schema().input_names() == ["text"]
    scored = model.predict(pd.DataFrame({"text": ["We refuse to disarm", None]}))
    assert list(scored.columns) == ["label", "p_anti", "p_neutral", "p_pro"]
    assert scored["label"].iloc[0] == "anti"
    assert scored["label"].isna().iloc[1]


def test_the_logged_model_holds_no_pickle(logged: MlflowRun) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"runs:/{logged.info.run_id}/model"))
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes <= {"", ".json", ".safetensors", ".yaml", ".txt"}


def test_a_model_is_scored_by_its_mlflow_address(logged: MlflowRun, run: Run) -> None:
    done = run("score", "We refuse to disarm", "--json", "--model", f"runs:/{logged.info.run_id}/model")
    assert json.loads(done.stdout)["label"] == "anti", done.stderr


def test_replaying_the_logged_config_gives_the_same_weights(
    logged: MlflowRun, run: Run, project: Path, tmp_path: Path
) -> None:
    config = yaml.safe_load(_artefact(logged, "config.yaml"))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = run("train", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    again = (tmp_path / "again/weights.safetensors").read_bytes()
    assert again == (project / "experiments/models/tfidf/weights.safetensors").read_bytes()


def test_a_failed_training_is_logged_as_failed(run: Run, project: Path, logged: MlflowRun) -> None:
    done = run("train", "tfidf.yaml", "--out", "failed", "--set", "model.params.target_features=true")
    assert done.stderr == (
        "Error: model.params.target_features: expected data with several targets, got data with one. "
        "Set model.params.target_features to false.\n"
    )
    assert not (project / "failed").exists()
    (failed,) = mlflow.search_runs(
        experiment_names=["disarmament"], filter_string="attributes.status = 'FAILED'", output_format="list"
    )
    assert failed.data.params["model.params.target_features"] == "True"
