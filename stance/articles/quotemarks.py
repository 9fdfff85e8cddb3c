"""Finds what stands in quotation marks: straight, curly, angled or single; nested, over paragraphs, or never closed.

Only marks are looked at here. Whether marked words are somebody's speech or a scare quote depends on the words around
them, and `speech` decides it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stance.articles.records import Span

_PAIRS: Final = {"“": "”", "„": "”", "«": "»", "‟": "”"}
_CLOSERS: Final = frozenset("”»")
_BEFORE_OPENING: Final = frozenset("([{—–-/:>")
_LONGEST_SINGLE: Final = 3_000
"""Characters within which a single mark must close: some 500 words, longer than a printed paragraph."""
_PARAGRAPH: Final = re.compile(r"[^\n]+")


@dataclass(frozen=True, slots=True)
class Marked:
    """A marked passage, its marks included.

    `closed` is False where the closing mark is missing; the passage then runs to the paragraph's end. `continued` tells
    that the next paragraph opens with a mark, as print has it for a speech of several paragraphs: nothing is missing.
    """

    span: Span
    closed: bool = True
    continued: bool = False


def paragraphs(text: str) -> list[Span]:
    """Return the lines of `text` that hold more than white space, trimmed."""
    spans = []
    for match in _PARAGRAPH.finditer(text):
        line = match.group()
        lead = len(line) - len(line.lstrip())
        if line.strip():
            spans.append(Span(match.start() + lead, match.start() + len(line.rstrip())))
    return spans


def marked(text: str, within: Sequence[Span]) -> list[Marked]:
    """Return the outermost marked passages of `text`, in order; none crosses the border of a paragraph in `within`."""
    found: list[Marked] = []
    for number, paragraph in enumerate(within):
        passages = _double(text, paragraph)
        passages += _single(text, paragraph, passages)
        passages.sort(key=lambda passage: passage.span)
        if passages and not passages[-1].closed and number + 1 < len(within):
            last = passages[-1]
            follows = text[within[number + 1].start]
            if follows in _PAIRS or follows in "\"‘'":
                passages[-1] = Marked(last.span, closed=False, continued=True)
        found += passages
    return found


def _double(text: str, paragraph: Span) -> list[Marked]:
    found: list[Marked] = []
    opened: list[int] = []
    for at in range(paragraph.start, paragraph.end):
        character = text[at]
        if character in _PAIRS:
            # Below an opening mark that was never closed, print opens each paragraph anew, so two levels are real.
            opened.append(at)
        elif character in _CLOSERS or (character == '"' and opened and not _opens(text, at, paragraph)):
            if opened:
                start = opened.pop()
                if not opened:
                    found.append(Marked(Span(start, at + 1)))
        elif character == '"' and _opens(text, at, paragraph) and not any(text[i] == '"' for i in opened):
            opened.append(at)
    if opened:
        found.append(Marked(Span(opened[0], paragraph.end), closed=False))
    return found


def _opens(text: str, at: int, paragraph: Span) -> bool:
    """Tell whether the straight mark at `at` can open: a gap before it and a word after it."""
    before = text[at - 1] if at > paragraph.start else " "
    after = text[at + 1] if at + 1 < paragraph.end else " "
    return (before.isspace() or before in _BEFORE_OPENING or before in "‘'“") and not after.isspace()


def _single(text: str, paragraph: Span, double: Sequence[Marked]) -> list[Marked]:
    """Find single marks outside the passages in `double`; the same signs are apostrophes, which they mostly are."""
    found: list[Marked] = []
    at = paragraph.start
    taken = {i for passage in double for i in range(passage.span.start, passage.span.end)}
    while at < paragraph.end:
        if at not in taken and text[at] in "‘'" and _opens(text, at, paragraph) and not text[at + 1].isdigit():
            end = _single_end(text, at, paragraph, taken)
            if end is not None:
                found.append(Marked(Span(at, end)))
                at = end
                continue
        at += 1
    return found


def _single_end(text: str, start: int, paragraph: Span, taken: set[int]) -> int | None:
    """Return where the passage that opens at `start` ends, or None if nothing closes it.

    A mark behind a full stop or comma closes for certain. One behind a letter closes unless it is the apostrophe of a
    plural ("the fathers' war"), which is assumed where it follows an s and a certain end comes later.
    """
    closer = "’" if text[start] == "‘" else "'"
    unsure: int | None = None
    for at in range(start + 2, min(paragraph.end, start + _LONGEST_SINGLE)):
        if at in taken or (text[at] == text[start] and text[start] != closer):
            break
        after = text[at + 1] if at + 1 < paragraph.end else " "
        if text[at] != closer or after.isalnum() or text[at - 1].isspace():
            continue
        if text[at - 1] in ".,!?;:…—" or text[at - 1] != "s":
            return at + 1
        unsure = unsure or at + 1
    return unsure
