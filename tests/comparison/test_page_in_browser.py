"""The page of a comparison in Debian's Chromium: it fits, in the dark too, prints, and asks nobody anything.

Needs `chromium` on the path and Playwright's Python package (`pip install playwright`; its own browsers are not used).
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stance.comparison import Read, compare, detail, page
from stance.comparison.runs import Found

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's Chromium: apt-get install chromium"),
]
GOLD = "anp" * 20


@pytest.fixture
def file(make_run: Callable[..., Read], tmp_path: Path) -> Path:
    """A page of seven systems with long names, in theatres of long names."""
    runs = []
    for at in range(7):
        one = make_run(GOLD, "anp" * (20 - at) + "npa" * at, f"system-{at}-" + "x" * 40, **{"k" * 50: str(at) * 50})
        theatres = tuple(f"theatre-{row % 9}-" + "y" * 30 for row in range(60))
        runs.append(Read(replace(one.run, seconds=10.0**at), replace(one.predictions, theatres=theatres)))
    compared = compare(runs, "test", resamples=20)
    path = tmp_path / "page.html"
    path.write_text(page(compared, detail(compared, Found(runs, ["z" * 300])), "stance compare"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def test_the_page_fits_from_a_telephone_to_a_wide_screen_and_asks_nobody_anything(browser: Any, file: Path) -> None:
    for width in (360, 800, 1600):
        tab = browser.new_page(viewport={"width": width, "height": 900})
        asked, said = [], []
        tab.on("request", lambda request, asked=asked: asked.append(request.url))
        tab.on("console", lambda message, said=said: said.append(message.text))
        tab.goto(file.as_uri(), timeout=0)
        for summary in tab.query_selector_all("summary"):
            summary.click()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("[...document.querySelectorAll('figure svg')].every(one => one.clientWidth > 200)")
        assert (asked, said) == ([file.as_uri()], [])
        tab.close()


def test_figures_take_the_colours_of_a_dark_page_and_of_paper(browser: Any, file: Path) -> None:
    ink = "getComputedStyle(document.querySelector('figure svg text')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    tab = browser.new_page(color_scheme="dark")
    tab.goto(file.as_uri(), timeout=0)
    assert (tab.evaluate(ink), tab.evaluate(paper)) == ("rgb(233, 230, 225)", "rgb(20, 22, 25)")
    tab.emulate_media(media="print", color_scheme="dark")
    assert (tab.evaluate(ink), tab.evaluate(paper)) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")
    assert len(tab.pdf()) > 10_000
    tab.close()
