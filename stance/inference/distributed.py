"""A plan of `stance.inference.runs` carried out by many processes, on one machine or a cluster, with Ray Data.

Ray Data hands out the parts of the output: some rows, from here to there, of a Parquet input. A worker has loaded the
model once, and reads, scores and writes the parts it is given. Only what describes a part travels between processes, so
the inputs, the model and the output have to be on disks that all of them see under the same names. Rows, columns, types
and metadata come out as without Ray, because they are read and written by the same code.

A worker that dies is replaced, and its part is begun again. A part is scored as if none had come before it, so nothing
in the output depends on who scored it, how often or in which order; only `repeated` in the counts means repeated within
a part. The parts that are whole stand in the output in the making (`stance.inference.unfinished`) as those of any other
run: an interrupted run goes on with the parts that are left, with as many workers as one likes.
"""

import json
import logging
import os
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stance.errors import ConfigError, DataError, ModelError, StanceError, problem
from stance.inference import runs
from stance.inference.cache import Cache
from stance.inference.inputs import Input, find
from stance.inference.output import target
from stance.inference.predictor import Predictor
from stance.inference.rows import Table
from stance.inference.runs import Hooks, Options, Plan
from stance.inference.scorer import Counts, Scorer
from stance.inference.unfinished import Unfinished, fingerprint
from stance.models import load

if TYPE_CHECKING:
    from stance.inference.parquet import Parquet
    from stance.models._runtime import Runtime

PART_ROWS: Final = 2**16
"""Rows of a part, which is what is lost with a worker: seconds of a linear model, ten minutes of a transformer."""

ATTEMPTS: Final = 4
"""How often a part is begun. One on which so many workers died would be the end of the next one, too."""

_STORE_BYTES: Final = 128 * 2**20
"""Shared memory of a Ray that is started here; what travels are descriptions of a few hundred bytes."""

_ALONE: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # else Ray reports to its makers
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # in spite of its name the way to have Ray listen on the loopback alone
}
"""What Ray takes from the environment, and is to find there if it is started here."""

