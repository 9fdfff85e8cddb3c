"""The prediction of every statement, as a run leaves it in `predictions/<split>.csv`, and whether runs saw the same.

Ours has the columns `id, group, theatre, actor_type, text, label, predicted, p_anti, p_neutral, p_pro`. Of a run that
other code logged only `id`, `group`, `label` and `predicted` are needed; without probabilities there is no calibration
error, without `text` no text to show, without `theatre` no breakdown. What is read is data from anywhere: it is checked
here and trusted behind.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from stance.errors import DataError, problem
from stance.evaluation.inputs import SUM_TOLERANCE
from stance.schema import LABELS, FloatArray, IntArray

NEEDED: Final = ("id", "group", "label", "predicted")
PROBABILITIES: Final = tuple(f"p_{label}" for label in LABELS)
MOST_BYTES: Final = 200_000_000
"""A prediction of a statement is some 300 bytes, so this is room for more than half a million."""

_SHOWN: Final = 3
"""How many ids a message names."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """`n` statements in the order of their ids, with gold and predicted labels as positions in `LABELS`, shape (n,).

    `probabilities` has the shape (n, k), or is `None` where the run logged none; a missing text or theatre is empty.
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    texts: tuple[str, ...]
    gold: IntArray
    predicted: IntArray
    probabilities: FloatArray | None
    theatres: tuple[str, ...] = ()


def read_predictions(path: Path, where: str) -> Predictions:
    """Return the predictions in the CSV file `path`; `where` opens a message.

    Raises:
        DataError: the file is too large, no CSV in UTF-8, lacks a column or a row, repeats an id, or holds a label or
            probabilities that are none.
    """
    check_size(path.stat().st_size, where)
    rows = sorted(_rows(path, where), key=lambda row: row["id"])
    if not rows:
        raise DataError(problem(where, "predictions", "no rows", "Log the predictions of each statement."))
    ids = tuple(row["id"] for row in rows)
    for before, after in pairwise(ids):
        if before == after:
            raise DataError(problem(where, "each id once", f"{clean(after)!r} twice", "Give each statement an id."))
    return Predictions(
        ids,
        tuple(row["group"] for row in rows),
        tuple(row.get("text", "") for row in rows),
        _labels(rows, "label", where),
        _labels(rows, "predicted", where),
        _probabilities(rows, where) if PROBABILITIES[0] in rows[0] else None,
        tuple(row.get("theatre", "") for row in rows),
    )


def check_size(size: int | None, where: str) -> None:
    """Refuse a file of more bytes than any prediction file has; a size that a server does not tell passes.

    Raises:
        DataError: it is too large.
    """
    if size is not None and size > MOST_BYTES:
        limit, got = f"at most {MOST_BYTES / 1e6:.0f} MB", f"{size / 1e6:,.0f} MB"
        raise DataError(problem(where, limit, got, "Log fewer statements or shorter texts."))


def check_same(named: Sequence[tuple[str, Predictions]]) -> None:
    """Refuse to compare runs unless all have the same statements, gold labels and groups.

    Args:
        named: what a message calls a run, and its predictions.

    Raises:
        DataError: they differ; it says from which run, in how many statements, and names some of them.
    """
    (first, reference), *others = named
    for name, predictions in others:
        difference = _difference(first, reference, name, predictions)
        if difference:
            both = f"{first} and {name}"
            todo = "Compare runs that were evaluated on the same data."
            raise DataError(problem(both, "the same statements, gold labels and groups", difference, todo))


def clean(text: str) -> str:
    """Return foreign text as one line without control or direction characters, which could rewrite a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def _rows(path: Path, where: str) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = _columns(reader.fieldnames or (), where)
            rows = []
            for number, row in enumerate(reader, start=1):
                if None in row or None in row.values():
                    got = f"another number in row {number}"
                    raise DataError(problem(where, f"{len(reader.fieldnames or ())} cells a row", got, "Correct it."))
                rows.append({name: row[name] for name in columns})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(problem(where, "a CSV file in UTF-8", clean(str(error)), "Log it again.")) from error
    return rows


def _columns(there: Sequence[str], where: str) -> list[str]:
    """The columns to keep, of those that are there; probabilities come all or none."""
    given = [name for name in PROBABILITIES if name in there]
    missing = [name for name in (*NEEDED, *(PROBABILITIES if given else ())) if name not in there]
    if missing:
        needed = f"the columns {', '.join(NEEDED)} (and {', '.join(PROBABILITIES)} or none of these)"
        raise DataError(problem(where, needed, f"none named {', '.join(missing)}", "Log the missing columns."))
    return [*NEEDED, *given, *(name for name in ("text", "theatre") if name in there)]


def _labels(rows: Sequence[Mapping[str, str]], column: str, where: str) -> IntArray:
    position = {label: at for at, label in enumerate(LABELS)}
    for row in rows:
        if row[column] not in position:
            at = f"{where}: {column} of {clean(row['id'])}"
            raise DataError(problem(at, f"one of {', '.join(LABELS)}", repr(row[column][:40]), "Log these labels."))
    return np.array([position[row[column]] for row in rows], dtype=np.int64)  # type: ignore[index]


def _probabilities(rows: Sequence[Mapping[str, str]], where: str) -> FloatArray:
    try:
        found = np.array([[float(row[name]) for name in PROBABILITIES] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise DataError(problem(where, "probabilities as numbers", clean(str(error)), "Log numbers.")) from error
    # NaN fails both comparisons and so is refused too.
    good = (found >= 0).all(axis=1) & (np.abs(found.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if not good.all():
        at = int(np.argmin(good))
        got = f"{found[at].tolist()} for {clean(rows[at]['id'])}"
        raise DataError(problem(where, "probabilities from 0 to 1 that sum to 1", got, "Log probabilities."))
    return found


def _difference(first: str, reference: Predictions, name: str, other: Predictions) -> str:
    """What differs between two runs in words, or an empty string."""
    if reference.ids != other.ids:
        ours, theirs = set(reference.ids), set(other.ids)
        parts = [(ours - theirs, f"only in {first}"), (theirs - ours, f"only in {name}")]
        return " and ".join(f"{len(ids):,} {what} ({_some(sorted(ids))})" for ids, what in parts if ids)
    for what, unequal in (
        ("gold label", reference.gold != other.gold),
        ("group", np.array([one != two for one, two in zip(reference.groups, other.groups, strict=True)])),
    ):
        if unequal.any():
            ids = [reference.ids[at] for at in np.flatnonzero(unequal)]
            return f"another {what} in {len(ids):,} of {len(reference.ids):,} ({_some(ids)})"
    return ""


def _some(ids: Sequence[str]) -> str:
    return ", ".join(clean(id_)[:40] for id_ in ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "")
