"""The parser, loaded once, and a short way from a text to its quotes."""

from collections.abc import Callable

import pytest

from stance.articles import Article, Quote, extract
from stance.articles.parsing import parser


@pytest.fixture(scope="session")
def quotes_of() -> Callable[[str], list[Quote]]:
    parser()
    return lambda text: extract(Article("a.txt", text))
