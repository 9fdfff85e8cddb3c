"""The page holds every statement once, every character of an article, and nothing that an article could smuggle in."""

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from stance.articles.page import report
from stance.articles.positions import ScoredQuote
from stance.articles.records import Article, Quote, Span
from stance.errors import DataError
from stance.schema import Prediction

PROBABILITIES = {"anti": (0.9, 0.06, 0.04), "neutral": (0.1, 0.8, 0.1), "pro": (0.04, 0.06, 0.9)}
MODEL = "The model is tfidf, trained on 1 December 2025."
VOID = {"meta", "input", "br", "link"}


class Parsed(HTMLParser):
    """Elements with attributes and text, in the order of the page, and whether tags close as they open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.unbalanced: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.elements[self.open.pop()][0] != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        for number in self.open:
            self.elements[number][2].append(data)

    def having(self, name: str, tag: str | None = None) -> list[tuple[str, dict[str, str | None], str]]:
        """Return the elements of class `name`."""
        return [
            (found, attrs, "".join(text))
            for found, attrs, text in self.elements
            if name in (attrs.get("class") or "").split() and tag in (None, found)
        ]

    def texts(self) -> list[str]:
        """Return the articles' texts."""
        return [text for _, _, text in self.having("text")]


def quote(article: Article, start: int, end: int, source: str | None = "Ana Rukh", **details: Any) -> Quote:
    return Quote(
        article.id, "direct", article.text[start:end], Span(start, end), source, None, None, None, 0.9, **details
    )


def scored(one: Quote, label: str | None = "anti", text: str | None = None, day: str | None = None) -> ScoredQuote:
    prediction = Prediction(label, PROBABILITIES[label]) if label else None  # type: ignore[arg-type]
    return ScoredQuote(one, prediction, text or one.content, day)


def marks(page: str) -> list[tuple[str, str | None, str]]:
    """Return (class, statements, text) of each mark in an article."""
    return [(attrs["class"] or "", attrs["data-q"], text) for tag, attrs, text in _marks(Parsed(page))]


def _marks(parsed: Parsed) -> list[tuple[str, dict[str, str | None], str]]:
    return [(tag, a, "".join(text)) for tag, a, text in parsed.elements if tag == "mark" and "data-q" in a]


@pytest.fixture(scope="module")
def seeds(root: Path) -> tuple[list[Article], list[ScoredQuote]]:
    """The two seed articles with the annotated statements, each with its first vote as the model's answer."""
    rows = [json.loads(line) for line in (root / "data/annotations/seeds.jsonl").read_text("utf-8").splitlines()]
    articles = {
        name: Article(name, (root / name).read_text("utf-8")) for name in sorted({row["document"] for row in rows})
    }
    return list(articles.values()), [
        scored(
            quote(articles[row["document"]], row["start"], row["end"], row["speaker"], affiliation=row["affiliation"]),
            row["votes"][0]["label"],
        )
        for row in rows
    ]


def test_every_statement_of_the_seeds_is_evidence_once(seeds: tuple[list[Article], list[ScoredQuote]]) -> None:
    articles, statements = seeds
    parsed = Parsed(report(articles, statements, "Seeds", MODEL))
    shown = sorted(text for tag, _, text in parsed.having("quote") for text in [text])
    assert len(shown) == len(statements)
    for one in statements:
        assert sum(text.startswith(one.text) for text in shown) == 1
    assert parsed.unbalanced == []


def test_the_text_of_each_seed_article_is_what_it_was(seeds: tuple[list[Article], list[ScoredQuote]]) -> None:
    articles, statements = seeds
    parsed = Parsed(report(articles, statements, "Seeds", MODEL))
    assert parsed.texts() == [article.text for article in articles]


def test_every_statement_is_linked_both_ways(seeds: tuple[list[Article], list[ScoredQuote]]) -> None:
    page = report(*seeds, "Seeds", MODEL)
    numbers = range(1, len(seeds[1]) + 1)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for number in numbers:
        assert {f"q{number}", f"h{number}"} <= set(ids)
        assert page.count(f'href="#q{number}"') == page.count(f'href="#h{number}"') == 1
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_a_marked_statement_is_the_statement(seeds: tuple[list[Article], list[ScoredQuote]]) -> None:
    page = report(*seeds, "Seeds", MODEL)
    for number, one in enumerate(seeds[1], 1):
        assert "".join(text for _, over, text in marks(page) if str(number) in (over or "").split()) == one.text


