"""Parquet tables: schema, types and metadata of the columns that were there are kept, batch by batch."""

from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from stance.errors import DataError, problem
from stance.inference.rows import Answers, Batch, Batches, Cell, Columns, Position, Reading, Source, readable
from stance.schema import LABELS

_DAMAGE: Final = (OSError, pa.ArrowException)

_READ_BUFFER_BYTES: Final = 2**20
"""Without a buffer Arrow reads a column of a row group in one piece, which may be the whole file. Reading ahead
(`pre_buffer`) is off for the same reason: what it has read it keeps to the end."""

_BATCH_BYTES: Final = 64 * 2**20
"""Size of a batch by the file's own account of its rows: 4,096 rows of 1 MB would take 4 GB."""

_GROUP_ROWS: Final = 2**17
_GROUP_BYTES: Final = 64 * 2**20
"""A row group is written when it has this many rows or bytes: one for each batch would make a file slow to read."""


class Parquet:
    """A Parquet table; see `stance.inference.rows.Table`.

    What is scored is kept in Arrow's own format until a part is whole, each batch a stream of its own: a Parquet file
    that was not closed cannot be read, nor gone on with.
    """

    def __init__(self, source: Source, columns: Columns, batch_rows: int) -> None:
        """Read the schema.

        Raises:
            DataError: the file is damaged, the text column is not there or holds no text, or a new column is there.
        """
        self._source = source
        with source.open() as reading:
            file = self._file(reading)
            schema = file.schema_arrow
            self._rows = _rows_at_once(file.metadata, batch_rows)
            self._total = file.metadata.num_rows
        self._at = columns.place(schema.names, source.where)
        if not _is_text(kind := schema.field(self._at).type):
            todo = "Cast it to string, or name another with --text-column."
            raise DataError(problem(source.where, f"text in the column {columns.text!r}", str(kind), todo))
        self._schema = _extended(schema, columns)
        self._language = columns.language
        self._read = 0

    def head(self) -> bytes:
        """Return nothing: each batch brings the schema."""
        return b""

    def batches(self, start: Position) -> Batches:
        """Yield the batches from row `start.at`.

        Raises:
            DataError: the file is damaged.
        """
        row = start.at
        with self._source.open() as reading:
            file = self._file(reading)
            first, group = _nearest_group(file.metadata, row, self._rows)
            groups = list(range(group, file.metadata.num_row_groups))
            # A batch may end in the next row group, so that where it ends does not depend on how the file is cut.
            batches = file.iter_batches(batch_size=self._rows, row_groups=groups)
            for batch in readable(batches, self._source.where, _DAMAGE):
                if first < row:
                    first += batch.num_rows
                    continue
                row = first = first + batch.num_rows
                self._read = row
                yield Batch(_texts(batch.column(self._at)), Position(row), partial(self._rendered, batch))

    def cuts(self, part_rows: int) -> list[tuple[int, int]]:
        """Return the first row of each part of `part_rows` rows, or up to a batch more, and the row after its last."""
        step = -(-part_rows // self._rows) * self._rows
        return [(start, min(start + step, self._total)) for start in range(0, max(self._total, 1), step)]

    def between(self, start: int, stop: int) -> Batches:
        """Yield the batches of the rows from `start` up to `stop`, without reading the row groups before.

        Raises:
            DataError: the file is damaged.
        """
        with self._source.open() as reading:
            file = self._file(reading)
            row, group = _nearest_group(file.metadata, start, 1)
            groups = list(range(group, file.metadata.num_row_groups))
            batches = file.iter_batches(batch_size=self._rows, row_groups=groups)
            for batch in readable(batches, self._source.where, _DAMAGE):
                if row >= stop:
                    break
                first, row = row, row + batch.num_rows
                part = batch.slice(max(start - first, 0), stop - max(start, first))
                if part.num_rows:
                    yield Batch(_texts(part.column(self._at)), Position(min(row, stop)), partial(self._rendered, part))

    def share(self) -> float:
        """Return the share of the rows that is read."""
        return float(self._read / max(self._total, 1))

    def finish(self, spool: Path, part: Path) -> None:
        """Write the batches in row groups of even size."""
        with pq.ParquetWriter(part, self._schema) as writer:
            for table in _groups(_spooled(spool), self._schema):
                writer.write_table(table)

    def _file(self, reading: Reading) -> Any:
        try:
            return pq.ParquetFile(reading.bytes, buffer_size=_READ_BUFFER_BYTES, pre_buffer=False)
        except _DAMAGE as error:
            todo = "Check or copy the file again."
            raise DataError(problem(self._source.where, "a Parquet file", str(error), todo)) from error

    def _rendered(self, batch: Any, answers: Answers) -> bytes:
        columns = [*batch.columns, *_arrays(answers, self._language)]
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, self._schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
            stream.write_batch(pa.record_batch(columns, schema=self._schema))
        data: bytes = out.getvalue().to_pybytes()
        return data


def _extended(schema: Any, columns: Columns) -> Any:
    kinds = [pa.string(), *[pa.float32()] * len(LABELS), *[pa.string()] * columns.language]
    for name, kind in zip(columns.added, kinds, strict=True):
        schema = schema.append(pa.field(name, kind))
    return schema


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _rows_at_once(metadata: Any, rows: int) -> int:
    """As many rows, up to `rows`, as `_BATCH_BYTES` hold if all are as wide as in the row group with the widest."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    width = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
    return max(1, min(rows, int(_BATCH_BYTES / max(width, 1))))


def _nearest_group(metadata: Any, row: int, rows: int) -> tuple[int, int]:
    """Return the first row and the number of the last row group from which batches of `rows` rows meet `row`."""
    starts = accumulate((metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)), initial=0)
    before = [(first, i) for i, first in enumerate(starts) if first <= row and (row - first) % rows == 0]
    return before[-1] if before else (0, 0)


def _spooled(spool: Path) -> Iterator[Any]:
    """Yield the batches of all streams in `spool`."""
    with pa.OSFile(str(spool)) as file:
        size = file.size()
        while file.tell() < size:
            yield from pa.ipc.open_stream(file)


def _texts(column: Any) -> list[Cell]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        texts: list[Cell] = column.to_pylist()
    except UnicodeDecodeError:
        values = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in values]
    return texts


def _arrays(answers: Answers, language: bool) -> list[Any]:
    labels = pa.array([a.label if a else None for a in answers], pa.string())
    shares = [pa.array([a.probabilities[k] if a else None for a in answers], pa.float32()) for k in range(len(LABELS))]
    languages = [pa.array([a.language if a else None for a in answers], pa.string())] * language
    return [labels, *shares, *languages]


def _groups(batches: Iterator[Any], schema: Any) -> Iterator[Any]:
    held: list[Any] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(held, schema)
            held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held, schema)
