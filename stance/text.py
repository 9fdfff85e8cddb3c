"""How a text is spelled before anybody reads it: the builder and every model normalise in the same way."""

import re
import unicodedata
from typing import Final

_STRAIGHT: Final = dict.fromkeys("“”„‟«»″〝〞＂", '"') | dict.fromkeys("‘’‚‛‹›′`´＇", "'") | {"…": "..."}
_MARK: Final = re.compile(f"[{''.join(_STRAIGHT)}]")
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def normalise(text: str) -> str:
    """Return `text` in Unicode form NFC, with straight quotation marks and single spaces, trimmed. Idempotent."""
    plain = text.isprintable()  # nothing invisible, no space but U+0020: most texts, and quick to tell
    text = unicodedata.normalize("NFC", text if plain else _INVISIBLE.sub("", text))
    # Marks come after NFC, which turns two Greek accents into marks.
    text = _MARK.sub(lambda mark: _STRAIGHT[mark[0]], text)
    return " ".join(text.split()) if plain else _SPACE.sub(" ", text).strip()