TEXT = "He said she said they will never disarm, ever, he said."


@pytest.mark.parametrize(
    "spans, expected",
    [
        ([(8, 45), (17, 39)], [("1", 8, 17), ("2 1", 17, 39), ("1", 39, 45)]),
        ([(8, 30), (17, 45)], [("1", 8, 17), ("1 2", 17, 30), ("2", 30, 45)]),
        ([(8, 45), (8, 45)], [("1 2", 8, 45)]),
        ([(8, 20), (8, 45)], [("1 2", 8, 20), ("2", 20, 45)]),
        ([(0, 8), (8, 55)], [("1", 0, 8), ("2", 8, 55)]),
    ],
)
def test_statements_that_hold_or_overlap_each_other_are_all_marked(
    spans: list[tuple[int, int]], expected: list[tuple[str, int, int]]
) -> None:
    article = Article("a.txt", TEXT)
    statements = [scored(quote(article, start, end, f"Source {start}-{end}")) for start, end in spans]
    page = report([article], statements, "Nested", MODEL)
    # A mark has no space at its ends unless it goes on.
    assert [(over, text.strip()) for _, over, text in marks(page)] == [
        (over, TEXT[start:end].strip()) for over, start, end in expected
    ]
    assert Parsed(page).texts() == [TEXT]
    assert Parsed(page).unbalanced == []
    assert all(page.count(f'id="h{number}"') == 1 for number in (1, 2))


def test_an_interrupted_statement_over_paragraphs_leaves_the_rest_unmarked() -> None:
    text = '"One,"\n\n  he said, \n"two\r\nthree." '
    article = Article("a.txt", text)
    pieces = (Span(0, 6), Span(20, len(text)))
    page = report([article], [scored(quote(article, 0, len(text), pieces=pieces))], "Pieces", MODEL)
    assert [mark for _, _, mark in marks(page)] == ['"One,"', '"two', 'three."']
    assert Parsed(page).texts() == [text]
    assert page.count('href="#q1"') == page.count('id="h1"') == 1


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "<!-- ${7*7} $title &lt;b&gt; --> ]]>",
    "javascript:alert(1)",
)


@pytest.mark.parametrize("bad", HOSTILE)
def test_strings_of_an_article_stay_text(bad: str) -> None:
    article = Article(f"folder/{bad}", f"{bad} said {bad}", title=bad, date=bad, url=bad)
    one = quote(article, 0, len(bad), source=bad, affiliation=f"{bad} body")
    parsed = Parsed(report([article], [scored(one, day=bad)], bad, bad, target=bad))
    plain = Parsed(report([Article("a", "b said b")], [], "t", "m"))
    assert parsed.texts() == [article.text]
    assert [tag for tag, _, _ in parsed.elements].count("script") == 1
    assert "img" not in {tag for tag, _, _ in parsed.elements}
    names = {name for _, attrs, _ in parsed.elements for name in attrs}
    assert not {name for name in names if name.startswith("on") or name == "autofocus"}
    assert parsed.unbalanced == plain.unbalanced == []
    assert not [attrs for tag, attrs, _ in parsed.elements if tag == "a" and not (attrs["href"] or "").startswith("#")]


