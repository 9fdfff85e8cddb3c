"""Geometry of a parsed sentence: who is a verb's subject, and which tokens make up what it says.

Labels are those of spaCy's English models (ClearNLP): `nsubj` subject, `ccomp` clause with its own subject, `xcomp`
clause without one, `dobj` object, `oprd` what an object is called, `relcl` relative clause.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from stance.articles import cues
from stance.articles.wordlists import words

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

Range: TypeAlias = tuple[int, int]
"""Tokens of a document, end exclusive."""

_SUBJECTS: Final = ("nsubj", "nsubjpass")
_RELATIVE: Final = frozenset({"who", "which", "that", "whom"})
_PUNCTUATION: Final = frozenset(",;:—–-.\n ")
_DAYS: Final = words(
    "monday tuesday wednesday thursday friday saturday sunday today yesterday january february march april "
    "may june july august september october november december morning evening afternoon night"
)
_MEDIA: Final = words(
    "statement interview post letter speech message note memo email address homily rally call briefing "
    "conference website television radio reporters journalists report"
)
_CONTRASTS: Final = frozenset({"and", "but", "while", "though", "although"})


@dataclass(frozen=True, slots=True)
class Found:
    """An attribution in tokens. `subject` is the head of the source, from which its name is made out."""

    content: Range
    cue: Range | None
    subject: int | None
    source: Range | None
    confidence: float
    pieces: tuple[Range, ...] = ()


def subject(verb: "Token", depth: int = 0) -> "Token | None":
    """Return the token that heads the subject of `verb`, looked for upwards where the verb shares another's."""
    for child in verb.children:
        if child.dep_ in _SUBJECTS:
            if child.lower_ in _RELATIVE and verb.dep_ == "relcl":
                return verb.head
            return child
    if depth > 5 or verb.head == verb:
        return None
    if verb.dep_ == "conj" and verb.tag_ == "VBD" and verb.head.tag_ == "VB":
        # "He said they would not disarm, and threatened": the past tense goes with "said".
        speaking = _speaking_above(verb)
        if speaking is not None and speaking.tag_ == "VBD":
            return subject(speaking, depth + 1)
    if verb.tag_ == "VBG" and verb.lower_ in cues.LEMMAS and verb.dep_ in ("advcl", "conj", "ccomp", "acl", "dep"):
        speaking = _speaking_above(verb) or _relative_before(verb)
        if speaking is not None:
            return subject(speaking, depth + 1)
    if verb.dep_ in ("conj", "advcl", "xcomp", "pcomp", "prep", "dep"):
        return subject(verb.head, depth + 1)
    if verb.dep_ == "acl" and verb.tag_ in ("VBG", "TO", "VB"):
        return verb.head if verb.head.tag_.startswith(("N", "P")) else None
    return None


def _speaking_above(verb: "Token") -> "Token | None":
    """Return the topmost finite verb of speech over a participle ("said ..., adding that"), if there is one.

    The parser often hangs the participle on a verb inside what was said.
    """
    top = None
    for above in verb.ancestors:
        lemma = cues.LEMMAS.get(above.lower_)
        if lemma is not None and "c" in cues.FRAMES[lemma] and above.tag_.startswith("V"):
            top = above
        if above.dep_ == "relcl" and top is not None:
            break
    return (
        top
        if verb.dep_ != "acl"
        or (top is not None and verb.head.dep_ in ("pobj", "dobj", "attr") and verb.i > 0 and verb.nbor(-1).text == ",")
        else None
    )


def _relative_before(verb: "Token") -> "Token | None":
    """Return the verb of speech in the relative clause that ends before a participle, if there is one.

    "The league joins the front, which rejected the plan, saying ...": the parser hangs "saying" on "joins".
    """
    at = verb.i - 1
    if at < 1 or verb.doc[at].text != ",":
        return None
    for above in verb.doc[at - 1].ancestors:
        if above.dep_ == "relcl" and above.lower_ in cues.LEMMAS:
            return above
    return None


def noun_phrase(head: "Token", verb: "Token") -> Range:
    """Return the phrase around `head`, with appositions and relative clauses, as far as it leaves out `verb`."""
    while head.dep_ == "appos" and head.head.i < head.i and head.head.tag_.startswith("N"):
        head = head.head
    start, end = head.left_edge.i, head.right_edge.i + 1
    if start <= verb.i < end:
        if verb.i > head.i:
            # The verb stands in a relative clause of the phrase itself: "Brava, who has argued that".
            inner = [child for child in head.children if child.left_edge.i <= verb.i <= child.right_edge.i]
            end = inner[0].left_edge.i if inner else verb.i
        else:
            start = head.i
    return trimmed(head.doc, (start, end))


