"""What a page shows beside the scores: each conflict, calibration, selective prediction, learning curves and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from stance.comparison.paired import Metric, sampled
from stance.comparison.runs import Found, Read
from stance.comparison.systems import FEW_GROUPS, Comparison, group
from stance.evaluation import Bin, Estimate, Point, reliability, risk_coverage
from stance.evaluation.report import ENOUGH_FOR_INTERVAL

RESAMPLES = 1000
"""Of the interval in each theatre; the scores and tests have those of the comparison."""


@dataclass(frozen=True, slots=True)
class Theatre:
    """The statements of one conflict, and the accuracy of each system on them, mean over seeds."""

    name: str
    n: int
    groups: int
    accuracies: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A point of a learning curve: the score, mean over `seeds` seeds, at a share of the training groups."""

    share: float
    seeds: int
    score: Estimate


Curves: TypeAlias = Mapping[str, Sequence[Step]]
"""Learning curves by the names of the systems that have one, in the order of the comparison."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One system: what its training took (seconds, mean over seeds), and curves, empty where they cannot be given."""

    name: str
    seconds: float | None
    bins: tuple[Bin, ...]
    risk: tuple[Point, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """The systems in the order of the comparison, the conflicts by size, and lines about what is missing and why."""

    systems: tuple[Detail, ...]
    theatres: tuple[Theatre, ...]
    missing: tuple[str, ...]

    @property
    def curves(self) -> Curves:
        """The learning curves of the systems that have one."""
        return {one.name: one.steps for one in self.systems if one.steps}


def detail(comparison: Comparison, found: Found) -> Details:
    """Return the details of a comparison of `found`."""
    runs = group(found.runs)
    members = [runs[system.name] for system in comparison.systems]
    steps = learning_curves(comparison, found)
    systems = tuple(
        Detail(system.name, _seconds(of_system), *_curves(of_system), tuple(steps.get(system.name, ())))
        for system, of_system in zip(comparison.systems, members, strict=True)
    )
    theatres = _theatres(members, comparison.seed)
    return Details(systems, theatres, tuple(_missing(comparison, found, systems, theatres)))


def _seconds(runs: Sequence[Read]) -> float | None:
    each = [one.run.seconds for one in runs]
    return None if None in each else float(np.mean([seconds for seconds in each if seconds is not None]))


def _curves(runs: Sequence[Read]) -> tuple[tuple[Bin, ...], tuple[Point, ...]]:
    """Reliability over the predictions of all seeds together, and the mean of the seeds' risk-coverage curves."""
    shares = [one.predictions.probabilities for one in runs]
    given = [each for each in shares if each is not None]
    if len(given) < len(shares):
        return (), ()
    gold = runs[0].predictions.gold
    bins = reliability(np.tile(gold, len(given)), np.concatenate(given))
    curves = [risk_coverage(gold, each) for each in given]
    mean = [
        Point(at[0].coverage, float(np.mean([point.risk for point in at])), float(np.mean([p.threshold for p in at])))
        for at in zip(*curves, strict=True)
    ]
    return tuple(bins), tuple(mean)


def learning_curves(comparison: Comparison, found: Found) -> Curves:
    """Return the learning curves of a comparison of `found`; a system without points has none."""
    runs = group(found.runs)
    steps = {one.name: _steps(runs[one.name], found.curve, comparison) for one in comparison.systems}
    return {name: each for name, each in steps.items() if each}


def _steps(runs: Sequence[Read], curve: Sequence[Read], comparison: Comparison) -> tuple[Step, ...]:
    """The learning curve of a system: its own score where no point of the curve has all groups."""
    name = runs[0].run.name
    by_share: dict[float, list[Read]] = {}
    for one in curve:
        if one.run.name == name and one.run.share is not None and one.predictions.ids == runs[0].predictions.ids:
            by_share.setdefault(one.run.share, []).append(one)
    if not by_share:
        return ()
    by_share.setdefault(1.0, list(runs))
    metric, resamples, seed = comparison.metric, comparison.resamples, comparison.seed
    return tuple(
        Step(share, len(by_share[share]), _estimate(by_share[share], metric, resamples, seed))
        for share in sorted(by_share)
    )


def _estimate(runs: Sequence[Read], metric: Metric, resamples: int, seed: int) -> Estimate:
    of_all = runs[0].predictions
    predicted = np.stack([one.predictions.predicted for one in runs])
    found = sampled(of_all.gold, predicted, of_all.groups, metric, resamples, seed)
    return Estimate(found.value, found.interval.low, found.interval.high)


def _theatres(members: Sequence[Sequence[Read]], seed: int) -> tuple[Theatre, ...]:
    of_all = members[0][0].predictions
    rows_of: dict[str, list[int]] = {}
    for at, name in enumerate(of_all.theatres):
        rows_of.setdefault(name, []).append(at)
    if not any(rows_of):
        return ()
    theatres = []
    for name, positions in rows_of.items():
        rows = np.array(positions)
        groups = [of_all.groups[at] for at in positions]
        draws = RESAMPLES if len(positions) >= ENOUGH_FOR_INTERVAL else 0
        accuracies = []
        for runs in members:
            predicted = np.stack([one.predictions.predicted[rows] for one in runs])
            found = sampled(of_all.gold[rows], predicted, groups, "accuracy", draws, seed)
            accuracies.append(Estimate(found.value, found.interval.low, found.interval.high))
        theatres.append(Theatre(name or "(none)", len(positions), len(set(groups)), tuple(accuracies)))
    return tuple(sorted(theatres, key=lambda one: (-one.n, one.name)))


def _missing(comparison: Comparison, found: Found, systems: Sequence[Detail], theatres: Sequence[Theatre]) -> list[str]:
    lines = [f"Left out: {line}" for line in found.left_out]
    seeds: Mapping[str, int] = {system.name: len(system.seeds) for system in comparison.systems}
    single = [name for name, count in seeds.items() if count == 1]
    if single:
        lines.append(f"One seed only: {', '.join(single)}. What another seed would give is not known.")
    if len(set(seeds.values())) > 1:
        lines.append(f"Unequal seeds: {', '.join(f'{name} {count}' for name, count in seeds.items())}.")
    without = [one.name for one in systems if not one.bins]
    if without:
        lines.append(f"No calibration and no selective prediction: {', '.join(without)} logged no probabilities.")
    if not theatres:
        lines.append("No scores by conflict: the predictions have no column theatre.")
    elif any(one.n < ENOUGH_FOR_INTERVAL for one in theatres):
        lines.append(f"Conflicts of fewer than {ENOUGH_FOR_INTERVAL} statements have no interval.")
    if not any(one.steps for one in systems):
        lines.append("No learning curve: no run was trained on a share of the data (protocol learning-curve).")
    if any(one.seconds is None for one in systems):
        lines.append("No cost of some runs: they tell no time.")
    if comparison.groups < FEW_GROUPS:
        lines.append(f"Fewer than {FEW_GROUPS} groups: intervals are too narrow and bootstrap p-values too small.")
    return lines
