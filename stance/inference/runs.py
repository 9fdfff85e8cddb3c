"""A run over files: where it begins, what it does batch by batch, and what has to be equal for it to be resumed."""

import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

from stance import __version__
from stance.errors import DataError, problem
from stance.inference.cache import Cache
from stance.inference.inputs import Input
from stance.inference.output import Target
from stance.inference.predictor import Predictor
from stance.inference.rows import Columns, Table
from stance.inference.scorer import Counts, Scorer
from stance.inference.unfinished import State, Unfinished, clear, fingerprint, locked, read_state

PART_ROWS: Final = 2**20
"""Rows of a part: some 200 MB of statements."""

SAVE_SECONDS: Final = 5.0
"""Seconds of work that a crash may cost; to save takes some hundredths of one."""

_VERSIONED: Final = (
    "numpy",
    "onnxruntime",
    "py3langid",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
)
"""The packages that decide on the last digit or on the bytes of a file."""

Language: TypeAlias = Literal["en", "any"]


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of a run; each of them changes the output."""

    text_column: str
    prefix: str
    language: Language
    min_confidence: float | None
    batch_rows: int
    part_rows: int

    @property
    def columns(self) -> Columns:
        """The column to read and those to add."""
        return Columns(self.text_column, self.prefix, self.language == "en")


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom to tell the rows of each batch that is scored, and the share of the input that is read, from 0 to 1."""

    rows: Callable[[int], None] | None
    share: Callable[[float], None] | None

    def tell(self, rows: int, share: float = 0.0) -> None:
        """Tell them."""
        if self.share is not None:
            self.share(share)
        if self.rows is not None:
            self.rows(rows)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: `inputs` are what the user's `names` mean."""

    goal: Target
    names: Sequence[str]
    inputs: Sequence[Input]
    options: Options
    engine: "Engine | None" = None


class Engine(Protocol):
    """Who does the work of a plan, if not this process alone."""

    @property
    def name(self) -> str:
        """What the manifest calls it."""

    @property
    def part_rows(self) -> int:
        """Rows of a part if nobody says how many."""

    def check(self, inputs: Sequence[Input], output: str) -> None:
        """Refuse what it cannot do; cheap, for before the slow work."""

    def work(self, plan: Plan, tables: Sequence[Table], work: Unfinished, scorer: Scorer, hooks: Hooks) -> None:
        """Score what is left of the inputs."""


def carry_out(plan: Plan, scorer: Scorer, cache: Cache, resume: bool, replace: bool, hooks: Hooks) -> tuple[int, int]:
    """Do what is planned; return how many rows were done before, and the number of parts.

    Raises:
        DataError: see `stance.inference.files.predict_file`.
        OSError: the output cannot be written.
    """
    tables = [file.table(plan.options.columns, plan.options.batch_rows) for file in plan.inputs]
    folder = plan.goal.partial
    old = read_state(folder) if resume else None
    if old is None or not plan.goal.published(folder, old):
        plan.goal.check(plan.names, plan.inputs, replace or (old is not None and old.replace))
    with locked(folder, plan.goal.name):
        finished = False
        try:
            state = _beginning(plan, scorer.predictor, resume, replace)
            scorer.counts = Counts.read(state.counts)
            before = scorer.counts.rows
            with closing(Unfinished(folder, state, cache)) as work:
                (plan.engine.work if plan.engine else _score)(plan, tables, work, scorer, hooks)
                plan.goal.publish(work)
            finished = True
        finally:
            if finished or not _begun(folder):
                shutil.rmtree(folder, ignore_errors=True)
    return before, 0 if plan.goal.kind else len(work.state.parts)


