"""Where predictions go: a file, or a folder of parts with a manifest; and how what is finished gets there.

The parts of a folder follow the order of the rows in the inputs and are of the same kind as the input that they come
from, each a whole table. `manifest.json` says what they were made of.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from stance.errors import DataError, problem
from stance.inference.inputs import FORMATS, PACKINGS, Input, Kind, Packing, kind_of
from stance.inference.rows import Table, Write
from stance.inference.unfinished import State, Unfinished

MANIFEST: Final = "manifest.json"
FORMAT: Final = "stance-predictions"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Target:
    """An output on the disk: `kind` says what file it is to be, None that it is to be a folder.

    `path` is where a symbolic link leads to: the file is replaced and not the link.
    """

    name: str
    path: Path
    kind: Kind | None

    @property
    def partial(self) -> Path:
        """The folder of the output in the making."""
        return self.path.with_name(f".{self.path.name}.partial")

    def part(self, number: int, source: Input, table: Table) -> tuple[str, Write | None]:
        """Return the name of the part `number`, and what makes it of its rows; None if they are the part."""
        kind = self.kind or source.kind
        return f"part-{number:05}{kind.suffix}", partial(_pack, kind.packing) if kind.packing else table.finish

    def check(self, sources: Sequence[str], inputs: Sequence[Input], replace: bool) -> None:
        """Refuse what could not be written; cheap, for before the slow work.

        Raises:
            DataError: the folder around the output is missing, the output is or holds an input or stands in one, it
                exists and `replace` is false, or it is something else than is to replace it.
        """
        if not Path(self.name).parent.is_dir():
            around = Path(self.name).parent
            raise DataError(problem(Path(self.name), f"a folder {around}", "none", "Make it, or name another."))
        for source in sources:
            if Path(source).is_dir() and self.path.is_relative_to(Path(source).resolve()):
                todo = "Name another output."
                raise DataError(problem(self.name, f"an output outside of {source}", "one in it", todo))
        if self.path.exists():
            self._check_existing(inputs, replace)

    def _check_existing(self, inputs: Sequence[Input], replace: bool) -> None:
        where, todo = Path(self.name), "Name another output."
        for file in inputs:
            if not file.live and (self.path.samefile(file.name) or Path(file.name).resolve().is_relative_to(self.path)):
                raise DataError(problem(where, "another file than the input", "the same", todo))
        if self.kind and not self.path.is_file():
            raise DataError(problem(where, "a file to write", "a folder or a device", todo))
        if self.kind is None and not self.path.is_dir():
            raise DataError(problem(where, "a folder to write", "a file", todo))
        what = "file" if self.kind else "folder"
        if not replace:
            todo = "Give --replace or another --output."
            raise DataError(problem(where, f"a {what} that does not exist", "one that does", todo))
        if self.kind is None and any(self.path.iterdir()) and not _is_ours(self.path):
            raise DataError(problem(where, f"a folder of predictions to replace ({MANIFEST})", "another", todo))

    def published(self, folder: Path, state: State) -> bool:
        """Whether the output of which `state` in `folder` speaks is complete and stands in its place."""
        return state.input == len(state.run["inputs"]) and not self._finished(folder / "parts", state).exists()

    def publish(self, work: Unfinished) -> None:
        """Put what is finished in its place; that it stands there already is no error, so that this can be repeated.

        Raises:
            DataError: an output has appeared that may not be replaced.
        """
        finished = self._finished(work.parts, work.state)
        if not finished.exists():
            return
        if self.path.exists() and not work.state.replace:
            got, todo = "one that appeared meanwhile", "Another run may have made it: move it away and give --resume."
            what = "file" if self.kind else "folder"
            raise DataError(problem(self.path, f"a {what} that does not exist", got, todo))
        if self.kind is None:
            _write_manifest(work)
            if self.path.exists():
                work.set_aside(self.path)
        os.replace(finished, self.path)

    def _finished(self, parts: Path, state: State) -> Path:
        return parts / str(state.parts[0]["file"]) if self.kind else parts


def target(name: str, several: bool) -> Target:
    """Return the output that `name` means, a folder if it has no suffix or ends in a slash.

    Raises:
        DataError: the suffix is unknown, or there are several inputs and the name is that of a file.
    """
    path = Path(os.path.realpath(name))
    suffix = Path(name).suffix
    # os.path, since Path raises where a folder may not be entered: the error of writing there says it better.
    if name.endswith(("/", os.sep)) or not suffix or (suffix not in _SUFFIXES and os.path.isdir(path)):
        return Target(name, path, None)
    kind = kind_of(name)
    if several:
        todo = "Put / at the end of the name, or leave out the suffix."
        raise DataError(problem(name, "a folder for the parts of several inputs", f"a {kind.form} file", todo))
    return Target(name, path, kind)


_SUFFIXES: Final = (*FORMATS, *PACKINGS)


def manifest(run: Mapping[str, Any], counts: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what `manifest.json` says: nothing in it depends on when, or in how many goes, the parts were made."""
    head = {"format": FORMAT, "format_version": FORMAT_VERSION}
    return {**head, **run, "counts": dict(counts), "parts": [dict(part) for part in parts]}


def _write_manifest(work: Unfinished) -> None:
    tree = manifest(work.state.run, work.state.counts, work.state.parts)
    text = json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
    (work.parts / MANIFEST).write_text(text, encoding="utf-8")


def _is_ours(folder: Path) -> bool:
    try:
        tree = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(tree, dict) and tree.get("format") == FORMAT


def _pack(packing: Packing, rows: Path, part: Path) -> None:
    import pyarrow as pa

    with rows.open("rb") as source, pa.CompressedOutputStream(pa.OSFile(str(part), "wb"), packing) as packed:
        shutil.copyfileobj(source, packed, 2**20)
