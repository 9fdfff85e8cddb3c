"""Names and roles as runs of words: where a name begins and ends, what role stands beside it, and whose it is."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from stance.articles.clauses import Range, trimmed
from stance.articles.cues import SOURCE_NOUNS
from stance.articles.parsing import HYPHENATED
from stance.articles.roles import ORGANISATION_WORDS, ROLES
from stance.articles.wordlists import words

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_BOUNDS: Final = frozenset(',.;:"')
_STOPS: Final = frozenset(",.;:–—")
_OPENING: Final = frozenset({"its", "his", "her", "their", "the"})
_WEEKDAYS: Final = words("monday tuesday wednesday thursday friday saturday sunday")
_PROPER: Final = ("NNP", "NNPS")
_POSSESSIVE: Final = re.compile(r"['’]s?$")
_ARTICLES: Final = re.compile(r"^(?:the|a|an|his|her|their|its|some|this|that)\s+", re.IGNORECASE)
_PARTICLES: Final = frozenset({"al", "el", "de", "da", "la", "van", "von", "bin", "ibn", "abu", "ul"})


def runs(doc: "Doc", within: Range | None = None) -> list[Range]:
    """Return the runs of capitalised words, with hyphens and a name's small words ("al", "of the") inside them."""
    runs: list[Range] = []
    at, end = within or (0, len(doc))
    while at < end:
        if not _proper(doc[at]):
            at += 1
            continue
        start = at
        at += 1
        while (after := _goes_on(doc, at, end)) > at:
            at = after
        runs.append((start, at))
    return runs


def _small(token: "Token") -> bool:
    return token.lower_ in _PARTICLES or (token.text[:1].islower() and HYPHENATED.fullmatch(token.text) is not None)


def _goes_on(doc: "Doc", at: int, end: int) -> int:
    """Return where a run goes on behind the token at `at`, or `at` if it ends before it."""
    if at >= end:
        return at
    if _proper(doc[at]):
        return at + 1
    word, following = doc[at].lower_, at + 1
    if following >= end:
        return at
    if word in ("'", "’") and not doc[at - 1].whitespace_ and _small(doc[following]):
        return following
    if word in ("-", "'", "’") and not doc[at - 1].whitespace_ and doc[following].text[:1].isupper():
        return following + 1
    if word in _PARTICLES:
        return following if doc[following].text == "-" or _proper(doc[following]) else at
    if word in ("of", "for", "on", "&") and doc[at - 1].lower_ in ORGANISATION_WORDS:
        following += doc[following].lower_ == "the" and following + 1 < end
        day = doc[following].lower_.endswith("day")
        return following + 1 if _proper(doc[following]) and not day else at
    return at


def _proper(token: "Token") -> bool:
    if token.lower_ in _WEEKDAYS:
        return False
    # "al-Haq", which `parsing` makes one token, is a name whatever the tagger says.
    return (token.tag_ in _PROPER and token.text[:1].isalnum()) or HYPHENATED.fullmatch(token.text) is not None


def surnames(name: list[str]) -> list[str]:
    """Return the words by which a person may be met again: the last, and its part behind a particle."""
    last = name[-1].lower()
    parts = [last, last.split("-")[-1]]
    if len(name) > 2 and name[-2] in ("-", "al"):
        parts.append(last)
    return list(dict.fromkeys(parts))


def role_before(doc: "Doc", run: Range) -> str | None:
    """Return the small words of a role directly before a name: "spokeswoman", "former peace commissioner"."""
    at = run[0]
    while at > 0 and doc[at - 1].tag_ in ("NN", "JJ", "VBG", "VBN") and doc[at - 1].lower_.isalpha():
        at -= 1
    before = [doc[i].lower_ for i in range(at, run[0])]
    return " ".join(before) if before and before[-1] in ROLES else None


def is_former(told: set[str]) -> bool:
    """Tell whether words speak of an office that is held no longer."""
    return bool(told & {"former", "ex", "late", "onetime"})


def describes(token: "Token") -> bool:
    """Tell whether a word before a name makes it a body's: "the League", "Iraq's ruling Framework"."""
    return token.tag_ in ("DT", "POS", "JJ") or (token.tag_ == "VBG" and token.dep_ == "amod")


def role_beside(doc: "Doc", run: Range) -> tuple[str, str | None] | None:
    """Return role and body beside a name: ", spokesperson for the League,", ", the front's political secretary,"."""
    at = run[1]
    if at < len(doc) and doc[at].text == ",":
        end = at + 1
        while end < len(doc) and doc[end].text not in _STOPS and end - at < 14 and doc[end].tag_ not in (
            "VBD", "VBZ", "WP", "WDT", "MD",
        ):  # fmt: skip
            end += 1
        found = _role_in(doc, (at + 1, end))
        if found is not None:
            return found
    # "Its commander, Bogdan Lesk,": the role stands before the name.
    at = run[0] - 1
    if at > 0 and doc[at].text == ",":
        start = at
        while start > 0 and doc[start - 1].text not in _BOUNDS and not doc[start - 1].is_space and at - start < 12:
            start -= 1
        before = [doc[i].lower_ for i in range(start, at)]
        if any(doc[i].tag_ in ("VBD", "VBZ", "VBP", "MD") for i in range(start, at)):
            return None  # "the president boasted at a rally in Erie, Pa.,"
        told = bool(before) and (before[0] in _OPENING or before[-1] in ROLES)
        if told or (before[:1] in (["a"], ["an"]) and set(before) & ROLES):
            return _role_in(doc, (start, at))
    return None


