"""`stance experiment` on a real MLflow store: what it leaves, what it skips, and what a kill costs."""

import contextlib
import csv
import io
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run as MlflowRun

from stance.dataset import load
from stance.experiment.ledger import PROCESS, process

Call = Callable[..., Any]

GRID = """\
name: grid
question: Is one better?
configs: [majority.yaml, tfidf.yaml]
overrides: ["evaluate=[test]"]
protocols: [theatres, split, learning-curve]
folds: 2
shares: [0.5, 1.0]
keep_models: true
"""
SMALL = """\
name: {name}
configs: [{config}.yaml]
protocols: [theatres]
folds: 3
"""
KEYS = [
    "theatres 2 majority seed 0",
    "theatres 2 tfidf seed 0",
    "split majority seed 0",
    "split tfidf seed 0",
    "learning-curve 0.5 majority seed 0",
    "learning-curve 1 majority seed 0",
    "learning-curve 0.5 tfidf seed 0",
    "learning-curve 1 tfidf seed 0",
]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with its own store."""

    folder: Path
    call: Call

    def runs(self, experiment: str, filter_string: str = "") -> list[MlflowRun]:
        """The runs of an experiment, oldest first."""
        found: list[MlflowRun] = mlflow.search_runs(
            experiment_names=[experiment],
            filter_string=filter_string,
            order_by=["attributes.start_time ASC"],
            output_format="list",
        )
        return found

    def cells(self, experiment: str) -> dict[str, MlflowRun]:
        """The finished cells by their names."""
        found = self.runs(experiment, "tags.`stance.role` = 'cell' and attributes.status = 'FINISHED'")
        return {one.info.run_name: one for one in found}

    def predictions(self, run: MlflowRun, split: str) -> list[dict[str, str]]:
        """The rows of a run's predictions."""
        text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/predictions/{split}.csv")
        return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def place(project: Path, call_in: Call, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The project's data and configs, with a store of their own, at which MLflow points as well."""
    folder = tmp_path_factory.mktemp("experiments")
    shutil.copytree(project / "data", folder / "data")
    for name in ("majority.yaml", "tfidf.yaml", "tiny.yaml", "tiny.jsonl"):
        shutil.copy(project / name, folder)
    uri = f"sqlite:///{folder}/mlflow.db"
    before = mlflow.get_tracking_uri()
    with contextlib.chdir(folder):
        mlflow.set_tracking_uri(uri)
        yield Place(folder, lambda *arguments: call_in(folder, *arguments, MLFLOW_TRACKING_URI=uri))
    mlflow.set_tracking_uri(before)


def _small(place: Place, name: str, config: str, *lines: str) -> str:
    text = SMALL.format(name=name, config=config) + "".join(f"{line}\n" for line in lines)
    (place.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return f"{name}.yaml"


@pytest.fixture(scope="module")
def grid(place: Place) -> Any:
    """What the whole grid printed, run once."""
    (place.folder / "grid.yaml").write_text(GRID, encoding="utf-8")
    return place.call("experiment", "grid.yaml")


def test_each_cell_is_a_row_and_the_comparison_to_make_is_named(grid: Any) -> None:
    assert grid.returncode == 0, grid.stderr
    rows = [re.split(r"  +", line) for line in grid.stdout.splitlines()]
    assert rows[0] == ["run", "state", "macro-F1", "id"]
    assert [row[0] for row in rows[1:]] == KEYS
    assert {row[1] for row in rows[1:]} == {"done"}
    assert "grid: 8 of 8 runs to do, 10 trainings, time: unknown" in grid.stderr.splitlines()
    assert grid.stderr.splitlines()[-1] == "Compare: stance compare grid --split theatres"


def test_cells_hang_below_the_experiment_and_folds_below_cells(grid: Any, place: Place) -> None:
    (parent,) = place.runs("grid", "tags.`stance.role` = 'experiment'")
    cells, folds = place.cells("grid"), place.runs("grid", "tags.`stance.role` = 'fold'")
    assert sorted(cells) == sorted(KEYS)
    assert {one.data.tags["mlflow.parentRunId"] for one in cells.values()} == {parent.info.run_id}
    below = [cells["theatres 2 majority seed 0"], cells["theatres 2 tfidf seed 0"]]
    assert [one.data.tags["mlflow.parentRunId"] for one in folds] == [one.info.run_id for one in below for _ in "12"]
    assert {one.info.status for one in (parent, *folds)} == {"FINISHED"}
    assert parent.data.tags["mlflow.note.content"] == "Is one better?"
    assert "protocols:\n- theatres" in mlflow.artifacts.load_text(f"{parent.info.artifact_uri}/definition.yaml")


def test_a_cell_says_what_it_was_run_on_and_with(grid: Any, place: Place) -> None:
    run = place.cells("grid")["theatres 2 tfidf seed 0"]
    assert run.data.params["protocol.name"] == "theatres"
    assert run.data.params["protocol.folds"] == "2"
    assert float(run.data.params["model.params.C"]) > 0
    assert run.data.tags["stance.data"] == load(place.folder / "data/build/tiny").fingerprint
    inputs = {one.tags[0].value: one.dataset.name for one in run.inputs.dataset_inputs}
    assert inputs == {"train": "tiny.train", "validation": "tiny.validation"}
    assert run.data.metrics["train_seconds"] > 0


def test_every_statement_of_train_and_validation_is_predicted_once(grid: Any, place: Place) -> None:
    data = load(place.folder / "data/build/tiny")
    run = place.cells("grid")["theatres 2 tfidf seed 0"]
    rows = place.predictions(run, "theatres")
    assert sorted(row["id"] for row in rows) == sorted(
        e.id for name in ("train", "validation") for e in data.split(name)
    )
    accuracy = sum(row["label"] == row["predicted"] for row in rows) / len(rows)
    assert accuracy == pytest.approx(run.data.metrics["theatres.accuracy"])


def test_a_model_is_kept_of_split_and_of_nothing_else(grid: Any, place: Place) -> None:
    cells = place.cells("grid")
    kept = {name for name, one in cells.items() if one.outputs and one.outputs.model_outputs}
    assert kept == {"split majority seed 0", "split tfidf seed 0"}
    loaded = mlflow.pyfunc.load_model(f"runs:/{cells['split tfidf seed 0'].info.run_id}/model")
    assert loaded.metadata.get_input_schema().input_names() == ["text"]


def test_a_share_of_the_groups_is_less_to_learn_from_and_the_whole_is_the_split(grid: Any, place: Place) -> None:
    cells = place.cells("grid")
    sizes = [int(cells[f"learning-curve {share} tfidf seed 0"].data.params["protocol.n_train"]) for share in (0.5, 1)]
    assert 0.3 < sizes[0] / sizes[1] < 0.7
    whole, split = cells["learning-curve 1 tfidf seed 0"], cells["split tfidf seed 0"]
    assert place.predictions(whole, "test") == place.predictions(split, "test")


def test_what_is_done_is_not_done_again(grid: Any, place: Place) -> None:
    before = len(place.runs("grid"))
    planned = place.call("experiment", "grid.yaml", "--dry-run")
    assert {re.split(r"  +", line)[1] for line in planned.stdout.splitlines()[1:]} == {"done"}
    again = place.call("experiment", "grid.yaml")
    assert again.returncode == 0, again.stderr
    assert {re.split(r"  +", line)[1] for line in again.stdout.splitlines()[1:]} == {"done before"}
    assert len(place.runs("grid")) == before


def test_another_setting_is_another_cell(grid: Any, place: Place) -> None:
    planned = place.call("experiment", "grid.yaml", "--dry-run", "--set", "folds=3", "--set", "shares=[1.0]")
    lines = planned.stdout.splitlines()
    assert re.fullmatch(r"theatres 3 majority seed 0 +to do +3 +\d+ s", lines[1])
    assert re.fullmatch(r"split majority seed 0 +done +0 +-", lines[3])
    assert re.fullmatch(r"learning-curve 1 tfidf seed 0 +done +0 +-", lines[-1])


def test_other_data_in_the_same_place_is_another_cell(place: Place) -> None:
    def build(seed: int) -> None:
        out = ("--set", f"splits.seed={seed}", "--out", "data/build/moving", "--replace")
        assert place.call("build", "tiny.yaml", *out).returncode == 0

    build(0)
    name = _small(place, "moving", "majority", 'overrides: ["data.path=data/build/moving"]')
    assert place.call("experiment", name).returncode == 0
    assert " done " in place.call("experiment", name, "--dry-run").stdout
    build(1)
    assert " done " not in place.call("experiment", name, "--dry-run").stdout


def test_the_cells_of_one_split_are_compared_and_no_other_run(grid: Any, place: Place) -> None:
    # The whole of a learning curve is a split's equal; its smaller shares, folds and other splits do not count.
    older = "Left out: grid: 2 older runs with the name and seed of a newer one. Name a run by its id to compare it.\n"
    for split, left_out in (("theatres", ""), ("test", older)):
        done = place.call("compare", "grid", "--split", split, "--format", "csv")
        assert (done.returncode, done.stderr) == (0, left_out)
        names = [row["name"] for row in csv.DictReader(io.StringIO(done.stdout)) if row["quantity"] == "seeds"]
        assert sorted(names) == ["majority", "tfidf"]


def test_the_page_of_an_experiment_has_its_learning_curve(grid: Any, place: Place) -> None:
    page = place.folder / "page.html"
    done = place.call("compare", "grid", "--split", "test", "--format", "html", "--output", str(page))
    assert done.returncode == 0, done.stderr
    assert "Learning curve</h3>" in page.read_text(encoding="utf-8")
    again = place.call("compare", "grid", "--split", "test", "--format", "html", "--output", str(page))
    assert (again.returncode, again.stderr) == (
        1,
        f"Error: {page}: expected a file that does not exist, got one that does. Give --replace.\n",
    )


def test_a_cell_that_fails_is_logged_with_its_error_and_the_others_are_done(place: Place) -> None:
    name = _small(place, "half", "tfidf", "variants: {good: [], bad: [model.params.target_features=true]}")
    error = (
        "model.params.target_features: expected data with several targets, got data with one. "
        "Set model.params.target_features to false."
    )
    for _ in range(2):
        done = place.call("experiment", name)
        assert done.returncode == 1
        assert re.search(r"^theatres 3 tfidf-good seed 0 +done", done.stdout, re.MULTILINE)
        assert re.search(r"^theatres 3 tfidf-bad seed 0 +failed +- +[0-9a-f]{8}$", done.stdout, re.MULTILINE)
        assert done.stderr.splitlines()[-1] == f"Error: 1 of 2 runs failed; the first: {error}"
    failed = place.runs("half", "tags.`stance.role` = 'cell' and attributes.status = 'FAILED'")
    assert [one.data.tags["stance.error"] for one in failed] == [error, error]
    (parent,) = place.runs("half", "tags.`stance.role` = 'experiment'")
    assert (parent.info.status, parent.data.tags["stance.error"]) == ("FAILED", "1 of 2 cells failed")
    compared = place.call("compare", "half", "--split", "theatres")
    assert compared.returncode == 0, compared.stderr
    assert compared.stderr == (
        f"Left out: theatres 3 tfidf-bad seed 0 ({failed[-1].info.run_id[:8]}): failed: {error}\n"
    )
    assert "to do (failed before)" in place.call("experiment", name, "--dry-run").stdout


def test_data_that_is_not_there_fails_its_cell_only(place: Place) -> None:
    name = _small(place, "nodata", "majority", "variants: {here: [], gone: [data.path=nowhere]}")
    done = place.call("experiment", name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: 1 of 2 runs failed; the first: nowhere: expected a data set, got no such folder. "
        "Build it: stance build configs/data/disarmament.yaml"
    )
    planned = place.call("experiment", name, "--dry-run")
    assert "theatres 3 majority-gone seed 0  cannot be done" in planned.stdout
    assert planned.stderr.splitlines()[0] == (
        "theatres 3 majority-gone seed 0: nowhere: expected a data set, got no such folder. "
        "Build it: stance build configs/data/disarmament.yaml"
    )


def test_saved_models_are_judged_on_a_split_but_neither_on_folds_nor_on_shares(place: Place, project: Path) -> None:
    parts = ", ".join(str(project / "experiments/models" / name) for name in ("majority", "tfidf"))
    ensemble = f"{{kind: ensemble, params: {{models: [{parts}]}}}}"
    text = f"name: ensemble\ndata: {{path: data/build/tiny}}\nmodel: {ensemble}\n"
    (place.folder / "ensemble.yaml").write_text(text, encoding="utf-8")
    name = _small(place, "saved", "ensemble")
    protocols = "protocols=[split, theatres, leave-one-theatre-out, learning-curve]"
    done = place.call("experiment", name, "--set", protocols, "--set", "shares=[0.5]")
    states = {line.split(" ensemble ")[0]: re.split(r"  +", line)[1] for line in done.stdout.splitlines()[1:]}
    assert states == {
        "split": "done",
        "theatres 3": "failed",
        "leave-one-theatre-out": "failed",
        "learning-curve 0.5": "failed",
    }
    failed = place.runs("saved", "tags.`stance.role` = 'cell' and attributes.status = 'FAILED'")
    assert [one.data.tags["stance.error"] for one in failed] == [
        f"model.kind: expected a model that learns from its {part} alone, got ensemble of 2 saved models, which may "
        "have learnt from more. Take it out, or judge it on a split."
        for part in ("fold", "fold", "share of the groups")
    ]
    planned = place.call("experiment", name, "--set", protocols, "--set", "shares=[0.5]", "--dry-run")
    assert planned.stdout.count("cannot be done") == 3


def _killed_after_the_first_fold(place: Place, name: str) -> None:
    """Run the experiment in a process of its own, and kill it as soon as it tells of a fold."""
    command = [sys.executable, "-m", "stance", "experiment", name]
    environment = {"PATH": "/usr/bin:/bin", "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as one:
        assert one.stderr is not None
        for line in one.stderr:
            if "1 of 3 folds" in line:
                one.send_signal(signal.SIGKILL)
                break
        one.stderr.read()
    assert one.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_after_a_kill_no_finished_fold_is_trained_again_and_the_result_is_the_same(place: Place) -> None:
    name = _small(place, "killed", "tfidf")
    _killed_after_the_first_fold(place, name)
    (open_cell,) = place.runs("killed", "tags.`stance.role` = 'cell' and attributes.status = 'RUNNING'")
    planned = place.call("experiment", name, "--dry-run").stdout
    assert re.search(r"to do \(never ended, [12] folds done\) +[12] ", planned)
    done = place.call("experiment", name)
    assert done.returncode == 0, done.stderr
    stale = mlflow.get_run(open_cell.info.run_id)
    assert (stale.info.status, stale.data.tags["stance.stale"]) == ("KILLED", "true")
    cell = place.cells("killed")["theatres 3 tfidf seed 0"]
    folds = place.runs("killed", "tags.`stance.role` = 'fold' and attributes.status = 'FINISHED'")
    assert sorted(one.data.tags["stance.fold"] for one in folds) == ["1", "2", "3"]
    assert {one.data.tags["mlflow.parentRunId"] for one in folds} == {cell.info.run_id}
    undisturbed = place.call("experiment", _small(place, "undisturbed", "tfidf"))
    assert undisturbed.returncode == 0, undisturbed.stderr
    other = place.cells("undisturbed")["theatres 3 tfidf seed 0"]
    assert place.predictions(cell, "theatres") == place.predictions(other, "theatres")


def test_a_second_process_is_refused_while_the_first_is_alive_or_may_be(place: Place) -> None:
    name = _small(place, "busy", "majority")
    assert place.call("experiment", name).returncode == 0
    (parent,) = place.runs("busy", "tags.`stance.role` = 'experiment'")
    client = mlflow.MlflowClient()
    client.update_run(parent.info.run_id, status="RUNNING")
    client.set_tag(parent.info.run_id, PROCESS, process())
    host, number, start = process().split(" ")
    done = place.call("experiment", name)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        f"Error: busy: expected nobody at work on it, got process {number}, which runs it now. Wait for it or end it.",
    )
    client.set_tag(parent.info.run_id, PROCESS, f"elsewhere {number} {start}")
    done = place.call("experiment", name)
    assert done.stderr.splitlines()[-1] == (
        f"Error: busy: expected nobody at work on it, got process {number} on elsewhere. "
        "If that has gone, add --take-over."
    )
    assert place.call("experiment", name, "--take-over").returncode == 0
    client.update_run(parent.info.run_id, status="RUNNING")
    # The same number, given to another process since.
    client.set_tag(parent.info.run_id, PROCESS, f"{host} {number} {float(start) - 100:.0f}")
    assert place.call("experiment", name).returncode == 0


def test_a_plan_makes_no_store(project: Path, call_in: Call, tmp_path: Path) -> None:
    shutil.copytree(project / "data", tmp_path / "data")
    shutil.copy(project / "majority.yaml", tmp_path)
    (tmp_path / "plan.yaml").write_text(SMALL.format(name="plan", config="majority"), encoding="utf-8")
    done = call_in(tmp_path, "experiment", "plan.yaml", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "plan: 1 of 1 run to do, 3 trainings, time: unknown\n")
    assert done.stdout == (
        "run                         state  trainings  time\ntheatres 3 majority seed 0  to do  3          unknown\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "majority.yaml", "plan.yaml"]