def trimmed(doc: "Doc", tokens: Range) -> Range:
    """Return `tokens` without punctuation and white space at its ends, quotation marks excepted."""
    start, end = tokens
    while start < end and _empty(doc[start]):
        start += 1
    while end > start and _empty(doc[end - 1]):
        end -= 1
    return start, end


def _empty(token: "Token") -> bool:
    return token.is_space or token.lower_ in _PUNCTUATION


def right_content(verb: "Token", frames: str, lemma: str) -> Range | None:
    """Return what `verb` says, where that stands behind it."""
    parts = _parts(verb, frames, lemma)
    if not parts:
        return None
    start = min(part.left_edge.i for part in parts)
    end = max(part.right_edge.i for part in parts) + 1
    if start <= verb.i:
        start = verb.i + 1
    if parts[-1].dep_ in ("dobj", "prep"):
        end = _before_aside(verb, start, end)
    end = _with_loose_ends(verb, start, end)
    start += verb.doc[start].tag_ == "RB" and verb.doc[start].lower_.endswith("ly") and end - start > 2
    start, end = cut(verb, (start, min(end, verb.sent.end)))
    while end - start > 1 and verb.doc[end - 1].lower_ in _CONTRASTS:
        end -= 1
    return start, end


def _parts(verb: "Token", frames: str, lemma: str) -> list["Token"]:
    """Return the heads of the parts of the content, by the first frame of the verb that the sentence fills."""
    kids = [child for child in verb.children if child.i > verb.i]
    objects = [child for child in kids if child.dep_ in ("dobj", "dative") and child.lower_ not in _RELATIVE]
    clauses = [child for child in kids if child.dep_ == "ccomp"]
    infinitives = [child for child in kids if child.dep_ == "xcomp"]
    if objects and "o" in frames and not infinitives:
        close = objects[0].right_edge.i + 1
        infinitives = [c for c in kids if c.dep_ == "advcl" and c.left_edge.i == close and _infinitive(c)]
    if clauses:
        clause = clauses[0]
        if not _infinitive(clause):
            return [clause] if "c" in frames or "s" in frames else []
        if "o" in frames or "i" in frames:
            return [*objects[:1], clause]
        if "s" in frames or "c" in frames:
            return [clause]
    if infinitives:
        clause = infinitives[0]
        if objects and objects[0].i < clause.i:
            return [objects[0], clause] if "o" in frames or "s" in frames else []
        if _infinitive(clause):
            addressed = [
                kid for kid in kids if kid.dep_ == "prep" and kid.i < clause.i and kid.lower_ in ("on", "upon")
            ]
            if addressed and lemma == "call":
                return [*list(addressed[0].children)[:1], clause]
            return [clause] if "i" in frames or ("o" in frames and lemma in ("ask", "demand", "want")) else []
        return [clause] if frames and clause.tag_ == "VBG" and lemma not in ("go", "start") else []
    named = [child for child in kids if child.dep_ == "oprd"]
    if named and "s" in frames:
        return [*objects[:1], *named]
    return _nominal(verb, kids, objects, frames, lemma) or (_behind_medium(kids) if "c" in frames else [])


def _behind_medium(kids: list["Token"]) -> list["Token"]:
    """Return the clause that the parser hung on where it was said: "wrote in her opinion that the policy violates"."""
    media = [noun for kid in kids if kid.dep_ == "prep" for noun in kid.children if noun.dep_ == "pobj"]
    clauses = [c for noun in media for c in noun.children if c.dep_ in ("acl", "ccomp") and c.i > noun.i]
    return [c for c in clauses if any(child.lower_ == "that" and child.dep_ == "mark" for child in c.children)][:1]


def _nominal(verb: "Token", kids: list["Token"], objects: list["Token"], frames: str, lemma: str) -> list["Token"]:
    """Return the heads of a content that is a noun phrase, with or without a preposition."""
    if objects and lemma in cues.JUDGEMENTS:
        wanted = cues.JUDGEMENTS[lemma]
        behind = [*kids, *objects[0].children]
        said = [kid for kid in behind if kid.dep_ == "prep" and kid.i > objects[0].i and kid.lower_ in wanted]
        if said:
            return [objects[0], said[0]]
    particle = cues.PARTICLES.get(lemma)
    apart = particle is not None and any(kid.dep_ == "prt" and kid.lower_ == particle for kid in verb.children)
    if objects and ("n" in frames or apart) and objects[0].dep_ == "dobj":
        return [] if objects[0].lower_ in ("himself", "herself", "themselves", "itself") else [objects[0]]
    for kid in kids:
        if kid.dep_ in ("prep", "prt", "agent") and kid.lower_ in cues.PREPOSITIONS.get(lemma, ()):
            inside = [child for child in kid.children if child.dep_ in ("pobj", "pcomp")]
            if inside:
                # "called on both sides to stop" keeps its preposition out; "warned against" takes it in.
                return inside if lemma == "call" else [kid]
    return []


