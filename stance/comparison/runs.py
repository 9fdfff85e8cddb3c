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
    """A run in MLflow: `params` are those that may differ between configs, so neither its name nor its seed.

    `seconds` is what its training took or, where that is not known, all of the run; `share` is that of the training
    groups which a point of a learning curve had.
    """

    id: str
    name: str
    seed: str | None
    params: Mapping[str, str]
    seconds: float | None = None
    share: float | None = None

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
    """The runs to compare, the points of their learning curves, and lines about what was left out."""

    runs: list[Read] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    curve: list[Read] = field(default_factory=list)


def find(names: Sequence[str], split: str, filter_string: str | None = None) -> Found:
    """Return the runs that `names` stand for, with their predictions of `split`.

    A name is a run id, an experiment, a run name or the name of a config. A run id is taken as it is; of all else the
    finished runs, and of those with one name and seed the newest. A run without predictions is an error where it was
    named, and left out where its experiment was. Of what `stance experiment` logged, cells of other splits, folds and
    models trained on a share of the data do not count, unless named by their ids; the latter are points of learning
    curves.

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
    points: dict[str, Run] = {}
    demanded: set[str] = set()
    experiments = 0
    for name in names or (EXPERIMENT,):
        logged, is_experiment = _logged_as(name, filter_string)
        if is_experiment:
            found.left_out += _unfinished(logged, split)
        runs = _chosen(name, logged, split, found.left_out)
        points |= {run.id: run for run in _points(logged, split)}
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
    found.curve = [Read(run, _fetch(run, split)) for run in points.values()]
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


def _logged_as(name: str, filter_string: str | None) -> tuple[list[Any], bool]:
    """The runs that one name stands for, newest first, as MLflow has them, and whether it is an experiment."""
    import mlflow

    if matched := _ID.fullmatch(name):
        with _asking(name, DataError, "Check the id and MLFLOW_TRACKING_URI."):
            return [mlflow.get_run(matched[1])], False
    with _asking(name, DataError, "Check MLFLOW_TRACKING_URI."):
        experiment = mlflow.get_experiment_by_name(name)
    if experiment is not None:
        error = DataError if filter_string is None else ConfigError
        with _asking("--filter" if filter_string else name, error, "Correct it, or check MLFLOW_TRACKING_URI."):
            return _search([experiment.experiment_id], filter_string or ""), True
    with _asking(name, DataError, "Check MLFLOW_TRACKING_URI."):
        experiments = mlflow.search_experiments()
        logged = _search([one.experiment_id for one in experiments], "")
    # Compared here rather than by MLflow, whose filters cannot hold a name with both kinds of quotes.
    logged = [one for one in logged if one.info.status == "FINISHED"]
    chosen = [one for one in logged if name in (one.info.run_name, _run(one).name)]
    if not chosen:
        known = {clean(str(one.info.run_name)) for one in logged} | {_run(one).name for one in logged}
        known |= {clean(one.name) for one in experiments}
        todo = f"Look at them with: make ui.{nearest(name, sorted(known))}"
        raise DataError(problem(clean(name), "a run id, an experiment, a run or a config", "no such name", todo))
    return chosen, False


def _chosen(name: str, logged: Sequence[Any], split: str, left_out: list[str]) -> list[Run]:
    """The runs to compare: a run named by its id as it is, of others those that count."""
    if _ID.fullmatch(name):
        return [_run(one) for one in logged]
    counting = [one for one in logged if one.info.status == "FINISHED" and _counts(one.data.tags, split)]
    return _newest(name, [one for one in counting if _run(one).share in (None, 1.0)], left_out)


def _counts(tags: Mapping[str, str], split: str) -> bool:
    """Whether a run is no part of another and, where it tells what it predicts, predicts `split`."""
    if tags.get(tracking.ROLE) in ("experiment", "fold"):
        return False
    return tracking.SPLITS not in tags or split in tags[tracking.SPLITS].split(",")


def _points(logged: Sequence[Any], split: str) -> list[Run]:
    """The points of learning curves, of those with one name, seed and share the newest."""
    newest: dict[tuple[str, str | None, float | None], Run] = {}
    for one in logged:
        run = _run(one)
        if run.share is not None and one.info.status == "FINISHED" and _counts(one.data.tags, split):
            newest.setdefault((run.name, run.seed, run.share), run)
    return list(newest.values())


def _unfinished(logged: Sequence[Any], split: str) -> list[str]:
    """A line for each cell of an experiment that has no finished run, with what its newest run ended with."""
    cells: dict[str, Any] = {}
    for one in logged:
        tags = one.data.tags
        if tags.get(tracking.ROLE) == "cell" and _counts(tags, split):
            key = tags.get(tracking.CELL, one.info.run_id)
            cells[key] = one if one.info.status == "FINISHED" else cells.get(key, one)
    lines = []
    for key, one in cells.items():
        if one.info.status != "FINISHED":
            ended = "not ended" if one.info.status == "RUNNING" else one.info.status.lower()
            reason = clean(one.data.tags.get(tracking.ERROR, ""))
            lines.append(f"{clean(key)} ({one.info.run_id[:8]}): {ended}{f': {reason}' if reason else ''}")
    return lines


def _search(experiments: Sequence[str], filter_string: str) -> list[Any]:
    """The runs of experiments, newest first."""
    import mlflow

    logged = mlflow.search_runs(
        experiment_ids=list(experiments), filter_string=filter_string, max_results=_ALL, output_format="list"
    )
    return sorted(logged, key=lambda one: (-one.info.start_time, one.info.run_id))


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
    seed = params.pop("seed", None) or (matched[2] if matched else None)
    return Run(logged.info.run_id, name, seed, params, _seconds(logged), _share(logged.data.tags))


def _seconds(logged: Any) -> float | None:
    told: float | None = logged.data.metrics.get("train_seconds")
    if told is not None or logged.info.end_time is None:
        return told
    return float(logged.info.end_time - logged.info.start_time) / 1000


def _share(tags: Mapping[str, str]) -> float | None:
    try:
        return float(tags[tracking.SHARE])
    except (KeyError, ValueError):
        return None


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
