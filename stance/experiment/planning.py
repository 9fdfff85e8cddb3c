"""What of an experiment is done, what is left, and how long that will take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stance import tracking, training
from stance.crossvalidation import Fold, check_unseen, leave_one_theatre_out, theatre_folds
from stance.errors import DataError, StanceError
from stance.experiment.definition import CROSS_VALIDATED, Cell, Definition, cells
from stance.experiment.ledger import CONFIG, DATA, FOLD, Ledger, Logged, read_ledger

if TYPE_CHECKING:
    from stance.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Task:
    """A cell and what MLflow holds of it: the run that did it, or its finished folds by number.

    `trainings` are those left to do; `seconds` is what they will take, `None` where nothing like them was run before.
    `before` says how an earlier try ended, and `problem` why the cell can only fail.
    """

    cell: Cell
    data: "Dataset | None"
    done: Logged | None
    folds: Mapping[int, Logged]
    trainings: int
    seconds: float | None
    before: str = ""
    problem: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """What tells the cell's runs from all others."""
        data = "" if self.data is None else self.data.fingerprint
        return {tracking.CELL: self.cell.key, CONFIG: self.cell.digest, DATA: data}


@dataclass(frozen=True, slots=True)
class Plan:
    """The tasks of an experiment, done ones included."""

    definition: Definition
    tasks: tuple[Task, ...]
    ledger: Ledger

    @property
    def left(self) -> list[Task]:
        """The tasks to do."""
        return [task for task in self.tasks if task.done is None]

    @property
    def seconds(self) -> float | None:
        """What all that is left will take, `None` where that of a part is not known."""
        each = [task.seconds for task in self.left]
        return None if None in each else sum(seconds for seconds in each if seconds is not None)


def plan(definition: Definition) -> Plan:
    """Return what of `definition` is done and what is left.

    Raises:
        ConfigError: a run config is wrong, or MLflow's experiment was deleted.
        DataError: MLflow does not answer.
    """
    grid = cells(definition)
    ledger = read_ledger(definition.name)
    loaded: dict[Path, Dataset | str] = {}
    return Plan(definition, tuple(_task(cell, ledger, loaded) for cell in grid), ledger)


def folds_of(cell: Cell, data: "Dataset") -> list[Fold]:
    """Return the folds of a cross-validated cell, equal for equal data whatever the config and its seed.

    Raises:
        DataError: there are too few theatres or statements.
    """
    examples = [*data.split("train"), *data.split("validation")]
    return list(leave_one_theatre_out(examples) if cell.folds is None else theatre_folds(examples, cell.folds))


def training_seconds(cell: Cell, seconds: Mapping[str, float]) -> float | None:
    """Return what one training of a cell took before, by the variant's name or else its config's."""
    return seconds.get(cell.config.name, seconds.get(cell.base))


def _task(cell: Cell, ledger: Ledger, loaded: "dict[Path, Dataset | str]") -> Task:
    data = _load(cell.config.data.path, loaded)
    if isinstance(data, str):
        return Task(cell, None, None, {}, 0, 0.0, problem=data)
    if unfit := _unfit(cell):  # before what is done: older versions gave such cells numbers
        return Task(cell, data, None, {}, 0, 0.0, problem=unfit)
    task = Task(cell, data, None, {}, 0, None)
    runs = ledger.of(task.tags | {tracking.ROLE: "cell"})
    done = next((one for one in runs if one.finished), None)
    if done is not None:
        return Task(cell, data, done, {}, 0, 0.0)
    before = _before(runs)
    if cell.protocol not in CROSS_VALIDATED:
        return Task(cell, data, None, {}, 1, training_seconds(cell, ledger.seconds), before)
    try:
        count = len(folds_of(cell, data))
    except DataError as error:
        return Task(cell, data, None, {}, 0, 0.0, before, str(error))
    folds = {
        int(one.tags[FOLD]): one
        for one in reversed(ledger.of(task.tags | {tracking.ROLE: "fold"}))
        if one.finished and one.tags.get(FOLD, "").isdecimal()
    }
    each = training_seconds(cell, ledger.seconds)
    left = count - len(folds)
    return Task(cell, data, None, folds, left, None if each is None else left * each, before)


def _unfit(cell: Cell) -> str:
    """Why the protocol is not for the cell's model, or an empty string."""
    try:
        if cell.protocol in CROSS_VALIDATED:
            check_unseen(cell.config)
        elif cell.share is not None:
            training.check_learns_alone(cell.config, "share of the groups")
    except StanceError as error:
        return str(error)
    return ""


def _load(path: Path, loaded: "dict[Path, Dataset | str]") -> "Dataset | str":
    """The data in a folder, read once, or why there is none."""
    from stance import dataset

    if path not in loaded:
        try:
            loaded[path] = dataset.load(path)
        except DataError as error:
            loaded[path] = str(error)
    return loaded[path]


def _before(runs: Sequence[Logged]) -> str:
    """How the newest earlier try ended."""
    if not runs:
        return ""
    if runs[0].status == "RUNNING":
        return "never ended"
    return f"{runs[0].status.lower()} before"