@pytest.mark.parametrize(
    "url, linked",
    [
        ("https://example.org/a?b=1&c=2", True),
        ("http://example.org", True),
        ("HTTPS://example.org", True),
        ("javascript:alert(1)//https://", False),
        (" javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        ("https://[broken", True),
        ("https:///etc/passwd", False),
        (None, False),
    ],
)
def test_only_web_addresses_are_linked(url: str | None, linked: bool) -> None:
    article = Article("a.txt", TEXT, url=url)
    page = report([article], [scored(quote(article, 0, 5))], "Links", MODEL)
    links = [unescape(link) for link in re.findall(r'<a href="([^#"][^"]*)"', page)]
    assert links == ([url] if linked else [])


def test_only_the_script_of_the_page_may_run_and_nothing_may_load() -> None:
    page = report([], [], "Empty", MODEL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sources = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    policy = f"{sources}; base-uri 'none'; form-action 'none'"
    assert f'content="{policy}"' in page
    assert not re.search(r"\b(src|srcset|action|background)=|@import|url\(", page)


def test_characters_that_html_cannot_hold_are_replaced_one_for_one() -> None:
    article = Article("a.txt", "a\0b\ud800c & d")
    page = report([article], [scored(quote(article, 4, 9))], "Odd", MODEL)
    assert Parsed(page).texts() == ["a\ufffdb\ufffdc & d"]
    assert page.encode("utf-8")


def test_an_article_without_statements_is_counted_and_not_shown() -> None:
    page = report([Article("a.txt", "Nothing said."), Article("b.txt", "Nor here.")], [], "None", MODEL)
    assert "In 2 articles no statement was found that is attributed to anybody." in page
    assert "2 articles without an attributed statement not shown." in page
    assert "Nothing said." not in page


def test_a_statement_that_names_nobody_has_no_position() -> None:
    article = Article("a.txt", TEXT)
    page = report([article], [scored(quote(article, 0, 5, source=None))], "Nobody", MODEL)
    assert "No source named" in page
    assert "1 statement; no position is computed" in page


def test_a_statement_that_was_not_scored_is_shown_as_such() -> None:
    article = Article("a.txt", TEXT)
    page = report([article], [scored(quote(article, 0, 5), None)], "Unscored", MODEL)
    assert "not scored · 1 statement" in page
    assert Parsed(page).having("quote")[0][1]["data-label"] == "not scored"


def test_a_change_over_time_is_marked() -> None:
    articles = [Article(f"{n}.txt", f"Word {n}.", date=f"2025-01-{n:02d}") for n in range(1, 13)]
    statements = [
        scored(quote(article, 0, len(article.text)), "anti" if n < 6 else "pro", day=article.date)
        for n, article in enumerate(articles)
    ]
    page = report(articles, statements, "Change", MODEL)
    words = "Changed from anti (6 statements until 2025-01-06, mean −0.86) to pro (6 from 2025-01-07, mean +0.86)"
    assert page.count(words) == 2
    assert page.count('class="turn"') == 1
    assert "Over time" in page
    undated = [ScoredQuote(one.quote, one.prediction, one.text) for one in statements]
    assert "Over time" not in report(articles, undated, "No dates", MODEL)


def test_a_quote_that_its_article_does_not_hold_is_refused() -> None:
    article = Article("a.txt", TEXT)
    one = scored(quote(article, 0, 5))
    for articles, length in (([], 0), ([Article("a.txt", "He")], 2)):
        with pytest.raises(DataError) as caught:
            report(articles, [one], "Wrong", MODEL)
        assert str(caught.value) == (
            f"a.txt: expected an article that holds its quotes, got {length} characters. "
            "Pass the articles that the quotes were found in."
        )


def test_two_articles_of_one_id_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        report([Article("a.txt", "One."), Article("a.txt", "Two.")], [], "Twins", MODEL)
    assert str(caught.value) == "a.txt: expected one article of this name, got two. Give each its own id."


def test_five_hundred_articles_make_a_page_of_a_few_megabytes(seeds: tuple[list[Article], list[ScoredQuote]]) -> None:
    articles, statements = seeds
    many = [Article(f"{n}", articles[n % 2].text, date=f"2025-01-{n % 28 + 1:02d}") for n in range(500)]
    mine = {n: [one for one in statements if one.quote.document == articles[n].id] for n in (0, 1)}
    copies = [
        ScoredQuote(
            quote(many[n], one.quote.span.start, one.quote.span.end, f"{one.quote.source} {n}"),
            one.prediction,
            f"{one.text} {n}",
            many[n].date,
        )
        for n in range(500)
        for one in mine[n % 2]
    ]
    assert len(report(many, copies, "Many", MODEL).encode()) < 10e6
