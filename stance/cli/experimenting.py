"""`stance experiment`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stance.cli._shared import Command

if TYPE_CHECKING:
    from rich.status import Status

    from stance.experiment import Event, Outcome, Plan, Task


@click.command(cls=Command, epilog="stance experiment experiments/main.yaml --set folds=3")
@click.argument("definition", type=click.Path(path_type=Path))
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Print what is done and what is left, with the time it will take.")
@click.option("--take-over", is_flag=True, help="Go on with what a process on another machine has left open.")
def experiment(definition: Path, assignments: tuple[str, ...], dry_run: bool, take_over: bool) -> None:
    """Run a grid of configs, variants, seeds and protocols as one MLflow experiment.

    DEFINITION is a YAML file. What is done is skipped, and an interrupted experiment goes on where it stopped, in
    cross-validation after the last whole fold. A run that fails is logged with its error, the others are done all the
    same, and the exit status is 1.
    """
    from rich.console import Console

    from stance import experiment as stage

    planned = stage.plan(stage.read_definition(definition, assignments))
    if dry_run:
        click.echo(_table([("run", "state", "trainings", "time"), *(_planned(task) for task in planned.tasks)]))
        for task in planned.left:
            if task.problem:
                click.echo(f"{task.cell.key}: {task.problem}", err=True)
        click.echo(_summary(planned), err=True)
        return
    click.echo(_summary(planned), err=True)
    console = Console(stderr=True)
    with console.status("") as status:
        try:
            outcomes = stage.run(planned, lambda event: _tell(event, console.is_terminal, status), take_over)
        except KeyboardInterrupt:
            click.echo("Interrupted. The same command goes on from here.", err=True)
            raise
    click.echo(_table([("run", "state", "macro-F1", "id"), *(_ended(outcome) for outcome in outcomes)]))
    splits = dict.fromkeys(split for outcome in outcomes for split in outcome.task.cell.splits)
    shown = next((split for split in ("test_unseen", *splits) if split in splits), "test_unseen")
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if len(failed) < len(outcomes):
        click.echo(f"Compare: stance compare {planned.definition.name} --split {shown}", err=True)
    if failed:
        click.echo(f"Error: {len(failed)} of {len(outcomes)} runs failed; the first: {failed[0].error}", err=True)
        raise SystemExit(1)


def _planned(task: "Task") -> tuple[str, ...]:
    if task.done is not None:
        return task.cell.key, "done", "0", "-"
    state = "cannot be done" if task.problem else "to do"
    parts = [f"{len(task.folds)} folds done"] if task.folds else []
    notes = ", ".join([*([task.before] if task.before else []), *parts])
    return task.cell.key, f"{state} ({notes})" if notes else state, str(task.trainings), _time(task.seconds)


def _summary(planned: "Plan") -> str:
    left = planned.left
    trainings = sum(task.trainings for task in left)
    count = f"{len(left)} of {len(planned.tasks)} {'run' if len(planned.tasks) == 1 else 'runs'} to do"
    return f"{planned.definition.name}: {count}, {trainings} trainings, time: {_time(planned.seconds)}"


def _ended(outcome: "Outcome") -> tuple[str, ...]:
    score = "-" if outcome.macro_f1 is None else f"{outcome.macro_f1:.3f}"
    return outcome.task.cell.key, outcome.state, score, outcome.run_id[:8] or "-"


def _tell(event: "Event", on_terminal: bool, status: "Status") -> None:
    """Print what has ended, and show on a terminal what is going on."""
    from rich.markup import escape

    head = f"[{event.number}/{event.cells}] {event.task.cell.key}"
    to_go = "" if event.left is None else f"; {_time(event.left)} to go"
    match event.kind:
        case "started":
            status.update(escape(f"{head}{to_go}"))
        case "trained":
            status.update(escape(f"{head}: {event.part} of {event.parts} folds{to_go}"))
            if not on_terminal:
                click.echo(f"{head}: {event.part} of {event.parts} folds{to_go}", err=True)
        case "ended" if event.outcome is not None and event.outcome.state != "done before":
            outcome = event.outcome
            what = outcome.error if outcome.macro_f1 is None else f"macro-F1 {outcome.macro_f1:.3f}{to_go}"
            click.echo(f"{head}: {'FAILED: ' if outcome.state == 'failed' else ''}{what}", err=True)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
