"""The model card: what a reader must know before using a model, with the front matter that the Hub reads."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from stance.evaluation import Estimate, Evaluation
from stance.evaluation.behaviour import Outcome
from stance.models import Classifier
from stance.schema import LABELS
from stance.training import learnt_splits

METRICS: Final = ("macro_f1", "f_avg", "accuracy", "ece", "brier", "log_loss", "accuracy_at_coverage_50")
_HUB_METRICS: Final = {"macro_f1": ("f1", "Macro-F1"), "accuracy": ("accuracy", "Accuracy")}
_TARGETS_SHOWN: Final = 5

_USE: Final = """\
It reads one statement in English and says whether its source is for (`pro`), against (`anti`) or `neutral` towards the
target, for research on news and public statements.

Not for targeting people, moderating speech or predicting violence: a label describes a statement, not a person, and
says nothing about what a group did. Stance is not sentiment."""

_LIMITS: Final = """\
- The wording and the labels of the statements it learnt from were produced with an AI system under a codebook and never
  checked by a person: the scores say how well the model reproduces these labels.
- English only; one statement at a time, without its context.
- The intervals are over groups of statements of the conflicts that were measured. They say nothing about another
  domain, and nothing about another training of the same recipe."""


def card(
    classifier: Classifier,
    evaluations: Mapping[str, Evaluation],
    outcomes: Sequence[Outcome] = (),
    library: str = "stance",
    usage: str = "",
) -> str:
    """Return the card as Markdown; the same input gives the same text.

    Args:
        classifier: the model.
        evaluations: by split; those by `theatre` are shown as well, where they are there.
        outcomes: of the behaviour suite, none if it was not run.
        library: what the Hub says loads the files beside the card.
        usage: Markdown on how to load them.
    """
    sections = [
        f"---\n{_front_matter(classifier, evaluations, library)}\n---",
        f"# {name_of(classifier)}: stance towards {_targets(classifier)}",
        f"## Intended use\n\n{_USE}",
        *([f"## How to use it\n\n{usage.strip()}"] if usage else []),
        f"## Data\n\n{_data(classifier, evaluations)}",
        f"## Scores\n\n{_scores(classifier, evaluations)}",
        *_by_theatre(evaluations),
        f"## Calibration\n\n{_calibration(classifier, evaluations)}",
        f"## Behaviour\n\n{_behaviour(outcomes)}",
        f"## Limits\n\n{_LIMITS}",
    ]
    return "\n\n".join(sections) + "\n"


def name_of(classifier: Classifier) -> str:
    """Return what the config of a model is called, or its kind where it came from none."""
    return _plain(str(classifier.origin.get("name") or classifier.kind))


def estimate(found: Estimate) -> str:
    """Return a score with its interval, if there is one."""
    if math.isnan(found.value):
        return "-"
    interval = "" if math.isnan(found.low) else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.value:.3f}{interval}"


def _front_matter(classifier: Classifier, evaluations: Mapping[str, Evaluation], library: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    data = classifier.origin.get("data")
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=str(data or "unknown"),
            dataset_name=str(data or "unknown"),
            dataset_split=split,
            dataset_revision=classifier.origin.get("data_fingerprint"),
            metric_type=kind,
            metric_name=title,
            metric_value=round(evaluation.metrics[metric].value, 4),
        )
        for split, evaluation in evaluations.items()
        for metric, (kind, title) in _HUB_METRICS.items()
    ]
    facts: dict[str, Any] = {"datasets": [str(data)]} if data else {}
    if results:
        facts |= {"model_name": name_of(classifier), "eval_results": results}
    return ModelCardData(
        language="en",
        license="apache-2.0",
        library_name=library,
        pipeline_tag="text-classification",
        tags=["stance-detection", "disarmament", classifier.kind],
        **facts,
    ).to_yaml()


def _targets(classifier: Classifier) -> str:
    shown = ", ".join(map(_plain, classifier.targets[:_TARGETS_SHOWN]))
    more = len(classifier.targets) - _TARGETS_SHOWN
    return shown + (f" and {more:,} other targets" if more > 0 else "")


def _data(classifier: Classifier, evaluations: Mapping[str, Evaluation]) -> str:
    origin = classifier.origin
    counts = origin.get("train_labels") or {}
    rows = [["train", sum(counts.values()), "-", *(counts.get(label, 0) for label in LABELS)]] if counts else []
    rows += [[name, e.n, e.groups, *(e.labels[label] for label in LABELS)] for name, e in evaluations.items()]
    told = f"Data set `{_plain(str(origin.get('data', 'unknown')))}`"
    mark = f", fingerprint `{origin['data_fingerprint']}`" if origin.get("data_fingerprint") else ""
    more = f" In train: the statements of {_extra(classifier)}, too." if _extra(classifier) else ""
    return f"{told}{mark}.{more}\n\n{_table(['split', 'statements', 'groups', *LABELS], rows)}"


def _extra(classifier: Classifier) -> str:
    """The splits that the model has learnt from beside train, in words."""
    return " and ".join(_plain(split) for split in sorted(learnt_splits(classifier.origin) - {"train"}))


def _scores(classifier: Classifier, evaluations: Mapping[str, Evaluation]) -> str:
    if not evaluations and _extra(classifier):
        return f"Not measured: the model has learnt from {_extra(classifier)}, on which others are measured."
    if not evaluations:
        return "Not measured: the data that the model was trained on is not there, or has changed."
    rows = [[metric, *(estimate(e.metrics[metric]) for e in evaluations.values())] for metric in METRICS]
    first = next(iter(evaluations.values()))
    rows.append([f"macro_f1 of always `{first.majority.label}`", *(_round(e) for e in evaluations.values())])
    drawn = f"95 % intervals: percentile bootstrap over groups, {first.resamples:,} resamples, seed {first.seed}."
    return f"{_table(['', *evaluations], rows)}\n\n{drawn} Lower is better for ece, brier and log_loss."


def _round(evaluation: Evaluation) -> str:
    return f"{evaluation.majority.macro_f1:.3f}"


def _by_theatre(evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    for name, evaluation in evaluations.items():
        rows = [
            [
                _plain(part.value or "(none)"),
                part.n,
                part.groups,
                estimate(part.macro_f1) + (" *" if 0 in part.labels.values() else ""),
                estimate(part.accuracy),
            ]
            for part in evaluation.facets.get("theatre", ())
        ]
        if len(rows) > 1:
            table = _table(["theatre", "statements", "groups", "macro_f1", "accuracy"], rows)
            note = "\n\n\\* A label is missing from gold, so that macro_f1 cannot reach 1." if "*" in table else ""
            yield f"### {name} by theatre\n\n{table}{note}"


def _calibration(classifier: Classifier, evaluations: Mapping[str, Evaluation]) -> str:
    told = f"Logits are divided by a temperature of {classifier.temperature:.3f}, found on validation."
    rows = [
        [name, f"{part.low:.2f} to {part.high:.2f}", part.n, f"{part.confidence:.3f}", f"{part.accuracy:.3f}"]
        for name, evaluation in evaluations.items()
        for part in evaluation.reliability
        if part.n
    ]
    head = ["split", "confidence", "statements", "mean confidence", "accuracy"]
    return told + (f"\n\n{_table(head, rows)}" if rows else "")


def _behaviour(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return "The suite of hand-written cases was not run."
    rows = [[_plain(o.capability), o.type, o.n, len(o.failures), f"{o.rate:.0%}"] for o in outcomes]
    cases, failed = sum(o.n for o in outcomes), sum(len(o.failures) for o in outcomes)
    rows.append(["all", "", cases, failed, f"{failed / cases:.0%}"])
    return _table(["capability", "type", "cases", "failed", "rate"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)])


def _plain(text: str) -> str:
    """A foreign name as one line in which nothing is markup."""
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))
    return "".join(f"&#{ord(letter)};" if letter in "\\`*<>|&~[]" else letter for letter in line)
