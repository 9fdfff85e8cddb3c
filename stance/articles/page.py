"""Articles and scored quotes -> one HTML page for a person.

The page needs nothing but itself: style and script stand inside, the content security policy forbids everything else,
and no data is written into the script, so that no string of an article can become part of it.
"""

import base64
import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import pairwise
from pathlib import PurePath
from string import Template
from typing import Final

from stance.articles.positions import (
    READINGS,
    UNCERTAIN,
    WITHIN_ARTICLE,
    Actor,
    ScoredQuote,
    keys,
    positions,
)
from stance.articles.records import Article, QuoteType, Span
from stance.articles.timeline import Change, described, find_change, moments, row, signed
from stance.errors import DataError, problem
from stance.schema import DEFAULT_TARGET, LABELS

_OPEN_AT_MOST: Final = 5
"""Articles that stand open at first; of more, only the titles show."""

_NAMES_AT_MOST: Final = 4
"""Speakers named on the line of their body."""

_LINES_AT_MOST: Final = 40
"""Actors drawn over time, besides those who changed: more would be neither looked at nor light."""

_SIGNS: Final = {"anti": "◂", "neutral": "●", "pro": "▸", "uncertain": "?", "not scored": "–"}
_TYPES: Final[dict[QuoteType, str]] = {"direct": "quoted", "indirect": "reported", "mixed": "partly quoted"}
_WEB: Final = re.compile("https?://[^/]", re.IGNORECASE)
_UNSAFE: Final = {"\r": "&#13;"} | dict.fromkeys(map(chr, [0, *range(0xD800, 0xE000)]), "\ufffd")
_ESCAPES: Final = str.maketrans(_UNSAFE)


@dataclass(frozen=True, slots=True)
class _Item:
    """A statement with its number on the page; `actors` are the numbers of those it counts for."""

    number: int
    one: ScoredQuote
    reading: str
    actors: tuple[int, ...]

    @property
    def style(self) -> str:
        """The class that draws the reading."""
        return "unscored" if self.reading == "not scored" else self.reading


@dataclass(frozen=True, slots=True)
class _Page:
    """What all parts of the page refer to."""

    articles: dict[str, Article]
    items: list[_Item]
    actors: list[Actor]
    numbers: dict[str, int]
    changes: dict[str, Change]


def report(
    articles: Sequence[Article],
    scored: Sequence[ScoredQuote],
    title: str,
    model: str,
    target: str = DEFAULT_TARGET,
    threshold: float = UNCERTAIN,
) -> str:
    """Return the page as HTML.

    Args:
        articles: all that were read; the text of those with statements is shown.
        scored: the statements in them.
        title: the heading.
        model: a line about the model for the reader: its name, its date, where its model card is.
        target: what the stances are towards.
        threshold: the least probability of a label that is relied on.

    Raises:
        DataError: a quote's article is missing or ends before the quote does, or two articles have one id.
    """
    page, script = _numbered(articles, scored, threshold), _asset("page.js")
    bodies = [actor for actor in page.actors if actor.kind == "body"]
    return Template(_asset("page.html")).substitute(
        title=_text(title),
        lead=_lead(page, target),
        model=_text(model),
        target=_text(target),
        threshold=f"{threshold:g}",
        within=f"{WITHIN_ARTICLE:g}",
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=_asset("page.css"),
        script=script,
        actor_options="".join(_option(page, actor) for actor in _by_name(page.actors)),
        group_options="".join(_option(page, actor) for actor in _by_name(bodies)),
        label_boxes="".join(_box(reading, page) for reading in READINGS),
        positions=_positions(page),
        times=_times(page),
        articles=_articles(page),
    )


