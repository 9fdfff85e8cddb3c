"""One model's predictions on one set of statements, measured in every way the project reports: `evaluate`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from stance.evaluation.calibration import BINS, Bin, reliability
from stance.evaluation.inputs import checked
from stance.evaluation.intervals import Estimate, Statistic, bootstrap
from stance.evaluation.metrics import confusion, label_scores, scores
from stance.evaluation.selective import Point, accuracy_at_coverage, coverage_at_accuracy, risk_coverage
from stance.schema import LABELS, FloatArray, IntArray, Label

Facets: TypeAlias = Mapping[str, Sequence[str | None]]
"""By facet (such as `theatre`), the value of each of `n` statements; None where a statement has none."""

NO_FACETS: Final[Facets] = MappingProxyType({})
MAJORITY_METRICS: Final = ("macro_f1", "f_avg", "accuracy")
"""What is worth comparing with a model that always gives the same answer."""

ENOUGH_FOR_INTERVAL: Final = 30
"""Statements below which a slice gets no interval: it would mostly show that there are few."""


@dataclass(frozen=True, slots=True)
class Majority:
    """The baseline of always answering `label`, the most frequent in the training data or, failing that, in gold."""

    label: Label
    most_frequent_in: Literal["training", "gold"]
    macro_f1: float
    f_avg: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Slice:
    """The statements that share one value of a facet; `majority_accuracy` is what `Majority.label` reaches on them.

    The macro-F1 is over all labels: where gold lacks one (see `labels`) it cannot reach 1.
    """

    value: str | None
    n: int
    groups: int
    labels: dict[Label, int]
    macro_f1: Estimate
    accuracy: Estimate
    majority_accuracy: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured about `n` predictions.

    `metrics` holds `metrics.scores` and, of `selective`, `coverage_at_accuracy_90` and `accuracy_at_coverage_50`;
    `confusion` has gold labels as rows; the slices of a facet are sorted by size, largest first.
    """

    n: int
    groups: int
    labels: dict[Label, int]
    metrics: dict[str, Estimate]
    majority: Majority
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[Bin, ...]
    risk_coverage: tuple[Point, ...]
    facets: dict[str, tuple[Slice, ...]]
    resamples: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Return everything as nested dicts and lists ready for JSON; what cannot be given (NaN) is None."""
        return {name: _jsonable(value) for name, value in asdict(self).items()}

    def flat(self, prefix: str = "") -> dict[str, float]:
        """Return the finite numbers about all statements, named `macro_f1`, `macro_f1_low`, `macro_f1_high` and so on.

        They suit a tracker of experiments; facets, bins and curves are in `as_dict` only.
        """
        named = {"n": float(self.n), "groups": float(self.groups)}
        for name, estimate in self.metrics.items():
            named |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        for name in MAJORITY_METRICS:
            named[f"majority_{name}"] = getattr(self.majority, name)
        return {prefix + name: value for name, value in named.items() if math.isfinite(value)}


def evaluate(
    gold: IntArray,
    probabilities: FloatArray,
    groups: Sequence[str],
    *,
    facets: Facets = NO_FACETS,
    majority: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Measure the predictions for `n` statements.

    Args:
        gold: positions of the gold labels in `LABELS`, shape (n,).
        probabilities: shape (n, k), in the order of `LABELS`.
        groups: what the bootstrap keeps whole, one of each statement.
        facets: what to break the scores down by.
        majority: position of the most frequent label of the training data; None takes that of gold, and says so.
        resamples: resamples of each bootstrap; 0 gives no intervals.
        seed: seed of each bootstrap.

    Raises:
        DataError: there is no statement, lengths differ, a gold label is out of range or a row is no distribution.
    """
    gold, probabilities = checked(gold, probabilities, groups, facets, majority)
    baseline = _majority(gold, majority)
    rest = (baseline.label, resamples, seed)
    return Evaluation(
        n=gold.size,
        groups=len(set(groups)),
        labels=_label_counts(gold),
        metrics=_estimate(gold, probabilities, groups, _all_scores, resamples, seed),
        majority=baseline,
        confusion=tuple(tuple(row) for row in confusion(gold, probabilities.argmax(axis=1)).tolist()),
        reliability=tuple(reliability(gold, probabilities, BINS)),
        risk_coverage=tuple(risk_coverage(gold, probabilities)),
        facets={name: _slices(gold, probabilities, groups, values, *rest) for name, values in facets.items()},
        resamples=resamples,
        seed=seed,
    )


def _majority(gold: IntArray, trained: int | None) -> Majority:
    label = int(np.bincount(gold).argmax()) if trained is None else trained
    found = label_scores(gold, np.full_like(gold, label))
    return Majority(
        label=LABELS[label],
        most_frequent_in="gold" if trained is None else "training",
        macro_f1=found["macro_f1"],
        f_avg=found["f_avg"],
        accuracy=found["accuracy"],
    )


def _all_scores(gold: IntArray, probabilities: FloatArray) -> dict[str, float]:
    return {
        **scores(gold, probabilities),
        "coverage_at_accuracy_90": coverage_at_accuracy(gold, probabilities, 0.9),
        "accuracy_at_coverage_50": accuracy_at_coverage(gold, probabilities, 0.5),
    }


def _slice_scores(gold: IntArray, probabilities: FloatArray) -> dict[str, float]:
    return label_scores(gold, probabilities.argmax(axis=1))


def _estimate(
    gold: IntArray, probabilities: FloatArray, groups: Sequence[str], statistic: Statistic, resamples: int, seed: int
) -> dict[str, Estimate]:
    values = statistic(gold, probabilities)
    intervals = bootstrap(gold, probabilities, groups, statistic, resamples, seed)
    return {name: Estimate(value, intervals[name].low, intervals[name].high) for name, value in values.items()}


def _slices(
    gold: IntArray,
    probabilities: FloatArray,
    groups: Sequence[str],
    values: Sequence[str | None],
    always: Label,
    resamples: int,
    seed: int,
) -> tuple[Slice, ...]:
    rows_of: dict[str | None, list[int]] = {}
    for row, value in enumerate(values):
        rows_of.setdefault(value, []).append(row)
    slices = []
    for value, rows in rows_of.items():
        labels = _label_counts(gold[rows])
        inside = [groups[row] for row in rows]
        draws = resamples if len(rows) >= ENOUGH_FOR_INTERVAL else 0
        found = _estimate(gold[rows], probabilities[rows], inside, _slice_scores, draws, seed)
        slices.append(
            Slice(
                value=value,
                n=len(rows),
                groups=len(set(inside)),
                labels=labels,
                macro_f1=found["macro_f1"],
                accuracy=found["accuracy"],
                majority_accuracy=labels[always] / len(rows),
            )
        )
    return tuple(sorted(slices, key=lambda part: (-part.n, part.value is None, part.value or "")))


def _label_counts(gold: IntArray) -> dict[Label, int]:
    return dict(zip(LABELS, np.bincount(gold, minlength=len(LABELS)).tolist(), strict=True))


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
