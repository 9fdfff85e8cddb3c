"""Articles and scored quotes -> one HTML page for a person.

The page needs nothing but itself: style and script stand inside, the content security policy forbids everything else,
and no data is written into the script, so that no string of an article can become part of it.
"""

import base64
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath
from string import Template
from typing import Final

from stance.articles.highlighting import Item, escaped, highlighted
from stance.articles.keys import actor_keys, keys
from stance.articles.positions import (
    READINGS,
    UNCERTAIN,
    WITHIN_ARTICLE,
    Actor,
    ScoredQuote,
    positions,
)
from stance.articles.records import Article, QuoteType
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


@dataclass(frozen=True, slots=True)
class _Page:
    """What all parts of the page refer to."""

    articles: dict[str, Article]
    items: list[Item]
    actors: list[Actor]
    numbers: dict[str, int]
    changes: dict[str, Change]
    joint: dict[str, list[int]]
    """Statements made with another, under whom they stand, by the key of the actor."""


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
        title=escaped(title),
        lead=_lead(page, target),
        model=escaped(model),
        target=escaped(target),
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
        Item(number, one, one.reading(threshold), tuple(numbers[key] for key in actor_keys(one.quote)))
        for number, one in enumerate(ranked, 1)
    ]
    changes = {actor.key: change for actor in actors if (change := find_change(actor.statements))}
    joint: defaultdict[str, list[int]] = defaultdict(list)
    for item in items:
        for key in keys(item.one.quote)[0][1:]:
            joint[key].append(item.number)
    return _Page(by_id, items, actors, numbers, changes, joint)


