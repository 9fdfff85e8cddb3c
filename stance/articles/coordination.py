"""Names with "and" between them: one name ("Trinidad and Tobago") or two speakers ("Fatah and Hamas")?

Two names that are put together speak for themselves unless something shows that they are one: the parser hangs the
first on the last word of the second ("the Food and Drug Administration"), the "and" stands behind an "of" inside a
body's name ("the Ministry of Defence and Armed Forces Logistics"), the verb is in the singular, or the name is known.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from stance.articles.clauses import Range, trimmed
from stance.articles.roles import GIVEN_NAMES, ORGANISATION_WORDS, ROLES, stripped_of_titles

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_AND: Final = frozenset({"and", "&"})
_INNER: Final = frozenset({"of", "for", "on"})
_SINGULAR: Final = frozenset({"has", "was", "is"})

FUSED: Final = frozenset(
    {
        "trinidad and tobago", "antigua and barbuda", "bosnia and herzegovina", "saint kitts and nevis",
        "st. kitts and nevis", "saint vincent and the grenadines", "sao tome and principe", "são tomé and príncipe",
        "newfoundland and labrador", "turks and caicos", "jammu and kashmir",
        "procter and gamble", "standard and poor", "marks and spencer", "smith and wesson", "ernst and young",
        "barnes and noble", "arts and sciences", "ways and means",
    }
)  # fmt: skip
"""Places and firms with "and" in their names, in small letters."""


def fuse(doc: "Doc", runs: Sequence[Range]) -> list[Range]:
    """Return the runs of capitalised words with those joined that are one name with "and" inside it."""
    joined: list[Range] = []
    for run in runs:
        if joined and _one_name(doc, joined[-1], run, runs):
            joined[-1] = joined[-1][0], run[1]
        else:
            joined.append(run)
    return joined


def _one_name(doc: "Doc", left: Range, right: Range, runs: Sequence[Range]) -> bool:
    gap = [doc[i].lower_ for i in range(left[1], right[0])]
    if not gap or gap[0] not in _AND or len(gap) > 2:
        return False
    first, last = _words(doc, left), _words(doc, right)
    whole = " ".join(word.lower() for word in (*first, "and", *gap[1:], *last))
    if whole in FUSED:
        return True
    if len(gap) > 1:
        return False  # "the Front and the League"
    before, after = doc[left[1] - 1], doc[right[1] - 1]
    if first == last or (before.dep_ in ("nmod", "compound") and right[0] <= before.head.i < right[1]):
        return True
    if after.dep_ == "conj" and before.dep_ == "nsubj" and after.head == before and _singular(before.head):
        return True
    if _person(first) or _person(last) or _alone(doc, last, right, runs):
        return False
    if any(word.lower() in _INNER for word in first):
        return not any(word.lower() in _INNER for word in last)
    bare = not any(word.lower() in ORGANISATION_WORDS or (word.isupper() and len(word) > 1) for word in first)
    led = left[0] > 0 and doc[left[0] - 1].tag_ in ("DT", "POS")
    return led and bare and last[-1].lower() in ORGANISATION_WORDS and not _alone(doc, first, left, runs)


def _words(doc: "Doc", run: Range) -> list[str]:
    return [doc[i].text for i in range(*run)]


def _singular(verb: "Token") -> bool:
    first = next((child for child in verb.children if child.dep_ in ("aux", "auxpass")), verb)
    return first.tag_ == "VBZ" or first.lower_ in _SINGULAR


def _person(name: list[str]) -> bool:
    title, rest = stripped_of_titles(name)
    return title is not None or (len(rest) > 1 and rest[0].lower() in GIVEN_NAMES)


def _alone(doc: "Doc", name: list[str], here: Range, runs: Sequence[Range]) -> bool:
    """Tell whether a name also stands by itself somewhere else."""
    return any(
        run != here and run[1] - run[0] == len(name) and _words(doc, run) == name and not _joined(doc, run)
        for run in runs
    )


def _joined(doc: "Doc", run: Range) -> bool:
    before = doc[run[0] - 1].lower_ if run[0] > 0 else ""
    after = doc[run[1]].lower_ if run[1] < len(doc) else ""
    return before in _AND or after in _AND


def speakers(doc: "Doc", source: Range, head: "Token", runs: Sequence[Range]) -> list[tuple[Range, "Token"]]:
    """Return the part of `source` for each of those who speak together with its head; one part if it is one speaker.

    `runs` are the names of the article, fused. Speakers are told apart only where each part holds a name: "doctors and
    nurses" stay one description.
    """
    head = _first(source, head)
    heads = [head]
    for token in heads:  # grows while it is read: "A, B and C" hangs C on B
        heads += [child for child in token.children if child.dep_ == "conj" and child.i < source[1]]
    # Inside a name the parser may see names put together too ("Harakat" and "al-Nujaba"): it is one all the same.
    heads = list({_name(token, runs): token for token in sorted(heads, key=lambda t: -t.i)}.values())[::-1]
    starts = [source[0]]
    for token in heads[1:]:
        starts.append(max(min(_name(token, runs), token.left_edge.i), starts[-1] + 1))
    parts = []
    for (start, end), token in zip(pairwise([*starts, source[1]]), heads, strict=True):
        part = _bare(doc, (start, end))
        if not part[0] <= token.i < part[1] or not _named(doc, part, token, runs):
            return [(source, head)]
        parts.append((part, token))
    return parts if len(parts) > 1 else [(source, head)]


def _name(token: "Token", runs: Sequence[Range]) -> int:
    """Return where the name that holds `token` begins, or the phrase around it if no name does."""
    return next((start for start, end in runs if start <= token.i < end), token.left_edge.i)


def _first(source: Range, head: "Token") -> "Token":
    """Return the first of the names that are put together, from any of them or from what is told of them all."""
    while head.dep_ in ("appos", "conj") and source[0] <= head.head.i < head.i:
        head = head.head
    return head


def _bare(doc: "Doc", part: Range) -> Range:
    start, end = trimmed(doc, part)
    while end > start and (doc[end - 1].lower_ in _AND or doc[end - 1].text == ","):
        end -= 1
    while start < end and doc[start].lower_ in ("both", "either"):
        start += 1
    return start, end


def _named(doc: "Doc", part: Range, head: "Token", runs: Sequence[Range]) -> bool:
    """Tell whether a name heads the part, or one stands in apposition to its head ("her deputy, Jonas Abeli")."""
    for start, end in runs:
        if part[0] <= start and end <= part[1]:
            if start <= head.i < end:
                return True
            apposed = any(doc[i].dep_ == "appos" and doc[i].head == head for i in range(start, end))
            if apposed and head.lower_ in ROLES:
                return True
    return False
