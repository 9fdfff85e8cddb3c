"""Files of texts -> the same files with predictions, in memory that does not grow with them.

The output holds every row and every column of the input, unchanged and in order, and `label`, `p_anti`, `p_neutral`,
`p_pro` behind them, then `language` on request. A row that cannot be scored stays, with these empty, and is counted by
its reason. Input and output have the same format: each can hold what another cannot (types, bytes that are no UTF-8,
columns of one name), so a conversion could not leave the values alone.

The output appears whole or not at all. Until then it is in the making (`stance.inference.unfinished`), and what is
there after an interruption can be resumed: the result is that of a run which was never interrupted, byte for byte.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stance.errors import ConfigError, DataError, problem
from stance.inference.cache import Cache
from stance.inference.inputs import STREAM, Input, find
from stance.inference.output import target
from stance.inference.predictor import Predictor
from stance.inference.rows import Position, Reason, Table
from stance.inference.runs import PART_ROWS, Engine, Hooks, Language, Options, Plan, carry_out
from stance.inference.scorer import Counts, Scorer
from stance.schema import LABELS, Label


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of `rows` rows, of which `before` were there when the run was resumed, the others in `seconds`.

    `rows` is `scored` plus the counts of `missing` by reason; `labels` counts the scored rows in the order of `LABELS`,
    those that got none are `abstained`; `cut` of them were longer than `MAX_CHARACTERS`, `repeated` have a text that
    came before; `languages` counts those in other languages than English; `parts` are the files of a folder.
    """

    rows: int
    scored: int
    missing: Mapping[Reason, int]
    cut: int
    labels: Mapping[Label, int]
    seconds: float
    abstained: int = 0
    repeated: int = 0
    languages: Mapping[str, int] = field(default_factory=dict)
    parts: int = 0
    before: int = 0


def predict_file(
    source: str | Path | Sequence[str | Path],
    output: str | Path,
    predictor: Predictor,
    *,
    text_column: str = "text",
    prefix: str = "",
    language: Language = "any",
    min_confidence: float | None = None,
    replace: bool = False,
    resume: bool = False,
    batch_rows: int = 4096,
    part_rows: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[int], None] | None = None,
    share: Callable[[float], None] | None = None,
) -> Summary:
    """Write the rows of `source`, one or several names, with their predictions to `output`.

    The names are explained in `stance.inference.inputs`, the output in `stance.inference.output`; `-` is a stream of
    JSON lines, answered as they arrive. A table with a header and no rows is copied with the new columns. `prefix` goes
    in front of their names. A label whose probability is below `min_confidence` becomes `abstain`. `language="en"` adds
    the column `language`. A folder gets parts of `part_rows` rows, or up to a batch more. An `engine` has several
    processes do the work (`stance.inference.distributed`).

    With `resume` an interrupted run goes on, and starts if there was none; with `replace` it starts anew, and may
    replace the output. `progress` is called with the number of rows of each batch, of `batch_rows` at most, once it is
    scored, and `share` with the share of the input, from 0 to 1.

    Raises:
        ConfigError: a setting is out of range or does not go with another.
        DataError: a file is missing, empty, damaged, of an unknown or another format, or cannot be read or written; the
            text column is not there; a new column is; `output` is an input, or exists and `replace` is false; another
            process is writing it; an interrupted run is there and neither `resume` nor `replace` is given, or it had
            another model, input or setting.
        BrokenPipeError: the reader of standard output is gone.
    """
    start = time.perf_counter()
    names = [str(name) for name in ([source] if isinstance(source, str | Path) else source)]
    part_rows = part_rows if part_rows is not None else engine.part_rows if engine else PART_ROWS
    options = Options(text_column, prefix, language, min_confidence, batch_rows, part_rows)
    _check(options, names, resume, replace)
    inputs = find(names)
    if engine is not None:
        engine.check(inputs, str(output))
    cache = Cache()
    scorer = Scorer(predictor, cache, language == "en", min_confidence)
    hooks = Hooks(progress, share)
    before = 0
    parts = 0
    if str(output) == STREAM:
        _check_formats(inputs, STREAM, "JSON lines")
        tables = [file.table(options.columns, batch_rows) for file in inputs]
        with _writing("standard output"):
            _stream(tables, scorer, hooks)
    else:
        goal = target(str(output), len(inputs) > 1)
        if goal.kind:
            _check_formats(inputs, goal.name, goal.kind.form)
        with _writing(goal.name):
            plan = Plan(goal, names, inputs, options, engine)
            before, parts = carry_out(plan, scorer, cache, resume, replace, hooks)
    return _summary(scorer.counts, before, parts, time.perf_counter() - start)


def _check(options: Options, names: Sequence[str], resume: bool, replace: bool) -> None:
    for name, value in (("batch_rows", options.batch_rows), ("part_rows", options.part_rows)):
        if value < 1:
            raise ConfigError(problem(name, "a positive number", str(value), "Raise it."))
    least = options.min_confidence
    if least is not None and not 1 / len(LABELS) < least <= 1:
        todo = f"The largest of {len(LABELS)} probabilities is never below {1 / len(LABELS):.2f}: change it."
        raise ConfigError(
            problem("--min-confidence", f"a probability above 1/{len(LABELS)}, up to 1", f"{least:g}", todo)
        )
    if resume and replace:
        raise ConfigError(problem("--resume", "no --replace beside it", "both", "Go on, or start anew."))
    if resume and STREAM in names:
        raise ConfigError(problem("--resume", "input files", "a stream, which cannot be read again", "Leave it out."))


def _check_formats(inputs: Sequence[Input], output: str, form: str) -> None:
    """Refuse an output of another format than the inputs."""
    for file in inputs:
        if file.kind.form != form:
            expected = f"an output of the same format, {file.kind.form}"
            todo = "Convert before or after, with another program."
            raise DataError(problem(file.name, expected, f"{form} ({output})", todo))


def _stream(tables: Sequence[Table], scorer: Scorer, hooks: Hooks) -> None:
    """Answer on standard output, each batch before the next is awaited."""
    out = sys.stdout.buffer
    for table in tables:
        for batch in table.batches(Position()):
            out.write(batch.rendered(scorer.score(batch.cells)))
            out.flush()
            hooks.tell(len(batch.cells))
    out.flush()


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Turn an error in writing into a DataError.

    A BrokenPipeError stays one: it says that the reader had enough, and the command line ends quietly on it.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        todo = "Check the folder, its permissions and the space left."
        raise DataError(problem(name, "a file that can be written", str(error), todo)) from error


def _summary(counts: Counts, before: int, parts: int, seconds: float) -> Summary:
    return Summary(
        rows=counts.rows,
        scored=counts.scored,
        missing=dict(counts.missing),
        cut=counts.cut,
        labels={label: counts.labels[label] for label in LABELS},
        seconds=seconds,
        abstained=counts.abstained,
        repeated=counts.repeated,
        languages=dict(counts.languages.most_common()),
        parts=parts,
        before=before,
    )
