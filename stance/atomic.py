"""A folder appears whole or not at all: it is filled under another name beside its place, and then moved there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a new empty folder beside `folder`, to be filled and given to `swap`; what is left of it is removed.

    Raises:
        OSError: nothing can be written there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fresh.chmod(0o755)
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def swap(fresh: Path, folder: Path) -> None:
    """Move `fresh` to `folder`; what stood there goes only once the new one is in its place.

    Its files become readable for all: some libraries write theirs for the owner alone.
    """
    for path in fresh.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    if not folder.exists():
        fresh.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "folder")
    try:
        fresh.rename(folder)
    except OSError:
        (old / "folder").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
