"""Any table: CSV, TSV, JSON lines or Parquet, with the columns and the labels named in the config.

So a public stance set is one YAML file away: SemEval-2016 Task 6 is a TSV with `Target`, `Tweet` and `Stance`, NewsMTSC
JSON lines with `mention`, `sentence` and `polarity`. The labels of a row become one vote of the annotator `gold`.
"""

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, field_validator

from stance.config import Settings
from stance.dataset.sources import _jsonlines
from stance.errors import DataError, problem
from stance.plugins import nearest
from stance.schema import DEFAULT_TARGET, Annotation, Label, Vote

if TYPE_CHECKING:
    import pandas as pd

ANNOTATOR: Final = "gold"
FORMATS: Final = (".csv", ".tsv", ".txt", ".jsonl", ".parquet")


class Columns(Settings):
    """Which column holds what; `text` and `label` are required, all others may be left out."""

    text: str
    label: str
    id: str | None = None
    target: str | None = None
    speaker: str | None = None
    affiliation: str | None = None
    theatre: str | None = None
    date: str | None = None
    group: str | None = Field(None, description="what must never be split: a document, an author, a thread")


class Params(Settings):
    """How to read a table."""

    columns: Columns
    labels: dict[str | int, Label] = Field(description="the table's labels to anti, neutral and pro")
    target: str = Field(DEFAULT_TARGET, description="the target of every row where no column gives one")
    encoding: str = "utf-8"
    quotes: bool = Field(True, description="of CSV and TSV: false where a quotation mark is a character like another")

    @field_validator("labels", mode="before")
    @classmethod
    def _no_booleans(cls, labels: Any) -> Any:
        if isinstance(labels, dict) and any(isinstance(name, bool) for name in labels):
            raise ValueError("labels in quotation marks, as YAML reads yes, no, on and off as true and false")
        return labels


def read(path: Path, params: Params) -> Iterator[Annotation]:
    """Yield the annotations of the table `path`; a row's number counts the header of a CSV or TSV as line 1.

    Raises:
        DataError: no such file, not a known format, a column is missing, a row has too many fields, or a label is not
            in the map.
    """
    frame = _frame(path, params)
    wanted = {field: column for field, column in params.columns.model_dump().items() if column is not None}
    present = [str(column) for column in frame.columns]
    for column in wanted.values():
        if column not in present:
            todo = f"Correct params.columns.{nearest(column, present)}"
            got = f"columns {', '.join(present)}" if present else "an empty table"
            raise DataError(problem(path, f"the column {column!r}", got, todo))
    labels = {str(theirs): ours for theirs, ours in params.labels.items()}
    for where, row in zip(frame.index, frame[list(wanted.values())].itertuples(index=False), strict=True):
        yield _annotation(dict(zip(wanted, row, strict=True)), labels, params.target, where, path.stem)


def _frame(path: Path, params: Params) -> "pd.DataFrame":
    """Read `path` whole, indexed by `file:line`; all values are text, except where the format has types of its own."""
    import pandas as pd

    if not path.is_file():
        raise DataError(problem(path, "a table", "no such file", "Check sources in the data config."))
    if path.suffix not in FORMATS:
        raise DataError(problem(path, f"one of {' '.join(FORMATS)}", repr(path.suffix), "Convert or rename the file."))
    try:
        if path.suffix == ".jsonl":
            found = dict(_jsonlines.rows(path, params.encoding))
            return pd.DataFrame(list(found.values()), index=list(found), dtype=object)
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else _delimited(path, params)
    except pd.errors.ParserWarning as error:
        todo = "Correct the rows, or put fields that hold the separator in quotation marks."
        raise DataError(problem(path, "no more fields in a row than in the header", "more", todo)) from error
    except (ValueError, OSError, LookupError) as error:
        got = str(error).strip()
        raise DataError(problem(path, "a readable table", got, "Check its format and encoding.")) from error
    first = 1 if path.suffix == ".parquet" else 2
    return frame.set_axis([f"{path}:{number}" for number in range(first, len(frame) + first)])


def _delimited(path: Path, params: Params) -> "pd.DataFrame":
    """Read a CSV or TSV; a row that is longer than the header is an error, or its fields would move."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            path,
            sep="," if path.suffix == ".csv" else "\t",
            quoting=csv.QUOTE_MINIMAL if params.quotes else csv.QUOTE_NONE,
            encoding=params.encoding,
            dtype=str,
            keep_default_na=False,
            index_col=False,
        )


def _annotation(row: dict[str, Any], labels: dict[str, Label], target: str, where: str, stem: str) -> Annotation:
    cells = {name: _cell(value, name, where) for name, value in row.items()}
    values = dict.fromkeys(Columns.model_fields) | cells
    theirs = values["label"]
    if theirs not in labels:
        todo = "Add it to params.labels or correct the row."
        raise DataError(problem(where, f"a label among {', '.join(labels)}", repr(theirs), todo))
    return Annotation(
        id=values["id"] or f"{stem}-{where.rpartition(':')[2]}",
        text=values["text"] or "",
        target=values["target"] or target,
        votes=(Vote(ANNOTATOR, labels[theirs]),),
        where=where,
        source_url=values["group"],
        speaker=values["speaker"],
        affiliation=values["affiliation"],
        theatre=values["theatre"],
        date=values["date"],
    )


def _cell(value: Any, name: str, where: str) -> str | None:
    import pandas as pd

    if not pd.api.types.is_scalar(value):
        got = type(value).__name__
        raise DataError(problem(where, f"text or a number as {name!r}", got, "Correct the row or params.columns."))
    if pd.isna(value) or value == "":
        return None
    # Whole numbers beside missing ones come out of Parquet as floats.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
