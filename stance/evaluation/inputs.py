"""What an evaluation accepts; checked once, at the border, so that the rest of the stage can trust it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from stance.errors import DataError, problem
from stance.schema import LABELS, FloatArray, IntArray

SUM_TOLERANCE: Final = 1e-3
"""How far the sum of a row of probabilities may be from 1: what float16 or rounding to four decimals can do."""


def checked(
    gold: NDArray[Any],
    probabilities: NDArray[Any],
    groups: Sequence[str],
    facets: Mapping[str, Sequence[str | None]],
    majority: int | None,
) -> tuple[IntArray, FloatArray]:
    """Return gold labels (n,) and probabilities (n, k) as int64 and float64, or refuse what cannot be measured.

    Raises:
        DataError: there is no statement, lengths differ, a label is out of range or a row is no distribution.
    """
    gold, probabilities = np.asarray(gold), np.asarray(probabilities, dtype=np.float64)
    n, k = gold.size, len(LABELS)
    if n == 0:
        _refuse("at least one statement", "none", "Check the split or the file.")
    if gold.ndim != 1 or not np.issubdtype(gold.dtype, np.integer) or gold.min() < 0 or gold.max() >= k:
        got = f"{gold.dtype} of shape {gold.shape} from {gold.min()} to {gold.max()}"
        _refuse(f"gold labels as whole numbers from 0 to {k - 1}", got, "Use stance.schema.label_indices.")
    if probabilities.shape != (n, k):
        todo = f"Give each statement one row, in the order {', '.join(LABELS)}."
        _refuse(f"probabilities of shape ({n}, {k})", str(probabilities.shape), todo)
    _check_rows(probabilities)
    if len(groups) != n:
        _refuse(f"{n} groups", str(len(groups)), "Give one for each statement.")
    for name, values in facets.items():
        if len(values) != n:
            _refuse(f"{n} values of the facet {name!r}", str(len(values)), "Give one for each statement.")
    if majority is not None and not 0 <= majority < k:
        _refuse(f"a majority label from 0 to {k - 1}", str(majority), "Use stance.schema.label_indices.")
    return gold.astype(np.int64), probabilities


def _check_rows(probabilities: NDArray[Any]) -> None:
    """Name the first row that is no distribution; NaN fails every comparison and so is refused too."""
    good = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if not good.all():
        row = int(np.argmin(good))
        got = f"{probabilities[row].tolist()} in row {row}"
        _refuse("probabilities from 0 to 1 that sum to 1", got, "Apply a softmax to the logits first.")


def _refuse(expected: str, got: str, todo: str) -> NoReturn:
    raise DataError(problem("evaluation", expected, got, todo))
