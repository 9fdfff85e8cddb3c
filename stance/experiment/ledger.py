"""What MLflow holds of an experiment: which cells and folds are done, which were left unfinished, and by whom.

MLflow is the only memory of an experiment. A cell is done when its run is finished and its tags say that it had the
same settings and the same data; a run that is still open though its process has gone is stale.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stance import tracking
from stance.errors import ConfigError, DataError, problem

CONFIG: Final = "stance.config"
DATA: Final = "stance.data"
FOLD: Final = "stance.fold"
PROCESS: Final = "stance.process"
PARENT: Final = "mlflow.parentRunId"
_SAME_START: Final = 2.0
"""Seconds by which the reported start of one process may differ between two questions."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A run in MLflow; `seconds` is how long it took, `None` while it is open."""

    id: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    seconds: float | None

    @property
    def finished(self) -> bool:
        """Whether it ended well."""
        return self.status == "FINISHED"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The runs of an experiment, newest first, and the mean seconds of one training by the name of its config."""

    runs: tuple[Logged, ...]
    seconds: Mapping[str, float]

    @property
    def parent(self) -> Logged | None:
        """The run that all others of the experiment hang below."""
        return next((one for one in self.runs if one.tags.get(tracking.ROLE) == "experiment"), None)

    def of(self, tags: Mapping[str, str]) -> list[Logged]:
        """Return the runs that have all of `tags`, newest first."""
        return [one for one in self.runs if tags.items() <= one.tags.items()]

    def open(self) -> list[Logged]:
        """Return the runs of cells and folds that nobody has ended."""
        return [one for one in self.runs if one.status == "RUNNING" and one.tags.get(tracking.ROLE) != "experiment"]


def read_ledger(experiment: str) -> Ledger:
    """Return what MLflow holds of `experiment`; no store is made where there is none.

    Raises:
        ConfigError: the experiment was deleted.
        DataError: MLflow does not answer.
    """
    store = Path(tracking.DEFAULT_URI.removeprefix("sqlite:///"))
    if not os.environ.get("MLFLOW_TRACKING_URI") and not store.is_file():
        return Ledger((), {})
    tracking.connect()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    with answering(experiment):
        found = mlflow.get_experiment_by_name(experiment)
        ids = [one.experiment_id for one in mlflow.search_experiments()]
        runs = mlflow.search_runs(experiment_ids=ids, max_results=50_000, output_format="list") if ids else []
    if found is not None and found.lifecycle_stage == "deleted":
        todo = "Restore it (mlflow experiments restore) or choose another name."
        raise ConfigError(problem(experiment, "an MLflow experiment", "a deleted one of that name", todo))
    own = [one for one in runs if found is not None and one.info.experiment_id == found.experiment_id]
    own.sort(key=lambda one: (-one.info.start_time, one.info.run_id))
    return Ledger(
        tuple(_logged(one) for one in own if tracking.ROLE in one.data.tags), _seconds([_logged(one) for one in runs])
    )


def process() -> str:
    """Return this process as a tag: host, id and start, in seconds; ids alone are used again."""
    import psutil

    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.0f}"


def is_running(tag: str) -> bool | None:
    """Return whether the process in a tag runs on this machine, `None` where it was another machine's."""
    import psutil

    host, number, start = tag.rsplit(" ", 2)
    if host != socket.gethostname():
        return None
    try:
        return bool(abs(psutil.Process(int(number)).create_time() - float(start)) <= _SAME_START)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def answering(where: str) -> Iterator[None]:
    """Turn what MLflow refuses, or a server that does not answer, into an error of the house."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        got = str(error).strip()[:200] or type(error).__name__
        raise DataError(problem(where, "an answer by MLflow", got, "Check MLFLOW_TRACKING_URI.")) from error


def _logged(run: Any) -> Logged:
    start, end = run.info.start_time, run.info.end_time
    seconds = None if end is None or run.info.status == "RUNNING" else (end - start) / 1000
    return Logged(run.info.run_id, run.info.status, run.data.tags, run.data.params, run.data.metrics, seconds)


def _seconds(runs: list[Logged]) -> dict[str, float]:
    """The mean time of one training: of whole trainings by `stance train`, cells of a split, and folds."""
    by_name: dict[str, list[float]] = {}
    for one in runs:
        folded = one.tags.get(tracking.ROLE) == "cell" and one.params.get("protocol.name") != "split"
        if one.finished and one.seconds is not None and "name" in one.params and not folded:
            by_name.setdefault(one.params["name"], []).append(one.seconds)
    return {name: sum(all_) / len(all_) for name, all_ in by_name.items()}
