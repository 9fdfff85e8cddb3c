"""The page in Debian's Chromium: it fits, filters, scrolls, prints, is used by keyboard, and asks nobody anything.

Needs `chromium` on the path and Playwright's Python package (`pip install playwright`; its own browsers are not used).
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stance.articles.page import report
from stance.articles.positions import ScoredQuote
from stance.articles.records import Article, Quote, Span
from stance.schema import Label, Prediction

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's Chromium: apt-get install chromium"),
]

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
PROBABILITIES: dict[Label, tuple[float, ...]] = {
    "anti": (0.9, 0.06, 0.04),
    "neutral": (0.1, 0.8, 0.1),
    "pro": (0.04, 0.06, 0.9),
}
SAID: list[tuple[str, str | None, Label, str]] = [
    ("Ana Rukh", "Fire Front", "anti", "We will never lay down our arms in week {}."),
    ("Fire Front", None, "anti", "The rifles stay with the people, week {}."),
    ("Defence Ministry", None, "pro", "All weapons belong to the state, week {}."),
    ("Clerk Omar", "Ministry of Works", "neutral", "The road was opened {} times."),
]
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with eight articles over two months, one of them hostile and one with a very long word."""
    articles, scored = [], []
    for week in range(1, 9):
        text, quotes = (
            f"NORVIA – Report {week}. {LONG if week == 2 else ''}</script><script>alert({week})</script>\n",
            [],
        )
        for source, affiliation, label, words in SAID:
            content = f"“{words.format(week)}”"
            quotes.append((len(text), content, source, affiliation, label))
            text += f"{content} said {source}.\n" + "More was said about it on that day. " * 12 + "\n"
        article = Article(f"{week}.txt", text, title=f"Week {week}", date=f"2025-0{week // 5 + 1}-0{week}")
        articles.append(article)
        for start, content, source, affiliation, label in quotes:
            quote = Quote(
                article.id, "direct", content, Span(start, start + len(content)), source, None, None, None, 0.9,
                affiliation=affiliation,
            )  # fmt: skip
            scored.append(ScoredQuote(quote, Prediction(label, PROBABILITIES[label]), content, article.date))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report(articles, scored, "Norvia", "The model is tfidf."), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, once for all tests."""
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, file: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page at 1400 px or with the options given; nothing may be asked of the network or said on the console."""
    options = {"viewport": {"width": 1400, "height": 900}, "reduced_motion": "reduce"} | getattr(request, "param", {})
    context = browser.new_context(**options)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.on("console", lambda one: said.append(one.text))
    page.on("pageerror", lambda one: said.append(str(one)))
    page.on("dialog", lambda one: said.append("a dialog"))
    page.goto(file.as_uri())
    yield page
    assert asked == [file.as_uri()]
    assert said == []
    context.close()