def _lead(page: _Page, target: str) -> str:
    read = _count(len(page.articles), "article")
    if not page.items:
        return f"In {read} no statement was found that is attributed to anybody."
    types = Counter(item.one.quote.type for item in page.items)
    sources = {speaker for item in page.items for speaker in keys(item.one.quote)[0]}
    listed = ", ".join(f"{types[kind]} {words}" for kind, words in _TYPES.items() if types[kind])
    return (
        f"Who says what in {read} about {escaped(target)}: {_count(len(page.items), 'statement')} ({listed}) "
        f"by {_count(len(sources), 'source')}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _by_name(actors: Sequence[Actor]) -> list[Actor]:
    return sorted(actors, key=lambda actor: actor.name.casefold())


def _option(page: _Page, actor: Actor) -> str:
    return f'<option value="{page.numbers[actor.key]}">{escaped(actor.name)}</option>'


def _box(reading: str, page: _Page) -> str:
    if not any(item.reading == reading for item in page.items):
        return ""
    return f'<label><input type="checkbox" value="{reading}" checked> {_SIGNS[reading]} {reading}</label>'


def _positions(page: _Page) -> str:
    """Bodies with their speakers inside, speakers without one; each statement stands once, with its first source."""
    if not page.items:
        return "<p>There is nothing to show.</p>"
    said: defaultdict[str, list[Item]] = defaultdict(list)
    for item in page.items:
        said[next(iter(actor_keys(item.one.quote)), "")].append(item)
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


def _card(page: _Page, actor: Actor, said: dict[str, list[Item]], members: Sequence[Actor]) -> str:
    number = page.numbers[actor.key]
    within = {member.key for member in members}
    elsewhere = [page.actors[page.numbers[voice] - 1] for voice in actor.voices if voice not in within]
    also = ", ".join(f'<a href="#a{page.numbers[other.key]}">{escaped(other.name)}</a>' for other in elsewhere)
    note = f'<p class="soft">Also counted here: statements of {also}.</p>' if also else ""
    note += _told_elsewhere(page, actor)
    nested = "".join(_card(page, member, said, []) for member in members)
    change = page.changes.get(actor.key)
    says = _says(actor) + _with(members) + (f'<span class="change">{described(change)}</span>' if change else "")
    return (
        f'<li class="actor" id="a{number}"><details><summary class="who">'
        f'<h3 dir="auto">{escaped(actor.name)}</h3>{_axis(actor)}<span class="says">{says}'
        f'</span></summary><div class="inside"><p class="soft">{_made_of(actor)}</p>{note}'
        f"{_evidence(said.get(actor.key, []))}{f'<ul>{nested}</ul>' if nested else ''}</div></details></li>"
    )


def _told_elsewhere(page: _Page, actor: Actor) -> str:
    """Return a line with links to the statements that the actor made with another, under whom they stand."""
    joint = page.joint.get(actor.key, [])
    # With the class, the script shows and hides the link, and so the card, with the statement.
    links = " ".join(f'<a class="also" data-q="{number}" href="#q{number}">no. {number}</a>' for number in joint)
    return f'<p class="soft">Counted here, as said together with others: {links}</p>' if joint else ""


def _with(members: Sequence[Actor]) -> str:
    """Name some of those who speak for a body, so that a person is found before the body is opened."""
    named = [member.name for member in members[:_NAMES_AT_MOST]]
    if len(members) > _NAMES_AT_MOST:
        named.append(_count(len(members) - _NAMES_AT_MOST, "other"))
    return f" · with {escaped(', '.join(named))}" if named else ""


def _unattributed(items: Sequence[Item]) -> str:
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


def _evidence(items: Sequence[Item]) -> str:
    return f"<ol>{''.join(_quote(item) for item in items)}</ol>" if items else ""


def _quote(item: Item) -> str:
    one = item.one
    found = one.prediction.probabilities if one.prediction else ()
    facts = [
        ", ".join(f"{label} {p:.2f}" for label, p in zip(LABELS, found, strict=False)),
        _TYPES[one.quote.type] + _cue(one),
        escaped(one.date or ""),
        escaped(f"by {one.quote.source}" if one.quote.speakers else ""),
        f'<a href="#h{item.number}">no. {item.number} in the article</a>',
    ]
    return (
        f'<li class="quote {item.style}" id="q{item.number}" data-label="{item.reading}" '
        f'data-actors="{" ".join(map(str, item.actors))}"><blockquote dir="auto">{escaped(one.text)}</blockquote>'
        f'<p class="meta"><b class="tag {item.style}">{_SIGNS[item.reading]} {item.reading}</b> '
        f"{' · '.join(filter(None, facts))}</p></li>"
    )


def _cue(one: ScoredQuote) -> str:
    """Return the cue of what is not all quoted: "all calls for disarmament" says nothing without "refused"."""
    cue = one.quote.cue if one.quote.type != "direct" else None
    return f", cue “{escaped(cue)}”" if cue else ""


def _title(article: Article) -> str:
    return article.title or PurePath(article.id).name or article.id


def _articles(page: _Page) -> str:
    said: defaultdict[str, list[Item]] = defaultdict(list)
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


def _article(article: Article, items: Sequence[Item], opened: str) -> str:
    facts = [escaped(article.date)] if article.date else []
    if article.url and _WEB.match(article.url):
        facts.append(f'<a href="{escaped(article.url)}" rel="noreferrer noopener">source</a>')
    about = f'<p class="soft">{" · ".join(facts)}</p>' if facts else ""
    return (
        f'<article class="article"><details{opened}><summary><h3 dir="auto">{escaped(_title(article))}</h3> '
        f'<span class="soft">{_count(len(items), "statement")}</span></summary>{about}'
        f'<div class="text">{highlighted(article.text, items)}</div></details></article>'
    )


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
        f'<li data-card="a{page.numbers[actor.key]}"><h3 dir="auto">{escaped(actor.name)}</h3>'
        f"{row(days, page.changes.get(actor.key), min(every), max(every))}</li>"
        for actor, days in heard[:lines]
    )
    return (
        '<section aria-labelledby="times-title"><h2 id="times-title">Over time</h2>'
        f'<ol class="times">{shown}</ol>{more}</section>'
    )
