"""Which files are meant by the names that a user gives, of which format they are, and how they are opened.

A name is a file, a folder (every table below it), a pattern such as `quotes/*.csv`, or `-`, a stream of JSON lines. The
suffix says the format; `.gz` and `.zst` behind that of a text say how it is packed.
"""

import glob
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

from stance.errors import DataError, problem
from stance.inference import delimited, jsonlines
from stance.inference.rows import Columns, Reading, Source, Table, readable

STREAM: Final = "-"
"""In place of a file name: JSON lines on standard input or output."""

Packing: TypeAlias = Literal["gzip", "zstd"]

FORMATS: Final[Mapping[str, str]] = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".parquet": "Parquet",
}
"""The format that goes with the suffix of a file name."""

PACKINGS: Final[Mapping[str, Packing]] = {".gz": "gzip", ".zst": "zstd"}
"""What may stand behind the suffix of a text."""

_BUFFER_BYTES: Final = 2**20

_log = logging.getLogger(__name__)


def _parquet(source: Source, columns: Columns, batch_rows: int) -> Table:
    from stance.inference import parquet  # pyarrow takes longer to import than a short JSON stream to score

    return parquet.Parquet(source, columns, batch_rows)


_TABLES: Final[Mapping[str, Callable[[Source, Columns, int], Table]]] = {
    "CSV": partial(delimited.Delimited, delimiter=","),
    "TSV": partial(delimited.Delimited, delimiter="\t"),
    "JSON lines": jsonlines.JsonLines,
    "Parquet": _parquet,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What the name of a file says: the format, how it is packed, and the suffix for files of the same kind."""

    form: str
    packing: Packing | None
    suffix: str


@dataclass(frozen=True, slots=True)
class Input:
    """A file, or standard input, to be scored."""

    name: str
    kind: Kind

    @property
    def live(self) -> bool:
        """Whether this is the stream."""
        return self.name == STREAM

    @property
    def size(self) -> int:
        """The size of the file in bytes, 0 for the stream."""
        return 0 if self.live else Path(self.name).stat().st_size

    def table(self, columns: Columns, batch_rows: int) -> Table:
        """Return the table in it.

        Raises:
            DataError: the file is missing, empty or in UTF-16, or its beginning is not as its format wants it.
        """
        where = "standard input" if self.live else self.name
        size = 0 if self.live else _checked_size(Path(self.name))
        opener = _stream if self.live else partial(_opened, Path(self.name), self.kind.packing)
        return _TABLES[self.kind.form](Source(where, opener, size, self.live), columns, batch_rows)


def find(names: Sequence[str]) -> list[Input]:
    """Return the files that `names` mean, those of a folder or a pattern in the order of their names.

    Raises:
        DataError: a suffix is unknown, a folder or a pattern holds no table, a file is named twice, or the stream is
            named beside others.
    """
    found = [Input(file, kind_of(file)) for name in names for file in _expanded(name)]
    if len(found) > 1 and any(file.live for file in found):
        raise DataError(
            problem(STREAM, "no other input beside the stream", f"{len(found) - 1}", "Name one or the other.")
        )
    seen = set[Path]()
    for file in found:
        path = Path(file.name).resolve()
        if path in seen:
            raise DataError(problem(file.name, "each input once", "the same file twice", "Name it once."))
        seen.add(path)
    return found


def kind_of(name: str) -> Kind:
    """Return what `name` says of its file.

    Raises:
        DataError: the suffix is unknown.
    """
    if name == STREAM:
        return Kind("JSON lines", None, ".jsonl")
    path = Path(name)
    packing = PACKINGS.get(path.suffix.lower())
    suffix = Path(path.stem).suffix if packing else path.suffix
    form = FORMATS.get(suffix.lower())
    if form is None or (packing and form == "Parquet"):
        packings = " or ".join(PACKINGS)
        known = f"a name in {', '.join(FORMATS)}, all but the last with or without {packings}, or {STREAM}"
        got = repr(suffix + path.suffix if packing else suffix) if path.suffix else "no suffix"
        raise DataError(problem(name, known, got, "Convert or rename the file."))
    return Kind(form, packing, (suffix + path.suffix if packing else suffix).lower())


def _expanded(name: str) -> list[str]:
    path = Path(name)
    # os.path, since Path raises where a folder may not be entered; what opens the file then has the words for it.
    if name == STREAM or os.path.isfile(name):
        return [name]
    if os.path.isdir(name):
        below = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file.relative_to(path))]
        tables = [str(file) for file in below if _is_table(file.name)]
        if not tables:
            todo = "Name another folder, or a file."
            raise DataError(problem(name, f"a file in {', '.join(FORMATS)} below the folder", "none", todo))
        if others := [file for file in below if not _is_table(file.name) and file.name != "manifest.json"]:
            _log.warning("%s: of other formats and left out: %d, such as %s", name, len(others), others[0].name)
        return tables
    if glob.has_magic(name):
        if matches := sorted(file for file in glob.glob(name, recursive=True) if Path(file).is_file()):
            return matches
        raise DataError(problem(name, "files of such names", "none", "Check the pattern."))
    return [name]


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _is_table(name: str) -> bool:
    try:
        kind_of(name)
    except DataError:
        return False
    return True


def _checked_size(path: Path) -> int:
    """The size of a file that is there, is not empty and is not in UTF-16, in bytes."""
    try:
        with path.open("rb") as file:
            (first,) = readable((file.peek(2)[:2] for _ in range(1)), str(path))
            size = path.stat().st_size
    except FileNotFoundError as error:
        raise DataError(problem(path, "a file", "no such file", "Check the path.")) from error
    except IsADirectoryError as error:
        raise DataError(problem(path, "a file", "a folder", "Name a file in it.")) from error
    except OSError as error:
        raise DataError(problem(path, "a file that can be read", str(error), "Check its permissions.")) from error
    if not first:
        raise DataError(problem(path, "a table or lines of text", "an empty file", "Check what wrote it."))
    if first in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(problem(path, "text in UTF-8", "UTF-16", "Save or convert it as UTF-8."))
    return size


@contextmanager
def _stream() -> Iterator[Reading]:
    yield Reading(cast(io.BufferedReader, sys.stdin.buffer), lambda: 0)


@contextmanager
def _opened(path: Path, packing: Packing | None) -> Iterator[Reading]:
    try:
        raw: io.RawIOBase = _Unpacked(path, packing) if packing else path.open("rb", buffering=0)
    except OSError as error:
        raise DataError(problem(path, "a file that can be read", str(error), "Check its permissions.")) from error
    with cast(io.BufferedReader, io.BufferedReader(raw, _BUFFER_BYTES)) as file:
        yield Reading(file, raw.consumed if isinstance(raw, _Unpacked) else raw.tell)


class _Unpacked(io.RawIOBase):
    """The bytes of a packed file, however many members it has."""

    def __init__(self, path: Path, packing: Packing) -> None:
        import pyarrow as pa

        self._file = pa.OSFile(str(path))
        self._stream = pa.CompressedInputStream(self._file, packing)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data: bytes = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def consumed(self) -> int:
        """How many bytes of the packed file were read."""
        return int(self._file.tell())
