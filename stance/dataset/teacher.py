"""What a teacher, a larger model, says of the training examples becomes part of what they teach a smaller one.

Distillation as in Hinton et al. 2015 (https://arxiv.org/abs/1503.02531), by way of a file: `stance predict` writes it,
and the smaller model can be trained without the larger one.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from stance.errors import DataError, problem
from stance.schema import LABELS, Example, FloatArray

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS: Final = [f"p_{label}" for label in LABELS]
_PREFIX: Final = "teacher_"
_AGAIN: Final = (
    "Score the train split with the teacher: stance predict .../train.parquet --output said.parquet --prefix teacher_ "
    "--model TEACHER."
)
_GIVEN_AWAY: Final = (
    "Who has learnt from these gives them away. Leave their rows out, or learn from them, too "
    "(data.extra_train_splits)."
)


def teach(examples: Sequence[Example], path: Path, share: float, held_out: Sequence[Example] = ()) -> list[Example]:
    """Return `examples` whose `soft` is `share` parts the teacher's probabilities and the rest their own label.

    `path` is a CSV or Parquet file with the columns `id`, `p_anti`, `p_neutral` and `p_pro`, the last three perhaps
    with `teacher_` in front of each, and a row an example at least. A teacher that speaks of the examples that are
    `held_out`, to set the temperature or to judge by, may have learnt from them, and is refused.

    Raises:
        DataError: the file is missing or damaged, lacks a column or an example or has one twice, speaks of one that is
            held out, or holds what are no probabilities.
    """
    said = _read(path)
    missing = [example.id for example in examples if example.id not in said]
    if missing:
        got = f"none for {len(missing):,} of {len(examples):,}, such as {missing[0]!r}"
        raise DataError(problem(path, "the teacher's probabilities of every training example", got, _AGAIN))
    if known := [example.id for example in held_out if example.id in said]:
        got = f"{len(known):,} on others, such as {known[0]!r}"
        raise DataError(problem(path, "answers on training examples alone", got, _GIVEN_AWAY))
    own = np.eye(len(LABELS))
    mixed = [share * said[e.id] + (1 - share) * own[LABELS.index(e.label)] for e in examples]
    return [replace(example, soft=tuple(row.tolist())) for example, row in zip(examples, mixed, strict=True)]


def _read(path: Path) -> dict[str, FloatArray]:
    """Return the probabilities by id, each of shape (k,)."""
    table = _table(path)
    names = _columns(path, table.column_names)
    try:
        columns = [np.asarray(table[name].to_numpy(), dtype=np.float64) for name in names]
    except (TypeError, ValueError) as error:
        raise DataError(problem(path, "numbers in the columns of probabilities", str(error), _AGAIN)) from error
    rows = np.column_stack(columns)
    sound = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) < 1e-3)
    if not sound.all():
        line = int(np.argmin(sound))
        got = f"{rows[line].tolist()} in row {line + 1}"
        raise DataError(problem(path, "probabilities that sum to 1", got, _AGAIN))
    return dict(zip(_ids(path, table), rows, strict=True))


def _table(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv, parquet

    if not path.is_file():
        raise DataError(problem(path, "a CSV or Parquet file with a teacher's probabilities", "no such file", _AGAIN))
    # Ids are no numbers, though they may look like some: 007 is not 7.
    text = csv.ConvertOptions(column_types={"id": pa.string()}, strings_can_be_null=False)
    try:
        if path.suffix == ".parquet":
            return parquet.ParquetFile(path).read()  # read_table takes no file with two columns of one name
        # Files that stance predict writes hold the texts, too, and these may have lines.
        return csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=text)
    except (OSError, pa.ArrowException) as error:
        got = str(error).splitlines()[0]
        raise DataError(problem(path, "a CSV or Parquet file", got, _AGAIN)) from error


def _ids(path: Path, table: "pa.Table") -> list[str]:
    ids = [str(name) for name in table["id"].to_pylist()]
    first: dict[str, int] = {}
    for row, name in enumerate(ids, start=1):
        if first.setdefault(name, row) != row:
            raise DataError(problem(path, "each id once", f"{name!r} in rows {first[name]} and {row}", _AGAIN))
    return ids


def _columns(path: Path, there: Sequence[str]) -> list[str]:
    """Return the names of the columns of probabilities, all with the prefix where one has it."""
    prefixed = [_PREFIX + name for name in _COLUMNS]
    names = prefixed if set(prefixed) & set(there) else _COLUMNS
    wanted = ["id", *names]
    lacking = [name for name in wanted if name not in there]
    if lacking:
        raise DataError(problem(path, f"the columns {', '.join(wanted)}", f"no {', '.join(lacking)}", _AGAIN))
    twice = [name for name in wanted if there.count(name) > 1]
    if twice:
        got = f"{', '.join(twice)} more than once"
        raise DataError(problem(path, f"each of the columns {', '.join(wanted)} once", got, _AGAIN))
    return names
