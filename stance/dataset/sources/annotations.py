"""The project's own format: JSON lines, one annotated sentence with its votes a line.

The fields are those of `Annotation`; `id`, `text` and `votes` are required, unknown ones are refused, since a
misspelt field would otherwise be lost in silence.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from stance.config import Settings
from stance.dataset.sources import _jsonlines
from stance.errors import DataError, problem
from stance.plugins import nearest
from stance.schema import ACTOR_TYPES, CONTRAST, KINDS, LABELS, Annotation, Vote

_FIELDS: Final = {field.name for field in fields(Annotation)} - {"where"}
_IGNORED: Final = {"edit"}
"""`edit` says in a word how a contrast statement differs from its base: for readers of the file."""
_VOTE_FIELDS: Final = {field.name for field in fields(Vote)}


class Params(Settings):
    """JSON lines of the project's own format need no settings."""


def read(path: Path, params: Params) -> Iterator[Annotation]:
    """Yield the annotations of the JSON lines file `path`; blank lines are passed over.

    Raises:
        DataError: no such file, a line is no JSON object, or a field is unknown, missing or of the wrong type.
    """
    if not path.is_file():
        raise DataError(problem(path, "a JSON lines file", "no such file", "Check sources in the data config."))
    for where, row in _jsonlines.rows(path):
        yield _annotation(row, where)


def _annotation(row: dict[str, Any], where: str) -> Annotation:
    row = {name: value for name, value in row.items() if name not in _IGNORED}
    for name in sorted(row.keys() - _FIELDS):
        todo = f"Remove or rename it.{nearest(name, sorted(_FIELDS))}"
        raise DataError(problem(where, f"fields among {', '.join(sorted(_FIELDS))}", repr(name), todo))
    for name, value in row.items():
        _check_type(name, value, where)
    for name in ("id", "text", "votes"):
        if not row.get(name):
            raise DataError(
                problem(where, f"a value for {name!r}", repr(row.get(name)), "Fill it in or remove the line.")
            )
    row = {name: value for name, value in row.items() if value is not None}
    if "base" in row:
        row.setdefault("kind", CONTRAST)
    _check_choice("kind", row.get("kind"), KINDS, where)
    _check_choice("actor_type", row.get("actor_type"), ACTOR_TYPES, where)
    votes = tuple(_vote(vote, where) for vote in row.pop("votes"))
    return Annotation(**row, votes=votes, where=where)


def _check_type(name: str, value: object, where: str) -> None:
    expected: type = {"votes": list, "start": int, "end": int}.get(name, str)
    if value is not None and (not isinstance(value, expected) or isinstance(value, bool)):
        got = f"{type(value).__name__} {value!r}"
        raise DataError(problem(where, f"{name!r} of type {expected.__name__}", got, "Correct the line."))


def _check_choice(name: str, value: str | None, known: tuple[str, ...], where: str) -> None:
    if value is not None and value not in known:
        todo = f"Correct it.{nearest(value, list(known))}"
        raise DataError(problem(where, f"{name!r} among {', '.join(known)}", repr(value), todo))


def _vote(vote: object, where: str) -> Vote:
    if not isinstance(vote, Mapping) or not {"annotator", "label"} <= vote.keys() <= _VOTE_FIELDS:
        expected = f"votes with the fields {', '.join(sorted(_VOTE_FIELDS))}"
        raise DataError(problem(where, expected, json.dumps(vote, ensure_ascii=False), "Correct the votes."))
    if not isinstance(vote["annotator"], str):
        raise DataError(problem(where, "an annotator's name", repr(vote["annotator"]), "Correct the votes."))
    _check_choice("label", vote["label"] if isinstance(vote["label"], str) else repr(vote["label"]), LABELS, where)
    confidence = vote.get("confidence")
    if confidence not in (None, 1, 2, 3) or not isinstance(vote.get("conditional", False), bool):
        expected = "confidence 1, 2 or 3 and conditional true or false"
        raise DataError(problem(where, expected, json.dumps(vote, ensure_ascii=False), "Correct the votes."))
    return Vote(**vote)
