"""Runs become systems (one config, its seeds), and systems a comparison: scores, settings that differ, paired tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np

from stance.comparison.paired import (
    RESAMPLES,
    Difference,
    Metric,
    Sampled,
    consensus,
    difference,
    holm,
    mcnemar,
    sampled,
)
from stance.comparison.predictions import check_same
from stance.comparison.runs import Read
from stance.errors import ConfigError, problem
from stance.evaluation import Interval, expected_calibration_error
from stance.plugins import nearest
from stance.schema import LABELS, IntArray, Label

FEW_GROUPS: Final = 20
"""Below so many groups bootstrap intervals are too narrow and its p-values too small (`evaluation.intervals`)."""

_DERIVED: Final = "data.n_"
"""Parameters that follow from the data: its fingerprint says that they differ."""


@dataclass(frozen=True, slots=True)
class System:
    """One config with its seeds: mean of the metric and its extremes over seeds, interval of the mean, other means.

    `ece` is `None` where a run logged no probabilities; `seeds` holds `None` for a run that tells none.
    """

    name: str
    run_ids: tuple[str, ...]
    seeds: tuple[str | None, ...]
    mean: float
    lowest: float
    highest: float
    interval: Interval
    accuracy: float
    ece: float | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A statement with another label by one system than by the other."""

    id: str
    text: str
    gold: Label
    one: Label
    other: Label

    @property
    def outcome(self) -> str:
        """Whether the one is right and the other wrong (`won`), the reverse (`lost`), or both are `wrong`."""
        return "won" if self.one == self.gold else "lost" if self.other == self.gold else "wrong"


@dataclass(frozen=True, slots=True)
class Pair:
    """What the system `one` has over the `other`: `difference` in the metric, statements, and p-values, Holm-adjusted.

    Statements count by the label that most seeds predict. `changed` has those lost first, then won, then wrong by both.
    """

    one: str
    other: str
    difference: Difference
    p_holm: float
    won: int
    lost: int
    mcnemar: float
    mcnemar_holm: float
    changed: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Systems, best first; for each setting that differs its value by system, `None` where unset; pairs of systems."""

    split: str
    metric: Metric
    n: int
    groups: int
    resamples: int
    seed: int
    systems: tuple[System, ...]
    settings: Mapping[str, tuple[str | None, ...]]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A system at work: what it shows, its runs, its scores on the resamples and its labels (n,)."""

    system: System
    runs: tuple[Read, ...]
    scores: Sampled
    labels: IntArray


