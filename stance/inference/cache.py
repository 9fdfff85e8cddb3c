"""Scores of texts that came before, so that equal texts are scored once; in bounded memory, and on disk for a resume.

The texts of two generations are known. When the newer one is full, the older one is forgotten and a new one begun; a
text that is met in the older one is taken over into the newer one. So what is met often stays, and what is known
depends on the texts alone. It has to: with a text more or less in its batch, a transformer gives the others a last
digit of their own, and a run that was interrupted must end like one that was not.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final

from stance.schema import LABELS

GENERATION: Final = 2**17
"""Texts of a generation: two of them take some 60 MB."""

_SCORES: Final = struct.Struct(f"<{len(LABELS)}d8s")
"""The probabilities and the code of the language, filled up with NUL."""

_KEY_BYTES: Final = 16
_RECORD_BYTES: Final = _KEY_BYTES + _SCORES.size


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the cache has come: the number of its newer generation, and the texts in it."""

    generation: int = 0
    texts: int = 0


class Cache:
    """Probabilities and languages by text."""

    def __init__(self) -> None:
        self._size = GENERATION
        self._number = 0
        self._newer: dict[bytes, bytes] = {}
        self._older: dict[bytes, bytes] = {}
        self._folder: Path | None = None
        self._file: BinaryIO | None = None

    def get(self, key: bytes) -> tuple[tuple[float, ...], str | None] | None:
        """Return the probabilities and the language of the text with the digest `key`, if it is known."""
        scores = self._newer.get(key)
        if scores is None:
            if (scores := self._older.get(key)) is None:
                return None
            self._add(key, scores)
        *probabilities, language = _SCORES.unpack(scores)
        return tuple(probabilities), language.rstrip(b"\0").decode() or None

    def put(self, key: bytes, probabilities: tuple[float, ...], language: str | None) -> None:
        """Keep what was found for a text that is not known."""
        self._add(key, _SCORES.pack(*probabilities, (language or "").encode()))

    def attach(self, folder: Path, mark: Mark) -> None:
        """Keep the texts in files of `folder`, too, and take up what stands there up to `mark`."""
        self._folder, self._number = folder, mark.generation
        self._older = dict(_records(self._path(mark.generation - 1), self._size)) if mark.generation else {}
        self._file = self._path(mark.generation).open("ab")
        self._file.truncate(mark.texts * _RECORD_BYTES)
        self._newer = dict(_records(self._path(mark.generation), mark.texts))

    def save(self) -> Mark:
        """Write what was added to the disk; return the mark to come back to."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        return Mark(self._number, len(self._newer))

    def prune(self) -> None:
        """Remove the files that no mark from now on needs."""
        if self._folder is not None:
            for number in range(self._number - 2, -1, -1):
                if not self._path(number).exists():
                    break
                self._path(number).unlink()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _add(self, key: bytes, scores: bytes) -> None:
        if len(self._newer) >= self._size:
            self._next()
        self._newer[key] = scores
        if self._file is not None:
            self._file.write(key + scores)

    def _next(self) -> None:
        self.save()
        self._older, self._newer = self._newer, {}
        self._number += 1
        if self._folder is not None:
            self.close()
            self._file = self._path(self._number).open("wb")

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"cache-{number:06}"


def digest(text: str) -> bytes:
    """Return what stands for `text`: 128 bits, of which two texts in the world will not share all."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()


def _records(path: Path, count: int) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as file:
        for _ in range(count):
            record = file.read(_RECORD_BYTES)
            yield record[:_KEY_BYTES], record[_KEY_BYTES:]
