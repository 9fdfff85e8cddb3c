"""Several annotators' votes become one label, and their agreement becomes numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from pydantic import Field

from stance.config import Settings
from stance.schema import LABELS, Annotation, Label, Vote


class VoteSettings(Settings):
    """How votes become a label."""

    min_agreement: float = Field(0.5, ge=0, le=1, description="least share of the votes for the winning label")
    without_majority: Literal["drop", "first", "neutral"] = Field(
        "drop",
        description="on a tie or too little agreement: drop, take the first annotator's label, or call it neutral",
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far annotators agree on the statements that two or more of them labelled.

    `alpha` is Krippendorff's alpha for nominal data (Krippendorff 2011, "Computing Krippendorff's alpha-reliability");
    `pairs` the share of statements on which two annotators agree; `labels`, per label, the share of its votes that
    another vote on the same statement repeats (specific agreement, Cicchetti and Feinstein 1990); `unanimous` the share
    of statements with equal votes only. All `None` or empty where nobody voted twice.
    """

    statements: int
    alpha: float | None
    unanimous: float | None
    pairs: dict[str, float]
    labels: dict[str, float]


def decide(votes: Sequence[Vote], settings: VoteSettings) -> Label | None:
    """Return the label that most of `votes` give, or `None` where the settings say that the statement goes."""
    (label, count), *others = Counter(vote.label for vote in votes).most_common()
    tied = bool(others) and others[0][1] == count
    if not tied and count / len(votes) >= settings.min_agreement:
        return label
    return {"drop": None, "first": votes[0].label, "neutral": LABELS[1]}[settings.without_majority]


def shares(votes: Sequence[Vote]) -> tuple[float, ...]:
    """Return the share of each label among `votes`, in the order of `LABELS`, summing to 1."""
    counts = Counter(vote.label for vote in votes)
    return tuple(counts[label] / len(votes) for label in LABELS)


def agreement(annotations: Sequence[Annotation]) -> Agreement:
    """Measure the agreement over all annotations that carry two or more votes."""
    shared = [annotation.votes for annotation in annotations if len(annotation.votes) > 1]
    if not shared:
        return Agreement(0, None, None, {}, {})
    return Agreement(
        statements=len(shared),
        alpha=_alpha(shared),
        unanimous=sum(len({vote.label for vote in votes}) == 1 for votes in shared) / len(shared),
        pairs=_pairs(shared),
        labels=_specific(shared),
    )


def _alpha(shared: Sequence[Sequence[Vote]]) -> float | None:
    """Alpha needs at least two labels in use; with one it is not defined."""
    import krippendorff
    import numpy as np

    counts = np.array([[sum(vote.label == label for vote in votes) for label in LABELS] for votes in shared])
    if (counts.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _pairs(shared: Sequence[Sequence[Vote]]) -> dict[str, float]:
    same: Counter[str] = Counter()
    both: Counter[str] = Counter()
    for votes in shared:
        for one, other in combinations(sorted(votes, key=lambda vote: vote.annotator), 2):
            pair = f"{one.annotator} and {other.annotator}"
            both[pair] += 1
            same[pair] += one.label == other.label
    return {pair: same[pair] / both[pair] for pair in sorted(both)}


def _specific(shared: Sequence[Sequence[Vote]]) -> dict[str, float]:
    repeated = dict.fromkeys(LABELS, 0.0)
    given = dict.fromkeys(LABELS, 0.0)
    for votes in shared:
        for label, count in Counter(vote.label for vote in votes).items():
            repeated[label] += count * (count - 1) / (len(votes) - 1)
            given[label] += count
    return {label: repeated[label] / given[label] for label in LABELS if given[label]}