_QUIET: Final = {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_DATA_LOG_LEVEL": "ERROR"}

_ERRORS: Final[Mapping[str, type[StanceError]]] = {kind.__name__: kind for kind in (ConfigError, DataError, ModelError)}

Described: TypeAlias = dict[str, Any]
"""A row of a Ray data set."""


@dataclass(frozen=True, slots=True)
class Ray:
    """An engine (`stance.inference.runs.Engine`): `workers` processes, or as many as there are processors.

    Each loads the model in the folder `model`, to be computed by `runtime`. The Ray that this process is connected to
    is used, or the cluster that the environment variable `RAY_ADDRESS` names is joined; else one is started on this
    machine, which ends with the run.
    """

    model: Path
    runtime: "Runtime" = "torch"
    workers: int | None = None
    name: str = "ray"
    part_rows: int = PART_ROWS

    def check(self, inputs: Sequence[Input], output: str) -> None:
        """Refuse what it cannot do; cheap, for before the slow work.

        Raises:
            ConfigError: Ray is not installed, or there is to be no worker.
            DataError: an input is not in Parquet, or the output no folder.
        """
        if find_spec("ray") is None:
            raise ConfigError(
                problem("--engine ray", "Ray", "none", "Install it: pip install -e '.[ray]' in the project's folder.")
            )
        if self.workers is not None and self.workers < 1:
            raise ConfigError(problem("--workers", "a positive number", str(self.workers), "Raise it."))
        for file in inputs:
            if file.kind.form != "Parquet":
                todo = "Convert it, or leave out --engine ray."
                raise DataError(problem(file.name, "Parquet, which --engine ray reads", file.kind.form, todo))
        goal = None if output == "-" else target(output, False)
        if goal is None or goal.kind:
            got = "standard output" if goal is None else "a file"
            todo = "Put / at the end of the name, or leave out the suffix."
            raise DataError(problem(output, "a folder, which --engine ray writes", got, todo))

    def work(self, plan: Plan, tables: Sequence[Table], work: Unfinished, scorer: Scorer, hooks: Hooks) -> None:
        """Score the parts that are left.

        Raises:
            ConfigError: `RAY_ADDRESS` names no cluster that can be joined.
            DataError: a part cannot be read or written, or workers die on it again and again.
            ModelError: a worker has another model, or other versions of what computes, than this process.
        """
        parts = _parts(plan, tables)
        rows = sum(part["stop"] - part["start"] for part in parts)
        done = {str(entry["file"]) for entry in work.state.parts}
        left = [part for part in parts if part["file"] not in done]
        if left:
            facts = {"model": runs.model_facts(scorer.predictor), "versions": runs.versions()}
            job = Job(self.model.resolve(), self.runtime, scorer.predictor.target, plan.options, work.desk(), facts)
            saved = monotonic()
            with closing(_scored(left, job, self.workers)) as results:
                for result in results:
                    _take(result, job.desk, work, scorer.counts)
                    hooks.tell(result["rows"], scorer.counts.rows / max(rows, 1))
                    if monotonic() - saved >= runs.SAVE_SECONDS:
                        work.save()
                        saved = monotonic()
        work.next_input(len(tables))


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker has to know: `desk` is the folder for its parts, `facts` what it must have in common with us."""

    model: Path
    runtime: "Runtime"
    target: str
    options: Options
    desk: Path
    facts: Mapping[str, Any]


class Worker:
    """Lives in a process of its own. A mistake of the user becomes a row, as an error would have Ray try it again."""

    def __init__(self, job: Job) -> None:
        """Load the model."""
        self._job = job
        self._problem: Described = {}
        try:
            self._predictor = Predictor(load(job.model, job.runtime), job.target)
            self._compare()
        except StanceError as error:
            self._problem = _as_row(error)

    def __call__(self, part: Described) -> Described:
        """Write the rows of `part` with their predictions to a file on the desk; return what is to be said of it."""
        if self._problem:
            return self._problem
        try:
            return self._written(part)
        except StanceError as error:
            return _as_row(error)
        except OSError as error:
            todo = "Check the folder, its permissions and the space left."
            return _as_row(DataError(problem(part["file"], "a file that can be written", str(error), todo)))

    def _written(self, part: Described) -> Described:
        options, desk = self._job.options, self._job.desk
        (source,) = find([part["path"]])
        table: Parquet = source.table(options.columns, options.batch_rows)  # type: ignore[assignment]  # was checked
        scorer = Scorer(self._predictor, Cache(), options.columns.language, options.min_confidence)
        # Names of its own for each attempt: the process of an earlier one may live on where it cannot be seen.
        with NamedTemporaryFile(prefix=f"{part['file']}-", suffix=".rows", dir=desk, delete=False) as spool:
            begun = len(list(desk.glob(f"{part['file']}-*.rows")))
            if begun > ATTEMPTS:
                got, todo = f"the end of {begun - 1} workers", "Give less --part-rows, or look for the cause."
                raise DataError(problem(part["path"], f"rows {part['start']:,} to {part['stop']:,} scored", got, todo))
            with closing(table.between(part["start"], part["stop"])) as batches:
                for batch in batches:
                    spool.write(batch.rendered(scorer.score(batch.cells)))
        made = Path(spool.name).with_suffix(".part")
        table.finish(Path(spool.name), made)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        Path(spool.name).unlink()
        rows, counts = scorer.counts.rows, json.dumps(scorer.counts.as_dict())
        described = {"file": part["file"], "input": part["input"], "rows": rows, **fingerprint(made)}
        return {"made": made.name, **described, "counts": counts, "kind": "", "message": ""}

    def _compare(self) -> None:
        """Refuse to give answers that would not be those of the process that asked."""
        ours = {"model": runs.model_facts(self._predictor), "versions": runs.versions()}
        for what, expected in self._job.facts.items():
            for name, value in expected.items():
                if ours[what].get(name) != value:
                    where, got = f"a worker of Ray: {what} {name}", str(ours[what].get(name))
                    raise ModelError(problem(where, str(value), got, "Install and copy the same on all machines."))


def _as_row(error: StanceError) -> Described:
    empty = {"made": "", "file": "", "input": "", "rows": 0, "bytes": 0, "sha256": "", "counts": ""}
    return {**empty, "kind": type(error).__name__, "message": str(error)}


def _parts(plan: Plan, tables: Sequence[Table]) -> list[Described]:
    """The parts of the output, cut where a run without Ray would, but for inputs that come in batches of many sizes."""
    parts: list[Described] = []
    for source, table in zip(plan.inputs, tables, strict=True):
        parquet: Parquet = table  # type: ignore[assignment]  # was checked
        for start, stop in parquet.cuts(plan.options.part_rows):
            file, _ = plan.goal.part(len(parts), source, table)
            path = str(Path(source.name).absolute())  # a link may lead to a file whose name has no suffix
            parts.append({"file": file, "input": source.name, "path": path, "start": start, "stop": stop})
    return parts


def _take(result: Described, desk: Path, work: Unfinished, counts: Counts) -> None:
    if result["kind"]:
        raise _ERRORS[result["kind"]](result["message"])
    counts.add(Counts.read(json.loads(result["counts"])))
    entry = {name: result[name] for name in ("file", "input", "rows", "bytes", "sha256")}
    work.adopt(desk / result["made"], entry, counts.as_dict())


def _scored(parts: Sequence[Described], job: Job, workers: int | None) -> Generator[Described, None, None]:
    """Yield what the workers say of the parts, in whatever order these are done."""
    with _connected(workers) as processors, _without_words():
        import ray.data
        from ray.exceptions import RayError, RayTaskError

        pool = ray.data.ActorPoolStrategy(size=min(workers or processors, len(parts)))
        data = ray.data.from_items(list(parts), override_num_blocks=len(parts))
        results = data.map(Worker, fn_constructor_args=(job,), compute=pool, num_cpus=1)
        try:
            for batch in results.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow"):
                yield from batch.to_pylist()
        except RayTaskError:
            raise  # an error in the code, and not in what it runs on
        except RayError as error:
            got = f"the end of it ({type(error).__name__})"
            raise DataError(problem("Ray", "a cluster that works", got, "Give --resume to go on.")) from error


@contextmanager
def _connected(workers: int | None) -> Iterator[int]:
    """Yield the number of processors of the Ray to use; what was started or joined here is left at the end."""
    address = os.environ.get("RAY_ADDRESS")
    for name, value in (_QUIET if address else _QUIET | _ALONE).items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield _processors(ray.cluster_resources())
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with _nothing_on_stderr():
            if address:
                ray.init(address, **quiet)
            else:
                own: dict[str, Any] = {"num_cpus": workers or _own_processors(), "object_store_memory": _STORE_BYTES}
                ray.init("local", include_dashboard=False, **own, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where, todo = ("RAY_ADDRESS", "Check the address, or unset it.") if address else ("Ray", "See its logs.")
        raise ConfigError(problem(where, "a Ray that answers", str(error), todo)) from error
    try:
        yield _processors(ray.cluster_resources())
    finally:
        ray.shutdown()


def _own_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processors(resources: Mapping[str, float]) -> int:
    return max(1, int(resources.get("CPU", 1)))


@contextmanager
def _nothing_on_stderr() -> Iterator[None]:
    """Drop what Ray's own library writes there past Python: with which level it writes. Errors come as exceptions."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _without_words() -> Iterator[None]:
    """Have Ray Data draw no bars and print no plans, for as long as this lasts."""
    from ray.data import DataContext

    context = DataContext.get_current()
    before = context.enable_progress_bars
    logger = logging.getLogger("ray.data")
    level = logger.level
    context.enable_progress_bars = False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        context.enable_progress_bars = before
        logger.setLevel(level)
