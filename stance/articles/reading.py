"""Opens articles: text, HTML and JSON-lines files, folders of these, and standard input, one article at a time.

An article that cannot be read becomes an `Unreadable` with its reason and stops nothing. The offsets of a quote count
in the text that `Article.text` holds: of a text file all of it, of a JSON line its `text`, of an HTML page its main
text.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from stance.articles.language import foreign_language
from stance.articles.records import Article, Unreadable
from stance.errors import DataError, problem

Read: TypeAlias = Article | Unreadable

STDIN: Final = "-"
PAGES: Final = (".html", ".htm", ".xhtml")
LINES: Final = (".jsonl", ".ndjson")
SUFFIXES: Final = (".txt", *PAGES, *LINES)
"""What is read in a folder; other files there are passed over."""

MAX_CHARACTERS: Final = 200_000
"""Characters of an article: some 33,000 words, thrice the longest of magazine pieces."""

_MAX_BYTES: Final = 20 * 2**20
"""Bytes of a file or of a JSON line: room for a page of 200,000 characters with fifty times as much mark-up."""

_LEAST_WORDS: Final = 3


def read(inputs: Sequence[str], stdin: IO[bytes] | None = None) -> Iterator[Read]:
    """Yield the articles of `inputs` in order: files, folders (their files by name), and "-" for standard input.

    Raises:
        DataError: an input does not exist, or a folder holds no file that is read; told before any article is.
    """
    for name in inputs:
        if name != STDIN and not Path(name).exists():
            raise DataError(problem(name, "a file, a folder or -", "nothing there", "Check the path."))
        if name != STDIN and Path(name).is_dir() and not any(_files(Path(name))):
            todo = "Give another folder."
            raise DataError(problem(name, f"files ending in {', '.join(SUFFIXES)}", "none", todo))
    return _read_all(inputs, stdin)


def only_articles(items: Iterable[Read], report: Callable[[Unreadable], None]) -> Iterator[Article]:
    """Yield the articles among `items`; `report` is called with each of the others when its turn comes."""
    for item in items:
        if isinstance(item, Unreadable):
            report(item)
        else:
            yield item


def _read_all(inputs: Sequence[str], stdin: IO[bytes] | None) -> Iterator[Read]:
    for name in inputs:
        if name == STDIN:
            yield from _stream(stdin or sys.stdin.buffer)
        elif Path(name).is_dir():
            for file in _files(Path(name)):
                yield from _file(file)
        else:
            yield from _file(Path(name))


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file())


def _file(path: Path) -> Iterator[Read]:
    name = path.as_posix()
    try:
        if path.suffix.lower() in LINES:
            with path.open("rb") as lines:
                yield from _json_lines(lines, name)
            return
        size = path.stat().st_size
        if size > _MAX_BYTES:
            yield _unreadable(name, f"at most {_MAX_BYTES:,} bytes", f"{size:,}", "Is it one article? Split the file.")
            return
        yield _document(name, path.read_bytes(), path.suffix.lower() in PAGES)
    except OSError as error:
        yield _unreadable(name, "a file that can be read", str(error.strerror), "Check its permissions.")


def _stream(stream: IO[bytes]) -> Iterator[Read]:
    """Read standard input: JSON lines if it begins with a brace, HTML if with a bracket, else one text."""
    first = stream.readline(_MAX_BYTES)
    begins = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if begins == b"{":
        yield from _json_lines(stream, STDIN, first)
        return
    data = first + stream.read(_MAX_BYTES)
    if len(data) > _MAX_BYTES:
        yield _unreadable(STDIN, f"at most {_MAX_BYTES:,} bytes", "more", "Give JSON lines, one article a line.")
        return
    yield _document(STDIN, data, begins == b"<")


def _json_lines(lines: IO[bytes], name: str, first: bytes | None = None) -> Iterator[Read]:
    number = 0
    while raw := first if first is not None else lines.readline(_MAX_BYTES):
        first = None
        number += 1
        where = f"{name}:{number}"
        if len(raw) >= _MAX_BYTES:
            yield _unreadable(where, f"a line of less than {_MAX_BYTES:,} bytes", "a longer one", "Break the lines.")
            while raw and not raw.endswith(b"\n"):
                raw = lines.readline(_MAX_BYTES)
        elif raw.strip():
            yield _record(raw, where)


def _record(raw: bytes, where: str) -> Read:
    todo = 'Write {"id": ..., "text": ...}, one object a line.'
    try:
        record = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return _unreadable(where, "a JSON object", "something else", todo)
    if not isinstance(record, dict):
        return _unreadable(where, "a JSON object", type(record).__name__, todo)
    text = record.get("text")
    if not isinstance(text, str):
        return _unreadable(where, 'a string under "text"', "nothing" if text is None else type(text).__name__, todo)
    known = {key: _string(record.get(key)) for key in ("id", "title", "date", "url")}
    return _checked(Article(known["id"] or where, text, known["title"], known["date"], known["url"]))


def _string(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _document(name: str, data: bytes, is_page: bool) -> Read:
    if is_page:
        return _page(name, data)
    try:
        return _checked(Article(name, data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        return _unreadable(name, "UTF-8", f"byte {data[error.start]:#04x} at {error.start:,}", "Convert the file.")


def _page(name: str, data: bytes) -> Read:
    """Return the main text of an HTML page, without menus, comments and tables."""
    from trafilatura import bare_extraction

    found = bare_extraction(data, include_comments=False, include_tables=False, with_metadata=True)
    fields = found if isinstance(found, dict) else found.as_dict() if found is not None else {}
    text = fields.get("text")
    if not text:
        return _unreadable(
            name, "a page with an article", "no main text", "Is it a page of links, or built by scripts?"
        )
    return _checked(Article(name, text, *(_string(fields.get(key)) for key in ("title", "date", "url"))))


def _checked(article: Article) -> Read:
    """Return the article, or why it is none: empty, enormous, damaged, too few words or not in English."""
    text = article.text
    if not text.strip():
        return _unreadable(article.id, "an article", "an empty text", "Check where it comes from.")
    if len(text) > MAX_CHARACTERS:
        got = f"{len(text):,}"
        return _unreadable(article.id, f"at most {MAX_CHARACTERS:,} characters", got, "Is it one article? Split it.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return _unreadable(article.id, "a text", "NUL or half characters in it", "Convert it to UTF-8.")
    if sum(any(character.isalpha() for character in word) for word in text.split()) < _LEAST_WORDS:
        return _unreadable(article.id, "an article", "hardly a word", "Check where it comes from.")
    language = foreign_language(text)
    if language is not None:
        return _unreadable(article.id, "English", f"what looks like {language!r}", "Translate it first.")
    return article


def _unreadable(where: str, expected: str, got: str, todo: str) -> Unreadable:
    return Unreadable(where, problem(where, expected, got, todo))
