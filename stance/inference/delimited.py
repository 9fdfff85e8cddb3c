"""Comma- and tab-separated tables: every record is copied as it stands, with the new fields behind it.

A record's own characters are written back, not its parsed fields, so quotes, line endings, a byte order mark and bytes
that are no UTF-8 stay as they were. That includes a field which a spreadsheet would run as a formula (`=1+1`): it was
there before. The new fields hold labels and numbers only.

A record of too few fields is filled up with empty ones; of too many, the surplus goes into the last field, joined with
the delimiter. Neither is scored. Empty lines are copied and are no rows, as in pandas.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from stance.errors import DataError, problem
from stance.inference.rows import MAX_LINE, Broken, Cell, Job, decimals, readable
from stance.schema import Prediction

MAX_FIELD: Final = 16 * 2**20
"""Characters of the longest field: sixteen times a text of 1 MB, and small enough to stop a quotation mark that is
never closed before it has swallowed a large file."""

_BATCH_CHARACTERS: Final = 4 * 2**20
"""Characters after which a batch is full whatever its rows: 4,096 rows of 1 MB would take 4 GB."""

_CRLF: Final = "\r\n"


@dataclass(frozen=True, slots=True)
class _Record:
    """The fields of a record, and its characters before (`body`) and in (`ending`) the line break."""

    body: str
    ending: str
    fields: list[str]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many fields a record has, where the text stands, and what stands between."""

    width: int
    at: int
    delimiter: str

    def cell(self, record: _Record) -> Cell:
        return record.fields[self.at] if len(record.fields) == self.width else Broken("wrong number of fields")

    def line(self, record: _Record, prediction: Prediction | None) -> str:
        """The record mended to `width` fields, the new fields, the line break."""
        new = [prediction.label, *decimals(prediction)] if prediction else ["", "", "", ""]
        return self.delimiter.join([self._mended(record), *new]) + record.ending

    def _mended(self, record: _Record) -> str:
        surplus = len(record.fields) - self.width
        if surplus <= 0:
            return record.body + self.delimiter * -surplus
        *kept, _ = record.fields[: self.width]
        return quoted([*kept, self.delimiter.join(record.fields[self.width - 1 :])], self.delimiter)


def rewrite(job: Job, delimiter: str) -> None:
    """Copy the table with its new columns.

    Raises:
        DataError: the text column is not there, a new one is, a quotation mark is never closed, or a field or a line is
            longer than `MAX_FIELD` or `MAX_LINE`.
    """
    with _long_fields():
        records = _records(job, delimiter)
        layout = _copy_header(job, records, delimiter)
        for batch in _batches(records, job.batch_rows):
            predictions = iter(job.score([layout.cell(record) for record in batch if record.fields]))
            lines = (layout.line(r, next(predictions)) if r.fields else r.body + r.ending for r in batch)
            job.sink.write(_encoded("".join(lines)))


def quoted(fields: Sequence[str], delimiter: str) -> str:
    """Return one record, without a line break, that reads back as `fields`."""
    out = io.StringIO(newline="")
    # The writer quotes only those line breaks that occur in its own, so it is given both.
    csv.writer(out, delimiter=delimiter, lineterminator=_CRLF).writerow(fields)
    return out.getvalue().removesuffix(_CRLF)


def _copy_header(job: Job, records: Iterator[_Record], delimiter: str) -> _Layout:
    for record in records:
        if not record.fields:
            job.sink.write(_encoded(record.body + record.ending))
            continue
        at = job.columns.place(record.fields, job.where)
        names = quoted(job.columns.added, delimiter)
        job.sink.write(_encoded(record.body + delimiter + names + record.ending))
        return _Layout(len(record.fields), at, delimiter)
    raise DataError(problem(job.where, "a header line", "empty lines only", "Put the names of the columns first."))


def _records(job: Job, delimiter: str) -> Iterator[_Record]:
    """Yield the records; one without fields is an empty line."""
    lines: list[str] = []
    reader = csv.reader(_lines(job, lines), delimiter=delimiter)
    start = 1
    try:
        for fields in reader:
            raw = "".join(lines)
            body = raw.rstrip(_CRLF)
            yield _Record(body, raw[len(body) :], fields)
            lines.clear()
            start = reader.line_num + 1
    except csv.Error as error:
        todo = "Close or double a quotation mark that stands open in this row."
        raise DataError(problem(f"{job.where}:{start}", "a row of the table", str(error), todo)) from error


def _lines(job: Job, taken: list[str]) -> Iterator[str]:
    """Yield the lines for a csv.reader, and add each to `taken`, which the caller clears after each record."""
    text = io.TextIOWrapper(job.source, encoding="utf-8", errors="surrogateescape", newline="")
    for number, line in enumerate(readable(iter(partial(text.readline, MAX_LINE), ""), job.where), start=1):
        if len(line) == MAX_LINE and not line.endswith(("\r", "\n")):
            todo = "Is it a text file? Break its lines."
            raise DataError(problem(f"{job.where}:{number}", "a line break", f"{MAX_LINE:,} characters without", todo))
        taken.append(line)
        yield line.removeprefix("\ufeff") if number == 1 else line
    if taken:
        # A reader that asks for more at the end of the file is inside quotation marks.
        where = f"{job.where}:{number - len(taken) + 1}"
        todo = "Close or double the quotation mark that stands open in this row."
        raise DataError(problem(where, "a closing quotation mark", "the end of the file", todo))


def _batches(records: Iterator[_Record], rows: int) -> Iterator[list[_Record]]:
    batch: list[_Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.body)
        if len(batch) == rows or size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def _long_fields() -> Iterator[None]:
    """Raise the csv module's limit, which holds for the whole process, and put it back."""
    before = csv.field_size_limit(MAX_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