def _score(plan: Plan, tables: Sequence[Table], work: Unfinished, scorer: Scorer, hooks: Hooks) -> None:
    """Score what is left of the inputs."""
    saved = time.monotonic()
    sizes = [file.size for file in plan.inputs]
    for number in range(work.state.input, len(tables)):
        table = tables[number]
        with closing(table.batches(work.state.position)) as batches:
            for batch in batches:
                # Before and not after a batch: a run may have been interrupted between the two.
                if plan.goal.kind is None and work.state.rows >= plan.options.part_rows:
                    _seal(plan, number, table, work)
                head = b"" if work.state.spool else table.head()
                rows = batch.rendered(scorer.score(batch.cells))
                work.add(head + rows, len(batch.cells), batch.end, scorer.counts.as_dict())
                hooks.tell(len(batch.cells), _share(sizes, number, table))
                if time.monotonic() - saved >= SAVE_SECONDS:
                    work.save()
                    saved = time.monotonic()
        if work.state.spool or not any(part["input"] == plan.inputs[number].name for part in work.state.parts):
            _seal(plan, number, table, work)
        work.next_input()


def _seal(plan: Plan, number: int, table: Table, work: Unfinished) -> None:
    if not work.state.spool:  # a table without rows
        work.add(table.head(), 0, work.state.position, work.state.counts)
    source = plan.inputs[number]
    name, write = plan.goal.part(len(work.state.parts), source, table)
    work.seal(name, {"input": source.name}, write)


def _share(sizes: Sequence[int], number: int, table: Table) -> float:
    return (sum(sizes[:number]) + table.share() * sizes[number]) / max(sum(sizes), 1)


def _beginning(plan: Plan, predictor: Predictor, resume: bool, replace: bool) -> State:
    """Return the state to go on from.

    Raises:
        DataError: there is an interrupted run, and neither `resume` nor `replace` is given, or it was another.
    """
    folder, name = plan.goal.partial, plan.goal.name
    old = None if replace else read_state(folder)
    live = any(file.live for file in plan.inputs)
    if old is not None and (not old.begun or (live and old.run["inputs"] == _inputs(plan.inputs, True))):
        replace = resume and old.replace
        old = None  # nothing is lost
    if old is not None and not resume:
        todo = "Give --resume to go on with it, or --replace to start anew."
        raise DataError(problem(name, "no interrupted run", f"one of {old.counts['rows']:,} rows", todo))
    # The content of the inputs is looked at last: that takes a second or two a gigabyte.
    for thorough in (False, True):
        run = _described(plan, predictor, thorough)
        if old is not None:
            _refuse_another(old.run, run, thorough, name)
    if old is not None:
        return old
    clear(folder)
    return State(run, replace)


def _begun(folder: Path) -> bool:
    state = read_state(folder)
    return state is not None and state.begun


def _described(plan: Plan, predictor: Predictor, thorough: bool) -> dict[str, Any]:
    """What decides on the output: inputs, with their content if `thorough`, model, settings, versions."""
    engine = {"engine": plan.engine.name} if plan.engine else {}
    return {
        "inputs": _inputs(plan.inputs, thorough),
        "model": model_facts(predictor),
        "settings": asdict(plan.options) | engine,
        "versions": versions(),
    }


def model_facts(predictor: Predictor) -> dict[str, Any]:
    """Return what says which model is asked, and about what."""
    classifier = predictor.classifier
    return {"kind": classifier.kind, "fingerprint": classifier.fingerprint, "target": predictor.target}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide on the output."""
    found = {"stance": __version__, "python": platform.python_version()}
    for package in _VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _inputs(inputs: Sequence[Input], thorough: bool) -> list[dict[str, Any]]:
    return [
        {"name": file.name} | ({} if file.live else fingerprint(Path(file.name)) if thorough else {"bytes": file.size})
        for file in inputs
    ]


def _refuse_another(old: Mapping[str, Any], new: Mapping[str, Any], thorough: bool, name: str) -> None:
    """Raise a DataError that names the first difference between the runs."""
    before, now = dict(_flat(old)), dict(_flat(new))
    for key in dict.fromkeys([*now, *before] if thorough else now):
        if before.get(key) != now.get(key):
            expected = f"{key} {json.dumps(before.get(key))} as in the interrupted run"
            todo = "Give the same again, or --replace to start anew."
            raise DataError(problem(name, expected, json.dumps(now.get(key)), todo))


def _flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, dict | list):
        yield path, tree
        return
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree, start=1):
        yield from _flat(value, f"{path} {key}".strip())
