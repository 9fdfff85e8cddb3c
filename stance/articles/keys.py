"""Which actors a statement counts for, and when two spellings are one name."""

import re
import unicodedata
from functools import lru_cache

from stance.articles.records import Quote
from stance.text import normalise


def keys(quote: Quote) -> tuple[list[str], str | None]:
    """Return the keys of the actors that `quote` counts for: those of its speakers, and its affiliation's."""
    return [_key(name, quote.document) for name in named(quote)], _home(quote)


def actor_keys(quote: Quote) -> list[str]:
    """Return the keys of all actors that `quote` counts for, each once; none if it names nobody."""
    speakers, body = keys(quote)
    return list(dict.fromkeys([*speakers, body] if body else speakers))


def named(quote: Quote) -> list[str]:
    """Return the names of those who speak: the source, or each of those who speak together."""
    return [name for name in (quote.speakers or (quote.source,)) if name and name.strip()]


def _home(quote: Quote) -> str | None:
    body = quote.affiliation
    return _key(body, quote.document) if body and body.strip() else None


def _key(name: str, document: str) -> str:
    # "officials" or "the mayor" names nobody: in another article these are others.
    return name_key(name) + (f"@{document}" if name == name.lower() else "")


@lru_cache(maxsize=1 << 16)
def name_key(name: str) -> str:
    """Return what is equal for spellings of one name; never empty unless `name` is blank."""
    plain = unicodedata.normalize("NFKD", normalise(name).casefold())
    plain = "".join(character for character in plain if character != "'" and not unicodedata.combining(character))
    words = re.sub(r"[\W_]+", " ", plain).split()
    if len(words) > 1 and words[0] in ("the", "a", "an"):
        del words[0]
    return " ".join(words) or plain
