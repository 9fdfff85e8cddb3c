"""Evaluations as plain text for a terminal of 100 columns: side by side, then each one's confusion and facets."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from stance.errors import DataError, problem
from stance.evaluation.abstention import Decided
from stance.evaluation.intervals import LEVEL, Estimate
from stance.evaluation.metrics import LOWER_IS_BETTER
from stance.evaluation.report import MAJORITY_METRICS, Evaluation, Slice
from stance.schema import LABELS

WIDTH: Final = 100
GAP: Final = "  "


def table(evaluations: Mapping[str, Evaluation], breakdown: bool = True) -> str:
    """Return named evaluations (of splits, or of models) as columns, then their confusion matrices and facets.

    Columns that do not fit beside each other go into a further block; without `breakdown` there are columns only.
    Nothing is coloured; no line ends in a space.

    Raises:
        DataError: there is no evaluation.
    """
    if not evaluations:
        raise DataError(problem("table", "at least one evaluation", "none", "Evaluate a split first."))
    blocks = ["\n".join(_aligned(block)) for block in _side_by_side(evaluations)]
    blocks.append("\n".join(_notes(evaluations)))
    for name, evaluation in evaluations.items() if breakdown else ():
        blocks.append("\n".join(_confusion(name, evaluation)))
        blocks += ["\n".join(_facet(name, facet, evaluation)) for facet in evaluation.facets]
    return "\n\n".join(blocks) + "\n"


def decided_table(found: Mapping[str, Decided]) -> str:
    """Return what named sets of statements are worth at one threshold, a line each."""
    rows = [["", "decided", "share", "accuracy", "macro_f1"]]
    for name, point in found.items():
        rows.append(
            [name, f"{point.n:,}", f"{point.coverage:.3f}", _estimate(point.accuracy), _estimate(point.macro_f1)]
        )
    threshold = next(iter(found.values())).threshold
    return "\n".join([f"statements of a confidence of {threshold:g} or more", *_aligned(rows, right=(1,))]) + "\n"


def _side_by_side(evaluations: Mapping[str, Evaluation]) -> Iterator[list[list[str]]]:
    """Yield blocks of rows, as many evaluations in each as fit into `WIDTH`."""
    names = _row_names(next(iter(evaluations.values())))
    first = max(map(len, names))
    columns: list[list[str]] = []
    used = first
    for name, evaluation in evaluations.items():
        column = [name, *_column(evaluation)]
        width = len(GAP) + max(map(len, column))
        if columns and used + width > WIDTH:
            yield [list(row) for row in zip(names, *columns, strict=True)]
            columns, used = [], first
        columns.append(column)
        used += width
    yield [list(row) for row in zip(names, *columns, strict=True)]


def _row_names(evaluation: Evaluation) -> list[str]:
    names = ["", "statements", "groups", *(f"gold {label}" for label in LABELS), "majority label"]
    for metric in evaluation.metrics:
        names.append(metric)
        if metric in MAJORITY_METRICS:
            names.append("  majority")
    return names


def _column(evaluation: Evaluation) -> list[str]:
    """The cells beneath the name of an evaluation, in the order of `_row_names`."""
    baseline = evaluation.majority
    cells = [str(evaluation.n), str(evaluation.groups)]
    cells += [f"{count} ({count / evaluation.n:.0%})" for count in evaluation.labels.values()]
    cells.append(f"{baseline.label} (in {baseline.most_frequent_in})")
    for metric, estimate in evaluation.metrics.items():
        cells.append(_estimate(estimate))
        if metric in MAJORITY_METRICS:
            cells.append(f"{getattr(baseline, metric):.3f}")
    return cells


def _notes(evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    lower = [metric for metric in next(iter(evaluations.values())).metrics if metric in LOWER_IS_BETTER]
    yield f"Lower is better: {', '.join(lower)}. macro_f1 is over all labels, f_avg over anti and pro."
    yield "Resampling shifts ece upwards: its interval can lie above the estimate."
    for name, evaluation in evaluations.items():
        if evaluation.groups == 1:
            yield f"{name}: no intervals, since all statements are of one group."
        elif evaluation.resamples == 0:
            yield f"{name}: no intervals, since none were asked for (0 resamples)."
        else:
            drawn = f"bootstrap over {evaluation.groups} groups, {evaluation.resamples} resamples"
            yield f"{name}: {LEVEL:.0%} intervals, percentile {drawn}, seed {evaluation.seed}."
        if evaluation.majority.most_frequent_in == "gold":
            yield f"{name}: the majority label was read off the gold labels; the training data's was not given."


def _confusion(name: str, evaluation: Evaluation) -> Iterator[str]:
    matrix = evaluation.confusion
    rows = [["gold", *LABELS, "recall"]]
    for index, label in enumerate(LABELS):
        rows.append([label, *map(str, matrix[index]), _share(matrix[index][index], sum(matrix[index]))])
    predicted = [sum(column) for column in zip(*matrix, strict=True)]
    rows.append(["precision", *(_share(matrix[index][index], predicted[index]) for index in range(len(LABELS))), ""])
    yield f"{name}: gold labels in rows, predicted labels in columns"
    yield from _aligned(rows, right=range(1, len(LABELS) + 2))


def _facet(name: str, facet: str, evaluation: Evaluation) -> Iterator[str]:
    slices = evaluation.facets[facet]
    head = [facet, "n", "/".join(LABELS), "macro_f1", "accuracy", "majority"]
    yield f"{name} by {facet}"
    rows = [_slice(part) for part in slices]
    others = sum(len(GAP) + max(map(len, column)) for column in list(zip(head, *rows, strict=True))[1:])
    yield from _aligned([head, *([_clipped(row[0], WIDTH - others), *row[1:]] for row in rows)], right=(1, 2))
    if any(0 in part.labels.values() for part in slices):
        yield "* A label is missing from gold, so that macro_f1 cannot reach 1."


def _slice(part: Slice) -> list[str]:
    mark = " *" if 0 in part.labels.values() else ""
    counts = "/".join(map(str, part.labels.values()))
    return [
        "(none)" if part.value is None else part.value,
        str(part.n),
        counts,
        _estimate(part.macro_f1) + mark,
        _estimate(part.accuracy),
        f"{part.majority_accuracy:.3f}",
    ]


def _estimate(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "-"
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Yield the rows as lines of aligned columns; the columns at the positions `right` end flush."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = enumerate(zip(row, widths, strict=True))
        yield GAP.join(f"{cell:{'>' if at in right else '<'}{width}}" for at, (cell, width) in padded).rstrip()
