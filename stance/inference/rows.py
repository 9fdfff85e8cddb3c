"""What the file formats share: the columns that are read and added, the cells and answers between, and the contract."""

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias, TypeVar

from stance.errors import DataError, problem
from stance.inference.predictor import MissingReason
from stance.plugins import nearest
from stance.schema import LABELS

BrokenReason: TypeAlias = Literal["wrong number of fields", "not a JSON object", "not a string"]
Reason: TypeAlias = MissingReason | BrokenReason

MAX_LINE: Final = 256 * 2**20
"""Characters (CSV) or bytes (JSON lines) of the longest line that is read: a file without line breaks, say a zip under
a wrong name, must end in a message before it fills the memory."""

ABSTAIN: Final = "abstain"
"""In place of a label where no probability is large enough."""

MAX_NAMES: Final = 20
"""Column names that a message lists; tables with hundreds of columns exist."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands in the place of a text that a format could not find in its row."""

    reason: BrokenReason


Cell: TypeAlias = str | Broken | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is written of a scored text: a label or `ABSTAIN`, the probabilities, the language if it was told."""

    label: str
    probabilities: tuple[float, ...]
    language: str | None = None


Answers: TypeAlias = Sequence[Answer | None]
"""One for each cell, None where the cell could not be scored."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The column to read, the prefix of the columns to add, and whether the language is one of them."""

    text: str
    prefix: str
    language: bool = False

    @property
    def added(self) -> tuple[str, ...]:
        """The names of the new columns in their order."""
        return (f"{self.prefix}label", *(f"{self.prefix}p_{label}" for label in LABELS), *self._language)

    @property
    def _language(self) -> tuple[str, ...]:
        return (f"{self.prefix}language",) if self.language else ()

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
class Position:
    """How far a table is read: bytes of its text, or rows of a Parquet file; and lines, for messages."""

    at: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are scored together: their cells, where the next rows begin, and what becomes of them."""

    cells: list[Cell]
    end: Position
    rendered: Callable[[Answers], bytes]


Batches: TypeAlias = Generator[Batch, None, None]

Write: TypeAlias = Callable[[Path, Path], None]
"""Makes the second file of the first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An open table: its bytes, unpacked, and how many bytes of the file itself were read for them."""

    bytes: io.BufferedReader
    consumed: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table comes from.

    `where` names it in messages, `open` opens it at its beginning, `size` is that of the file in bytes. `live` marks a
    stream, which can be opened once and whose sender may wait for an answer.
    """

    where: str
    open: Callable[[], AbstractContextManager[Reading]]
    size: int
    live: bool = False


class Table(Protocol):
    """An input in one of the formats. To make one checks what can be seen at its beginning."""

    def head(self) -> bytes:
        """Return what each part of the output begins with."""

    def batches(self, start: Position) -> Batches:
        """Yield the batches from `start`, the beginning or the end of a batch; they do not depend on which.

        Raises:
            DataError: the rest of the table cannot be read.
        """

    def share(self) -> float:
        """Return how much of the table is read, from 0 to 1."""

    @property
    def finish(self) -> Write | None:
        """What makes a part of the file in which `head` and the batches stand; None if that file is the part."""


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


def decimals(answer: Answer) -> list[str]:
    """Return the probabilities in writing, with the six decimals beyond which no calibration reaches."""
    return [f"{probability:.6f}" for probability in answer.probabilities]


def skip(reader: io.BufferedReader, count: int) -> None:
    """Move on by `count` bytes from the beginning, by reading where the file cannot jump."""
    if reader.seekable():
        reader.seek(count)
        return
    while count > 0 and (chunk := reader.read(min(count, 2**20))):
        count -= len(chunk)
