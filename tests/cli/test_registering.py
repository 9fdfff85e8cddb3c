"""`stance promote` and `stance card` on a real MLflow store, and the model that commands take by themselves."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

Run = Callable[..., Any]
QUOTE = "We will never give up our rifles"


@pytest.fixture(scope="module")
def store(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, so that its default model stays what other tests expect, with its first two runs alone."""
    folder = Path(shutil.copytree(project, tmp_path_factory.mktemp("registry") / "project"))
    tracked = client(folder)
    first: set[str] = set()
    for run in tracked.search_runs([e.experiment_id for e in tracked.search_experiments()], order_by=["start_time"]):
        if run.info.run_name not in {"majority-seed0", "tfidf-seed0"} - first:
            tracked.delete_run(run.info.run_id)
        first.add(run.info.run_name)
    return folder


@pytest.fixture
def run_here(store: Path, call_in: Run) -> Iterator[Run]:
    """Call the command line in the copy, with its own store."""
    before = mlflow.get_tracking_uri()
    uri = f"sqlite:///{store}/experiments/mlflow.db"

    def call(*arguments: str, **environment: str) -> Any:
        return call_in(store, *arguments, **({"MLFLOW_TRACKING_URI": uri} | environment))

    yield call
    mlflow.set_tracking_uri(before)


def client(store: Path) -> mlflow.MlflowClient:
    uri = f"sqlite:///{store}/experiments/mlflow.db"
    return mlflow.MlflowClient(uri, uri)


def test_force_and_reason_come_together(run_here: Run) -> None:
    done = run_here("promote", "tfidf", "--force")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: --force: expected --reason TEXT beside it, got none. Say why; it is kept.\n",
    )
    done = run_here("promote", "tfidf", "--reason", "because")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: --reason: expected --force beside it, got none. Add --force or leave it out.\n",
    )


def test_without_a_champion_minilm_scores_or_else_tfidf(run_here: Run, store: Path) -> None:
    models = store / "experiments/models"
    linear = run_here("score", QUOTE, "--json", "--model", "experiments/models/tfidf").stdout
    assert run_here("score", QUOTE, "--json").stdout == linear
    shutil.copytree(models / "majority", models / "minilm")
    try:
        found = run_here("score", QUOTE, "--json").stdout
        assert found == run_here("score", QUOTE, "--json", "--model", "experiments/models/minilm").stdout != linear
    finally:
        shutil.rmtree(models / "minilm")


def test_a_better_model_takes_over_and_a_worse_one_needs_a_reason(run_here: Run, store: Path) -> None:
    done = run_here("promote", "majority")
    assert (done.returncode, done.stdout) == (0, "models:/disarmament@champion is version 1\n"), done.stderr
    assert done.stderr == (
        "The first to have the alias: there was nothing to compare it with.\nWrote experiments/models/champion\n"
    )
    done = run_here("promote", "tfidf")
    assert (done.returncode, done.stdout) == (0, "models:/disarmament@champion is version 2\n"), done.stderr
    assert done.stderr.startswith("Not shown to be worse than version 1: macro-F1 +")
    asked = (
        run_here("score", QUOTE, "--json"),
        run_here("score", QUOTE, "--json", "--model", "experiments/models/tfidf"),
    )
    assert asked[0].stdout == asked[1].stdout

    done = run_here("promote", "majority")
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected a model not shown to be worse than version 2, got macro-F1 -" in done.stderr
    aliases = client(store).get_registered_model("disarmament").aliases
    assert {alias: str(version) for alias, version in aliases.items()} == {"champion": "2"}
    done = run_here("promote", "majority", "--force", "--reason", "to see what it does")
    assert done.stdout == "models:/disarmament@champion is version 3\n"
    tags = client(store).get_model_version("disarmament", "3").tags
    assert tags["stance.reason"] == "to see what it does"
    assert "shown to be worse than version 2" in tags["stance.overruled"]
    assert json.loads((store / "experiments/models/champion.json").read_text())["version"] == "3"
    again = run_here("promote", "majority")
    assert (again.stdout, again.stderr.splitlines()[0]) == (
        "models:/disarmament@champion is version 3\n",
        "It has the alias already.",
    )


def test_a_version_carries_card_scores_and_data(run_here: Run, store: Path) -> None:
    assert run_here("promote", "tfidf", "--alias", "candidate").returncode == 0
    version = client(store).get_model_version_by_alias("disarmament", "candidate")
    manifest = json.loads((store / "experiments/models/tfidf/model.json").read_text())
    assert version.tags["stance.data_fingerprint"] == manifest["origin"]["data_fingerprint"]
    assert version.tags["stance.test_unseen.macro_f1"].endswith("]")
    assert version.description.startswith("# tfidf: stance towards the disarmament of non-state armed groups\n")
    path = client(store).download_artifacts(version.run_id, "card/README.md")
    assert "## Limits" in Path(path).read_text(encoding="utf-8")
    shown = run_here("card", "experiments/models/tfidf")
    assert (shown.returncode, shown.stdout) == (0, Path(path).read_text(encoding="utf-8"))


def test_only_the_champion_is_the_default(run_here: Run, store: Path) -> None:
    before = (store / "experiments/models/champion.json").read_text()
    done = run_here("promote", "tfidf", "--alias", "other")
    assert (done.returncode, "Wrote" in done.stderr) == (0, False)
    assert (store / "experiments/models/champion.json").read_text() == before


def test_a_damaged_pointer_is_one_line_and_weaker_than_a_named_model(run_here: Run, store: Path) -> None:
    path = store / "experiments/models/champion.json"
    before = path.read_text()
    path.write_text("{")
    try:
        for command in (("score", QUOTE), ("evaluate",), ("card",)):
            assert run_here(*command).stderr == (
                "Error: experiments/models/champion.json: expected a pointer to the champion, got another or a damaged "
                "file. Promote it again (stance promote RUN), name a model with --model, or remove "
                "experiments/models/champion.json.\n"
            )
        assert run_here("score", QUOTE, "--model", "experiments/models/tfidf").returncode == 0
        assert run_here("score", QUOTE, STANCE_MODEL="experiments/models/tfidf").returncode == 0
        assert run_here("evaluate", "--split", "test", STANCE_MODEL="experiments/models/tfidf").returncode == 0
        assert run_here("score", "--help").returncode == 0
    finally:
        path.write_text(before)


def test_an_alias_that_mlflow_refuses_is_one_line(run_here: Run) -> None:
    done = run_here("promote", "tfidf", "--alias", "v1")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Error: disarmament@v1: expected an answer by MLflow, got ")
