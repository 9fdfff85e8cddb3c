"""Descriptions that stand for somebody named elsewhere: "the Ohio Republican", "the commander of the Coast Brigade"."""

import re
from typing import TYPE_CHECKING, Final

from stance.articles.clauses import Range, subject
from stance.articles.cues import SOURCE_NOUNS
from stance.articles.names import is_former
from stance.articles.roles import BODIES, MODIFIERS, ROLES, same_role

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_PARTIES: Final = {"r": "republican", "d": "democrat", "i": "independent"}
PARTISANS: Final = frozenset({"republican", "democrat"})
_TAG: Final = re.compile(r"[RDI][-–](?=[A-Z])")
_SMALL: Final = frozenset(
    {"the", "this", "that", "of", "for", "in", "and", "'s", "'", "s", "top", "chief", "own", "very"}
)


def party(doc: "Doc", run: Range) -> set[str]:
    """Return party and state in small letters where they stand behind a name: ", R-Ohio," or "(D-N.M.)"."""
    at = run[1]
    if at + 1 >= len(doc) or doc[at].text not in (",", "("):
        return set()
    end = at + 1
    while end < len(doc) and end - at < 6 and doc[end].text not in (",", ")") and not doc[end].is_space:
        end += 1
    tag = doc[at + 1 : end].text
    return {_PARTIES[tag[0].lower()], tag[2:].lower()} if _TAG.match(tag) else set()


def is_party_tag(name: str) -> bool:
    """Tell whether a run of capitalised words is none but a party and a state: "R-Ohio"."""
    return _TAG.match(name) is not None


def partisan(doc: "Doc", run: Range) -> bool:
    """Tell whether a run describes somebody by party ("the New York Democrat") and names nobody."""
    return doc[run[1] - 1].lower_ in PARTISANS and run[0] > 0 and doc[run[0] - 1].tag_ in ("DT", "JJ", "PRP$", "POS")


def qualifiers(doc: "Doc", source: Range, head: "Token") -> set[str]:
    """Return the words in small letters that say which: "coast" and "brigade" in "commander of the Coast Brigade"."""
    words = {doc[i].lower_ for i in range(*source) if i != head.i and doc[i].text[:1].isalnum()}
    return words - _SMALL


def fits(described: set[str], noun: str, heads: set[str], told: str) -> bool:
    """Tell whether "the NOUN" with the qualifiers `described` may be who has `heads` and is told to be `told`.

    `told` are role and affiliation. A qualifier that is told of nobody else's body is no bar; another body, another
    ministry, or an office that is held no longer is.
    """
    if not any(same_role(noun, head) for head in heads):
        return False
    known = {word.strip("'’") for word in told.lower().replace("-", " ").split()}
    if is_former(described) != is_former(known):
        return False
    if (described & MODIFIERS) - known - heads:
        return False
    said = described - {"former", "ex"} - BODIES
    rest = known - heads - ROLES - {"former", "ex", "the", "of", "for"}
    return not said or not rest or bool(said & (known | heads))


def authors(doc: "Doc") -> list[tuple[int, str, "Token"]]:
    """Return for each "sent a letter", "issued a statement" where it stands, its noun and the subject of the verb."""
    found = []
    for token in doc:
        if token.lower_ in SOURCE_NOUNS and token.dep_ == "dobj":
            who = subject(token.head)
            if who is not None and who.tag_.startswith("N"):
                found.append((token.i, token.lower_, who))
    return found
