"""Finds indirect speech in a parsed article: who said, thinks or wants what, without regard to quotation marks.

Each rule takes one kind of cue. Attributions inside the content of another are left out ("the envoy said that the group
refuses to disarm" is the envoy's), so that every word belongs to one source at most.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from stance.articles import cues
from stance.articles.clauses import Found, Range, cut, noun_phrase, right_content, subject, trimmed
from stance.articles.roles import ROLES

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

_CLAUSE: Final = 0.9
_REPORTED: Final = 0.85
_WISH: Final = 0.75
_PHRASE: Final = 0.6
_NOUN: Final = 0.5

_LONGEST_SENTENCE: Final = 400
"""Tokens; what is longer is a list or a table without full stops, on which a parse means nothing."""

_WANTING: Final = frozenset(
    {"want", "like", "prefer", "hope", "love", "expect", "support", "oppose", "think", "believe"}
)
"""Verbs that tell of a mind behind "would" and "will" too; of the others these tell what might be said one day."""

_VIEWS: Final = frozenset(
    {"view", "views", "opinion", "words", "eyes", "judgment", "judgement", "estimation", "telling"}
)
_EXPLETIVE: Final = frozenset({"it", "there"})
_UNREPORTED: Final = frozenset({"i", "you", "we", "one"})
_SOURCES: Final = frozenset({"people", "person", "sources", "source"})


def find(doc: "Doc", spoken: Sequence[bool]) -> list[Found]:
    """Return the indirect attributions of `doc`, in order; `spoken` tells of each of its `t` tokens if it is in marks.

    A cue inside quoted speech belongs to what is said and opens nothing.
    """
    found: list[Found] = []
    for sentence in doc.sents:
        if len(sentence) > _LONGEST_SENTENCE:
            continue
        here: list[Found] = []
        for token in sentence:
            if not spoken[token.i]:
                here.extend(_of_token(token, sentence, spoken))
        found.extend(outermost(here))
    return found


def outermost(found: Sequence[Found]) -> list[Found]:
    """Return `found` without what lies inside the content of another; of two equal ones the surer stays."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: (-(f.content[1] - f.content[0]), -f.confidence)):
        if not any(_inside(one, other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda f: f.content)


def _inside(one: Found, other: Found) -> bool:
    start, end = one.content
    shared = min(end, other.content[1]) - max(start, other.content[0])
    if shared <= 0:
        cue = one.cue or one.content
        return other.content[0] <= cue[0] and cue[1] <= other.content[1] and not _between_pieces(cue, other)
    return True


def _between_pieces(cue: Range, other: Found) -> bool:
    return bool(other.pieces) and not any(start <= cue[0] and cue[1] <= end for start, end in other.pieces)


def _of_token(token: "Token", sentence: "Span", spoken: Sequence[bool]) -> Iterator[Found]:
    lower, tag = token.lower_, token.tag_
    if lower == "according":
        yield from _according(token, sentence)
    elif lower == "per" and (token.i == sentence.start or token.nbor(-1).text == ","):
        yield from _per(token, sentence)
    elif lower in _VIEWS and token.dep_ == "pobj" and token.head.lower_ == "in":
        yield from _view(token, sentence)
    elif lower in cues.ADJECTIVES and token.dep_ in ("acomp", "conj"):
        yield from _feeling(token)
    elif tag.startswith("N") and lower.removesuffix("s") in cues.NOUNS:
        yield from _noun(token)
    elif tag.startswith("V") and lower in cues.LEMMAS and token.dep_ not in ("amod", "compound", "aux", "auxpass"):
        yield from _verb(token, cues.LEMMAS[lower], sentence, spoken)


def _verb(verb: "Token", lemma: str, sentence: "Span", spoken: Sequence[bool]) -> Iterator[Found]:
    frames = cues.FRAMES[lemma]
    if any(child.dep_ == "auxpass" for child in verb.children):
        yield from _passive(verb, frames, lemma)
        return
    if (
        verb.tag_ == "VBN"
        and verb.dep_ in ("acl", "relcl", "advcl")
        and not any(c.dep_ == "aux" for c in verb.children)
    ):
        return
    who = subject(verb)
    if who is not None and (
        who.lower_ in _UNREPORTED or (who.lower_ in _EXPLETIVE and verb.dep_ == "ROOT" and lemma in ("mean", "hold"))
    ):
        return
    if (
        any(child.tag_ == "MD" for child in verb.children)
        and lemma not in _WANTING
        and ("q" not in frames or "i" in frames)
    ):
        return
    if verb.tag_ == "VB" and "q" not in frames and verb.dep_ in ("xcomp", "advcl", "acl") and _infinitive(verb):
        return  # "to ensure that", "trying to determine whether"
    right = right_content(verb, frames, lemma)
    cue = (verb.i, verb.i + 1)
    if right is not None and right[1] - right[0] > 0:
        if who is None or (lemma in ("ask", "request", "decline", "refuse") and _anonymous(verb.doc, right)):
            return
        yield Found(right, cue, *_source(who, verb, right), _confidence(verb, frames, lemma, right))
    elif "q" in frames or lemma in ("believe", "think", "show", "hear", "find"):
        yield from _behind(verb, who, sentence, spoken)


def _infinitive(verb: "Token") -> bool:
    return any(child.tag_ == "TO" for child in verb.children)


def _anonymous(doc: "Doc", content: Range) -> bool:
    """Tell whether a source only asks to stay unnamed, which is a remark of the reporter's."""
    return any(doc[i].lower_ in ("named", "identified", "anonymity", "anonymous", "comment") for i in range(*content))


def _source(who: "Token | None", verb: "Token", content: Range) -> tuple[int | None, Range | None]:
    if who is None:
        return None, None
    start, end = noun_phrase(who, verb)
    if start < content[1] and content[0] < end:
        # The parser gave the subject a part of the content; what is left of it is the source.
        start, end = (start, content[0]) if start < content[0] else (content[1], end)
        start, end = trimmed(verb.doc, (start, max(start, end)))
    return (who.i, (start, end)) if end > start else (None, None)


def _confidence(verb: "Token", frames: str, lemma: str, content: Range) -> float:
    clause = next((c for c in verb.children if c.dep_ in ("ccomp", "xcomp") and content[0] <= c.i < content[1]), None)
    if clause is None:
        return _PHRASE
    if "q" in frames and clause.dep_ == "ccomp":
        return _CLAUSE
    return _REPORTED if clause.dep_ == "ccomp" else _WISH


def _behind(verb: "Token", who: "Token | None", sentence: "Span", spoken: Sequence[bool]) -> Iterator[Found]:
    """Find a content before the cue ("it had moved, an inquiry heard") or around it ("the money, she said, is")."""
    if who is None:
        return
    source = noun_phrase(who, verb)
    first = min(source[0], verb.i)
    doc = verb.doc
    before = first - 1
    if before <= sentence.start or doc[before].lower_ not in (",", '"') or verb.dep_ in ("relcl", "acl"):
        return
    start = sentence.start
    content = trimmed(doc, (start, before))
    if content[1] <= content[0] or doc[content[0]].lower_ in ("asked", "per"):
        return
    if content[1] - content[0] < 3 and verb.dep_ != "parataxis":
        return
    if any(spoken[i] for i in range(*content)) and doc[before].lower_ == '"':
        return
    last = max(source[1], verb.i + 1)
    if verb.dep_ == "parataxis" and last < sentence.end and doc[last].lower_ == "," and sentence.end - last > 3:
        rest = trimmed(doc, (last, sentence.end))
        pieces = (content, rest)
        yield Found((content[0], rest[1]), (verb.i, verb.i + 1), who.i, source, _REPORTED, pieces)
        return
    # A headline's verbs may pass for nouns: "Pill halves attacks, trial suggests".
    closing = last >= sentence.end - 1
    if not closing and not any(doc[i].tag_[0] == "V" or doc[i].tag_ == "MD" for i in range(*content)):
        return
    yield Found(content, (verb.i, verb.i + 1), who.i, source, _REPORTED)


def _passive(verb: "Token", frames: str, lemma: str) -> Iterator[Found]:
    """Find "it is understood that", "the plan was condemned by", "they were warned that"."""
    patient = next((c for c in verb.children if c.dep_ in ("nsubjpass", "nsubj")), None)
    agent = next((g for c in verb.children if c.dep_ == "agent" for g in c.children if g.dep_ == "pobj"), None)
    source: tuple[int | None, Range | None] = (None, None)
    if agent is not None:
        source = agent.i, noun_phrase(agent, verb)
    if any(child.dep_ == "neg" for child in verb.children):
        return
    clause = next((c for c in verb.children if c.dep_ == "ccomp" and c.i > verb.i), None)
    cue = (verb.i, verb.i + 1)
    if clause is not None and "c" in frames and patient is not None:
        content = cut(verb, (clause.left_edge.i, clause.right_edge.i + 1))
        start = patient.i if patient.lower_ == "it" else verb.i
        yield Found(content, (start, verb.i + 1), *source, _PHRASE)
    elif agent is not None and patient is not None and ("n" in frames or lemma in cues.JUDGEMENTS):
        yield Found(trimmed(verb.doc, (patient.left_edge.i, patient.right_edge.i + 1)), cue, *source, _NOUN)


def _according(token: "Token", sentence: "Span") -> Iterator[Found]:
    doc = token.doc
    if token.i + 1 >= len(doc) or doc[token.i + 1].lower_ != "to":
        return
    who = next((g for c in token.children if c.lower_ == "to" for g in c.children if g.dep_ == "pobj"), None)
    if who is None:
        return
    source = trimmed(doc, (token.i + 2, who.right_edge.i + 1))
    yield from _adverbial((token.i, token.i + 2), who, source, sentence, _CLAUSE)


def _per(token: "Token", sentence: "Span") -> Iterator[Found]:
    """Find "per two people briefed on the call, ..."; "per share" and "per month" tell of no source."""
    who = next((child for child in token.children if child.dep_ == "pobj"), None)
    if who is not None and (who.lower_ in _SOURCES or who.lower_.removesuffix("s") in ROLES | cues.SOURCE_NOUNS):
        source = trimmed(token.doc, (token.i + 1, who.right_edge.i + 1))
        yield from _adverbial((token.i, token.i + 1), who, source, sentence, _REPORTED)


def _view(token: "Token", sentence: "Span") -> Iterator[Found]:
    """Find "in their view", "in the words of one villager"."""
    owner = next((c for c in token.children if c.dep_ == "poss"), None)
    cue = (token.i, token.i + 1)
    if owner is None:
        owner = next((g for c in token.children if c.lower_ == "of" for g in c.children if g.dep_ == "pobj"), None)
        cue = (token.head.i, token.i + 2)
    said = token.head.head.lower_ in cues.LEMMAS and token.head.i > token.head.head.i
    if owner is None or (said and any(child.dep_ in ("acl", "ccomp") for child in token.children)):
        return  # "wrote in her opinion that"
    span = token.head.left_edge.i, token.right_edge.i + 1
    source = trimmed(token.doc, (owner.left_edge.i, owner.right_edge.i + 1))
    yield from _adverbial(cue, owner, source, sentence, _REPORTED, span)


def _adverbial(
    cue: Range, who: "Token", source: Range, sentence: "Span", confidence: float, span: Range | None = None
) -> Iterator[Found]:
    """Find the content of a cue that is an adverbial: the rest of its sentence."""
    doc = who.doc
    start, end = span or (cue[0], source[1])
    left = trimmed(doc, (sentence.start, max(sentence.start, start)))
    right = trimmed(doc, (end, sentence.end))
    has_left = left[1] - left[0] > 1
    if not has_left or (doc[left[0]].lower_ in ("but", "and") and left[1] - left[0] < 3):
        if right[1] > right[0]:
            yield Found(right, cue, who.i, source, confidence)
    elif right[1] - right[0] > 3 and doc[end].lower_ == "," and doc[right[0]].tag_ in ("MD", "VBZ", "VBD", "VBP", "IN"):
        yield Found((left[0], right[1]), cue, who.i, source, confidence, (left, right))
    else:
        yield Found(left, cue, who.i, source, confidence)


def _feeling(adjective: "Token") -> Iterator[Found]:
    """Find "is confident that", "was prepared to"."""
    clause = next((c for c in adjective.children if c.dep_ in ("ccomp", "xcomp") and c.i > adjective.i), None)
    verb = adjective.head
    who = subject(verb)
    if clause is None or who is None or who.lower_ in _EXPLETIVE | _UNREPORTED:
        return
    content = cut(verb, (clause.left_edge.i, clause.right_edge.i + 1))
    yield Found(content, (adjective.i, adjective.i + 1), *_source(who, verb, content), _PHRASE)


def _noun(noun: "Token") -> Iterator[Found]:
    """Find "his demand that the movement surrender", "their call for calm"."""
    owner = next((c for c in noun.children if c.dep_ == "poss"), None)
    if owner is None or owner.lower_ in ("my", "our", "your"):
        return
    clause = next((c for c in noun.children if c.dep_ in ("acl", "ccomp", "relcl") and c.i > noun.i), None)
    if clause is None or not any(c.lower_ in ("that", "to") and c.dep_ in ("mark", "aux") for c in clause.children):
        return
    content = cut(noun, (clause.left_edge.i, clause.right_edge.i + 1))
    source = trimmed(noun.doc, (owner.left_edge.i, owner.right_edge.i + 1))
    if noun.doc[source[1] - 1].tag_ == "POS":
        source = source[0], source[1] - 1
    yield Found(content, (noun.i, noun.i + 1), owner.i, source, _NOUN)
