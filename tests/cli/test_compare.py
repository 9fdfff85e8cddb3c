"""`stance compare` on a real MLflow store, with runs of our own and of a program that is not ours."""

import contextlib
import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

Run = Callable[..., Any]
LogRun = Callable[..., str]
UNSEEN = "predictions/test_unseen.csv"


@pytest.fixture(autouse=True)
def seeds(run: Run, project: Path) -> None:
    """An experiment `seeds` with three seeds of TF-IDF and one of majority, trained once."""
    if (project / "seeds-majority-0").exists():
        return
    for kind, seed in (("tfidf", "0"), ("tfidf", "1"), ("tfidf", "2"), ("majority", "0")):
        out = ("--out", f"seeds-{kind}-{seed}", "--set", "experiment=seeds", "--seed", seed)
        done = run("train", f"{kind}.yaml", *out)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def store(project: Path) -> Iterator[Path]:
    """MLflow itself, pointed at the project's store."""
    before = mlflow.get_tracking_uri()
    with contextlib.chdir(project):
        mlflow.set_tracking_uri("sqlite:///experiments/mlflow.db")
        yield project
    mlflow.set_tracking_uri(before)


@pytest.fixture
def ours(store: Path) -> pd.DataFrame:
    """The predictions of our TF-IDF run."""
    (logged, *_) = mlflow.search_runs(
        experiment_names=["seeds"], filter_string="params.`model.kind` = 'tfidf'", output_format="list"
    )
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"{logged.info.artifact_uri}/{UNSEEN}")))


@pytest.fixture
def log_foreign(store: Path) -> LogRun:
    """Log a run as other people do, with plain MLflow; the id is returned."""

    def log(predictions: pd.DataFrame | str | None, name: str, experiment: str = "theirs", **params: str) -> str:
        if mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, artifact_location=(store / "theirs").as_uri())
        mlflow.set_experiment(experiment)
        with mlflow.start_run(run_name=name) as active:
            mlflow.log_params(params)
            if predictions is not None:
                text = predictions if isinstance(predictions, str) else predictions.to_csv(index=False)
                mlflow.log_text(text, UNSEEN)
            run_id: str = active.info.run_id
        return run_id

    return log


def test_an_experiment_is_shown_with_seeds_settings_and_tests(run: Run) -> None:
    done = run("compare", "seeds")
    assert (done.returncode, done.stderr) == (0, "")
    first, _, tfidf, majority, *_ = done.stdout.splitlines()
    assert first == "test_unseen: 9 statements in 9 groups"
    assert re.match(r"tfidf +0 1 2 +\d\.\d{3} +\d\.\d{3} to \d\.\d{3} +\[\d\.\d{3}, \d\.\d{3}\] ", tfidf)
    assert re.match(r"majority +0 +0\.\d{3} +- ", majority)
    assert re.search(r"^model.kind +tfidf +majority$", done.stdout, re.MULTILINE)
    assert re.search(r"^tfidf - majority +\+0\.\d{3} +\[", done.stdout, re.MULTILINE)
    assert "Fewer than 20 groups" in done.stdout


def test_with_no_argument_the_newest_runs_of_the_default_experiment_are_compared(run: Run) -> None:
    done = run("compare", "--split", "test")
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()[2:4]} == {"tfidf", "majority"}


def test_older_runs_of_one_name_and_seed_are_left_out_and_it_is_said(
    run: Run, log_foreign: LogRun, ours: pd.DataFrame
) -> None:
    for _ in range(3):
        log_foreign(ours, "nightly", "nightly")
    done = run("compare", "nightly")
    assert done.stderr == (
        "Left out: nightly: 2 older runs with the name and seed of a newer one. Name a run by its id to compare it.\n"
    )
    assert "Differences" not in done.stdout


def test_a_config_a_run_name_a_run_id_and_a_filter_name_runs(run: Run, log_foreign: LogRun, ours: pd.DataFrame) -> None:
    run_id = log_foreign(ours, "theirs-by-id", "by id")
    by_name = run("compare", "tfidf-seed2", run_id, "--format", "csv")
    assert by_name.returncode == 0, by_name.stderr
    names = {
        row["name"]: row["value"] for row in csv.DictReader(io.StringIO(by_name.stdout)) if row["quantity"] == "seeds"
    }
    assert names == {"tfidf": "2", "theirs-by-id": ""}
    filtered = run("compare", "seeds", "--filter", "params.`model.kind` = 'tfidf' and params.seed != '1'")
    assert filtered.stdout.splitlines()[2].split()[:3] == ["tfidf", "0", "2"]


def test_a_run_by_other_peoples_code_is_compared_with_ours(run: Run, log_foreign: LogRun, ours: pd.DataFrame) -> None:
    theirs = ours[["predicted", "label", "group", "id"]].iloc[::-1].assign(predicted="pro")
    log_foreign(theirs, "their-model", learning_rate="0.1")
    done = run("compare", "seeds", "their-model", "--baseline", "their-model", "--changed", "2")
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = [line for line in done.stdout.splitlines() if re.match(r"their-model +- +0\.\d{3}", line)]
    assert row.split()[-2] == "-"
    assert re.search(r"^learning_rate .*\b0\.1\b", done.stdout, re.MULTILINE)
    assert re.findall(r"^(\S+) - their-model +[+-]0", done.stdout, re.MULTILINE) == ["tfidf", "majority"]
    assert re.search(r"^tfidf - their-model: \d+ statements with another label$", done.stdout, re.MULTILINE)


