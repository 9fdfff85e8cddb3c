"""Who is meant: names, roles and affiliations in an article, and what its pronouns and titles stand for.

There is no entity recogniser here (it would double the time of an article): a name is a run of capitalised words, told
to be a person's by a title before it, a role beside it, or its shape. "She" is the last person who spoke, "the premier"
the last one with that role, "the group" the last body named.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from stance.articles.clauses import Found, Range, noun_phrase
from stance.articles.coordination import fuse, speakers
from stance.articles.cues import SOURCE_NOUNS
from stance.articles.descriptions import PARTISANS, authors, fits, is_party_tag, partisan, party, qualifiers
from stance.articles.names import (
    acts,
    apposed,
    behind_post,
    core,
    describes,
    employer,
    owned,
    plain_name,
    role_before,
    role_beside,
    runs,
    surnames,
    text_of,
)
from stance.articles.roles import (
    BODIES,
    FEMALE,
    GENERIC,
    GIVEN_NAMES,
    HONORIFICS,
    MALE,
    MODIFIERS,
    ORGANISATION_WORDS,
    ROLES,
    TITLES,
    same_role,
    stripped_of_titles,
)

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_SINGULAR: Final = {"he": MALE, "him": MALE, "his": MALE, "she": FEMALE, "her": FEMALE}
_PLAIN_TITLES: Final = frozenset({"mr", "mr.", "mrs", "mrs.", "ms", "ms.", "miss", "sir", "dame", "lord", "lady"})
_PLURAL: Final = frozenset({"they", "their", "it", "its", "we", "them"})
_NEAR: Final = 40
"""Tokens between a body and "a statement" that is taken to be its own: a sentence or two."""
_REACH: Final = 60
"""Tokens within which a name that fits a pronoun's gender comes before a subject that may or may not fit."""


@dataclass(slots=True)
class Actor:
    """Somebody or something that speaks, under the fullest name that the article gives."""

    name: str
    person: bool | None
    """None where a single word does not tell: "Ryan", "Washington"."""
    role: str | None = None
    affiliation: str | None = None
    gender: frozenset[str] | None = None
    heads: set[str] = field(default_factory=set)
    """The nouns that may stand for it: "premier", "official", "letter"."""


