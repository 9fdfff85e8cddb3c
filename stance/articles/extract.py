"""Articles -> quotes: the parser once, the rules for marks, then the rules for words, then the names."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from stance.articles import attribution, cues, people, speech
from stance.articles.clauses import Found, Range
from stance.articles.headlines import headline
from stance.articles.parsing import parser, prepared
from stance.articles.quotemarks import Marked, marked, paragraphs
from stance.articles.records import Article, Quote, QuoteType, Span

if TYPE_CHECKING:
    from spacy.tokens import Doc

_log = logging.getLogger(__name__)

BATCH: Final = 32
"""Articles parsed at once: some 15,000 tokens, 100 MB while they are worked on."""


def extract(article: Article) -> list[Quote]:
    """Return the quotes of an article in the order of its text.

    Raises:
        ModelError: the parser cannot be loaded.
    """
    ((_, quotes),) = extract_all([article])
    return quotes


def extract_all(
    articles: Iterable[Article], batch: int = BATCH, jobs: int = 1
) -> Iterator[tuple[Article, list[Quote]]]:
    """Yield each article with its quotes, in order.

    `batch` articles are parsed at once. With `jobs` above 1 that many processes work, each with a parser of its own
    (250 MB); at most three batches a process are in memory, however long `articles` is.

    Raises:
        ModelError: the parser cannot be loaded.
    """
    waiting = iter(articles)
    batches = iter(lambda: list(islice(waiting, batch)), [])
    if jobs == 1:
        for taken in batches:
            yield from zip(taken, _of_batch(taken), strict=True)
        return
    parser()  # so that a missing model is told here and not by a process that dies
    # A forked copy of a process with the threads of a numeric library can hang: the workers start afresh.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running: deque[tuple[list[Article], Future[list[list[Quote]]]]] = deque()
        for taken in batches:
            running.append((taken, pool.submit(_of_batch, taken)))
            if len(running) >= 3 * jobs:
                done, future = running.popleft()
                yield from zip(done, future.result(), strict=True)
        for done, future in running:
            yield from zip(done, future.result(), strict=True)


def _of_batch(articles: list[Article]) -> list[list[Quote]]:
    nlp = parser()
    # What the parser remembers of new words is dropped with the batch, so that a long stream does not grow it.
    with nlp.memory_zone():
        layouts = [_Layout(article.text) for article in articles]
        docs = [prepared(nlp, one.text, one.paragraphs, one.passages) for one in layouts]
        parsed = nlp.pipe(docs, batch_size=len(docs))
        return [_quotes(article, doc, layout) for article, doc, layout in zip(articles, parsed, layouts, strict=True)]


class _Layout:
    """What can be seen of a text without reading it: paragraphs and marks."""

    __slots__ = ("paragraphs", "passages", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.paragraphs: list[Span] = paragraphs(text)
        self.passages: list[Marked] = marked(text, self.paragraphs)


def _quotes(article: Article, doc: "Doc", layout: _Layout) -> list[Quote]:
    for passage in layout.passages:
        if not passage.closed and not passage.continued:
            _log.warning("%s: the quotation mark at character %d is never closed", article.id, passage.span.start)
    ranges = speech.token_ranges(doc, [passage.span for passage in layout.passages])
    spoken = [False] * len(doc)
    for start, end in ranges:
        spoken[start:end] = [True] * (end - start)
    direct = speech.find(doc, layout.text, layout.passages, layout.paragraphs)
    found = [_whole_passages(doc, one, ranges) for one in attribution.find(doc, spoken)]
    spent = {one.cue for one in direct if one.cue is not None}
    found = [one for one in found if one.cue not in spent and not _overlaps(one, direct)]
    top = headline(doc, layout.text, layout.paragraphs, [*direct, *found])
    everything = sorted([*direct, *attribution.outermost(found), *top], key=lambda one: one.content)
    told = [False] * len(doc)
    for one in everything:
        for start, end in one.pieces or (one.content,):
            told[start:end] = [True] * (end - start)
    names = people.Cast(doc, spoken, told)
    return [_quote(article, doc, one, names, layout.passages) for one in everything]


def _whole_passages(doc: "Doc", found: Found, passages: Sequence[Range]) -> Found:
    """Return `found` with every marked passage that its content touches taken in whole."""
    start, end = found.content
    for left, right in passages:
        if left < end and start < right:
            cue = found.cue or (start, start)
            if left <= cue[0] < right:
                continue
            start = min(start, left) if not left < cue[0] < start else start
            end = max(end, right)
    lemma = cues.LEMMAS.get(doc[found.cue[0]].lower_) if found.cue else None
    if lemma is not None and "s" in cues.FRAMES[lemma]:
        end = next(
            (right for left, right in passages if left == end == found.content[1]), end
        )  # "called Kemp “a disaster”"
    if doc[start].lower_ == "that" and any(left == start + 1 and end <= right for left, right in passages):
        start += 1  # "stressed that “there is no place”": what is said is all in marks
    return replace(found, content=(start, end))


def _overlaps(found: Found, direct: Sequence[Found]) -> bool:
    start, end = found.content
    return any(start < one.content[1] and one.content[0] < end for one in direct)


def _quote(article: Article, doc: "Doc", found: Found, names: "people.Cast", passages: Sequence[Marked]) -> Quote:
    text = article.text
    span = _characters(doc, found.content)
    pieces = tuple(_characters(doc, piece) for piece in found.pieces)
    actors = names.actors(found)
    source = _characters(doc, names.whole(found.source)) if actors and found.source else None
    cue = _characters(doc, found.cue) if found.cue else None
    return Quote(
        document=article.id,
        type=_type(text, pieces or (span,), passages),
        content=span.of(text),
        span=span,
        source=_together([actor.name for actor in actors]) or None,
        source_span=source,
        cue=cue.of(text) if cue else None,
        cue_span=cue,
        confidence=found.confidence,
        affiliation=_shared([actor.affiliation for actor in actors]),
        role=_shared([actor.role for actor in actors]),
        pieces=pieces,
        speakers=tuple(actor.name for actor in actors) if len(actors) > 1 else (),
    )


def _together(names: Sequence[str]) -> str:
    """Return names as print puts them together: "A, B and C"."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _shared(told: Sequence[str | None]) -> str | None:
    """Return what is told of every speaker alike, None if that is nothing."""
    return told[0] if told and all(one == told[0] for one in told) else None


def _characters(doc: "Doc", tokens: Range) -> Span:
    start, end = tokens
    while end - start > 1 and doc[end - 1].is_space:
        end -= 1
    while end - start > 1 and doc[start].is_space:
        start += 1
    return Span(doc[start].idx, doc[end - 1].idx + len(doc[end - 1]))


def _type(text: str, spans: Sequence[Span], passages: Sequence[Marked]) -> QuoteType:
    """Return how much of the content's words stands in marks: all, some or none."""
    inside = outside = 0
    for span in spans:
        near = [p.span for p in passages if p.span.start < span.end and span.start < p.span.end]
        marked_words = sum(_letters(text, max(p.start, span.start), min(p.end, span.end)) for p in near)
        inside += marked_words
        outside += _letters(text, span.start, span.end) - marked_words
    if not inside:
        return "indirect"
    return "mixed" if outside else "direct"


def _letters(text: str, start: int, end: int) -> int:
    return sum(map(str.isalnum, text[start:end]))
