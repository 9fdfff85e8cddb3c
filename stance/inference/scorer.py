"""Cells of a table -> answers, and the count of what came of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stance.inference.cache import Cache, digest
from stance.inference.language import ENGLISH, language_of
from stance.inference.predictor import MAX_CHARACTERS, Predictor, missing_reason
from stance.inference.rows import ABSTAIN, Answer, Broken, Cell, Reason
from stance.schema import LABELS


@dataclass(slots=True)
class Counts:
    """What became of rows.

    `rows` is `scored` plus the counts of `missing` by reason, and `scored` is `abstained` plus the counts of `labels`.
    `cut` of the scored ones were longer than `MAX_CHARACTERS`, `repeated` have a text that came before, `languages`
    counts those in other languages than English.
    """

    rows: int = 0
    scored: int = 0
    cut: int = 0
    repeated: int = 0
    abstained: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    missing: Counter[Reason] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, tree: Mapping[str, Any]) -> "Counts":
        """Return the counts that `as_dict` gave."""
        read: dict[str, Any] = {
            name: Counter(value) if isinstance(value, dict) else value for name, value in tree.items()
        }
        return cls(**read)

    def add(self, other: "Counts") -> None:
        """Count the rows that `other` counts, too."""
        for name in ("rows", "scored", "cut", "repeated", "abstained", "labels", "missing", "languages"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as numbers and mappings, in an order that depends on them alone."""
        return {
            "rows": self.rows,
            "scored": self.scored,
            "cut": self.cut,
            "repeated": self.repeated,
            "abstained": self.abstained,
            "labels": {label: self.labels[label] for label in LABELS},
            "missing": dict(sorted(self.missing.items())),
            "languages": dict(sorted(self.languages.items())),
        }


class Scorer:
    """Asks the predictor about texts that did not come before.

    A text whose largest probability is below `min_confidence` gets `ABSTAIN` for a label.
    """

    def __init__(self, predictor: Predictor, cache: Cache, languages: bool, min_confidence: float | None) -> None:
        self.counts = Counts()
        self.predictor = predictor
        self._cache = cache
        self._languages = languages
        self._least = min_confidence or 0.0

    def score(self, cells: Sequence[Cell]) -> list[Answer | None]:
        """Return the answers to `n` cells in their order, None where a cell cannot be scored."""
        texts = [cell[:MAX_CHARACTERS] if isinstance(cell, str) else None for cell in cells]
        keys = [None if text is None else digest(text) for text in texts]
        known, new = self._known({key: text for key, text in zip(keys, texts, strict=True) if key and text is not None})
        answers = [known[key] if key else None for key in keys]
        self.counts.repeated += sum(answer is not None for answer in answers) - new
        for cell, text, answer in zip(cells, texts, answers, strict=True):
            self._count(cell, text, answer)
        return answers

    def _known(self, texts: Mapping[bytes, str]) -> tuple[dict[bytes, Answer | None], int]:
        """The answers to different texts by digest, and how many of them had to be scored."""
        found = {key: self._cache.get(key) for key in texts}
        answers = {key: self._answer(*scores) if scores else None for key, scores in found.items()}
        unknown = [key for key, scores in found.items() if scores is None]
        new = 0
        for key, prediction in zip(unknown, self.predictor.predict([texts[key] for key in unknown]), strict=True):
            if prediction is not None:
                language = language_of(texts[key]) if self._languages else None
                self._cache.put(key, prediction.probabilities, language)
                answers[key] = self._answer(prediction.probabilities, language)
                new += 1
        return answers, new

    def _answer(self, probabilities: tuple[float, ...], language: str | None) -> Answer:
        best = max(probabilities)
        label = LABELS[probabilities.index(best)] if best >= self._least else ABSTAIN
        return Answer(label, probabilities, language)

    def _count(self, cell: Cell, text: str | None, answer: Answer | None) -> None:
        counts = self.counts
        counts.rows += 1
        if answer is None:
            reason = cell.reason if isinstance(cell, Broken) else missing_reason(text)
            assert reason is not None
            counts.missing[reason] += 1
            return
        counts.scored += 1
        counts.cut += isinstance(cell, str) and len(cell) > MAX_CHARACTERS
        if answer.label == ABSTAIN:
            counts.abstained += 1
        else:
            counts.labels[answer.label] += 1
        if answer.language not in (None, ENGLISH):
            counts.languages[str(answer.language)] += 1
