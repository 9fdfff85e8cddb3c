"""The records that travel between the stages, and the words for them.

An `Annotation` is a sentence with its votes; the dataset builder turns it into an `Example` (text, target, label). A
model is asked with a `Query`, which has no label, so that a label cannot leak into a prediction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Label: TypeAlias = Literal["anti", "neutral", "pro"]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

LABELS: Final[tuple[Label, ...]] = ("anti", "neutral", "pro")
"""The labels in the order of every probability vector; saved with a model and checked when it is loaded."""

DEFAULT_TARGET: Final = "the disarmament of non-state armed groups"
"""What a stance is towards when nothing else is said."""

CONTRAST: Final = "contrast"
"""The `kind` of an invented look-alike of a statement with another label: training material only."""

INVENTED: Final = "invented"
"""The `kind` of an invented statement of its own, inspired by a real one (its `base`): training material only."""

MADE_UP: Final = (CONTRAST, INVENTED)
"""The kinds that nobody said: never evaluated on, always in the group of their base."""

KINDS: Final = ("direct", "indirect", "narration", *MADE_UP)
ACTOR_TYPES: Final = (
    "armed_group",
    "state",
    "foreign_state",
    "international_org",
    "political_party",
    "judiciary",
    "civil_society",
    "expert",
    "journalist",
    "other",
)


@dataclass(frozen=True, slots=True)
class Vote:
    """One annotator's label of one sentence.

    `conditional` marks a stance that names a condition (rule 1 of the codebook); `confidence` runs from 1 (a guess)
    to 3.
    """

    annotator: str
    label: Label
    conditional: bool = False
    confidence: int | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated sentence as a source gives it.

    `where` is `file:line` for messages. `document`, `start` and `end` (characters, end exclusive) place the text
    inside an article of the repository; `base` names the statement that a contrast statement was made from.
    """

    id: str
    text: str
    votes: tuple[Vote, ...]
    where: str
    target: str = DEFAULT_TARGET
    speaker: str | None = None
    affiliation: str | None = None
    actor_type: str | None = None
    theatre: str | None = None
    conflict: str | None = None
    country: str | None = None
    date: str | None = None
    source_url: str | None = None
    document: str | None = None
    start: int | None = None
    end: int | None = None
    kind: str | None = None
    base: str | None = None
    rationale: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What a model may see when it predicts."""

    text: str
    target: str = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text.

    `soft` holds the shares of the votes in the order of `LABELS`; `group` is what must not be split (pages,
    contrast sets, near-duplicate clusters); `weight` scales its share of a training loss and is 1 by default.
    """

    id: str
    text: str
    label: Label
    group: str
    target: str = DEFAULT_TARGET
    soft: tuple[float, ...] = ()
    weight: float = 1.0
    speaker: str | None = None
    affiliation: str | None = None
    actor_type: str | None = None
    theatre: str | None = None
    conflict: str | None = None
    country: str | None = None
    date: str | None = None
    source_url: str | None = None
    kind: str | None = None
    base: str | None = None

    @property
    def query(self) -> Query:
        """The example without its label."""
        return Query(self.text, self.target)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label and the probabilities of all labels, in the order of `LABELS`."""

    label: Label
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """How much the characters `start` to `end` (exclusive) of a text moved the score of a label: up if positive.

    The unit is the model's own (log-odds for a linear model): signs and ratios within one text mean something, sizes
    across models do not.
    """

    start: int
    end: int
    weight: float


def label_indices(labels: Sequence[Label]) -> IntArray:
    """Return the positions of `n` labels in `LABELS`, shape (n,)."""
    return np.array([LABELS.index(label) for label in labels], dtype=np.int64)
