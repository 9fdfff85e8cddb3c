"""An output in the making: the hidden folder `.NAME.partial` beside it, which a run can be resumed from at any moment.

In the folder are the rows of the part that is being written (`spool`), the parts that are whole (`parts/`), the cache
of scores, and `state.json`, which says how much of all this counts. Only `state.json` is ever believed: it is replaced
in one step once what it speaks of is on the disk, and what lies beyond it is cut off or written again. A lock that
dies with its process keeps others away.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from filelock import FileLock, Timeout

from stance.errors import DataError, problem
from stance.inference.cache import Cache, Mark
from stance.inference.rows import Position, Write

_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class State:
    """What counts of the folder.

    `run` says what is done: inputs, model, settings, versions. `parts` are the whole ones; of the part in the making
    `spool` bytes and `rows` rows count, and the next rows stand at `position` in the input of the number `input`.
    """

    run: dict[str, Any]
    replace: bool
    parts: list[dict[str, Any]] = field(default_factory=list)
    input: int = 0
    position: Position = field(default_factory=Position)
    spool: int = 0
    rows: int = 0
    cache: Mark = field(default_factory=Mark)
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        """Whether anything would be lost with it."""
        return bool(self.parts or self.rows)


def read_state(folder: Path) -> State | None:
    """Return the state in `folder`; None if there is none.

    Raises:
        DataError: what stands there is none of ours.
    """
    path = folder / "state.json"
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        return State(**tree | {"position": Position(**tree["position"]), "cache": Mark(**tree["cache"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        got = f"another file ({type(error).__name__})"
        raise DataError(
            problem(path, "the state of an interrupted run", got, "Give --replace to start anew.")
        ) from error


class Unfinished:
    """The folder of an output in the making, to be had while it is locked."""

    def __init__(self, folder: Path, state: State, cache: Cache) -> None:
        """Begin with `state`, which is in the folder already or has nothing begun."""
        self.state = self._saved = state
        self._folder = folder
        self._cache = cache
        if not state.begun:  # else its absence says that it stands in its place already
            self.parts.mkdir(exist_ok=True)
        self._recover()
        self._write()
        self._spool = self._path.open("ab")
        cache.attach(folder, state.cache)

    @property
    def parts(self) -> Path:
        """The folder of the parts that are whole."""
        return self._folder / "parts"

    @property
    def begun(self) -> bool:
        """Whether a later run could go on from what is on the disk."""
        return self._saved.begun

    def add(self, data: bytes, rows: int, position: Position, counts: Mapping[str, Any]) -> None:
        """Put `data` behind what is there: what has become of the input up to `position`."""
        self._spool.write(data)
        now = self.state
        self.state = replace(
            now, spool=now.spool + len(data), rows=now.rows + rows, position=position, counts=dict(counts)
        )

    def save(self) -> None:
        """Bring everything to the disk, and then the state."""
        self._spool.flush()
        os.fsync(self._spool.fileno())
        self.state = replace(self.state, cache=self._cache.save())
        self._write()
        self._cache.prune()

    def seal(self, name: str, facts: Mapping[str, Any], write: Write | None) -> None:
        """Make a part called `name` of what was added, as it is or by `write`, and begin the next one."""
        self.save()
        self._spool.close()
        part = self.parts / name
        if write is None:
            os.replace(self._path, part)
        else:
            write(self._path, part)
            with part.open("rb") as file:
                os.fsync(file.fileno())
        entry = {"file": name, **facts, "rows": self.state.rows, **fingerprint(part)}
        self.state = replace(self.state, parts=[*self.state.parts, entry], spool=0, rows=0)
        self._write()
        self._spool = self._path.open("wb")

    def desk(self) -> Path:
        """Return a new folder for parts that others make; what still comes to an older one is lost."""
        for older in self._folder.glob("desk-*"):
            shutil.rmtree(older)
        return Path(mkdtemp(prefix="desk-", dir=self._folder))

    def adopt(self, made: Path, entry: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
        """Take over the part that another process made: the file, its entry in the manifest, all counts with it."""
        os.replace(made, self.parts / str(entry["file"]))
        parts = sorted([*self.state.parts, dict(entry)], key=lambda part: (len(part["file"]), part["file"]))
        self.state = replace(self.state, parts=parts, counts=dict(counts))

    def next_input(self, count: int = 1) -> None:
        """Go on by `count` inputs, to the beginning of the next one; the last part of these is sealed."""
        self.state = replace(self.state, input=self.state.input + count, position=Position())
        self._write()

    def set_aside(self, output: Path) -> None:
        """Take a folder that is to be replaced into this one, with which it will go."""
        aside = self._folder / "replaced"
        if aside.exists():
            shutil.rmtree(aside)
        output.rename(aside)

    def close(self) -> None:
        """Close the files."""
        self._spool.close()
        self._cache.close()

    @property
    def _path(self) -> Path:
        return self._folder / "spool"

    def _recover(self) -> None:
        """Undo what was begun after the state was written."""
        known = {part["file"] for part in self.state.parts}
        for path in self.parts.iterdir() if self.parts.exists() else ():
            if path.name in known:
                continue
            if self.state.spool and not self._path.exists():
                os.replace(path, self._path)  # it had become this part already
            else:
                path.unlink()
        self._path.touch()
        os.truncate(self._path, self.state.spool)

    def _write(self) -> None:
        fresh = self._folder / "state.json.new"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(self.state), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._folder / "state.json")
        self._saved = self.state


@contextmanager
def locked(folder: Path, where: str) -> Iterator[None]:
    """Hold the lock of `folder`, which is made if it is not there; `where` names the output in messages.

    Raises:
        DataError: another process holds it.
    """
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / _LOCK, blocking=False)
    busy = problem(where, "an output that nobody else is writing", "one that another process is", "Wait for it.")
    try:
        lock.acquire()
    except Timeout as error:
        raise DataError(busy) from error
    try:
        if not (folder / _LOCK).exists():  # the other one has just finished and removed it
            raise DataError(busy)
        yield
    finally:
        lock.release()


def clear(folder: Path) -> None:
    """Remove everything from `folder` but the lock."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()


def fingerprint(path: Path) -> dict[str, Any]:
    """Return the size of a file in bytes and its SHA-256, which takes a second or two a gigabyte."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
