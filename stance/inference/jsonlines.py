"""JSON lines, in files and on a stream: the bytes of each line stay, and the new keys are put before its last brace.

Lines are scored as they arrive: a sender who writes one and waits gets its answer, one who writes many gets them in
bulk.

A line that is no JSON object becomes `{"_invalid": "<the line>", "label": null, ...}`. Empty lines are copied and are
no rows. `NaN` and `Infinity`, which JSON forbids and Python writes, pass as they are.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

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

_CHUNK_BYTES: Final = 2**20
"""Bytes asked for at once: some 4,000 rows of usual statements. A pipe gives what it has, 64 KiB at most on Linux."""

_BATCH_BYTES: Final = 4 * 2**20
"""Bytes after which a batch of a file is full whatever its rows."""

_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"

# Numbers are not looked at, and an int of more than 4,300 digits is an error where a float is not.
_DECODER: Final = json.JSONDecoder(parse_int=float)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line: a byte order mark if it is the first, the JSON, and the white space behind it with the line break."""

    mark: bytes
    body: bytes
    ending: bytes
    record: dict[str, Any] | None

    def cell(self, column: str) -> Cell:
        if self.record is None:
            return Broken("not a JSON object")
        text = self.record.get(column)
        return text if text is None or isinstance(text, str) else Broken("not a string")

    def extended(self, added: bytes) -> bytes:
        """The line with the members `added`."""
        if self.record is None:
            return b"".join([self.mark, b'{"_invalid": ', _quoted(self.body), b", ", added, b"}", self.ending])
        comma = b", " if self.record else b""
        return b"".join([self.mark, self.body[:-1], comma, added, b"}", self.ending])


class JsonLines:
    """A file or a stream of JSON lines; see `stance.inference.rows.Table`."""

    finish = None

    def __init__(self, source: Source, columns: Columns, batch_rows: int) -> None:
        """Look at the first batch of a file; what a stream will bring is for its sender to know.

        Raises:
            DataError: a line of the first batch has one of the new keys, or none of them has the text column.
        """
        self._source = source
        self._columns = columns
        self._rows = batch_rows
        self._consumed = 0
        if not source.live:
            with source.open() as reading:
                self._check(next(self._in_file(reading), []))

    def head(self) -> bytes:
        """Return nothing: lines have no header."""
        return b""

    def batches(self, start: Position) -> Batches:
        """Yield the batches from `start`; on a stream, those lines that are there.

        Raises:
            DataError: a line has one of the new keys already, or is longer than `MAX_LINE`.
        """
        at, line = start.at, start.line
        with self._source.open() as reading:
            skip(reading.bytes, at)
            for raw in self._on_stream(reading) if self._source.live else self._in_file(reading):
                batch = [_parsed(text, line + i) for i, text in enumerate(raw, start=1)]
                self._refuse_added(batch, line)
                at += sum(map(len, raw))
                line += len(raw)
                self._consumed = reading.consumed()
                cells = [record.cell(self._columns.text) for record in batch if record.body]
                yield Batch(cells, Position(at, line), partial(self._rendered, batch))

    def share(self) -> float:
        """Return the share of the file that is read."""
        return self._consumed / max(self._source.size, 1)

    def _check(self, raw: Sequence[bytes]) -> None:
        batch = [_parsed(line, number) for number, line in enumerate(raw, start=1)]
        self._refuse_added(batch, 0)
        records = [line.record for line in batch if line.record is not None]
        if records and not any(self._columns.text in record for record in records):
            raise self._columns.absent(list(records[0]), self._source.where)

    def _refuse_added(self, batch: Sequence[_Line], before: int) -> None:
        added = set(self._columns.added)
        for number, line in enumerate(batch, start=before + 1):
            if line.record and not added.isdisjoint(line.record):
                self._columns.refuse_added(list(line.record), f"{self._source.where}:{number}")

    def _rendered(self, batch: Sequence[_Line], answers: Answers) -> bytes:
        left = iter(answers)
        return b"".join(
            line.extended(_members(self._columns, next(left))) if line.body else line.ending for line in batch
        )

    def _in_file(self, reading: Reading) -> Iterator[list[bytes]]:
        """Yield the lines of a batch, with their line breaks; where a batch ends depends on the lines alone."""
        batch: list[bytes] = []
        size = 0
        lines = iter(partial(reading.bytes.readline, MAX_LINE + 1), b"")
        for line in readable(lines, self._source.where):
            if len(line) > MAX_LINE:
                raise self._no_line_break()
            batch.append(line)
            size += len(line)
            if len(batch) == self._rows or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _on_stream(self, reading: Reading) -> Iterator[list[bytes]]:
        """Yield the lines that are there, at most `batch_rows` at once, with their line breaks."""
        for block in readable(self._blocks(reading), self._source.where):
            lines = iter(_split(block))
            while batch := list(islice(lines, self._rows)):
                yield batch

    def _blocks(self, reading: Reading) -> Iterator[bytes]:
        """Yield runs of whole lines as they arrive; only the last line may lack its line break."""
        pending: list[bytes] = []
        size = 0
        while chunk := reading.bytes.read1(_CHUNK_BYTES):
            whole, newline, tail = chunk.rpartition(b"\n")
            if newline:
                yield b"".join([*pending, whole, newline])
                pending, size = [], 0
            pending.append(tail)
            size += len(tail)
            if size > MAX_LINE:
                raise self._no_line_break()
        if size:
            yield b"".join(pending)

    def _no_line_break(self) -> DataError:
        todo = "Is it a text file? Break its lines."
        return DataError(problem(self._source.where, "a line break", f"{MAX_LINE:,} bytes without", todo))


def _parsed(raw: bytes, number: int) -> _Line:
    mark = _BOM if number == 1 and raw.startswith(_BOM) else b""
    rest = raw[len(mark) :]
    body = rest.rstrip(_BLANK)
    if not body:
        return _Line(b"", b"", raw, None)
    try:
        record = _DECODER.decode(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):  # the latter from a line of ten thousand brackets
        record = None
    return _Line(mark, body, rest[len(body) :], record if isinstance(record, dict) else None)


def _members(columns: Columns, answer: Answer | None) -> bytes:
    values = ["null"] * len(columns.added)
    if answer:
        language = f'"{answer.language}"' if answer.language else "null"
        values = [f'"{answer.label}"', *decimals(answer), language][: len(values)]
    return ", ".join(f"{json.dumps(name)}: {value}" for name, value in zip(columns.added, values, strict=True)).encode()


def _quoted(raw: bytes) -> bytes:
    r"""Return `raw` as a JSON string; a byte that is no UTF-8, such as FF, becomes the escape `\udcff`."""
    text = raw.decode("utf-8", "surrogateescape")
    readable_as_it_is = not any("\ud800" <= character <= "\udfff" for character in text)
    return json.dumps(text, ensure_ascii=not readable_as_it_is).encode()


def _split(block: bytes) -> list[bytes]:
    """Cut at line feeds only."""
    *lines, last = block.split(b"\n")
    return [*(line + b"\n" for line in lines), *([last] if last else [])]