def compare(
    runs: Sequence[Read],
    split: str,
    metric: Metric = "macro_f1",
    baseline: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare runs on the same statements, each pair of systems or, with a `baseline`, each system against that.

    Raises:
        ConfigError: no system is called `baseline`.
        DataError: statements, gold labels or groups differ between runs.
    """
    check_same([(one.run.title, one.predictions) for one in runs])
    entries = [_entry(name, members, metric, resamples, seed) for name, members in group(runs).items()]
    entries.sort(key=lambda entry: (-entry.system.mean, entry.system.name))
    of_all = runs[0].predictions
    return Comparison(
        split=split,
        metric=metric,
        n=len(of_all.ids),
        groups=len(set(of_all.groups)),
        resamples=resamples,
        seed=seed,
        systems=tuple(entry.system for entry in entries),
        settings=_settings(entries),
        pairs=_adjusted([_pair(one, other) for one, other in _pairs(entries, baseline)]),
    )


def group(runs: Sequence[Read]) -> dict[str, tuple[Read, ...]]:
    """Return runs by the name of their config, those that differ in nothing but the seed together, by seed.

    Where configs of one name differ in their settings, or a config has a seed twice, names get the start of a run id.
    """
    by_config: dict[tuple[str, tuple[tuple[str, str], ...], int], list[Read]] = {}
    for one in runs:
        config = (one.run.name, tuple(sorted(one.run.params.items())))
        again = 0
        while one.run.seed in {other.run.seed for other in by_config.get((*config, again), ())}:
            again += 1
        by_config.setdefault((*config, again), []).append(one)
    names = [name for name, *_ in by_config]
    grouped = {}
    for (name, *_), members in by_config.items():
        title = name if names.count(name) == 1 else f"{name} {members[0].run.id[:8]}"
        # A foreign run may be called like that.
        title = f"{title} {members[0].run.id}" if title in grouped else title
        grouped[title] = tuple(sorted(members, key=_by_seed))
    return grouped


def _by_seed(one: Read) -> tuple[int, str, str]:
    seed = one.run.seed or ""
    return (int(seed), "", one.run.id) if seed.isdecimal() else (-1, seed, one.run.id)


def _entry(name: str, runs: tuple[Read, ...], metric: Metric, resamples: int, seed: int) -> _Entry:
    of_all = runs[0].predictions
    predicted = np.stack([one.predictions.predicted for one in runs])
    scores = sampled(of_all.gold, predicted, of_all.groups, metric, resamples, seed)
    by_seed = [sampled(of_all.gold, one[None], of_all.groups, metric, resamples=0).value for one in predicted]
    probabilities = [one.predictions.probabilities for one in runs]
    errors = [expected_calibration_error(of_all.gold, each) for each in probabilities if each is not None]
    system = System(
        name=name,
        run_ids=tuple(one.run.id for one in runs),
        seeds=tuple(one.run.seed for one in runs),
        mean=scores.value,
        lowest=min(by_seed),
        highest=max(by_seed),
        interval=scores.interval,
        accuracy=float((predicted == of_all.gold).mean()),
        ece=float(np.mean(errors)) if len(errors) == len(runs) else None,
    )
    return _Entry(system, runs, scores, consensus(predicted))


def _pairs(entries: Sequence[_Entry], baseline: str | None) -> list[tuple[_Entry, _Entry]]:
    if baseline is None:
        return list(combinations(entries, 2))
    names = [entry.system.name for entry in entries]
    if baseline not in names:
        expected, todo = f"one of {', '.join(names)}", f"Change it.{nearest(baseline, names)}"
        raise ConfigError(problem("--baseline", expected, repr(baseline), todo))
    base = entries[names.index(baseline)]
    return [(entry, base) for entry in entries if entry is not base]


def _pair(one: _Entry, other: _Entry) -> Pair:
    of_all = one.runs[0].predictions
    changed = [
        Changed(
            of_all.ids[at],
            of_all.texts[at],
            *(LABELS[labels[at]] for labels in (of_all.gold, one.labels, other.labels)),
        )
        for at in np.flatnonzero(one.labels != other.labels)
    ]
    changed.sort(key=lambda statement: ("lost", "won", "wrong").index(statement.outcome))
    outcomes = [statement.outcome for statement in changed]
    won, lost = outcomes.count("won"), outcomes.count("lost")
    p = mcnemar(won, lost)
    found = difference(one.scores, other.scores)
    return Pair(one.system.name, other.system.name, found, found.p, won, lost, p, p, tuple(changed))


def _adjusted(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs with their p-values adjusted for there being so many."""
    adjusted = zip(pairs, holm([p.difference.p for p in pairs]), holm([p.mcnemar for p in pairs]), strict=True)
    return tuple(replace(pair, p_holm=p_holm, mcnemar_holm=other) for pair, p_holm, other in adjusted)


def _settings(entries: Sequence[_Entry]) -> dict[str, tuple[str | None, ...]]:
    params = [entry.runs[0].run.params for entry in entries]
    names = dict.fromkeys(name for each in params for name in sorted(each) if not name.startswith(_DERIVED))
    values = {name: tuple(each.get(name) for each in params) for name in sorted(names)}
    return {name: each for name, each in values.items() if len(set(each)) > 1}
