"""What a teacher makes of the training texts inside: a vector for each, to be foretold from the student's own.

Three probabilities say little of how a larger model came to them; its hidden states say more (FitNets: Romero et al.
2015, https://arxiv.org/abs/1412.6550).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from stance.errors import DataError, problem
from stance.schema import FloatArray

_AGAIN: Final = "Make the file again: data/teacher/README.md."


def read(path: Path, ids: Sequence[str], partial: bool = False) -> FloatArray:
    """Return the vectors of the examples with these `n` ids, shape (n, d), from a Parquet file `id`, `vector`.

    With `partial` some may be missing; their rows are NaN.

    Raises:
        DataError: the file is missing or damaged, lacks a column or an example, has an id twice, or its vectors are
            no vectors.
    """
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise DataError(problem(path, "a Parquet file of a teacher's text vectors", "no such file", _AGAIN))
    try:
        table = parquet.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise DataError(problem(path, "a Parquet file", str(error).splitlines()[0], _AGAIN)) from error
    if not {"id", "vector"} <= set(table.column_names):
        got = f"only {', '.join(table.column_names)}"
        raise DataError(problem(path, "the columns id and vector", got, _AGAIN))
    names = [str(name) for name in table["id"].to_pylist()]
    rows = dict(zip(names, table["vector"].to_pylist(), strict=True))
    if len(rows) < len(names):
        got = f"{len(names) - len(rows):,} more than once"
        raise DataError(problem(path, "each id once", got, _AGAIN))
    missing = [name for name in ids if name not in rows]
    if missing and not (partial and len(missing) < len(ids)):
        got = f"none for {len(missing):,} of {len(ids):,}, such as {missing[0]!r}"
        raise DataError(problem(path, "a vector of every training example", got, _AGAIN))
    try:
        known = np.array([rows[name] for name in ids if name in rows], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(problem(path, "vectors of numbers, all of one length", str(error), _AGAIN)) from error
    if known.ndim != 2 or not np.isfinite(known).all():
        got = "numbers that are not finite" if known.ndim == 2 else f"an array of {known.ndim} dimensions"
        raise DataError(problem(path, "vectors of numbers, all of one length", got, _AGAIN))
    vectors = np.full((len(ids), known.shape[1]), np.nan)
    vectors[[name in rows for name in ids]] = known
    return vectors