def _infinitive(clause: "Token") -> bool:
    return any(child.tag_ == "TO" and child.dep_ == "aux" for child in clause.children)


def _with_loose_ends(verb: "Token", start: int, end: int) -> int:
    """Return `end` moved over phrases that the parser hung on the verb though they go on with the content."""
    for child in verb.children:
        if child.left_edge.i != end or child.i < start:
            continue
        within = {token.lower_ for token in child.subtree}
        if child.dep_ in ("prep", "advmod", "npadvmod") and not within & _DAYS and not within & _MEDIA:
            if child.lower_ != "according":
                end = child.right_edge.i + 1
        elif child.dep_ == "advcl" and child.tag_ != "VBG" and verb.doc[end].lower_ in (
            "if", "until", "unless", "because", "before", "after", "when", "once", "so", "as", "to",
        ):  # fmt: skip
            end = child.right_edge.i + 1
    return end


def _before_aside(verb: "Token", start: int, end: int) -> int:
    """Return `end` moved before an aside of the reporter's: "the plan, which", "the charge, a claim that"."""
    for at in range(start + 1, end - 1):
        token, after = verb.doc[at], verb.doc[at + 1]
        opens = after.tag_ in ("WDT", "WP") or (after.lower_ in ("a", "an") and end - at > 4)
        aside = after.head.dep_ in ("appos", "relcl") or after.dep_ in ("nsubj", "dobj", "nsubjpass")
        if token.text == "," and opens and aside:
            return at
    return end


def cut(verb: "Token", tokens: Range) -> Range:
    """Return the content `tokens` of `verb`, ended before another attribution that the parser took into it.

    "He said A but warned that B", "he said A, adding that B", "he said A, according to C" open one of their own.
    """
    start, end = tokens
    doc = verb.doc
    for at in range(start + 1, end):
        token = doc[at]
        if token.lower_ == "according" and at + 1 < end and doc[at + 1].lower_ == "to" and doc[at - 1].lower_ == ",":
            return trimmed(doc, (start, at))
        lemma = cues.LEMMAS.get(token.lower_)
        if lemma is not None and token.tag_ == verb.tag_ == "VBD" and token.head.tag_ != "VBD":
            contrast = _contrast(token, start)
            if contrast is not None:
                return trimmed(doc, (start, contrast))
        if lemma is not None and token.dep_ in ("conj", "advcl") and (joint := _coordinated(token, start)) is not None:
            return trimmed(doc, (start, joint))
        if lemma not in cues.STRONG or "c" not in cues.FRAMES[lemma]:
            continue
        before = doc[at - 1].lower_
        if (
            token.tag_ == "VBG"
            and token.dep_ in ("advcl", "ccomp", "conj", "acl", "xcomp")
            and before in (",", "while")
        ):
            return trimmed(doc, (start, at - (before == "while")))
        contrast = _contrast(token, start)
        if contrast is not None and verb.tag_ == token.tag_ and token.tag_ in ("VBD", "VBZ"):
            return trimmed(doc, (start, contrast))
    return trimmed(doc, tokens)


def _coordinated(token: "Token", start: int) -> int | None:
    """Return where "..., and scholars agree that ..." begins, if `token` has a subject and says something."""
    kids = {child.dep_ for child in token.children}
    left = token.left_edge.i
    if token.dep_ == "advcl":
        opens = token.doc[left].lower_ in ("while", "whereas") and left - 1 > start and token.doc[left - 1].text == ","
        return left - 1 if opens and kids & set(_SUBJECTS) and kids & {"ccomp", "dobj"} else None
    if "ccomp" in kids and kids & set(_SUBJECTS) and left - 2 > start:
        before = token.doc[left - 1], token.doc[left - 2]
        if before[0].dep_ == "cc" and before[1].text == ",":
            return left - 1
    return None


def _contrast(token: "Token", start: int) -> int | None:
    """Return where the "but" or "and" before `token` stands, if `token` has no subject of its own."""
    if token.dep_ != "conj" or any(child.dep_ in _SUBJECTS for child in token.children):
        return None
    for at in range(token.i - 1, max(start, token.i - 4) - 1, -1):
        if token.doc[at].lower_ in _CONTRASTS:
            return at
    return None
