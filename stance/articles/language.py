"""Tells whether a text is English, which the parser and the rules take for granted.

The detector is py3langid (BSD licence), a model of 4.5 MB that its package ships. Few words tell little, so short texts
pass.
"""

from typing import Final

LEAST_LETTERS: Final = 120
"""Letters below which a language is not told: some twenty words. On shorter texts names alone mislead the detector."""

_LOOKED_AT: Final = 5_000
"""Characters that are looked at: some 800 words, after which the answer no longer changes."""


def foreign_language(text: str) -> str | None:
    """Return the two-letter code of the language of `text`, or None if it is English or too short to tell."""
    text = text[:_LOOKED_AT]
    if sum(character.isalpha() for character in text) < LEAST_LETTERS:
        return None
    from py3langid import classify

    code: str = classify(text)[0]
    return None if code == "en" else code