class Cast:
    """The actors of one article. Ask for them in the order of the text: each answer moves the memory of who spoke."""

    def __init__(self, doc: "Doc", spoken: list[bool], told: list[bool]) -> None:
        """Collect the names of `doc` with their titles.

        `spoken` tells which of its `t` tokens stand in marks, `told` which belong to the content of a quote: who acts
        there is not who "he" is in the next sentence.
        """
        self._doc = doc
        self._spoken = spoken
        self._by_name: dict[str, Actor] = {}
        self._seen: list[tuple[int, Actor]] = []
        self._spoke: list[Actor] = []
        self._together: list[Actor] = []
        self._asked: Actor | None = None
        self._subjects: list[tuple[int, Actor]] = []
        self._authors = authors(doc)
        self._runs = fuse(doc, runs(doc))
        for run in self._runs:
            actor = self._introduce(run)
            if actor is None or spoken[run[0]]:
                continue
            self._seen.append((run[0], actor))
            if acts(doc, run) and not told[run[0]]:
                self._subjects.append((run[0], actor))

    def actors(self, found: Found) -> list[Actor]:
        """Return the source of `found`: nobody, one speaker, or those who speak together."""
        if found.source is None or found.subject is None or found.source[1] <= found.source[0]:
            return []
        source = self.whole(found.source)
        if source[1] - source[0] == 1 and len(self._together) > 1 and self._doc[source[0]].lower_ in ("they", "both"):
            actors = self._together
        else:
            parts = speakers(self._doc, source, self._doc[found.subject], self._runs)
            actors = list({id(a): a for a in (self._resolve(*part) for part in parts)}.values())
        for actor in actors:
            self._spoke.append(actor)
            if not self._subjects or actor is not self._subjects[-1][1]:
                self._subjects.append((found.source[0], actor))
        self._subjects.sort(key=lambda pair: pair[0])
        self._together = actors
        self._asked = actors[-1] if self._asks(found) else None
        return actors

    def _asks(self, found: Found) -> bool:
        """Tell whether `found` is a question put to somebody, which the one who asked does not answer."""
        doc, end = self._doc, found.content[1]
        asked = found.cue is not None and doc[found.cue[0]].lower_ in ("ask", "asks", "asked", "inquired")
        return asked and any(doc[i].text == "?" for i in range(max(end - 2, 0), end))

    def whole(self, source: Range) -> Range:
        """Return `source` with the names at its ends in full, which a wrong parse may have cut."""
        start = next((a for a, b in self._runs if a <= source[0] < b), source[0])
        end = next((b for a, b in self._runs if a < source[1] <= b), source[1])
        return start, end

    def _introduce(self, run: Range) -> Actor | None:
        """Return the actor that a run of capitalised words names, made known if it is new."""
        if partisan(self._doc, run) or is_party_tag(text_of(self._doc, run)):
            return None
        title, name = stripped_of_titles(text_of(self._doc, run).split())
        before = role_before(self._doc, run)
        if not name:
            return None
        role = title or before
        key = " ".join(name)
        organised = (key.isupper() and len(name) > 1) or any(word.lower() in ORGANISATION_WORDS for word in name)
        definite = run[0] > 0 and describes(self._doc[run[0] - 1]) and not role
        person: bool | None = not organised and bool(role or (1 < len(name) < 5 and not definite))
        if not person and not organised and not definite and len(name) == 1:
            person = None
        known = self._known(name, bool(person))
        if known is None:
            known = Actor(key, person)
            if person and len(name) > 1:
                known.gender = GIVEN_NAMES.get(name[0].lower())
            self._by_name.setdefault(key.lower(), known)
            if person is not False:
                for part in surnames(name):
                    self._by_name.setdefault(part, known)
        self._describe(known, run, role)
        return known

    def _known(self, name: list[str], person: bool) -> Actor | None:
        known = self._by_name.get(" ".join(name).lower())
        if known is None and len(name) == 1:
            known = self._by_name.get(surnames(name)[-1])
        if known is None and person and len(name) > 1:
            last = self._by_name.get(surnames(name)[-1])
            if last is not None and last.name.lower().split()[-1] == last.name.lower():
                last.name = " ".join(name)  # first met by the surname alone
                last.person = True
                last.gender = last.gender or GIVEN_NAMES.get(name[0].lower())
                return last
        return known

    def _describe(self, actor: Actor, run: Range, role: str | None) -> None:
        """Add to `actor` the role and the affiliation that stand beside its name."""
        body = None
        beside = role_beside(self._doc, run)
        if role is None and beside is not None:
            role, body = beside
        elif beside is not None and actor.affiliation is None:
            body = beside[1]
        if role:
            actor.person = actor.person or bool(set(role.lower().split()) & ROLES)
            actor.gender = actor.gender or next((HONORIFICS[w] for w in role.lower().split() if w in HONORIFICS), None)
            if not any(word in _PLAIN_TITLES for word in role.lower().split()):
                actor.role = actor.role or role
        for told in filter(None, (role, beside and beside[0])):
            said = {word.lower().rstrip(".") for word in told.replace("-", " ").split()}
            actor.heads.update(said & (ROLES | TITLES) - MODIFIERS | said & {"prime"})
        actor.heads |= party(self._doc, run)
        if body and actor.affiliation is None:
            actor.affiliation = self._body(body, run[0])

    def _full(self, body: str | None) -> str | None:
        """Return the one longer name of a body that ends so: "US State Department" for "State Department"."""
        longer = {a.name for a in self._by_name.values() if not a.person and a.name.endswith(f" {body}")}
        return longer.pop() if len(longer) == 1 and body and " " in body else body

    def _body(self, phrase: str, at: int) -> str:
        """Return the full name of the body that `phrase` ("the group", "Ministry of Health") stands for."""
        word = phrase.split()[-1].lower()
        plain = plain_name(phrase)
        known = self._by_name.get(" ".join(stripped_of_titles(plain.split())[1]).lower())
        if known is not None:
            return known.name
        if (word in BODIES and plain.islower()) or word in ("its", "their"):
            last = self._last_body(at, word)
            return last.name if last else plain
        return plain

    def _resolve(self, source: Range, head: "Token") -> Actor:
        doc = self._doc
        if source[1] - source[0] == 1:
            word = doc[source[0]].lower_
            if word in _SINGULAR:
                found = self._last_person(source[0], _SINGULAR[word])
                if found is not None:
                    found.gender = found.gender or _SINGULAR[word]
                    return found
            if word in _PLURAL:
                earlier = [a for i, a in self._subjects if i < source[0]] or self._spoke
                bodies = [a for a in earlier if not a.person]
                if earlier:
                    return bodies[-1] if bodies else earlier[-1]
        named = self._named(source, head)
        if named is not None:
            return named
        return self._described(source, head)

    def _named(self, source: Range, head: "Token") -> Actor | None:
        """Return the actor whose name heads the source or stands in apposition to its head."""
        doc = self._doc
        inside = [run for run in self._runs if source[0] <= run[0] and run[1] <= source[1]] or runs(doc, source)
        envoy = behind_post(doc, inside)
        if envoy is not None:
            return self._introduce(envoy)
        inside = [run for run in inside if not owned(doc, run, source)]
        heading = next((run for run in inside if run[0] <= head.i < run[1]), None)
        beside = next((run for run in inside if any(apposed(doc[i], head) for i in range(*run))), None)
        actors = [actor for run in (beside, heading) if run is not None and (actor := self._introduce(run)) is not None]
        if actors:
            return next((actor for actor in actors if actor.person), actors[0])
        if head.lower_ in ROLES and inside and doc[inside[-1][0] - 1].text == ",":
            last = self._introduce(inside[-1])
            return last if last is not None and last.person else None
        return None

    def _described(self, source: Range, head: "Token") -> Actor:
        """Return the actor that a phrase without a name of its own stands for: "the premier", "its envoy"."""
        doc = self._doc
        phrase = text_of(doc, source)
        noun = head.lower_
        first = doc[source[0]].lower_
        if noun in SOURCE_NOUNS:
            author = self._author(source, head)
            if author is not None:
                return author
        # "The group" has been met before; "the patients' group" comes with a description of its own.
        bare = head.i - source[0] <= 1 and (source[1] == head.i + 1 or doc[head.i + 1].lower_ in (",", "who", "which"))
        if source[1] - source[0] == 1 or (first in ("the", "this", "that") and bare):
            match = self._with_head(noun, source[0])
            if match is not None:
                return match
            if noun in BODIES:
                body = self._last_body(source[0], noun)
                if body is not None:
                    return body
        owner = self._owner(source, head) or self._meant(source, head)
        if owner is not None:
            return owner
        plain = plain_name(phrase)
        known = self._by_name.get(plain.lower()) or next(
            (a for i, a in self._seen if i < source[0] and a.role is not None and a.role.lower() == plain.lower()), None
        )
        if known is not None:
            return known
        made = Actor(core(doc, source, head), noun in ROLES, heads={noun})
        if noun in ROLES:
            made.role = noun
            made.affiliation = self._full(employer(doc, source, head))
        self._by_name[plain.lower()] = made
        self._seen.append((source[0], made))
        return made

    def _owner(self, source: Range, head: "Token") -> Actor | None:
        """Return the actor "his aides" under a name that tells whose they are, or None if that is not known."""
        doc = self._doc
        word = doc[source[0]].lower_
        if word not in ("his", "her", "its", "their") or source[1] - source[0] < 2:
            return None
        whose = self._resolve((source[0], source[0] + 1), doc[source[0]])
        if not whose.name[:1].isupper():
            return None
        name = f"{whose.name}'s {core(doc, (source[0] + 1, source[1]), head)}"
        known = self._by_name.get(name.lower())
        if known is None:
            noun = head.lower_
            known = Actor(name, noun in ROLES, noun if noun in ROLES else None, whose.name, heads={noun})
            self._by_name[name.lower()] = known
            self._seen.append((source[0], known))
        return known

    def _meant(self, source: Range, head: "Token") -> Actor | None:
        """Return the person that a definite description with words of its own stands for, None if none is sure.

        "The Ohio Republican" is the last one of that party who was named, "the commander of the Coast Brigade" the only
        commander in the article.
        """
        doc, noun, at = self._doc, head.lower_, source[0]
        definite = doc[at].lower_ in ("the", "this", "that") or doc[at].sent.start == at == 0
        if not definite or noun not in ROLES:
            return None
        said = qualifiers(doc, source, head)
        people = [(i, actor) for i, actor in self._seen if actor.person and actor.name[:1].isupper()]
        able = [(i, a) for i, a in people if fits(said, noun, a.heads, f"{a.role or ''} {a.affiliation or ''}")]
        if noun in PARTISANS:
            other = PARTISANS - {noun}
            able = [(i, a) for i, a in people if not a.heads & other and any(same_role(noun, h) for h in a.heads)]
            near = [pair for pair in able if pair[1].heads & said] or able
            told = [a for i, a in near if i < at] or [a for _, a in near[:1]]
            return told[-1] if told else None
        only = {id(actor): actor for _, actor in able}
        return next(iter(only.values())) if len(only) == 1 else self._varied(source)

    def _varied(self, source: Range) -> Actor | None:
        """Return the person without a role whom the sentence before is about: print does not repeat the name at once.

        "Ode shrugged off the demand. “Let him come,” the Lock Keepers' chief joked."
        """
        at = source[0] - 1
        while at > 0 and (self._spoken[at] or self._doc[at].is_punct or self._doc[at].is_space):
            at -= 1
        near = [actor for i, actor in self._subjects if self._doc[max(at, 0)].sent.start <= i <= at]
        last = near[-1] if near else None
        return last if last is not None and last.person and last.name[:1].isupper() and not last.heads else None

    def _with_head(self, noun: str, at: int) -> Actor | None:
        """Return the last actor before `at` that `noun` describes, or else the first one after it."""
        fits = [(i, a) for i, a in self._seen if any(same_role(noun, head) for head in a.heads)]
        before = [a for i, a in fits if i < at]
        named = {id(a): a for _, a in fits if a.name[:1].isupper() and a.person}
        if len(named) == 1 and noun in ROLES:
            return next(iter(named.values()))
        for actor in reversed(self._spoke):
            if any(same_role(noun, head) for head in actor.heads):
                return actor
        if before:
            return before[-1]
        if noun in ROLES and len(noun) > 2 and fits:
            return fits[0][1]
        return None

    def _last_person(self, at: int, gender: frozenset[str]) -> Actor | None:
        same = [
            actor
            for i, actor in self._subjects
            if i < at
            and (actor.person or (actor.person is None and actor in self._spoke))
            and (actor.gender is None or actor.gender == gender)
            and actor is not self._asked
        ]
        sentence = self._doc[at].sent
        if self._doc[sentence.start].tag_ == "IN":
            # "Despite his pledge, Mr. Trump says": the pronoun comes before its name.
            ahead = [a for i, a in self._subjects if at < i < min(sentence.end, at + 12) and a.person is not False]
            if ahead and ahead[0].gender in (None, gender):
                return ahead[0]
        near = [a for i, a in self._seen if at - _REACH < i < at and a.person and a.gender == gender]
        if near and not (same and (same[-1].gender == gender or same[-1] in self._spoke[-1:])):
            return near[-1]
        if same:
            return same[-1]
        for i, actor in sorted(self._seen, key=lambda pair: -pair[0]):
            if i < at and actor.person and (actor.gender is None or actor.gender == gender):
                return actor
        # "Darnell was not convinced. “A mess,” he said": nothing but the pronoun tells that the name is a person's.
        bare = [a for i, a in self._subjects if i < at and a.person is None and a.name[:1].isupper()]
        return next((actor for actor in reversed(bare) if actor.gender in (None, gender)), None)

    def _last_body(self, at: int, noun: str) -> Actor | None:
        """Return the body that "the group" stands for: one whose name has the word, or the last that spoke."""
        seen = sorted((pair for pair in self._seen if pair[0] < at and not pair[1].person), key=lambda p: -p[0])
        for _, actor in seen:
            if noun in actor.name.lower().split():
                return actor
        if noun in GENERIC:
            earlier = [a for i, a in self._subjects if i < at and not a.person and a.name[:1].isupper()]
            return earlier[-1] if earlier else None
        return None

    def _author(self, source: Range, head: "Token") -> Actor | None:
        """Return who wrote "the letter": named in the phrase itself, or subject of the verb that brought it in."""
        for child in head.children:
            if child.dep_ == "poss" or child.lower_ in ("by", "from", "of"):
                named = child if child.dep_ == "poss" else next((g for g in child.children if g.dep_ == "pobj"), None)
                if named is not None and named.i < source[1] and named.tag_.startswith("N"):
                    return self._resolve((named.left_edge.i, min(named.right_edge.i + 1, source[1])), named)
        if self._doc[source[0]].lower_ not in ("the", "a", "an", "this"):
            return None
        who = [subject for at, noun, subject in self._authors if noun == head.lower_ and at <= head.i]
        if not who:
            near = [a for i, a in self._subjects if head.i - _NEAR < i < head.i and not a.person]
            return near[-1] if near and head.lower_ in ("statement", "communique", "communiqué") else None
        phrase = noun_phrase(who[-1], self._doc[who[-1].i])
        return self._resolve(self.whole(phrase), who[-1])
