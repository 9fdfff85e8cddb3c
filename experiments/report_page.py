"""The tables of the report, as Markdown. Numbers come in measured; what is here only lays them out."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from report_models import Cost, Saved

from stance.config import Settings
from stance.evaluation import Estimate, Evaluation, Outcome, Slice
from stance.schema import LABELS, Label

NOT_READ = "not read yet"
DOUBTFUL = "label doubtful"
OFTEN = 0.5
"""A capability whose share of failed cases is above this is named."""


class Reading(Settings):
    """Why a model errs on one statement, in the words of whoever read it."""

    cause: str
    why: str


class Readings(Settings):
    """The content of `causes.yaml`: what was read, of which model, and the readings by id."""

    model: str
    fingerprint: str
    readings: dict[str, Reading]


@dataclass(frozen=True, slots=True)
class Measured:
    """A model with its evaluations by split, `before` and after calibration, its behaviour and its cost."""

    saved: Saved
    before: Mapping[str, Evaluation]
    after: Mapping[str, Evaluation]
    behaviour: Sequence[Outcome]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Tested:
    """A paired difference in macro-F1, `one` minus `other`, and statements that only one of them has right."""

    one: str
    other: str
    value: float
    low: float
    high: float
    p: float
    won: int
    lost: int
    mcnemar: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A statement with a wrong label and the probability that it was given with.

    `agreed` is the share of the annotators' votes that the gold label has.
    """

    id: str
    split: str
    text: str
    theatre: str
    actor_type: str
    gold: Label
    agreed: float
    predicted: Label
    probability: float


def score_table(models: Sequence[Measured], split: str) -> Iterator[str]:
    """Yield the scores of all models on a split."""
    head = ("model", "macro-F1", "accuracy", "ECE", "log loss", "accuracy at 50 % coverage", "decidable at 90 %")
    names = ("macro_f1", "accuracy", "ece", "log_loss", "accuracy_at_coverage_50", "coverage_at_accuracy_90")
    rows = []
    for one in models:
        found = one.after[split].metrics
        cells = [estimate(found[name]) for name in names[:-1]]
        rows.append((f"`{one.saved.name}`", *cells, f"{found[names[-1]].value:.0%}"))
    yield from _table(head, rows)


def seed_table(scores: Mapping[str, Mapping[str, Mapping[int, float]]], splits: Sequence[str]) -> Iterator[str]:
    """Yield a score of each model by split and seed: the mean, the range, and each."""
    head = ["model", "seeds"]
    for split in splits:
        head += [f"`{split}`: mean", "range", "each"]
    rows = []
    for name, by_split in scores.items():
        cells = [f"`{name}`", ", ".join(str(seed) for seed in sorted(by_split[splits[0]]))]
        for split in splits:
            values = [by_split[split][seed] for seed in sorted(by_split[split])]
            each = ", ".join(f"{value:.3f}" for value in values)
            cells += [f"{sum(values) / len(values):.3f}", f"{min(values):.3f} to {max(values):.3f}", each]
        rows.append(cells)
    yield from _table(head, rows)


def cost_table(models: Sequence[Measured]) -> Iterator[str]:
    """Yield what each model fails and costs."""
    cases = sum(outcome.n for outcome in models[0].behaviour)
    head = (
        "model",
        f"behaviour: failed of {cases}",
        "capabilities failed in more than half",
        "size on disk, MB",
        "statements a second",
        "training, minutes",
    )
    rows = []
    for one in models:
        failed = str(sum(len(outcome.failures) for outcome in one.behaviour))
        often = ", ".join(f"{o.capability} ({len(o.failures)}/{o.n})" for o in one.behaviour if o.rate > OFTEN)
        size = one.saved.size / 1e6
        speed = f"{one.cost.per_second:,.0f}"
        rows.append((f"`{one.saved.name}`", failed, often or "none", _size(size), speed, _minutes(one.cost)))
    yield from _table(head, rows)


def test_table(tests: Sequence[Tested]) -> Iterator[str]:
    """Yield paired differences; `p` and `mcnemar` are to be adjusted already."""
    head = ("pair", "macro-F1, difference", "p (Holm)", "right where the other is wrong", "McNemar p (Holm)")
    rows = [
        (
            f"`{t.one}` − `{t.other}`",
            f"{t.value:+.3f} [{t.low:+.3f}, {t.high:+.3f}]".replace("-", "−"),
            _p(t.p),
            f"{t.won} against {t.lost}",
            _p(t.mcnemar),
        )
        for t in tests
    ]
    yield from _table(head, rows)


