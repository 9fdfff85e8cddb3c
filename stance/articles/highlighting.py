"""The text of an article as HTML with its statements marked; the text content of the result is the article's."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from stance.articles.positions import ScoredQuote
from stance.articles.records import Span

_UNSAFE: Final = {"\r": "&#13;"} | dict.fromkeys(map(chr, [0, *range(0xD800, 0xE000)]), "\ufffd")
_ESCAPES: Final = str.maketrans(_UNSAFE)


@dataclass(frozen=True, slots=True)
class Item:
    """A statement with its number on the page; `actors` are the numbers of those it counts for."""

    number: int
    one: ScoredQuote
    reading: str
    actors: tuple[int, ...]

    @property
    def style(self) -> str:
        """The class that draws the reading."""
        return "unscored" if self.reading == "not scored" else self.reading


def escaped(text: str) -> str:
    """Escape `text` for HTML; a reader sees the same characters, but for those that HTML cannot hold."""
    return escape(text).translate(_ESCAPES)


def highlighted(text: str, items: Sequence[Item]) -> str:
    """Return `text` as paragraphs with the statements marked; the text content of the result is `text`.

    The text is cut wherever a statement begins or ends, so that statements may hold or overlap each other; a cut piece
    is drawn as the shortest statement over it.
    """
    pieces = sorted((piece, item.number) for item in items for piece in _trimmed(text, item.one))
    by_number = {item.number: item for item in items}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    size: Counter[int] = Counter()
    for piece, number in pieces:
        first.setdefault(number, piece.start)
        last[number] = max(piece.end, last.get(number, 0))
        size[number] += piece.end - piece.start
    cuts = sorted({at for piece, _ in pieces for at in (piece.start, piece.end)})
    out, at = [], 0
    for line in text.split("\n"):
        end = at + len(line)
        edges = [at, *cuts[bisect_right(cuts, at) : bisect_left(cuts, end)], end]
        parts = []
        for start, stop in pairwise(edges):
            over = {number for piece, number in pieces if piece.start <= start and stop <= piece.end}
            inner = [by_number[number] for number in sorted(over, key=lambda number: (size[number], number))]
            anchors = "".join(_anchor(item) for item in inner if first[item.number] == start)
            refs = "".join(_ref(item) for item in inner if last[item.number] == stop)
            parts.append(anchors + _mark(text[start:stop], inner) + refs)
        out.append(f'<p dir="auto">{"".join(parts)}</p>' if line.strip() else escaped(line))
        at = end + 1
    return "\n".join(out)


def _trimmed(text: str, one: ScoredQuote) -> Iterator[Span]:
    """Yield the spans of a statement, a span for each line, without white space at their ends."""
    for piece in one.quote.pieces or [one.quote.span]:
        at = piece.start
        for line in piece.of(text).split("\n"):
            if line.strip():
                yield Span(at + len(line) - len(line.lstrip()), at + len(line.rstrip()))
            at += len(line) + 1


def _anchor(item: Item) -> str:
    return f'<span class="at" id="h{item.number}"></span>'


def _mark(text: str, over: Sequence[Item]) -> str:
    if not over:
        return escaped(text)
    style = over[0].style + (" inner" if len(over) > 1 else "")
    return f'<mark class="{style}" data-q="{" ".join(str(item.number) for item in over)}">{escaped(text)}</mark>'


def _ref(item: Item) -> str:
    # Its words are written by the style sheet: they are read out but no part of the article's text, nor copied with it.
    return f'<a class="ref {item.style}" href="#q{item.number}" data-q="{item.number}"></a>'
