"""Any table: CSV, TSV, JSON lines or Parquet, with the columns and the labels named in the config.

So a public stance set is one YAML file away: SemEval-2016 Task 6 is a TSV with `Target`, `Tweet` and `Stance`, NewsMTSC
JSON lines with `mention`, `sentence` and `polarity`. The labels of a row become one vote of the annotator `gold`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from stance.config import Settings
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


def read(path: Path, params: Params) -> Iterator[Annotation]:
    """Yield the annotations of the table `path`; a row's number counts the header of a CSV or TSV as line 1.

    Raises:
        DataError: no such file, not a known format, a column is missing, or a label is not in the map.
    """
    frame = _frame(path, params.encoding)
    wanted = {field: column for field, column in params.columns.model_dump().items() if column is not None}
    present = [str(column) for column in frame.columns]
    for column in wanted.values():
        if column not in present:
            todo = f"Correct params.columns.{nearest(column, present)}"
            raise DataError(problem(path, f"the column {column!r}", f"columns {', '.join(present)}", todo))
    first = 2 if path.suffix in (".csv", ".tsv", ".txt") else 1
    labels = {str(theirs): ours for theirs, ours in params.labels.items()}
    for number, row in enumerate(frame[list(wanted.values())].itertuples(index=False), first):
        yield _annotation(dict(zip(wanted, row, strict=True)), labels, params.target, f"{path}:{number}", path.stem)


def _frame(path: Path, encoding: str) -> "pd.DataFrame":
    """Read `path` whole with every value as text, except in Parquet and JSON lines, which have types of their own."""
    import pandas as pd

    if not path.is_file():
        raise DataError(problem(path, "a table", "no such file", "Check sources in the data config."))
    if path.suffix not in FORMATS:
        raise DataError(problem(path, f"one of {' '.join(FORMATS)}", repr(path.suffix), "Convert or rename the file."))
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".jsonl":
            return pd.read_json(path, lines=True, dtype=False, convert_dates=False, encoding=encoding)
        separator = "," if path.suffix == ".csv" else "\t"
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding=encoding)
    except (ValueError, OSError, LookupError) as error:
        raise DataError(problem(path, "a readable table", str(error), "Check its format and encoding.")) from error


def _annotation(row: dict[str, Any], labels: dict[str, Label], target: str, where: str, stem: str) -> Annotation:
    import pandas as pd

    cells = {name: None if pd.isna(value) or value == "" else str(value) for name, value in row.items()}
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
