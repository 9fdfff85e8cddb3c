"""Comma- and tab-separated tables: every record is copied as it stands, with the new fields behind it.

A record's own characters are written back, not its parsed fields, so quotes, line endings, a byte order mark and bytes
that are no UTF-8 stay as they were. That includes a field which a spreadsheet would run as a formula (`=1+1`): it was
there before. The new fields hold labels, numbers and codes of languages only.

A record of too few fields is filled up with empty ones; of too many, the surplus goes into the last field, joined with
the delimiter. Neither is scored. Empty lines are copied and are no rows, as in pandas.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TextIO

from stance.errors import DataError, problem
from stance.inference.rows import (
    MAX_LINE,
    Answer,
    Answers,
    Batch,
    Batches,
    Broken,
    Cell,
    Columns,
    Position,
    Reading,
    Source,
    decimals,
    readable,
    skip,
)

MAX_FIELD: Final = 16 * 2**20
"""Characters of the longest field: sixteen times a text of 1 MB, and small enough to stop a quotation mark that is
never closed before it has swallowed a large file."""

_BATCH_CHARACTERS: Final = 4 * 2**20
"""Characters after which a batch is full whatever its rows: 4,096 rows of 1 MB would take 4 GB."""

_CRLF: Final = "\r\n"


@dataclass(frozen=True, slots=True)
class _Record:
    """The fields of a record, its characters before (`body`) and in (`ending`) the line break, its last line."""

    body: str
    ending: str
    fields: list[str]
    line: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many fields a record has, where the text stands, what stands between, and how many are added."""

    width: int
    at: int
    delimiter: str
    added: int

    def cell(self, record: _Record) -> Cell:
        return record.fields[self.at] if len(record.fields) == self.width else Broken("wrong number of fields")

    def line(self, record: _Record, answer: Answer | None) -> str:
        """The record mended to `width` fields, the new fields, the line break."""
        new = [answer.label, *decimals(answer), answer.language or ""] if answer else [""] * self.added
        return self.delimiter.join([self._mended(record), *new[: self.added]]) + record.ending

    def _mended(self, record: _Record) -> str:
        surplus = len(record.fields) - self.width
        if surplus <= 0:
            return record.body + self.delimiter * -surplus
        *kept, _ = record.fields[: self.width]
        return quoted([*kept, self.delimiter.join(record.fields[self.width - 1 :])], self.delimiter)


class Delimited:
    """A CSV or TSV table; see `stance.inference.rows.Table`."""

    finish = None

    def __init__(self, source: Source, columns: Columns, batch_rows: int, delimiter: str) -> None:
        """Read the header.

        Raises:
            DataError: there is none, the text column is not there, or a new one is.
        """
        self._source = source
        self._rows = batch_rows
        self._delimiter = delimiter
        self._consumed = 0
        with _long_fields(), source.open() as reading:
            self._head, self._start, self._layout = self._header(_decoded(reading), columns)

    def head(self) -> bytes:
        """Return the header with the new columns, and the empty lines before it."""
        return self._head

    def batches(self, start: Position) -> Batches:
        """Yield the batches from `start`.

        Raises:
            DataError: a quotation mark is never closed, or a field or a line is longer than `MAX_FIELD` or `MAX_LINE`.
        """
        start = max(start, self._start, key=lambda position: position.at)
        at = start.at
        with _long_fields(), self._source.open() as reading:
            skip(reading.bytes, at)
            text = _decoded(reading)  # closes what it reads from when it goes, and so is held
            for batch in self._batches(self._records(text, start)):
                at += sum(len(_encoded(record.body + record.ending)) for record in batch)
                self._consumed = reading.consumed()
                cells = [self._layout.cell(record) for record in batch if record.fields]
                yield Batch(cells, Position(at, batch[-1].line), partial(self._rendered, batch))

    def share(self) -> float:
        """Return the share of the file that is read."""
        return self._consumed / max(self._source.size, 1)

    def _header(self, text: TextIO, columns: Columns) -> tuple[bytes, Position, _Layout]:
        where, head, at = self._source.where, b"", 0
        for record in self._records(text, Position()):
            at += len(_encoded(record.body + record.ending))
            if not record.fields:
                head += _encoded(record.body + record.ending)
                continue
            place = columns.place(record.fields, where)
            names = quoted(columns.added, self._delimiter)
            head += _encoded(record.body + self._delimiter + names + record.ending)
            layout = _Layout(len(record.fields), place, self._delimiter, len(columns.added))
            return head, Position(at, record.line), layout
        raise DataError(problem(where, "a header line", "empty lines only", "Put the names of the columns first."))

    def _rendered(self, batch: Sequence[_Record], answers: Answers) -> bytes:
        left = iter(answers)
        lines = (self._layout.line(r, next(left)) if r.fields else r.body + r.ending for r in batch)
        return _encoded("".join(lines))

    def _records(self, text: TextIO, start: Position) -> Iterator[_Record]:
        """Yield the records; one without fields is an empty line."""
        where, lines = self._source.where, list[str]()
        reader = csv.reader(_lines(text, where, lines, start.line), delimiter=self._delimiter)
        line = start.line
        try:
            for fields in reader:
                raw = "".join(lines)
                body = raw.rstrip(_CRLF)
                line = start.line + reader.line_num
                yield _Record(body, raw[len(body) :], fields, line)
                lines.clear()
        except csv.Error as error:
            todo = "Close or double a quotation mark that stands open in this row."
            raise DataError(problem(f"{where}:{line + 1}", "a row of the table", str(error), todo)) from error

    def _batches(self, records: Iterator[_Record]) -> Iterator[list[_Record]]:
        batch: list[_Record] = []
        size = 0
        for record in records:
            batch.append(record)
            size += len(record.body)
            if len(batch) == self._rows or size >= _BATCH_CHARACTERS:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch


def quoted(fields: Sequence[str], delimiter: str) -> str:
    """Return one record, without a line break, that reads back as `fields`."""
    out = io.StringIO(newline="")
    # The writer quotes only those line breaks that occur in its own, so it is given both.
    csv.writer(out, delimiter=delimiter, lineterminator=_CRLF).writerow(fields)
    return out.getvalue().removesuffix(_CRLF)


def _lines(text: TextIO, where: str, taken: list[str], before: int) -> Iterator[str]:
    """Yield the lines for a csv.reader, and add each to `taken`, which the caller clears after each record."""
    number = before
    for number, line in enumerate(readable(iter(partial(text.readline, MAX_LINE), ""), where), start=before + 1):
        if len(line) == MAX_LINE and not line.endswith(("\r", "\n")):
            todo = "Is it a text file? Break its lines."
            raise DataError(problem(f"{where}:{number}", "a line break", f"{MAX_LINE:,} characters without", todo))
        taken.append(line)
        yield line.removeprefix("\ufeff") if number == 1 else line
    if taken:
        # A reader that asks for more at the end of the file is inside quotation marks.
        todo = "Close or double the quotation mark that stands open in this row."
        raise DataError(
            problem(f"{where}:{number - len(taken) + 1}", "a closing quotation mark", "the end of the file", todo)
        )


def _decoded(reading: Reading) -> TextIO:
    return io.TextIOWrapper(reading.bytes, encoding="utf-8", errors="surrogateescape", newline="")


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
