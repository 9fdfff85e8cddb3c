"""Parquet tables: schema, types and metadata of the columns that were there are kept, batch by batch."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from stance.errors import DataError, problem
from stance.inference.rows import Job, readable
from stance.schema import LABELS, Prediction

_DAMAGE: Final = (OSError, pa.ArrowException)

_READ_BUFFER_BYTES: Final = 2**20
"""Without a buffer Arrow reads a column of a row group in one piece, which may be the whole file. Reading ahead
(`pre_buffer`) is off for the same reason: what it has read it keeps to the end."""

_BATCH_BYTES: Final = 64 * 2**20
"""Size of a batch by the file's own account of its rows: 4,096 rows of 1 MB would take 4 GB."""

_GROUP_ROWS: Final = 2**17
_GROUP_BYTES: Final = 64 * 2**20
"""A row group is written when it has this many rows or bytes: one for each batch would make a file slow to read."""


def rewrite(job: Job) -> None:
    """Copy the table with its new columns: the label as string, the probabilities as float32.

    Raises:
        DataError: the file is damaged, the text column is not there or holds no text, or a new column is there already.
    """
    try:
        file = pq.ParquetFile(job.source, buffer_size=_READ_BUFFER_BYTES, pre_buffer=False)
        schema = file.schema_arrow
    except _DAMAGE as error:
        raise DataError(problem(job.where, "a Parquet file", str(error), "Check or copy the file again.")) from error
    at = job.columns.place(schema.names, job.where)
    if not _is_text(schema.field(at).type):
        todo = "Cast it to string, or name another with --text-column."
        raise DataError(
            problem(job.where, f"text in the column {job.columns.text!r}", str(schema.field(at).type), todo)
        )
    name, *shares = job.columns.added
    extended = schema.append(pa.field(name, pa.string()))
    for name in shares:
        extended = extended.append(pa.field(name, pa.float32()))
    batches = file.iter_batches(batch_size=_rows_at_once(file.metadata, job.batch_rows))
    with pq.ParquetWriter(job.sink, extended) as writer:
        for table in _groups(_scored(job, readable(batches, job.where, _DAMAGE), at, extended), extended):
            writer.write_table(table)


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _rows_at_once(metadata: Any, rows: int) -> int:
    """As many rows, up to `rows`, as `_BATCH_BYTES` hold if all are as wide as in the row group with the widest."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    width = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
    return max(1, min(rows, int(_BATCH_BYTES / max(width, 1))))


def _scored(job: Job, batches: Iterator[Any], at: int, schema: Any) -> Iterator[Any]:
    for batch in batches:
        predictions = job.score(_texts(batch.column(at)))
        columns = [*batch.columns, *_arrays(predictions)]
        yield pa.record_batch(columns, schema=schema)


def _texts(column: Any) -> list[str | None]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        texts: list[str | None] = column.to_pylist()
    except UnicodeDecodeError:
        values = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in values]
    return texts


def _arrays(predictions: Sequence[Prediction | None]) -> list[Any]:
    labels = pa.array([p.label if p else None for p in predictions], pa.string())
    shares = [
        pa.array([p.probabilities[k] if p else None for p in predictions], pa.float32()) for k in range(len(LABELS))
    ]
    return [labels, *shares]


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