def _asset(name: str) -> str:
    return files("stance.articles").joinpath(name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    """Escape `text` for HTML; a reader sees the same characters, but for those that HTML cannot hold."""
    return escape(text).translate(_ESCAPES)


def _numbered(articles: Sequence[Article], scored: Sequence[ScoredQuote], threshold: float) -> _Page:
    order = {article.id: number for number, article in enumerate(articles)}
    by_id: dict[str, Article] = {}
    for article in articles:
        if by_id.setdefault(article.id, article).text != article.text:
            raise DataError(problem(article.id, "one article of this name", "two", "Give each its own id."))
    for one in scored:
        length = len(by_id[one.quote.document].text) if one.quote.document in by_id else 0
        if one.quote.span.end > length:
            where, todo = one.quote.document, "Pass the articles that the quotes were found in."
            raise DataError(problem(where, "an article that holds its quotes", f"{length} characters", todo))
    actors = positions(scored, threshold)
    numbers = {actor.key: number for number, actor in enumerate(actors, 1)}
    ranked = sorted(scored, key=lambda one: (order[one.quote.document], one.quote.span))
    items = [
        _Item(number, one, one.reading(threshold), tuple(dict.fromkeys(numbers[key] for key in keys(one.quote) if key)))
        for number, one in enumerate(ranked, 1)
    ]
    changes = {actor.key: change for actor in actors if (change := find_change(actor.statements))}
    return _Page(by_id, items, actors, numbers, changes)


def _lead(page: _Page, target: str) -> str:
    read = _count(len(page.articles), "article")
    if not page.items:
        return f"In {read} no statement was found that is attributed to anybody."
    types = Counter(item.one.quote.type for item in page.items)
    sources = {speaker for item in page.items if (speaker := keys(item.one.quote)[0])}
    listed = ", ".join(f"{types[kind]} {words}" for kind, words in _TYPES.items() if types[kind])
    return (
        f"Who says what in {read} about {_text(target)}: {_count(len(page.items), 'statement')} ({listed}) "
        f"by {_count(len(sources), 'source')}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _by_name(actors: Sequence[Actor]) -> list[Actor]:
    return sorted(actors, key=lambda actor: actor.name.casefold())


def _option(page: _Page, actor: Actor) -> str:
    return f'<option value="{page.numbers[actor.key]}">{_text(actor.name)}</option>'


def _box(reading: str, page: _Page) -> str:
    if not any(item.reading == reading for item in page.items):
        return ""
    return f'<label><input type="checkbox" value="{reading}" checked> {_SIGNS[reading]} {reading}</label>'


def _positions(page: _Page) -> str:
    """Bodies with their speakers inside, and speakers without one; each statement stands once, with its source."""
    if not page.items:
        return "<p>There is nothing to show.</p>"
    said: defaultdict[str, list[_Item]] = defaultdict(list)
    for item in page.items:
        speaker, body = keys(item.one.quote)
        said[speaker or body or ""].append(item)
    inside: defaultdict[str, list[Actor]] = defaultdict(list)
    homes = {actor.name: actor.key for actor in page.actors if actor.kind == "body"}
    top: list[Actor] = []
    for actor in page.actors:
        home = homes.get(actor.affiliation or "")
        (inside[home] if actor.kind == "speaker" and home else top).append(actor)
    cards = [_card(page, actor, said, inside[actor.key]) for actor in top]
    if said[""]:
        cards.append(_unattributed(said[""]))
    scale = '<div class="scale" aria-hidden="true"><span><b>◂ anti</b><b>0</b><b>pro ▸</b></span></div>'
    return f'{scale}<ul class="actors">{"".join(cards)}</ul>'


def _card(page: _Page, actor: Actor, said: dict[str, list[_Item]], members: Sequence[Actor]) -> str:
    number = page.numbers[actor.key]
    within = {member.key for member in members}
    elsewhere = [page.actors[page.numbers[voice] - 1] for voice in actor.voices if voice not in within]
    also = ", ".join(f'<a href="#a{page.numbers[other.key]}">{_text(other.name)}</a>' for other in elsewhere)
    note = f'<p class="soft">Also counted here: statements of {also}.</p>' if also else ""
    nested = "".join(_card(page, member, said, []) for member in members)
    change = page.changes.get(actor.key)
    says = _says(actor) + _with(members) + (f'<span class="change">{described(change)}</span>' if change else "")
    return (
        f'<li class="actor" id="a{number}"><details><summary class="who">'
        f'<h3 dir="auto">{_text(actor.name)}</h3>{_axis(actor)}<span class="says">{says}'
        f'</span></summary><div class="inside"><p class="soft">{_made_of(actor)}</p>{note}'
        f"{_evidence(said.get(actor.key, []))}{f'<ul>{nested}</ul>' if nested else ''}</div></details></li>"
    )


def _with(members: Sequence[Actor]) -> str:
    """Name some of those who speak for a body, so that a person is found before the body is opened."""
    named = [member.name for member in members[:_NAMES_AT_MOST]]
    if len(members) > _NAMES_AT_MOST:
        named.append(_count(len(members) - _NAMES_AT_MOST, "other"))
    return f" · with {_text(', '.join(named))}" if named else ""


def _unattributed(items: Sequence[_Item]) -> str:
    return (
        '<li class="actor" id="a0"><details><summary class="who"><h3>No source named</h3><span></span>'
        f'<span class="says">{_count(len(items), "statement")}; no position is computed</span></summary>'
        f'<div class="inside">{_evidence(items)}</div></details></li>'
    )


def _axis(actor: Actor) -> str:
    found = actor.estimate
    if found is None:
        return '<span class="axis" aria-hidden="true"></span>'
    left, right, dot = (50 * (1 + x) for x in (found.low, found.high, found.mean))
    shape = actor.verdict.removeprefix("leans ")
    return (
        f'<span class="axis" aria-hidden="true"><i class="bar {found.side or ""}" style="left:{left:.1f}%;'
        f'width:{right - left:.1f}%"></i><i class="dot {shape}" style="left:{dot:.1f}%"></i></span>'
    )


def _says(actor: Actor) -> str:
    statements = _count(len(actor.statements), "statement")
    if actor.estimate is None:
        return f"not scored · {statements}"
    found, side = actor.estimate, actor.verdict.removeprefix("leans ")
    doubt = " (not clear)" if actor.verdict.startswith("leans") else ""
    return (
        f'<b class="{side}">{actor.verdict}</b>{doubt} · mean {signed(found.mean)} '
        f"({signed(found.low)} to {signed(found.high)}) · {statements}"
    )


def _made_of(actor: Actor) -> str:
    types = ", ".join(f"{number} {_TYPES[kind]}" for kind, number in actor.types.items() if number)
    readings = ", ".join(f"{number} {reading}" for reading, number in actor.readings.items() if number)
    repeated = (
        len(actor.statements) - actor.readings["not scored"] - (actor.estimate.statements if actor.estimate else 0)
    )
    twice = f" {_count(repeated, 'repetition')} not counted again." if repeated else ""
    shares = ", ".join(f"{label} {share:.2f}" for label, share in zip(LABELS, actor.shares, strict=False))
    mean = f" Mean probabilities: {shares}." if shares else ""
    return f"By type: {types}. Read as: {readings}.{twice}{mean}"


def _evidence(items: Sequence[_Item]) -> str:
    return f"<ol>{''.join(_quote(item) for item in items)}</ol>" if items else ""


def _quote(item: _Item) -> str:
    one = item.one
    found = one.prediction.probabilities if one.prediction else ()
    facts = [
        ", ".join(f"{label} {p:.2f}" for label, p in zip(LABELS, found, strict=False)),
        _TYPES[one.quote.type],
        _text(one.date or ""),
        f'<a href="#h{item.number}">no. {item.number} in the article</a>',
    ]
    return (
        f'<li class="quote {item.style}" id="q{item.number}" data-label="{item.reading}" '
        f'data-actors="{" ".join(map(str, item.actors))}"><blockquote dir="auto">{_text(one.text)}</blockquote>'
        f'<p class="meta"><b class="tag {item.style}">{_SIGNS[item.reading]} {item.reading}</b> '
        f"{' · '.join(filter(None, facts))}</p></li>"
    )


def _title(article: Article) -> str:
    return article.title or PurePath(article.id).name or article.id


def _articles(page: _Page) -> str:
    said: defaultdict[str, list[_Item]] = defaultdict(list)
    for item in page.items:
        said[item.one.quote.document].append(item)
    opened = " open" if len(said) <= _OPEN_AT_MOST else ""
    shown = [_article(page.articles[document], items, opened) for document, items in said.items()]
    without = len(page.articles) - len(said)
    note = (
        f'<p class="soft">{_count(without, "article")} without an attributed statement not shown.</p>'
        if without
        else ""
    )
    return "".join(shown) + note


def _article(article: Article, items: Sequence[_Item], opened: str) -> str:
    facts = [_text(article.date)] if article.date else []
    if article.url and _WEB.match(article.url):
        facts.append(f'<a href="{_text(article.url)}" rel="noreferrer noopener">source</a>')
    about = f'<p class="soft">{" · ".join(facts)}</p>' if facts else ""
    return (
        f'<article class="article"><details{opened}><summary><h3 dir="auto">{_text(_title(article))}</h3> '
        f'<span class="soft">{_count(len(items), "statement")}</span></summary>{about}'
        f'<div class="text">{_highlighted(article.text, items)}</div></details></article>'
    )


def _highlighted(text: str, items: Sequence[_Item]) -> str:
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
        out.append(f'<p dir="auto">{"".join(parts)}</p>' if line.strip() else _text(line))
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


def _anchor(item: _Item) -> str:
    return f'<span class="at" id="h{item.number}"></span>'


def _mark(text: str, over: Sequence[_Item]) -> str:
    if not over:
        return _text(text)
    style = over[0].style + (" inner" if len(over) > 1 else "")
    return f'<mark class="{style}" data-q="{" ".join(str(item.number) for item in over)}">{_text(text)}</mark>'


def _ref(item: _Item) -> str:
    # Its words are written by the style sheet: they are read out but no part of the article's text, nor copied with it.
    return f'<a class="ref {item.style}" href="#q{item.number}" data-q="{item.number}"></a>'


def _times(page: _Page) -> str:
    """A line for each actor who is heard on two days or more, those who changed first."""
    heard = [(actor, days) for actor in page.actors if len(days := moments(actor.statements)) > 1]
    if not heard:
        return ""
    lines = max(len(page.changes), _LINES_AT_MOST)
    more = f'<p class="soft">{_count(len(heard) - lines, "other actor")} not drawn.</p>' if heard[lines:] else ""
    every = [moment.day for _, days in heard for moment in days]
    heard.sort(key=lambda pair: pair[0].key not in page.changes)
    shown = "".join(
        f'<li data-card="a{page.numbers[actor.key]}"><h3 dir="auto">{_text(actor.name)}</h3>'
        f"{row(days, page.changes.get(actor.key), min(every), max(every))}</li>"
        for actor, days in heard[:lines]
    )
    return (
        '<section aria-labelledby="times-title"><h2 id="times-title">Over time</h2>'
        f'<ol class="times">{shown}</ol>{more}</section>'
    )
