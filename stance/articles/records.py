"""What goes into the stage and what comes out: articles, the quotes in them, and what could not be read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

QuoteType: TypeAlias = Literal["direct", "indirect", "mixed"]
"""`direct`: every word of the content stands in quotation marks; `mixed`: some do; `indirect`: none does."""

_BESIDE: Final = 100
"""Characters between a source and its cue that leave no room for another quote: a name with its role is shorter."""

QUOTE_FIELDS: Final = (
    "document",
    "type",
    "source",
    "source_start",
    "source_end",
    "cue",
    "content",
    "content_start",
    "content_end",
    "confidence",
    "affiliation",
    "role",
    "cue_start",
    "cue_end",
    "pieces",
    "speakers",
)
"""The keys of `Quote.as_dict`, in this order; the first ten are pinned."""


@dataclass(frozen=True, slots=True)
class Article:
    """A news article. All offsets are Unicode characters of `text`; `id` is its file, or its key in a JSON line."""

    id: str
    text: str
    title: str | None = None
    date: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What was given as an article and is none: where it stands and the message for its reader."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` to `end` (exclusive) of an article's text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the characters of the span."""
        return text[self.start : self.end]

    def holds(self, other: "Span") -> bool:
        """Tell whether `other` lies inside this span."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True, slots=True)
class Quote:
    """One attribution: who (`source`) is said to have said, written, thought or wanted what (`content`).

    `source` is the name inside the article that the words in `source_span` stand for ("she" -> "Grace Whitcombe");
    both are None where nobody is named. `pieces` are the parts of a content that a cue clause interrupts ("Peace," she
    said, "is near"): `content` runs from the first to the last of them, and `statement` leaves the interruption out.
    `speakers` are the names of those who speak together ("A and B" in `source`), empty where one speaks; `affiliation`
    and `role` are then what is told of all of them.
    `confidence` (0 to 1) is a rank by the rule that found the quote, not a probability.
    """

    document: str
    type: QuoteType
    content: str
    span: Span
    source: str | None
    source_span: Span | None
    cue: str | None
    cue_span: Span | None
    confidence: float
    affiliation: str | None = None
    role: str | None = None
    pieces: Sequence[Span] = field(default=())
    speakers: Sequence[str] = field(default=())

    def statement(self, text: str) -> str:
        """Return the words of the source alone; `text` is the article's."""
        return " ".join(piece.of(text) for piece in self.pieces) if self.pieces else self.content

    def clause(self, text: str) -> str:
        """Return the content with its cue and, where it stands beside that, its source: what a model reads best.

        Measured in experiments/articles: the cue clause is not worse than the content alone, the sentence before is.
        """
        if self.cue_span is None:
            return self.content
        near = [self.span, self.cue_span]
        if self.source_span is not None and abs(self.source_span.start - self.cue_span.start) < _BESIDE:
            near.append(self.source_span)
        return text[min(span.start for span in near) : max(span.end for span in near)]

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, with the keys `QUOTE_FIELDS`."""
        return {
            "document": self.document,
            "type": self.type,
            "source": self.source,
            "source_start": self.source_span.start if self.source_span else None,
            "source_end": self.source_span.end if self.source_span else None,
            "cue": self.cue,
            "content": self.content,
            "content_start": self.span.start,
            "content_end": self.span.end,
            "confidence": round(self.confidence, 2),
            "affiliation": self.affiliation,
            "role": self.role,
            "cue_start": self.cue_span.start if self.cue_span else None,
            "cue_end": self.cue_span.end if self.cue_span else None,
            "pieces": [[piece.start, piece.end] for piece in self.pieces],
            "speakers": list(self.speakers),
        }
