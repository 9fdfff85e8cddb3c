"""Tells what of the marked passages is somebody's speech, and whose: the cue stands behind, before or between them.

The words beside a passage are read as they stand, with little trust in the parse: what is quoted has sentences of its
own, over which a parser trained on sentences stumbles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from stance.articles import cues
from stance.articles.clauses import Found, Range, noun_phrase, subject, trimmed
from stance.articles.quotemarks import Marked
from stance.articles.records import Span
from stance.articles.wordlists import words

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_ADJACENT: Final = 0.95
_COLON: Final = 0.8
_CONTINUED: Final = 0.8
_ALONE: Final = 0.5

_ENDS: Final = frozenset(".?!")
_OPEN_ENDS: Final = frozenset(",?!—–-…")
_FINITE: Final = frozenset({"VBD", "VBZ", "VBP", "MD"})
_STOPS: Final = words("in on at during after before to by from as while when with outside inside via through this last")
_LONGEST_WINDOW: Final = 40


@dataclass(frozen=True, slots=True)
class _Passage:
    """A passage in tokens, its marks included; `alone` if its paragraph holds nothing else."""

    tokens: Range
    paragraph: int
    alone: bool
    ending: str


def token_ranges(doc: "Doc", spans: Sequence[Span]) -> list[Range]:
    """Return the tokens that each span touches."""
    ranges = []
    for span in spans:
        found = doc.char_span(span.start, span.end, alignment_mode="expand")
        ranges.append((found.start, found.end) if found is not None else (0, 0))
    return ranges


def find(doc: "Doc", text: str, passages: Sequence[Marked], within: Sequence[Span]) -> list[Found]:
    """Return the direct quotes among `passages`, in order; `within` are the paragraphs of the article.

    A passage that goes on over several paragraphs is one quote. Left out are passages inside a sentence of the
    reporter's ("gave his 'blessing'"): whether these are speech, the rules for indirect speech decide.
    """
    borders = token_ranges(doc, within)
    quotes: list[Found] = []
    at_paragraph: dict[int, Found] = {}
    row = _passages(doc, text, passages, within)
    for number, passage in enumerate(row):
        before = _before(doc, passage, row[number - 1] if number else None, borders)
        after = _after(doc, passage, row[number + 1] if number + 1 < len(row) else None, borders)
        found = _attributed(doc, passage, before, after)
        last = quotes[-1] if quotes else None
        if found is None and _stands_alone(doc, passage, before):
            found = _continued(passage, at_paragraph, last)
        if found is None:
            continue
        if last is not None and _splits(doc, last, found, row[number - 1], passage):
            found = replace(
                last,
                content=(last.content[0], found.content[1]),
                pieces=(*(last.pieces or (last.content,)), found.content),
            )
            quotes.pop()
        quotes.append(found)
        at_paragraph[passage.paragraph] = found
    return quotes


def _passages(doc: "Doc", text: str, passages: Sequence[Marked], within: Sequence[Span]) -> list[_Passage]:
    """Return the passages in tokens, those that print continues over paragraphs joined."""
    row: list[_Passage] = []
    joined: Range | None = None
    for passage, tokens in zip(passages, token_ranges(doc, [p.span for p in passages]), strict=True):
        start, end = (joined[0], tokens[1]) if joined else tokens
        if passage.continued:
            joined = (start, end)
            continue
        joined = None
        number = next((n for n, p in enumerate(within) if p.start <= passage.span.start < p.end), 0)
        inside = text[passage.span.start + 1 : passage.span.end - passage.closed].rstrip()
        rest = within[number].end - passage.span.end
        row.append(_Passage((start, end), number, rest <= 1, inside[-1:] or " "))
    return row


def _before(doc: "Doc", passage: _Passage, previous: _Passage | None, borders: Sequence[Range]) -> Range:
    """Return the words before the passage, back to the sentence's start or the passage before."""
    start = passage.tokens[0]
    number = next((n for n, (a, b) in enumerate(borders) if a <= start < b), passage.paragraph)
    floor = borders[number][0]
    if previous is not None:
        floor = max(floor, previous.tokens[1])
    at = start
    while at > floor and start - at < _LONGEST_WINDOW and doc[at - 1].text not in _ENDS:
        at -= 1
    return at, start


