"""A file of texts -> the same file with predictions, row by row, in memory that does not grow with it.

The output holds every row and every column of the input, unchanged and in order, and `label`, `p_anti`, `p_neutral`,
`p_pro` behind them. A row that cannot be scored stays, with these four empty, and is counted by its reason. Input and
output have the same format: each can hold what another cannot (types, bytes that are no UTF-8, columns of one name), so
a conversion could not leave the values alone.

The output appears whole or not at all.
"""

import io
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, cast

from stance.errors import ConfigError, DataError, problem
from stance.inference import delimited, jsonlines
from stance.inference.predictor import MAX_CHARACTERS, Predictor, missing_reason
from stance.inference.rows import Broken, Cell, Columns, Job, Reason, readable
from stance.schema import LABELS, Label, Prediction

STREAM: Final = "-"
"""In place of a file name: JSON lines on standard input or output."""


def _rewrite_parquet(job: Job) -> None:
    from stance.inference import parquet  # pyarrow takes longer to import than a short JSON stream to score

    parquet.rewrite(job)


FORMATS: Final[Mapping[str, str]] = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".parquet": "Parquet",
}
"""The format that goes with the suffix of a file name."""

_REWRITE: Final[Mapping[str, Callable[[Job], None]]] = {
    "CSV": partial(delimited.rewrite, delimiter=","),
    "TSV": partial(delimited.rewrite, delimiter="\t"),
    "JSON lines": jsonlines.rewrite,
    "Parquet": _rewrite_parquet,
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of `rows` rows in `seconds` of wall time.

    `rows` is `scored` plus the counts of `missing` by reason; `labels` counts the scored rows in the order of `LABELS`;
    `cut` of these were longer than `MAX_CHARACTERS`.
    """

    rows: int
    scored: int
    missing: Mapping[Reason, int]
    cut: int
    labels: Mapping[Label, int]
    seconds: float


def predict_file(
    source: str | Path,
    output: str | Path,
    predictor: Predictor,
    *,
    text_column: str = "text",
    prefix: str = "",
    replace: bool = False,
    batch_rows: int = 4096,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Write the rows of `source` with their predictions to `output`.

    A file name ends in one of `FORMATS`, the same format for both; `-` is a stream of JSON lines, answered as they
    arrive. A table with a header and no rows is copied with the new columns. `prefix` goes in front of their names.
    `progress` is called with the number of rows of each batch, of `batch_rows` at most, once it is scored.

    Raises:
        ConfigError: `batch_rows` is not positive.
        DataError: a file is missing, empty, damaged, of an unknown or another format, or cannot be read or written; the
            text column is not there; a new column is; `output` is `source`, or exists and `replace` is false.
        BrokenPipeError: the reader of standard output is gone.
    """
    if batch_rows < 1:
        raise ConfigError(problem("batch_rows", "a positive number", str(batch_rows), "Raise it."))
    start = time.perf_counter()
    form = _common_format(str(source), str(output))
    tally = _Tally(predictor, progress)
    with _opened(source) as rows, _sink(source, output, replace) as sink:
        live = str(source) == STREAM
        where = "standard input" if live else str(source)
        _REWRITE[form](Job(rows, sink, where, Columns(text_column, prefix), batch_rows, tally.score, live))
    return tally.summary(time.perf_counter() - start)


class _Tally:
    """Scores cells and counts what came of them."""

    def __init__(self, predictor: Predictor, progress: Callable[[int], None] | None) -> None:
        self._predictor = predictor
        self._progress = progress
        self._rows = self._cut = 0
        self._missing: Counter[Reason] = Counter()
        self._labels: Counter[Label] = Counter()

    def score(self, cells: Sequence[Cell]) -> list[Prediction | None]:
        texts = [None if isinstance(cell, Broken) else cell for cell in cells]
        predictions = self._predictor.predict(texts)
        for cell, text, prediction in zip(cells, texts, predictions, strict=True):
            if prediction is not None:
                self._labels[prediction.label] += 1
                self._cut += text is not None and len(text) > MAX_CHARACTERS
            elif reason := cell.reason if isinstance(cell, Broken) else missing_reason(text):
                self._missing[reason] += 1
        self._rows += len(cells)
        if self._progress is not None:
            self._progress(len(cells))
        return predictions

    def summary(self, seconds: float) -> Summary:
        labels = {label: self._labels[label] for label in LABELS}
        return Summary(self._rows, self._labels.total(), dict(self._missing), self._cut, labels, seconds)


def _common_format(source: str, output: str) -> str:
    """Return the format of both names.

    Raises:
        DataError: a suffix is unknown, or the formats differ.
    """
    form, other = _format(source), _format(output)
    if form != other:
        todo = "Convert before or after, with another program."
        got = f"{other} ({output})"
        raise DataError(problem(source, f"an output of the same format, {form}", got, todo))
    return form


def _format(name: str) -> str:
    if name == STREAM:
        return "JSON lines"
    suffix = Path(name).suffix.lower()
    if suffix not in FORMATS:
        known = f"a name in {', '.join(FORMATS)}, or {STREAM}"
        raise DataError(problem(name, known, repr(suffix) if suffix else "no suffix", "Convert or rename the file."))
    return FORMATS[suffix]


@contextmanager
def _opened(source: str | Path) -> Iterator[io.BufferedReader]:
    """Open a file that is there, is not empty and is not in UTF-16; a stream may be empty."""
    if str(source) == STREAM:
        yield cast(io.BufferedReader, sys.stdin.buffer)
        return
    path = Path(source)
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise DataError(problem(path, "a file", "no such file", "Check the path.")) from error
    except IsADirectoryError as error:
        raise DataError(problem(path, "a file", "a folder", "Name a file in it.")) from error
    except OSError as error:
        raise DataError(problem(path, "a file that can be read", str(error), "Check its permissions.")) from error
    with file:
        (first,) = readable((file.peek(2)[:2] for _ in range(1)), str(path))
        if not first:
            raise DataError(problem(path, "a table or lines of text", "an empty file", "Check what wrote it."))
        if first in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(problem(path, "text in UTF-8", "UTF-16", "Save or convert it as UTF-8."))
        yield file


@contextmanager
def _sink(source: str | Path, output: str | Path, replace: bool) -> Iterator[BinaryIO]:
    """Open the output for writing; an error in writing becomes a DataError.

    A BrokenPipeError stays one: it says that the reader had enough, and the command line ends quietly on it.
    """
    name = "standard output" if str(output) == STREAM else str(output)
    try:
        if str(output) == STREAM:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        _check_output(source, Path(output), replace)
        with _whole(Path(output), replace) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        todo = "Check the folder, its permissions and the space left."
        raise DataError(problem(name, "a file that can be written", str(error), todo)) from error


def _check_output(source: str | Path, output: Path, replace: bool) -> None:
    if not output.parent.is_dir():
        raise DataError(problem(output, f"a folder {output.parent}", "none", "Make it, or name another."))
    if not output.exists():
        return
    if str(source) != STREAM and output.samefile(source):
        raise DataError(problem(output, "another file than the input", "the same", "Name another output."))
    if not output.is_file():
        raise DataError(problem(output, "a file to write", "a folder or a device", "Name another output."))
    if not replace:
        raise DataError(
            problem(output, "a file that does not exist", "one that does", "Give --replace or another --output.")
        )


@contextmanager
def _whole(output: Path, replace: bool) -> Iterator[BinaryIO]:
    """Open a file beside `output` which takes its place at the end, or is removed on an error."""
    output = Path(os.path.realpath(output))  # behind a symbolic link, the file is replaced and not the link
    partial_file = output.with_name(f".{output.name}.{secrets.token_hex(4)}.partial")
    try:
        # Not tempfile, which makes a file that only its owner can read.
        with partial_file.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not replace and output.exists():
            todo = "Another run may have made it: give --replace or another --output."
            raise DataError(problem(output, "a file that does not exist", "one that appeared meanwhile", todo))
        os.replace(partial_file, output)
    finally:
        partial_file.unlink(missing_ok=True)