def calibration_table(models: Sequence[Measured], splits: Sequence[str]) -> Iterator[str]:
    """Yield ECE and log loss with temperature 1 and with the fitted one."""
    head = ["model", "temperature"]
    for split in splits:
        head += [f"ECE, `{split}`", f"log loss, `{split}`"]
    rows = []
    for one in models:
        cells = [f"`{one.saved.name}`", f"{one.saved.temperature:.2f}"]
        for split in splits:
            before, after = one.before[split].metrics, one.after[split].metrics
            cells += [f"{before[name].value:.3f} → {after[name].value:.3f}" for name in ("ece", "log_loss")]
        rows.append(cells)
    yield from _table(head, rows)


def facet_table(models: Sequence[tuple[str, Evaluation]], facet: str) -> Iterator[str]:
    """Yield accuracy and macro-F1 of models by the values of a facet, largest first; intervals of the last model."""
    head = [facet.replace("_", " "), "n", "groups", "anti/neutral/pro"]
    head += [f"`{name}`: accuracy, macro-F1" for name, _ in models]
    by_model = [{part.value: part for part in evaluation.facets[facet]} for _, evaluation in models]
    rows = []
    for part in models[-1][1].facets[facet]:
        counts = "/".join(str(count) for count in part.labels.values())
        cells = [(part.value or "(none)").replace("_", " "), str(part.n), str(part.groups), counts]
        cells += [_slice(parts[part.value], sure=parts is by_model[-1]) for parts in by_model]
        rows.append(cells)
    yield from _table(head, rows)


def mistake_table(mistakes: Sequence[Mistake], readings: Mapping[str, Reading]) -> Iterator[str]:
    """Yield mistakes with the cause that was read."""
    head = ("", "text", "gold", "predicted", "cause", "why")
    rows = []
    for number, one in enumerate(mistakes, 1):
        reading = readings.get(one.id)
        where = f"{one.text.replace('|', '/')} *({one.theatre}, {one.actor_type}; `{one.split}`, `{one.id}`)*"
        cause, why = (reading.cause, reading.why) if reading else (NOT_READ, "")
        gold = one.gold if one.agreed == 1 else f"{one.gold} ({one.agreed:.0%} of votes)"
        rows.append((str(number), where, gold, f"{one.predicted} {one.probability:.2f}", cause, why))
    yield from _table(head, rows)


def causes(mistakes: Sequence[Mistake], readings: Mapping[str, Reading]) -> str:
    """Return a line with how often each cause was read, most frequent first."""
    counts = Counter(readings[one.id].cause if one.id in readings else NOT_READ for one in mistakes)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    told = ", ".join(f"{cause} {count}" for cause, count in ordered)
    return f"Causes: {told}. The label is doubtful under the codebook in {counts[DOUBTFUL]} of {len(mistakes)}."


def direction_table(evaluation: Evaluation) -> Iterator[str]:
    """Yield the confusion matrix."""
    rows = [(label, *(str(count) for count in row)) for label, row in zip(LABELS, evaluation.confusion, strict=True)]
    yield from _table(("gold, predicted as →", *LABELS), rows)


def estimate(found: Estimate) -> str:
    """Return a score with its interval, where there is one."""
    if math.isnan(found.low):
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.2f}, {found.high:.2f}]"


def _slice(part: Slice, sure: bool) -> str:
    accuracy = f"{part.accuracy.value:.2f}"
    if sure and not math.isnan(part.accuracy.low):
        accuracy += f" [{part.accuracy.low:.2f}, {part.accuracy.high:.2f}]"
    return f"{accuracy}, {part.macro_f1.value:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _size(megabytes: float) -> str:
    return f"{megabytes:,.1f}" if megabytes >= 0.1 else "< 0.1"


def _minutes(cost: Cost) -> str:
    if cost.train_seconds is None:
        return "not tracked"
    minutes = cost.train_seconds / 60
    return (f"{minutes:.1f}" if minutes >= 0.1 else "< 0.1") + ("*" if cost.whole_run else "")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
