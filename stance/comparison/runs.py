"""Finds runs in MLflow, ours or other people's, and reads what a comparison needs of them; nothing is written there."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stance import tracking
from stance.comparison.predictions import Predictions, check_size, clean, read_predictions
from stance.errors import ConfigError, DataError, StanceError, problem
from stance.plugins import nearest

EXPERIMENT: Final = "disarmament"
"""What is compared when nothing is named: the default of a run config."""

_ID: Final = re.compile(r"(?:runs:/)?([0-9a-f]{32})")
_SEEDED: Final = re.compile(r"(.+?)[-_ ]?seed[-_ =]?(\d+)", re.IGNORECASE)
"""A run name such as `tfidf-seed0`, for runs that have no parameters `name` and `seed`."""

_ALL: Final = 50_000
"""More runs than this MLflow does not hand out in one search."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run in MLflow: `params` are those that may differ between configs, so neither its name nor its seed."""

    id: str
    name: str
    seed: str | None
    params: Mapping[str, str]

    @property
    def title(self) -> str:
        """What a message calls it."""
        return f"{self.name}{'' if self.seed is None else f' seed {self.seed}'} ({self.id[:8]})"


@dataclass(frozen=True, slots=True)
class Read:
    """A run with its predictions of one split."""

    run: Run
    predictions: Predictions


@dataclass(slots=True)
class Found:
    """The runs to compare, and lines about what was left out."""

    runs: list[Read] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find(names: Sequence[str], split: str, filter_string: str | None = None) -> Found:
    """Return the runs that `names` stand for, with their predictions of `split`.

    A name is a run id, an experiment, a run name or the name of a config. A run id is taken as it is; of all else the
    finished runs, and of those with one name and seed the newest. A run without predictions is an error where it was
    named, and left out where its experiment was.

    Args:
        names: none stand for the experiment `disarmament`.
        split: such as `test_unseen`.
        filter_string: an MLflow filter that the runs of an experiment have to pass.

    Raises:
        ConfigError: MLflow does not understand the filter, or there is nothing that it could filter.
        DataError: MLflow knows nothing of that name, or what it has cannot be compared.
    """
    _check(split)
    found = Found()
    taken: dict[str, Run] = {}
    demanded: set[str] = set()
    experiments = 0
    for name in names or (EXPERIMENT,):
        runs, is_experiment = _runs_of(name, filter_string, found.left_out)
        experiments += is_experiment
        taken |= {run.id: run for run in runs}
        demanded |= set() if is_experiment else {run.id for run in runs}
    if filter_string is not None and not experiments:
        raise ConfigError(problem("--filter", "an experiment to filter", "runs only", "Name an experiment or none."))
    for run in taken.values():
        try:
            found.runs.append(Read(run, _fetch(run, split)))
        except DataError as error:
            if run.id in demanded:
                raise
            found.left_out.append(str(error))
    if not found.runs:
        got = "none" if filter_string is None else "none that passes the filter"
        raise DataError(_none(" ".join(names) or EXPERIMENT, split, got, found.left_out))
    return found


def _none(where: str, split: str, got: str, left_out: Sequence[str]) -> str:
    expected = f"a finished run with predictions/{split}.csv"
    todo = f"{left_out[-1]}" if left_out else "Train one: stance train configs/tfidf.yaml"
    return problem(where, expected, got, todo)


def _check(split: str) -> None:
    """Refuse what is no split, and a store that is not there rather than make one."""
    if not re.fullmatch(r"\w[\w.-]*", split):
        raise ConfigError(problem("--split", "the name of a split", repr(split), "Try test_unseen."))
    store = Path(tracking.DEFAULT_URI.removeprefix("sqlite:///"))
    if not os.environ.get("MLFLOW_TRACKING_URI") and not store.is_file():
        todo = "Train a model (stance train configs/tfidf.yaml) or set MLFLOW_TRACKING_URI."
        raise DataError(problem(store, "tracked runs", "no such file", todo))
    tracking.connect()
    # Its bar is drawn on a pipe as well, once for each file.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


