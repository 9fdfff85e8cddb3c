"""How the word lists of this stage are written: as running text, which reads and sorts easier than a list."""


def words(text: str) -> frozenset[str]:
    """Return the words of `text`."""
    return frozenset(text.split())
