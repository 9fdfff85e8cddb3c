"""Splits on disk: one Parquet file a split, a dataset card, and `build.json` with what the files must hash to."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from stance.atomic import swap
from stance.errors import DataError, problem
from stance.plugins import nearest
from stance.schema import LABELS, Example

MANIFEST: Final = "build.json"
_AGAIN: Final = "Build the data again with --replace."


@dataclass(frozen=True, slots=True)
class Dataset:
    """Built data: examples by split, and a fingerprint that is equal only for equal content."""

    name: str
    folder: Path
    splits: Mapping[str, list[Example]]
    fingerprint: str

    def split(self, name: str) -> list[Example]:
        """Return the examples of a split.

        Raises:
            DataError: there is no such split.
        """
        if name not in self.splits:
            expected = f"a split among {', '.join(self.splits)}"
            raise DataError(problem(self.folder, expected, repr(name), f"Change it.{nearest(name, list(self.splits))}"))
        return self.splits[name]


def write(
    name: str, splits: Mapping[str, Sequence[Example]], card: str, facts: Mapping[str, Any], folder: Path
) -> None:
    """Write splits, card and manifest into the existing, empty `folder`; equal input gives equal bytes."""
    for split, examples in splits.items():
        _write_split(examples, folder / f"{split}.parquet")
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    manifest = {"name": name, "labels": LABELS, "splits": list(splits), "files": files, **facts}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def put_in_place(staged: Path, folder: Path, replace: bool) -> bool:
    """Move the finished folder `staged` to `folder`; return false where an equal one already stands there.

    Raises:
        DataError: another data set or something else stands there, and `replace` is false or would destroy it.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        if _same(staged, folder):
            return False
        if not _is_ours(folder):
            raise DataError(
                problem(folder, f"a data set to replace ({MANIFEST})", "something else", "Choose another --out.")
            )
        if not replace:
            raise DataError(
                problem(folder, "a folder that does not exist", "other data", "Give --replace or another --out.")
            )
    swap(staged, folder)
    return True


def _same(staged: Path, folder: Path) -> bool:
    """Whether every file of `staged` stands in `folder` with the same bytes."""
    return all(
        (folder / path.name).is_file() and _sha256(folder / path.name) == _sha256(path) for path in staged.iterdir()
    )


def _is_ours(folder: Path) -> bool:
    """Whether `folder` has a manifest of ours: other programs write a `build.json`, too."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and {"labels", "splits", "files"} <= manifest.keys()


def load(folder: Path) -> Dataset:
    """Return the data set built in `folder`.

    Raises:
        DataError: the folder is missing, no data set, damaged, or made for other labels.
    """
    import pyarrow.parquet as pq

    path = folder / MANIFEST
    if not path.is_file():
        got = "no such folder" if not folder.exists() else f"no {MANIFEST} there"
        raise DataError(problem(folder, "a data set", got, "Build it: stance build configs/data/disarmament.yaml"))
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        title, labels = manifest["name"], manifest["labels"]
        names, files = list(manifest["splits"]), dict(manifest["files"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(problem(path, "a manifest of stance build", got, _AGAIN)) from error
    if labels != list(LABELS):
        raise DataError(problem(path, f"the labels {list(LABELS)}", str(labels), _AGAIN))
    splits = {}
    for name in names:
        file = folder / f"{name}.parquet"
        if not file.is_file() or _sha256(file) != files.get(file.name):
            raise DataError(problem(file, "the file that stance build wrote", "another or none", _AGAIN))
        splits[name] = [_example(row) for row in pq.read_table(file).to_pylist()]
    return Dataset(title, folder, splits, hashlib.sha256(json.dumps(files).encode()).hexdigest())


def _write_split(examples: Sequence[Example], path: Path) -> None:
    import datasets

    rows = [asdict(example) for example in examples]
    columns = {name: [row[name] for row in rows] for name in [field.name for field in fields(Example)]}
    text = datasets.Value("string")
    features = datasets.Features(
        dict.fromkeys(columns, text)
        | {
            "label": datasets.ClassLabel(names=list(LABELS)),
            "soft": datasets.Sequence(datasets.Value("float64")),
            "weight": datasets.Value("float64"),
        }
    )
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        datasets.Dataset.from_dict(columns, features=features).to_parquet(path)
    finally:
        if bars:
            datasets.enable_progress_bars()


def _example(row: dict[str, Any]) -> Example:
    return Example(**row | {"label": LABELS[row["label"]], "soft": tuple(row["soft"])})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