def _runs_of(name: str, filter_string: str | None, left_out: list[str]) -> tuple[list[Run], bool]:
    """The runs that one name stands for, and whether it is an experiment."""
    import mlflow

    if matched := _ID.fullmatch(name):
        with _asking(name, DataError, "Check the id and MLFLOW_TRACKING_URI."):
            return [_run(mlflow.get_run(matched[1]))], False
    with _asking(name, DataError, "Check MLFLOW_TRACKING_URI."):
        experiment = mlflow.get_experiment_by_name(name)
    if experiment is not None:
        error = DataError if filter_string is None else ConfigError
        with _asking("--filter" if filter_string else name, error, "Correct it, or check MLFLOW_TRACKING_URI."):
            logged = _search([experiment.experiment_id], filter_string or "")
        return _newest(name, logged, left_out), True
    with _asking(name, DataError, "Check MLFLOW_TRACKING_URI."):
        experiments = mlflow.search_experiments()
        logged = _search([one.experiment_id for one in experiments], "")
    # Compared here rather than by MLflow, whose filters cannot hold a name with both kinds of quotes.
    chosen = [one for one in logged if name in (one.info.run_name, _run(one).name)]
    if not chosen:
        known = {clean(str(one.info.run_name)) for one in logged} | {_run(one).name for one in logged}
        known |= {clean(one.name) for one in experiments}
        todo = f"Look at them with: make ui.{nearest(name, sorted(known))}"
        raise DataError(problem(clean(name), "a run id, an experiment, a run or a config", "no such name", todo))
    return _newest(name, chosen, left_out), False


def _search(experiments: Sequence[str], filter_string: str) -> list[Any]:
    """The finished runs of experiments, newest first."""
    import mlflow

    logged = mlflow.search_runs(
        experiment_ids=list(experiments), filter_string=filter_string, max_results=_ALL, output_format="list"
    )
    finished = [one for one in logged if one.info.status == "FINISHED"]
    return sorted(finished, key=lambda one: (-one.info.start_time, one.info.run_id))


def _newest(name: str, logged: Sequence[Any], left_out: list[str]) -> list[Run]:
    """Of runs with one name and seed the first."""
    newest: dict[tuple[str, str | None], Run] = {}
    for one in logged:
        run = _run(one)
        newest.setdefault((run.name, run.seed), run)
    older = len(logged) - len(newest)
    if older:
        runs = "an older run" if older == 1 else f"{older:,} older runs"
        left_out.append(
            f"{clean(name)}: {runs} with the name and seed of a newer one. Name a run by its id to compare it."
        )
    return list(newest.values())


def _run(logged: Any) -> Run:
    params = {clean(str(key)): clean(str(value)) for key, value in logged.data.params.items()}
    run_name = clean(str(logged.info.run_name or "")) or logged.info.run_id
    matched = _SEEDED.fullmatch(run_name)
    name = params.pop("name", None) or (matched[1] if matched else run_name)
    return Run(logged.info.run_id, name, params.pop("seed", None) or (matched[2] if matched else None), params)


def _fetch(run: Run, split: str) -> Predictions:
    """The predictions of a run, by way of a temporary folder."""
    import mlflow

    wanted = f"predictions/{split}.csv"
    with _asking(run.title, DataError, "Check the artefact store."):
        entries = mlflow.artifacts.list_artifacts(run_id=run.id, artifact_path="predictions")
    sizes = {entry.path: entry.file_size for entry in entries if not entry.is_dir}
    if wanted not in sizes:
        others = ", ".join(sorted(clean(path) for path in sizes)) or "no predictions"
        todo = "Log the prediction of each statement under that name, as stance train does."
        raise DataError(problem(run.title, f"the artefact {wanted}", others, todo))
    check_size(sizes[wanted], f"{run.title}: {wanted}")
    with tempfile.TemporaryDirectory() as folder:
        with _asking(run.title, DataError, "Check the artefact store."):
            path = mlflow.artifacts.download_artifacts(run_id=run.id, artifact_path=wanted, dst_path=folder)
        return read_predictions(Path(path), f"{run.title}: {wanted}")


@contextmanager
def _asking(where: str, kind: type[StanceError], todo: str) -> Iterator[None]:
    """Turn what MLflow refuses, or a server that does not answer, into an error of the house."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        got = clean(str(error).strip())[:200] or type(error).__name__
        raise kind(problem(clean(where), "an answer by MLflow", got, todo)) from error
