"""JSON lines, in files and on a stream: the bytes of each line stay, and the new keys are put before its last brace.

Lines are scored as they arrive: a sender who writes one and waits gets its answer, one who writes many gets them in
bulk.

A line that is no JSON object becomes `{"_invalid": "<the line>", "label": null, ...}`. Empty lines are copied and are
no rows. `NaN` and `Infinity`, which JSON forbids and Python writes, pass as they are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from stance.errors import DataError, problem
from stance.inference.rows import MAX_LINE, Broken, Cell, Columns, Job, decimals, readable
from stance.schema import Prediction

_CHUNK_BYTES: Final = 2**20
"""Bytes asked for at once: some 4,000 rows of usual statements. A pipe gives what it has, 64 KiB at most on Linux."""

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


def rewrite(job: Job) -> None:
    """Copy the lines with their new keys, each batch written through before the next is awaited.

    Raises:
        DataError: a line has one of the new keys already, a line is longer than `MAX_LINE`, or no object in the first
            batch of a file has the text column (on a stream, that is for the sender to know).
    """
    number = 0
    sought = not job.live
    for raw in _batches(job):
        batch = [_parsed(line, number + i) for i, line in enumerate(raw, start=1)]
        _refuse_added(batch, job, number)
        records = [line.record for line in batch if line.record is not None]
        if sought and records:
            if not any(job.columns.text in record for record in records):
                raise job.columns.absent(list(records[0]), job.where)
            sought = False
        number += len(batch)
        predictions = iter(job.score([line.cell(job.columns.text) for line in batch if line.body]))
        lines = (
            line.extended(_members(job.columns, next(predictions))) if line.body else line.ending for line in batch
        )
        job.sink.write(b"".join(lines))
        job.sink.flush()


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


def _refuse_added(batch: list[_Line], job: Job, before: int) -> None:
    added = set(job.columns.added)
    for number, line in enumerate(batch, start=before + 1):
        if line.record and not added.isdisjoint(line.record):
            job.columns.refuse_added(list(line.record), f"{job.where}:{number}")


def _members(columns: Columns, prediction: Prediction | None) -> bytes:
    values = [f'"{prediction.label}"', *decimals(prediction)] if prediction else ["null"] * len(columns.added)
    return ", ".join(f"{json.dumps(name)}: {value}" for name, value in zip(columns.added, values, strict=True)).encode()


def _quoted(raw: bytes) -> bytes:
    r"""Return `raw` as a JSON string; a byte that is no UTF-8, such as FF, becomes the escape `\udcff`."""
    text = raw.decode("utf-8", "surrogateescape")
    readable_as_it_is = not any("\ud800" <= character <= "\udfff" for character in text)
    return json.dumps(text, ensure_ascii=not readable_as_it_is).encode()


def _batches(job: Job) -> Iterator[list[bytes]]:
    """Yield the lines that are there, at most `batch_rows` at once, with their line breaks."""
    for block in readable(_blocks(job), job.where):
        *lines, last = block.split(b"\n")
        lines = [line + b"\n" for line in lines]
        if last:
            lines.append(last)
        for start in range(0, len(lines), job.batch_rows):
            yield lines[start : start + job.batch_rows]


def _blocks(job: Job) -> Iterator[bytes]:
    """Yield runs of whole lines as they arrive; only the file's last line may lack its line break."""
    pending: list[bytes] = []
    size = 0
    while chunk := job.source.read1(_CHUNK_BYTES):
        whole, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield b"".join([*pending, whole, newline])
            pending, size = [], 0
        pending.append(tail)
        size += len(tail)
        if size > MAX_LINE:
            todo = "Is it a text file? Break its lines."
            raise DataError(problem(job.where, "a line break", f"{MAX_LINE:,} bytes without", todo))
    if size:
        yield b"".join(pending)
