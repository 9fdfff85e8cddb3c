"""Plug-ins are files: every public module of a stage's folder is one, under its file name.

There is no registry to keep: adding a model or a source is adding a file. A file whose name begins with an underscore
is a part of the stage and not a plug-in.
"""

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType

from stance.errors import ConfigError, problem


def nearest(name: str, known: list[str]) -> str:
    """Return a hint such as ` Did you mean 'tfidf'?` where a known name is close to `name`, else an empty string."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def names(package: str) -> list[str]:
    """Return the sorted names of the plug-ins in `package`, found on disk without importing them."""
    folder = import_module(package).__path__[0]
    return sorted(file.stem for file in Path(folder).glob("*.py") if not file.stem.startswith("_"))


def load(package: str, name: str, where: str) -> ModuleType:
    """Import the plug-in `name` of `package`; `where` says who asked.

    Raises:
        ConfigError: there is no such plug-in.
    """
    known = names(package)
    if name not in known:
        raise ConfigError(problem(where, f"one of {', '.join(known)}", repr(name), f"Change it.{nearest(name, known)}"))
    return import_module(f"{package}.{name}")
