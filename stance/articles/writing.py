"""Writes quotes: JSON lines and CSV for programs, lines for a terminal."""

import csv
import json
from collections.abc import Callable, Sequence
from typing import IO, Final, Literal, TypeAlias

from stance.articles.records import QUOTE_FIELDS, Quote

Format: TypeAlias = Literal["table", "jsonl", "csv"]
FORMATS: Final[tuple[Format, ...]] = ("table", "jsonl", "csv")

_SOURCE_WIDTH: Final = 34
_LEAST_CONTENT: Final = 30


def writer(stream: IO[str], kind: Format, width: int = 100) -> Callable[[str, Sequence[Quote]], None]:
    """Return a function that writes an article's quotes, given the article's id; `width` is a terminal's columns.

    CSV writes its header at once, so that no quotes make a table without rows rather than an empty file.
    """
    if kind == "jsonl":
        return lambda _, quotes: stream.writelines(
            json.dumps(quote.as_dict(), ensure_ascii=False) + "\n" for quote in quotes
        )
    if kind == "csv":
        table = csv.DictWriter(stream, QUOTE_FIELDS, lineterminator="\n")
        table.writeheader()
        return lambda _, quotes: table.writerows(_flat(quote) for quote in quotes)
    return lambda name, quotes: stream.writelines(line + "\n" for line in _lines(name, quotes, width))


def _flat(quote: Quote) -> dict[str, object]:
    row = quote.as_dict()
    row["pieces"] = " ".join(f"{start}-{end}" for start, end in row["pieces"])
    row["speakers"] = "; ".join(row["speakers"])
    return row


def _lines(name: str, quotes: Sequence[Quote], width: int) -> list[str]:
    lines = [name]
    room = max(_LEAST_CONTENT, width - _SOURCE_WIDTH - 20)
    for quote in quotes:
        source = _cut(quote.source or "(nobody named)", _SOURCE_WIDTH)
        content = _cut(" ".join(quote.content.split()), room)
        lines.append(f"  {quote.type:<8}  {quote.confidence:.2f}  {source:<{_SOURCE_WIDTH}}  {content}")
    if not quotes:
        lines.append("  no quotes")
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
