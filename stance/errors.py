"""The one family of errors that a user can mend.

A message is one line and says where, what was expected, what was found and what to do next; `cli` prints it behind
`Error:` and exits with status 1. Anything else that escapes is a bug and may show a traceback.
"""


class StanceError(Exception):
    """Something outside the code is wrong: the settings, the data or a saved model."""


class ConfigError(StanceError):
    """A setting or an option is unknown, of the wrong type, out of range or without effect."""


class DataError(StanceError):
    """An input file, a row or an annotation is missing, malformed or contradicts another."""


class ModelError(StanceError):
    """A model folder is missing, damaged, foreign or made for other labels."""


def problem(where: object, expected: str, got: str, todo: str) -> str:
    """Return a message of the house form, `<where>: expected <x>, got <y>. <what to do next>`, on a single line."""
    return " ".join(f"{where}: expected {expected}, got {got}. {todo}".split())
