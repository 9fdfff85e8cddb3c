"""Does what is left of an experiment, as runs in MLflow: a parent, below it the cells, and below some of these folds.

Each fold of a cross-validation is a run of its own with its predictions, so that no finished training is ever lost.
"""

import logging
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from stance import tracking, training
from stance.crossvalidation import Fold, answer
from stance.errors import ConfigError, StanceError, problem
from stance.experiment.definition import CROSS_VALIDATED, Cell
from stance.experiment.ledger import FOLD, PARENT, PROCESS, Logged, answering, is_running, process
from stance.experiment.planning import Plan, Task, folds_of, training_seconds
from stance.schema import FloatArray, label_indices

if TYPE_CHECKING:
    from stance.dataset import Dataset

logger = logging.getLogger(__name__)

FAILURES: Final = (StanceError, OSError, RuntimeError, ValueError, MemoryError, ImportError)
"""What a training can end with though the grid is sound: settings, data, disk, memory, torch's errors."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cell ended: its run, and the macro-F1 of its last split or the line that it failed with."""

    task: Task
    state: Literal["done", "done before", "failed"]
    run_id: str
    macro_f1: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell a person who waits. `left` are the seconds to go, `None` where they are not known.

    `started`: a cell begins; `trained`: one of its `parts` trainings is done; `ended`: it has an `outcome`.
    """

    kind: Literal["started", "trained", "ended"]
    number: int
    cells: int
    task: Task
    left: float | None
    part: int = 0
    parts: int = 0
    outcome: Outcome | None = None


Tell = Callable[[Event], None]


def run(plan: Plan, tell: Tell, take_over: bool = False) -> list[Outcome]:
    """Do the cells that are left; a cell that fails is logged as such, and the others are done all the same.

    Raises:
        ConfigError: another process is at it, or may be on another machine and `take_over` is false.
        DataError: MLflow does not answer.
    """
    _refuse_a_second_process(plan, take_over)
    tracking.connect()
    name = plan.definition.name
    parent = plan.ledger.parent
    tags = {tracking.ROLE: "experiment", PROCESS: process(), "mlflow.note.content": plan.definition.question}
    with (
        answering(name),
        tracking.run(name, name, tags, run_id=parent.id if parent else None, monitored=False) as parent_id,
    ):
        _close_stale(plan)
        tracking.log_yaml("definition.yaml", plan.definition.model_dump(mode="json"))
        outcomes = _Grid(plan, parent_id, tell).work()
        failed = sum(outcome.state == "failed" for outcome in outcomes)
        tracking.log_metrics({"cells": len(outcomes), "cells_failed": failed})
        if failed:
            tracking.end_as_failed(f"{failed} of {len(outcomes)} cells failed")
    return outcomes


def _refuse_a_second_process(plan: Plan, take_over: bool) -> None:
    parent = plan.ledger.parent
    if parent is None or parent.status != "RUNNING" or take_over:
        return
    tag = parent.tags.get(PROCESS, "")
    alive = is_running(tag) if tag.count(" ") >= 2 else False
    host, number, _ = tag.rsplit(" ", 2) if tag.count(" ") >= 2 else ("", "", "")
    if alive:
        got, todo = f"process {number}, which runs it now", "Wait for it or end it."
        raise ConfigError(problem(plan.definition.name, "nobody at work on it", got, todo))
    if alive is None:
        got, todo = f"process {number} on {host}", "If that has gone, add --take-over."
        raise ConfigError(problem(plan.definition.name, "nobody at work on it", got, todo))


def _close_stale(plan: Plan) -> None:
    """End the runs that a killed process left open."""
    for one in plan.ledger.open():
        tracking.end_other(one.id, "KILLED", {"stance.stale": "true"})
        logger.info("Run %s of %s was left open by a process that has gone", one.id, plan.definition.name)


class _Grid:
    """The work on one plan: where it stands, and what trainings have taken."""

    def __init__(self, plan: Plan, parent: str, tell: Tell) -> None:
        self._plan = plan
        self._parent = parent
        self._tell = tell
        self._seconds = dict(plan.ledger.seconds)
        self._left = {task.cell.key: task.trainings for task in plan.tasks}

    def work(self) -> list[Outcome]:
        """Return how each cell ended."""
        outcomes = []
        for number, task in enumerate(self._plan.tasks, start=1):
            if task.done is None:
                self._say("started", number, task)
                outcome = self._attempt(number, task)
            else:
                outcome = Outcome(task, "done before", task.done.id, _headline(task.cell, task.done))
            self._left[task.cell.key] = 0
            outcomes.append(outcome)
            self._say("ended", number, task, outcome=outcome)
        return outcomes

    def _say(self, kind: Literal["started", "trained", "ended"], number: int, task: Task, **more: Any) -> None:
        each = [(training_seconds(t.cell, self._seconds), self._left[t.cell.key]) for t in self._plan.tasks]
        known = all(seconds is not None for seconds, count in each if count)
        left = sum((seconds or 0) * count for seconds, count in each) if known else None
        self._tell(Event(kind, number, len(self._plan.tasks), task, left, **more))

    def _attempt(self, number: int, task: Task) -> Outcome:
        cell = task.cell
        protocol = {"name": cell.protocol, "folds": cell.folds, "share": cell.share}
        tags = {tracking.ROLE: "cell", tracking.SPLITS: ",".join(cell.splits), **task.tags}
        if cell.share is not None:
            tags[tracking.SHARE] = f"{cell.share:g}"
        run_id = ""
        try:
            with tracking.run(cell.config.experiment, cell.key, tags, monitored=not task.folds) as run_id:
                tracking.log_params({f"protocol.{key}": value for key, value in protocol.items() if value is not None})
                with tracking.error_tagged(FAILURES):
                    macro_f1 = self._do(number, task)
            return Outcome(task, "done", run_id, macro_f1)
        except FAILURES as error:
            logger.info("%s", "".join(traceback.format_exception(error)))
            return Outcome(task, "failed", run_id, error=tracking.one_line(error))

    def _do(self, number: int, task: Task) -> float:
        cell, data = task.cell, task.data
        if task.problem or data is None:
            tracking.log_config(cell.config.model_dump(mode="json"))
            raise ConfigError(task.problem)
        if cell.protocol in CROSS_VALIDATED:
            training.log_inputs(cell.config, data, ("train", "validation"))
            return self._cross_validate(number, task, data)
        training.log_inputs(cell.config, data, ("train", "validation", *cell.config.evaluate))
        if cell.share is not None:
            data = _shared(data, cell.share, cell.config.seed)
            tracking.log_params({"protocol.n_train": len(data.split("train"))})
        classifier, evaluations = training.fit_and_evaluate(cell.config, data)
        if cell.keep_model:
            from stance.models import _folder

            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / cell.config.name
                _folder.save(classifier, place, False)
                training.log_model(classifier, place, data)
        return [evaluation.metrics["macro_f1"].value for evaluation in evaluations.values()][-1]

    def _cross_validate(self, number: int, task: Task, data: "Dataset") -> float:
        """Log the predictions of all held-out statements, as the usual artefact, and their evaluation."""
        from stance.evaluation import evaluate

        folds = folds_of(task.cell, data)
        answers, seconds = [], 0.0
        for at, fold in enumerate(folds, start=1):
            probabilities, took = self._reused(task, at, fold) or self._trained(task, at, fold, len(folds))
            answers.append(probabilities)
            seconds += took
            self._left[task.cell.key] = len(folds) - at
            self._say("trained", number, task, part=at, parts=len(folds))
        asked = [example for fold in folds for example in fold.held_out]
        probabilities = np.concatenate(answers)
        evaluation = evaluate(
            label_indices([example.label for example in asked]),
            probabilities,
            [example.group for example in asked],
            facets={facet: [getattr(example, facet) for example in asked] for facet in training.FACETS},
            seed=task.cell.config.seed,
        )
        tracking.log_metrics({"train_seconds": seconds})
        training.log_evaluation(task.cell.protocol, asked, probabilities, evaluation)
        return evaluation.metrics["macro_f1"].value

    def _reused(self, task: Task, number: int, fold: Fold) -> tuple[FloatArray, float] | None:
        """What an earlier process left of the fold: probabilities and seconds, or `None` where it does not fit."""
        from stance.comparison.predictions import read_predictions

        logged = task.folds.get(number)
        if logged is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = tracking.fetch_artefact(logged.id, "predictions/fold.csv", Path(folder))
            found = read_predictions(path, f"fold {number} ({logged.id[:8]})")
        position = {id_: at for at, id_ in enumerate(found.ids)}
        if position.keys() != {example.id for example in fold.held_out} or found.probabilities is None:
            return None
        tracking.tag_other(logged.id, {PARENT: tracking.active()})
        rows = [position[example.id] for example in fold.held_out]
        return found.probabilities[rows], logged.metrics.get("train_seconds", 0.0)

    def _trained(self, task: Task, number: int, fold: Fold, folds: int) -> tuple[FloatArray, float]:
        from time import perf_counter

        from stance.evaluation.metrics import label_scores

        config = task.cell.config
        tags = {tracking.ROLE: "fold", FOLD: str(number), **task.tags}
        with tracking.run(config.experiment, f"{task.cell.key}, fold {number} of {folds}", tags):
            theatres = sorted({example.theatre or "-" for example in fold.held_out})
            sizes = {"n_train": len(fold.train), "n_held_out": len(fold.held_out)}
            tracking.log_params({"name": config.name, "seed": config.seed, "theatres": ", ".join(theatres), **sizes})
            start = perf_counter()
            probabilities = answer(config, fold)
            seconds = perf_counter() - start
            gold = label_indices([example.label for example in fold.held_out])
            found = label_scores(gold, probabilities.argmax(axis=1))
            tracking.log_metrics({"train_seconds": seconds, **{f"fold.{name}": value for name, value in found.items()}})
            training.log_predictions("fold", fold.held_out, probabilities)
        self._seconds[config.name] = seconds
        return probabilities, seconds


def _shared(data: "Dataset", share: float, seed: int) -> "Dataset":
    """The data with a share of the training groups; a larger share of one seed holds the smaller ones."""
    train = data.split("train")
    names = sorted({example.group for example in train})
    order = np.random.default_rng(seed).permutation(len(names))
    chosen = {names[at] for at in order[: max(1, round(share * len(names)))]}
    return replace(data, splits={**data.splits, "train": [example for example in train if example.group in chosen]})


def _headline(cell: Cell, done: Logged) -> float | None:
    return done.metrics.get(f"{cell.splits[-1]}.macro_f1")
