"""A news article goes in, the quotes in it come out: who said what, in which words, and where they stand.

`read` opens articles, `extract_all` finds their quotes, `writer` writes them. Importing this page loads neither the
parser nor anything else of its size.
"""

from stance.articles.extract import BATCH, extract, extract_all
from stance.articles.reading import only_articles, read
from stance.articles.records import QUOTE_FIELDS, Article, Quote, QuoteType, Span, Unreadable
from stance.articles.writing import FORMATS, Format, writer

__all__ = [
    "BATCH",
    "FORMATS",
    "QUOTE_FIELDS",
    "Article",
    "Format",
    "Quote",
    "QuoteType",
    "Span",
    "Unreadable",
    "extract",
    "extract_all",
    "only_articles",
    "read",
    "writer",
]