def _after(doc: "Doc", passage: _Passage, following: _Passage | None, borders: Sequence[Range]) -> Range:
    """Return the words behind the passage, up to the sentence's end or the next passage."""
    end = passage.tokens[1]
    ceiling = borders[passage.paragraph][1]
    if following is not None:
        ceiling = min(ceiling, following.tokens[0])
    at = end
    while at < ceiling and at - end < _LONGEST_WINDOW and doc[at].text not in _ENDS:
        at += 1
    return end, at


def _attributed(doc: "Doc", passage: _Passage, before: Range, after: Range) -> Found | None:
    """Return the passage with the cue beside it, or None if it has none of its own."""
    starts = doc[after[0]].lower_ if after[0] < after[1] else ""
    behind = passage.ending in _OPEN_ENDS or starts in (",", "—", "–", "-")
    introduced = before[1] > before[0] and doc[before[1] - 1].text in (",", ":", "—", "–")
    inside = not introduced and any(doc[i].tag_ not in ("CC", "RB", "_SP", "UH") for i in range(*before))
    speaks = before[1] > before[0] and _speaks(doc[before[1] - 1])
    if inside and not speaks:
        return None
    if behind and not (introduced and doc[before[1] - 1].text == ":"):
        cue = _cue(doc, after)
        if cue is not None:
            return _with_source(doc, passage, cue, after)
    if introduced or speaks:
        return _introduced(doc, passage, before)
    if doc[after[0] : after[1]].text[:1].islower() and passage.ending in _ENDS:
        cue = _cue(doc, after)
        if cue is not None and cue - after[0] < 6:
            return _with_source(doc, passage, cue, after)
    return None


def _speaks(token: "Token") -> bool:
    return token.lower_ in cues.LEMMAS_OF_QUOTING and token.tag_.startswith("V") and token.dep_ != "amod"


def _cue(doc: "Doc", window: Range) -> int | None:
    """Return the first verb of speech in the window, unless another finite verb comes before it."""
    for at in range(*window):
        token = doc[at]
        noun = token.tag_.startswith("N") and token.dep_ not in ("compound", "pobj", "nsubj")
        verb = token.tag_.startswith("V") and token.dep_ != "amod"
        if token.lower_ in cues.LEMMAS_OF_QUOTING and (noun or verb):
            return at
        if token.tag_ in _FINITE and token.dep_ not in ("aux", "auxpass", "relcl") and token.lower_ not in (
            "has", "had", "have", "was", "is", "would",
        ):  # fmt: skip
            relative = any(ancestor.dep_ == "relcl" for ancestor in token.ancestors)
            if not relative and token.dep_ not in ("acl", "ccomp"):
                return None
    return None


def _with_source(doc: "Doc", passage: _Passage, cue: int, window: Range) -> Found:
    """Return the passage with the source before its cue ("the premier told") or behind it ("said Reke, who")."""
    left = _without_trail(doc, trimmed(doc, (window[0], cue)))
    source = left if _nominal(doc, left) else _source_behind(doc, cue, window)
    head = _head(doc, source) if source is not None else None
    return Found(passage.tokens, (cue, cue + 1), head, source, _ADJACENT)


def _without_trail(doc: "Doc", tokens: Range) -> Range:
    """Return the tokens before a cue without auxiliaries, adverbs and days at their end ("she on Friday")."""
    start, end = tokens
    while end > start:
        token = doc[end - 1]
        if token.tag_ in ("MD", "RB", "RBR") or token.lower_ in (
            "has", "had", "have", "was", "is", "were", "been", "quoted", "as", "be",
        ):  # fmt: skip
            end -= 1
        elif token.tag_ == "NNP" and token.lower_.endswith("day"):
            end -= 2 if end - 2 >= start and doc[end - 2].lower_ == "on" else 1
        elif token.lower_ in (",", "and", "also", "then", "later"):
            end -= 1
        else:
            break
    return start, max(start, end)


def _nominal(doc: "Doc", tokens: Range) -> bool:
    return any(doc[i].tag_.startswith(("NN", "PRP", "CD", "DT")) for i in range(*tokens))


