"""Names become role words, so that a model cannot learn by heart who stands where."""

import re
from typing import Final, Literal, TypeAlias

from stance.schema import Annotation, Example

Mask: TypeAlias = Literal["none", "speaker"]

SPEAKER: Final = "the speaker"
AFFILIATION: Final = "the organisation"
_SHORTEST: Final = 4
"""Characters of the shortest part of a name that is masked alone: shorter ones are particles (al, de, van) or words."""


def mask_speaker(statement: Annotation | Example) -> str:
    """Return the text of `statement` with its speaker and affiliation replaced by role words.

    Full names go first, then an affiliation's acronym and a speaker's last name, where they begin with a capital.
    A role word says nothing of the actor's type, which would give the stance away.
    """
    text = statement.text
    for name, role in ((statement.affiliation, AFFILIATION), (statement.speaker, SPEAKER)):
        for form in _forms(name, role):
            text = re.sub(rf"\b(?:[Tt]he )?{re.escape(form)}(?!\w)", role, text)
    return text


def _forms(name: str | None, role: str) -> list[str]:
    """The spellings under which `name` is masked, the longest first."""
    words = (name or "").split()
    if not words or not words[0][0].isupper():
        return []
    forms = [" ".join(words)]
    acronym = "".join(word[0] for word in words if word[0].isupper())
    if role == AFFILIATION and len(acronym) > 2:
        forms.append(acronym)
    last = words[-1]
    if role == SPEAKER and len(words) > 1:
        spellings = dict.fromkeys((last, last[0].upper() + last[1:], last.rpartition("-")[2]))
        forms += [form for form in spellings if len(form) >= _SHORTEST and form[-1].islower()]
    return forms
