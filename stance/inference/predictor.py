"""Texts in memory -> predictions, in their order, with a reason for every text that has none."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from stance.errors import ConfigError, problem
from stance.models import Classifier, load
from stance.plugins import nearest
from stance.schema import DEFAULT_TARGET, LABELS, Attribution, Prediction, Query
from stance.text import normalise

MissingReason: TypeAlias = Literal["missing", "blank", "invalid UTF-8", "NUL byte"]

MAX_CHARACTERS: Final = 100_000
"""Characters of a text that are scored: some 15,000 words, longer than any article. What is longer is no statement but
a file that went astray, and one such row should not cost more than 600 usual ones (166 characters on average)."""

_CHARACTERS_AT_ONCE: Final = 1_000_000
"""Characters given to the model in one call: some 6,000 usual statements. The features of a text take many times its
size while they are counted, so this bounds the memory of a call however long the texts are."""

_NAMED: Final = 8
"""Targets that a message names: a data set may have thousands."""

_log = logging.getLogger(__name__)


def missing_reason(text: str | None) -> MissingReason | None:
    """Return why `text` cannot be scored, or None if it can.

    Lone surrogates are what Python makes of bytes that are no UTF-8; a text with these or with a NUL is damaged, and a
    probability for it would look like any other. A text is blank if nothing is left of it once it is normalised.
    """
    if text is None:
        return "missing"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "invalid UTF-8"
    if "\0" in text:
        return "NUL byte"
    # What begins with a letter or a digit is not blank; only the others are worth the time of normalising.
    return None if text[:1].isalnum() or normalise(text[:MAX_CHARACTERS]) else "blank"


class Predictor:
    """A classifier asked about one target. Texts go to it as they are: it normalises them itself."""

    def __init__(self, classifier: Classifier, target: str | None = None) -> None:
        """Ask `classifier` about `target`, or about the only target it knows.

        Raises:
            ConfigError: `target` is blank, or is not given and the classifier knows several.
        """
        self.classifier = classifier
        self.target = _the_target(classifier.targets, target)

    @classmethod
    def load(cls, folder: Path, target: str | None = None) -> Self:
        """Return a predictor with the classifier saved in `folder`.

        Raises:
            ModelError: the folder is missing, damaged or made for other labels.
            ConfigError: `target` is blank, or is not given and the classifier knows several.
        """
        return cls(load(folder), target)

    def predict(self, texts: Sequence[str | None]) -> list[Prediction | None]:
        """Return the predictions of `n` texts in their order; None where `missing_reason` gives a reason.

        Texts that are equal in their first `MAX_CHARACTERS` characters are scored once.
        """
        scored = [
            text[:MAX_CHARACTERS] if text is not None and missing_reason(text) is None else None for text in texts
        ]
        answers: dict[str | None, Prediction | None] = dict.fromkeys(scored)
        for chunk in _chunks([text for text in answers if text is not None]):
            probabilities = self.classifier.predict_proba([Query(text, self.target) for text in chunk])
            for text, best, row in zip(
                chunk, probabilities.argmax(axis=1).tolist(), probabilities.tolist(), strict=True
            ):
                answers[text] = Prediction(LABELS[best], tuple(row))
        return [answers[text] for text in scored]

    def explain(self, text: str) -> list[Attribution]:
        """Return what moved the score of the predicted label, in the order of the text; nothing if there is none.

        The model is asked about the text as it is, not normalised, so that the positions are those of `text`.
        """
        (prediction,) = self.predict([text])
        if prediction is None:
            return []
        query = Query(text[:MAX_CHARACTERS], self.target)
        return self.classifier.model.explain(query, LABELS.index(prediction.label))


def _the_target(known: Sequence[str], target: str | None) -> str:
    if target is None:
        if len(known) > 1:
            more = f" and {len(known) - _NAMED:,} more" if len(known) > _NAMED else ""
            named = ", ".join(map(repr, known[:_NAMED])) + more
            raise ConfigError(problem("--target", f"one of {named}", "nothing", "Name one."))
        return known[0] if known else DEFAULT_TARGET
    if not target.strip():
        raise ConfigError(problem("--target", "a target", repr(target), "Name one."))
    if known and target not in known:
        # No error: a model that reads the target may well be asked about one that it never saw.
        _log.warning("The model never saw the target %r.%s", target, nearest(target, list(known)))
    return target


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Cut `texts` into runs of about `_CHARACTERS_AT_ONCE` characters, one text at least."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= _CHARACTERS_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
