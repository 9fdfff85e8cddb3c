"""How a text is spelled before anybody reads it: the builder and every model normalise in the same way."""

import re
import unicodedata
from typing import Final

_MARKS: Final = str.maketrans(dict.fromkeys("“”„‟«»″〝〞＂", '"') | dict.fromkeys("‘’‚‛‹›′`´＇", "'") | {"…": "..."})
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def normalise(text: str) -> str:
    """Return `text` in Unicode form NFC, with straight quotation marks and single spaces, trimmed. Idempotent."""
    # Marks come after NFC, which turns two Greek accents into marks.
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).translate(_MARKS)
    return _SPACE.sub(" ", text).strip()
