"""Where annotated sentences come from. Each file is one kind of source.

A source file offers `Params` (its settings) and `read(path, params)`, which yields an `Annotation` a row in the order
of the file and raises `DataError` with `file:line` on a row it cannot read. Files are found on disk (`stance.plugins`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from stance.config import Settings
from stance.schema import Annotation


class SourceFile(Protocol):
    """What a file in this folder offers."""

    Params: type[Settings]

    def read(self, path: Path, params: Any) -> Iterator[Annotation]:
        """Yield the annotations in `path`.

        Raises:
            DataError: the file is missing or a row is malformed.
        """
