"""JSON lines, the format that the sources share: one object a line, blank lines passed over."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stance.errors import DataError, problem


def rows(path: Path, encoding: str = "utf-8") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `file:line` and the object of each line of `path`.

    Raises:
        DataError: a line is no JSON object.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path}:{number}", _parse(line, encoding, f"{path}:{number}")


def _parse(line: bytes, encoding: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode(encoding))
    except (ValueError, LookupError, RecursionError) as error:
        raise DataError(problem(where, "one JSON object a line", str(error), "Correct the line.")) from error
    if not isinstance(row, dict):
        raise DataError(problem(where, "a JSON object", type(row).__name__, "Correct the line."))
    return row