def _role_in(doc: "Doc", tokens: Range) -> tuple[str, str | None] | None:
    """Return the role noun in `tokens` with the words before it, and the body behind "of" or before "'s"."""
    role = next((i for i in range(*tokens) if doc[i].lower_ in ROLES), None)
    if role is None or doc[tokens[0]].tag_ in ("IN", "VBG", "VBN"):
        return None
    start = role
    while start > tokens[0] and doc[start - 1].tag_ in ("NN", "JJ", "NNP") and doc[start - 1].text != ",":
        start -= 1
    while role + 1 < tokens[1] and doc[role + 1].lower_ in ("executive", "officer", "minister", "justice", "spokesman"):
        role += 1
    name = " ".join(doc[i].text for i in range(start, role + 1))
    body = None
    if role + 1 < tokens[1] and doc[role + 1].lower_ in ("of", "for", "at", "with", "to", "in"):
        body = text_of(doc, trimmed(doc, (role + 2, tokens[1])))
    elif start - 1 > tokens[0] and doc[start - 1].tag_ == "POS":
        body = text_of(doc, trimmed(doc, (tokens[0], start - 1)))
    elif start > tokens[0] and doc[start - 1].lower_ in ("its", "their"):
        body = doc[start - 1].text
    return name, body or None


def behind_post(doc: "Doc", runs: list[Range]) -> Range | None:
    """Return the name in "Special Envoy to Iraq Mark Savaya", where a country and a name run into each other."""
    for left, right in pairwise(runs):
        linked = right[0] - left[1] == 1 and doc[left[1]].lower_ in ("to", "for", "of")
        if linked and doc[left[1] - 1].lower_ in ROLES and right[1] - right[0] == 3:
            return right[0] + 1, right[1]
    return None


def owned(doc: "Doc", run: Range, source: Range) -> bool:
    """Tell whether a name only says whose the source is: "Oskar's minister", "the leader of Oskar"."""
    after = doc[run[1]] if run[1] < source[1] else None
    if after is not None and after.tag_ == "POS":
        return True
    token = doc[run[1] - 1]
    return token.dep_ == "pobj" and source[0] <= token.head.i < source[1] and run[0] > source[0]


def acts(doc: "Doc", run: Range) -> bool:
    """Tell whether a name is the subject of a clause, or stands in apposition to one."""
    for i in range(*run):
        token = doc[i]
        if token.dep_ == "appos":
            token = token.head
        if token.dep_ in ("nsubj", "nsubjpass"):
            return True
    return False


def apposed(token: "Token", head: "Token") -> bool:
    """Tell whether `token` stands in apposition to `head`."""
    return token.dep_ == "appos" and (token.head == head or token.head.head == head)


def employer(doc: "Doc", source: Range, head: "Token") -> str | None:
    """Return the body in "a State Department official", "a spokesman for the association"."""
    for run in runs(doc, (source[0], head.i)):
        return text_of(doc, run)
    for child in head.children:
        if child.lower_ in ("of", "for", "at", "from", "with") and child.i < source[1]:
            return plain_name(text_of(doc, trimmed(doc, (child.i + 1, min(child.right_edge.i + 1, source[1])))))
    return None


def core(doc: "Doc", source: Range, head: "Token") -> str:
    """Return a phrase as a name: without its article and without what is only told of it behind a comma."""
    end = source[1]
    for at in range(head.i + 1, source[1]):
        token = doc[at]
        if token.text in (",", "(") or token.lower_ in ("who", "which", "that") or token.tag_ in ("VBG", "VBN", "TO"):
            end = at
            break
        if head.lower_ in SOURCE_NOUNS and token.tag_ == "IN" and token.lower_ not in ("of", "by", "from"):
            end = at
            break
    return plain_name(text_of(doc, (source[0], end)))


def plain_name(phrase: str) -> str:
    """Return a phrase without its article and without a possessive ending."""
    plain = _ARTICLES.sub("", phrase.strip())
    return _POSSESSIVE.sub("", plain) or phrase


def text_of(doc: "Doc", tokens: Range) -> str:
    """Return the text of the tokens with single spaces."""
    # Not by `doc.text`, which is put together from all tokens each time.
    return " ".join(doc[tokens[0] : tokens[1]].text.split()) if tokens[1] > tokens[0] else ""