def test_a_named_run_without_predictions_is_an_error_that_says_what_is_missing(run: Run, log_foreign: LogRun) -> None:
    run_id = log_foreign(None, "bare-seed7", "without")
    for name in (run_id, f"runs:/{run_id}", "bare-seed7", "bare"):
        done = run("compare", name, "seeds")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"Error: bare seed 7 ({run_id[:8]}): expected the artefact {UNSEEN}, got no predictions. "
            "Log the prediction of each statement under that name, as stance train does.\n"
        )


def test_in_an_experiment_a_run_without_predictions_is_left_out(
    run: Run, log_foreign: LogRun, ours: pd.DataFrame
) -> None:
    log_foreign(ours, "whole", "mixed")
    run_id = log_foreign("id,label,predicted\n", "halved", "mixed")
    done = run("compare", "mixed")
    assert done.returncode == 0
    assert done.stderr == (
        f"Left out: halved ({run_id[:8]}): {UNSEEN}: expected the columns id, group, label, predicted (and p_anti, "
        "p_neutral, p_pro or none of these), got none named group. Log the missing columns.\n"
    )


def test_runs_on_other_statements_are_refused_with_what_differs(
    run: Run, log_foreign: LogRun, ours: pd.DataFrame
) -> None:
    one = log_foreign(ours, "all", "statements")
    two = log_foreign(ours.iloc[2:], "fewer", "statements")
    done = run("compare", one, two)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: all ({one[:8]}) and fewer ({two[:8]}): expected the same statements, gold labels and groups, "
        f"got 2 only in all ({one[:8]}) ({', '.join(sorted(ours['id'][:2]))}). "
        "Compare runs that were evaluated on the same data.\n"
    )


def test_an_artefact_of_a_gigabyte_is_refused_before_it_is_read(run: Run, log_foreign: LogRun, store: Path) -> None:
    run_id = log_foreign("", "huge", "sizes")
    with (store / "theirs" / run_id / "artifacts" / UNSEEN).open("wb") as file:
        file.truncate(10**9)
    done = run("compare", run_id)
    assert (done.returncode, done.stderr) == (
        1,
        f"Error: huge ({run_id[:8]}): {UNSEEN}: expected at most 200 MB, got 1,000 MB. "
        "Log fewer statements or shorter texts.\n",
    )


def test_names_of_foreign_runs_do_not_steer_a_terminal_or_a_spreadsheet(
    run: Run, log_foreign: LogRun, ours: pd.DataFrame
) -> None:
    log_foreign(ours, "=cmd()\x1b[2J", "hostile")
    shown = run("compare", "hostile").stdout
    assert "\x1b" not in shown
    assert "=cmd()\ufffd[2J" in shown
    names = {row["name"] for row in csv.DictReader(io.StringIO(run("compare", "hostile", "--format", "csv").stdout))}
    assert names == {"'=cmd()\ufffd[2J"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("seedz",),
            "seedz: expected a run id, an experiment, a run or a config, got no such name. Look at them with: make ui. "
            "Did you mean 'seeds'?",
        ),
        (
            ("seeds", "--baseline", "tfdif"),
            "--baseline: expected one of tfidf, majority, got 'tfdif'. Change it. Did you mean 'tfidf'?",
        ),
        (
            ("seeds", "--filter", "seed"),
            "--filter: expected an answer by MLflow, got Invalid clause(s) in filter string: 'seed'. "
            "Correct it, or check MLFLOW_TRACKING_URI.",
        ),
        (
            ("seeds", "--filter", "params.seed = '9'"),
            "seeds: expected a finished run with predictions/test_unseen.csv, got none that passes the filter. "
            "Train one: stance train configs/tfidf.yaml",
        ),
        (
            ("tfidf-seed2", "--filter", "params.seed = '2'"),
            "--filter: expected an experiment to filter, got runs only. Name an experiment or none.",
        ),
        (
            ("0" * 32,),
            f"{'0' * 32}: expected an answer by MLflow, got Run with id={'0' * 32} not found. "
            "Check the id and MLFLOW_TRACKING_URI.",
        ),
        (
            ("--split", "../test"),
            "--split: expected the name of a split, got '../test'. Try test_unseen.",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(run: Run, arguments: tuple[str, ...], message: str) -> None:
    done = run("compare", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {message}\n")


def test_without_a_store_none_is_made(run: Run, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from stance.cli import main

    with contextlib.chdir(tmp_path):
        result = CliRunner().invoke(main, ["compare"], env={"MLFLOW_TRACKING_URI": None})
    assert result.stderr == (
        "Error: experiments/mlflow.db: expected tracked runs, got no such file. "
        "Train a model (stance train configs/tfidf.yaml) or set MLFLOW_TRACKING_URI.\n"
    )
    assert list(tmp_path.iterdir()) == []