def _source_behind(doc: "Doc", cue: int, window: Range) -> Range | None:
    verb = doc[cue]
    who = next((c for c in verb.children if c.dep_ in ("nsubj", "dobj") and cue < c.i < window[1]), None)
    if who is not None and who.dep_ == "nsubj":
        start, end = noun_phrase(who, verb)
        return trimmed(doc, (max(start, cue + 1), min(end, window[1])))
    end = cue + 1
    while end < window[1] and doc[end].lower_ not in _STOPS and doc[end].text not in (";", ":"):
        if doc[end].text == "," and end + 1 < window[1] and doc[end + 1].tag_ in ("VBG", "CC"):
            break
        end += 1
    found = trimmed(doc, (cue + 1, end))
    return found if _nominal(doc, found) else None


def _head(doc: "Doc", source: Range) -> int:
    """Return the token of the source that its other tokens hang on."""
    for at in range(*source):
        free = not source[0] <= doc[at].head.i < source[1] or doc[at].head == doc[at]
        if free and doc[at].dep_ != "poss" and doc[at].tag_.startswith(("N", "P", "CD", "DT", "J")):
            return at
    return source[1] - 1


def _introduced(doc: "Doc", passage: _Passage, window: Range) -> Found | None:
    """Return the passage with the cue in front of it: "Deso told supporters: ...", "was cooler: ..."."""
    verbs = [doc[i] for i in range(*window) if doc[i].tag_.startswith("V") or doc[i].tag_ == "MD"]
    speaking = [verb for verb in verbs if verb.lower_ in cues.LEMMAS_OF_QUOTING]
    colon = doc[window[1] - 1].text == ":"
    if speaking:
        verb = speaking[-1]
        who = subject(verb)
        if who is None or not window[0] <= who.i < window[1]:
            source = _without_trail(doc, trimmed(doc, (window[0], verb.i)))
            source_or_none = source if _nominal(doc, source) else None
        else:
            start, end = noun_phrase(who, verb)
            source_or_none = max(start, window[0]), min(end, window[1])
        if source_or_none is None and not colon:
            return None
        head = _head(doc, source_or_none) if source_or_none else None
        if who is not None and source_or_none and source_or_none[0] <= who.i < source_or_none[1]:
            head = who.i
        return Found(passage.tokens, (verb.i, verb.i + 1), head, source_or_none, _ADJACENT)
    if not colon:
        return None
    if verbs:
        who = subject(verbs[0])
        if who is None or not window[0] <= who.i < window[1]:
            return None
        return Found(passage.tokens, None, who.i, noun_phrase(who, verbs[0]), _COLON)
    source = trimmed(doc, window)
    return Found(passage.tokens, None, _head(doc, source), source, _COLON) if _nominal(doc, source) else None


def _stands_alone(doc: "Doc", passage: _Passage, before: Range) -> bool:
    """Tell whether the passage is a sentence by itself: nothing before it, capital letter, full stop or alike."""
    first = next((doc[i].text for i in range(*passage.tokens) if doc[i].text[:1].isalnum()), "")
    return before[0] == before[1] and first[:1].isupper() and passage.ending in ".?!…," and _length(doc, passage) > 1


def _length(doc: "Doc", passage: _Passage) -> int:
    return sum(doc[i].text[:1].isalnum() for i in range(*passage.tokens))


def _continued(passage: _Passage, at_paragraph: dict[int, Found], last: Found | None) -> Found | None:
    """Return the passage as words of whoever spoke last, in its own paragraph or in the one before."""
    same = at_paragraph.get(passage.paragraph)
    if same is not None:
        return Found(passage.tokens, None, same.subject, same.source, _CONTINUED)
    if last is not None:
        near = passage.paragraph - 1 in at_paragraph
        return Found(passage.tokens, None, last.subject, last.source, _ALONE if near else _ALONE - 0.1)
    return None


def _splits(doc: "Doc", last: Found, found: Found, before: _Passage, passage: _Passage) -> bool:
    """Tell whether a cue clause cuts one sentence in two: "Savers," Brock said, "are being rewarded"."""
    if before.paragraph != passage.paragraph or last.content[1] != before.tokens[1]:
        return False
    if last.cue is None or found.cue != last.cue or before.ending != ",":
        return False
    words: Iterator[Token] = (doc[i] for i in range(*passage.tokens) if doc[i].text[:1].isalnum())
    first = next(words, None)
    return first is not None and (first.text[:1].islower())
