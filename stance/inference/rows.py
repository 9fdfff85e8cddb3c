"""What the file formats share: the columns that are read and added, the cells between, and the job of a format."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal, TypeAlias, TypeVar

from stance.errors import DataError, problem
from stance.inference.predictor import MissingReason
from stance.plugins import nearest
from stance.schema import LABELS, Prediction

BrokenReason: TypeAlias = Literal["wrong number of fields", "not a JSON object", "not a string"]
Reason: TypeAlias = MissingReason | BrokenReason

MAX_LINE: Final = 256 * 2**20
"""Characters (CSV) or bytes (JSON lines) of the longest line that is read: a file without line breaks, say a zip under
a wrong name, must end in a message before it fills the memory."""

MAX_NAMES: Final = 20
"""Column names that a message lists; tables with hundreds of columns exist."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands in the place of a text that a format could not find in its row."""

    reason: BrokenReason


Cell: TypeAlias = str | Broken | None
Score: TypeAlias = Callable[[Sequence[Cell]], list[Prediction | None]]


@dataclass(frozen=True, slots=True)
class Columns:
    """The column to read, and the prefix of the columns to add."""

    text: str
    prefix: str

    @property
    def added(self) -> tuple[str, ...]:
        """The names of the new columns in their order."""
        return (f"{self.prefix}label", *(f"{self.prefix}p_{label}" for label in LABELS))

    def place(self, names: Sequence[str], where: str) -> int:
        """Return the position of the text column among the columns `names` of a table.

        Raises:
            DataError: there is no such column, or several, or one of the new columns is there already.
        """
        if names.count(self.text) > 1:
            todo = "Rename the others."
            raise DataError(problem(where, f"one column {self.text!r}", f"{names.count(self.text)} of that name", todo))
        self.refuse_added(names, where)
        if self.text not in names:
            raise self.absent(names, where)
        return names.index(self.text)

    def refuse_added(self, names: Sequence[str], where: str) -> None:
        """Raise a DataError if one of the new columns is among `names` already."""
        if clash := [repr(name) for name in self.added if name in names]:
            todo = "Give another --prefix." if self.prefix == "pred_" else "Give --prefix pred_"
            raise DataError(problem(where, f"no column {' or '.join(clash)} yet", "one", todo))

    def absent(self, names: Sequence[str], where: str) -> DataError:
        """Return the error for a table of columns `names` without the text column."""
        shown = ", ".join(map(repr, names[:MAX_NAMES])) or "none"
        rest = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        todo = f"Name one with --text-column.{nearest(self.text, list(names))}"
        return DataError(problem(where, f"a column {self.text!r}", f"the columns {shown}{rest}", todo))


@dataclass(frozen=True, slots=True)
class Job:
    """What a format is asked to do: copy every row of `source` to `sink`, with what `score` says of its text.

    `where` names the source in messages. `live` marks a stream whose sender may wait for an answer. `score` takes the
    cells of at most `batch_rows` rows and returns a prediction, or None, for each.
    """

    source: io.BufferedReader
    sink: BinaryIO
    where: str
    columns: Columns
    batch_rows: int
    score: Score
    live: bool


def readable(items: Iterator[Item], where: str, damage: tuple[type[Exception], ...] = (OSError,)) -> Iterator[Item]:
    """Pass on what is read from `where`.

    Raises:
        DataError: reading fails with one of the errors `damage`. (One of the same kind in writing is not caught here.)
    """
    try:
        yield from items
    except damage as error:
        raise DataError(
            problem(where, "a file that can be read", str(error), "Check or copy the file again.")
        ) from error


def decimals(prediction: Prediction) -> list[str]:
    """Return the probabilities in writing, with the six decimals beyond which no calibration reaches."""
    return [f"{probability:.6f}" for probability in prediction.probabilities]
