"""Headlines attribute in a grammar of their own: "Mediator: talks cannot come first"."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stance.articles.clauses import Found, trimmed
from stance.articles.records import Span

if TYPE_CHECKING:
    from spacy.tokens import Doc

_LONGEST: Final = 160
"""Characters of a headline; the longest in agency style sheets are about 100."""
_LONGEST_SOURCE: Final = 7
_CONFIDENCE: Final = 0.7


def is_headline(text: str, within: Sequence[Span]) -> bool:
    """Tell whether the first paragraph is a headline: short, without a full stop, and not all there is."""
    if len(within) < 2:
        return False
    first = within[0].of(text)
    return len(first) <= _LONGEST and first[-1] not in ".:;,"


def headline(doc: "Doc", text: str, within: Sequence[Span], found: Sequence[Found]) -> list[Found]:
    """Return the attribution of a headline "source: content", unless `found` has one there already."""
    if not is_headline(text, within):
        return []
    tokens = [token for token in doc if token.idx < within[0].end and not token.is_space]
    colon = next((token.i for token in tokens if token.text == ":"), None)
    if colon is None or any(one.content[0] <= tokens[-1].i for one in found):
        return []
    source = trimmed(doc, (tokens[0].i, colon))
    if not 0 < source[1] - source[0] <= _LONGEST_SOURCE:
        return []
    if any(doc[i].tag_ in ("VBD", "VBZ", "VBP", "MD") for i in range(*source)):
        return []
    head = next((i for i in range(*source) if doc[i].tag_ == "IN"), source[1]) - 1
    content = trimmed(doc, (colon + 1, tokens[-1].i + 1))
    if content[1] <= content[0]:
        return []
    return [Found(content, None, max(head, source[0]), (source[0], max(head, source[0]) + 1), _CONFIDENCE)]