SIZES = [
    {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for width in (320, 768, 1400, 1920)
    for scheme in ("light", "dark")
]


@pytest.mark.parametrize("opened", SIZES, indirect=True, ids=lambda o: f"{o['viewport']['width']}-{o['color_scheme']}")
def test_the_page_fits_its_window_and_can_be_read(opened: Any) -> None:
    for unfolded in (False, True):
        opened.evaluate(f"document.querySelectorAll('details').forEach(one => one.open = {str(unfolded).lower()})")
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert opened.evaluate(
            "[...document.querySelectorAll('main *, form *, header *')]"
            ".filter(one => one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 1).length"
        ) == 0  # fmt: skip
    for selector in ("body", ".soft", ".says b", ".tag", ".meta", "blockquote", ".honest", "mark.anti", "mark.pro"):
        assert opened.evaluate(CONTRAST, selector) >= 4.5, selector


CONTRAST = """selector => {
  const channels = (colour) => {
    const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
    context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = (c) => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = (colour) => channels(colour).map(c => linear(c / 255)).reduce(
    (sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll(selector)].map(one => {
    const ink = light(getComputedStyle(one).color);
    return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
  }));
}"""


def shown(page: Any, selector: str = ".quote") -> int:
    return int(page.evaluate("s => [...document.querySelectorAll(s)].filter(one => !one.hidden).length", selector))


def test_filters_hide_the_other_statements_wherever_they_stand(opened: Any) -> None:
    assert shown(opened) == 32
    assert opened.inner_text("#shown") == "32 of 32 statements shown"
    opened.select_option("#by-actor", label="Defence Ministry")
    assert (shown(opened), shown(opened, ".actor"), shown(opened, ".ref")) == (8, 1, 8)
    assert opened.locator("mark[data-q]:not(.off)").count() == 8
    assert opened.inner_text("#shown") == "8 of 32 statements shown"
    assert opened.locator(".times > li:visible").count() == 1
    opened.select_option("#by-actor", label="all actors")
    opened.select_option("#by-group", label="Fire Front")
    assert (shown(opened), shown(opened, ".actor"), shown(opened, ".article")) == (16, 2, 8)
    opened.uncheck("input[value=anti]")
    assert (shown(opened), shown(opened, ".actor"), shown(opened, ".article")) == (0, 0, 0)
    opened.click("button[type=reset]")
    opened.wait_for_function("document.querySelector('#shown').textContent.startsWith('32 of 32')")
    assert (shown(opened), opened.locator("mark.off").count()) == (32, 0)


def test_a_statement_leads_to_its_place_in_the_text_and_back(opened: Any) -> None:
    opened.click(".actor > details > summary")
    quote = opened.locator(".quote:visible").nth(4)
    number = quote.get_attribute("id")[1:]
    quote.locator("a").click()
    mark = opened.locator(f"mark[data-q='{number}']")
    assert mark.is_visible()
    assert "here" in mark.get_attribute("class")
    assert opened.url.endswith(f"#h{number}")
    assert opened.evaluate(IN_VIEW, f"mark[data-q='{number}']")
    opened.evaluate("document.querySelectorAll('.actor details').forEach(one => one.open = false)")
    mark.click()
    assert opened.url.endswith(f"#q{number}")
    assert quote.is_visible()
    assert opened.evaluate(IN_VIEW, f"#q{number}")
    opened.go_back()
    opened.wait_for_function("document.querySelectorAll('mark.here').length === 1")


IN_VIEW = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight;
}"""


def test_an_address_with_a_statement_opens_it(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(f"{file.as_uri()}#q30")
    assert page.locator("#q30").is_visible()
    page.close()


def test_the_keyboard_reaches_and_works_everything(opened: Any) -> None:
    def focused(script: str) -> Any:
        return opened.evaluate(f"(() => {{ const one = document.activeElement; return {script}; }})()")

    def tab_to(condition: str) -> None:
        for _ in range(60):
            opened.keyboard.press("Tab")
            if focused(condition):
                assert focused("getComputedStyle(one).outlineStyle") != "none"
                return
        raise AssertionError(condition)

    opened.keyboard.press("Tab")
    assert focused("one.textContent") == "Skip to the positions"
    assert focused("one.getBoundingClientRect().left >= 0")
    opened.keyboard.press("Enter")
    assert focused("one.id") == "positions"
    tab_to("one.matches('summary.who')")
    opened.keyboard.press("Enter")
    assert focused("one.parentElement.open")
    opened.keyboard.press("Space")
    assert not focused("one.parentElement.open")
    opened.keyboard.press("Space")
    tab_to("one.matches('.quote a')")
    number = focused("one.closest('.quote').id.slice(1)")
    opened.keyboard.press("Enter")
    assert focused("one.id") == f"h{number}"
    tab_to("one.matches('.ref')")
    assert focused("one.dataset.q") == number
    opened.keyboard.press("Enter")
    assert focused("one.id") == f"q{number}"
    opened.focus("input[value=anti]")
    opened.keyboard.press("Space")
    assert shown(opened) == 16


def test_a_screen_reader_hears_names_labels_and_numbers(opened: Any) -> None:
    opened.evaluate("document.querySelectorAll('.article details').forEach(one => one.open = true)")
    heard = opened.locator("#articles").aria_snapshot()
    assert 'link "◂ anti 1"' in heard
    who = opened.locator("#positions").aria_snapshot()
    assert 'heading "Fire Front" [level=3]' in who
    assert "mean −0.86" in who
    assert opened.get_by_role("combobox", name="Group or affiliation").count() == 1
    assert opened.get_by_role("status").count() == 1
    assert [opened.locator(name).count() for name in ("main", "h1", "html[lang=en]")] == [1, 1, 1]


def test_the_text_of_an_article_is_copied_as_it_was(opened: Any) -> None:
    text = opened.locator(".text").first.text_content()
    assert text.startswith("NORVIA – Report 1. </script><script>alert(1)</script>\n“We will never lay down")
    assert "anti 1" not in opened.locator(".text").first.inner_text()


def test_paper_shows_everything_whatever_was_folded_or_filtered(opened: Any) -> None:
    opened.select_option("#by-actor", label="Defence Ministry")
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.emulate_media(media="print")
    assert opened.locator(".quote:visible").count() == 32
    assert opened.locator(".text:visible").count() == 8
    assert opened.locator("form:visible").count() == 0
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    opened.emulate_media(media="screen")
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    assert (shown(opened), opened.locator("form:visible").count()) == (8, 1)
    assert opened.pdf(format="A4")[:5] == b"%PDF-"


@pytest.mark.parametrize("opened", [{"java_script_enabled": False}], indirect=True)
def test_without_script_there_are_no_filters_and_all_the_rest(opened: Any) -> None:
    assert opened.locator("form:visible").count() == 0
    opened.click("summary.who >> nth=0")
    opened.locator(".quote a:visible").first.click()
    assert "#h" in opened.url


def test_the_second_of_two_speakers_is_shown_and_leads_to_what_they_said(browser: Any, tmp_path: Path) -> None:
    article = Article("a.txt", "“We wait,” said Ana Rukh and Tomas Reke.", title="Waiting")
    quote = Quote(
        "a.txt", "direct", "“We wait,”", Span(0, 10), "Ana Rukh and Tomas Reke", None, None, None, 0.9,
        speakers=("Ana Rukh", "Tomas Reke"),
    )  # fmt: skip
    path = tmp_path / "joint.html"
    scored = [ScoredQuote(quote, Prediction("anti", PROBABILITIES["anti"]), quote.content)]
    path.write_text(report([article], scored, "Joint", "The model is tfidf."), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    assert shown(page, ".actor") == 2
    page.click(".actor:has(.also) summary")
    page.click(".also")
    assert page.locator(".quote").is_visible()
    assert "by Ana Rukh and Tomas Reke" in page.inner_text(".quote")
    page.click("button[type=reset]")
    page.uncheck("input[value=anti]")
    assert shown(page, ".actor") == 0
    page.close()
