"""Which program computes a saved model: torch, or a graph that was exported beside it and checked against torch.

An exported graph stands in `runtime/NAME/` of the model's folder, with `runtime.json`: size and SHA-256 of each file,
the fingerprint of the model that it was made from, and how far its answers are from those of torch. A graph that is
damaged, or of other weights than those beside it, is never used.
"""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from stance.errors import ConfigError, ModelError, problem

logger = logging.getLogger(__name__)

Exported: TypeAlias = Literal["onnx", "onnx-int8"]
Runtime: TypeAlias = Literal["auto", "torch", "onnx", "onnx-int8"]

Loaded = TypeVar("Loaded")

RUNTIMES: Final[tuple[Runtime, ...]] = get_args(Runtime)
FASTEST_FIRST: Final[tuple[Exported, ...]] = ("onnx-int8", "onnx")
"""What `auto` takes where it is there, as measured: experiments/bench."""
FOLDER: Final = "runtime"
RECORD: Final = "runtime.json"
MAX_RECORD_BYTES: Final = 1_000_000
"""A real record has a kilobyte."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Check(_Strict):
    """How far the answers to `texts` texts of `source` are from those of torch.

    `agreement` is the share of equal labels, `largest` and `mean` the differences between two probabilities of a label,
    `f1` what macro-F1 gains, where the true labels are known.
    """

    source: str
    texts: int
    agreement: float
    largest: float
    mean: float
    f1: float | None = None


class File(_Strict):
    """What is known of a file."""

    bytes: int
    sha256: str


class Record(_Strict):
    """The content of `runtime.json`; `in_float` of the `products` with weights are not quantised."""

    format: Literal["stance-runtime"] = "stance-runtime"
    format_version: Literal[1] = 1
    runtime: Exported
    model: str
    made_by: str
    products: int
    in_float: int
    check: Check
    files: dict[str, File]


def place(folder: Path, runtime: Exported) -> Path:
    """Return where the export of the model in `folder` stands."""
    return folder / FOLDER / runtime


def chosen(
    folder: Path, runtime: Runtime, model: str, read: Callable[[Path], Loaded] | None
) -> tuple[Loaded, Path] | None:
    """Return the export that `runtime` means and its checked folder, or None where the model computes itself.

    `model` is the fingerprint of the model in `folder`, `read` loads an export from its folder, and is None where that
    kind of model cannot be exported. `auto` is the fastest export that is there, and passes over one that cannot be
    used, with a warning.

    Raises:
        ConfigError: the kind of model has no such runtime.
        ModelError: the export is missing, damaged, unreadable, or made from other weights.
    """
    if runtime == "torch" or (runtime == "auto" and read is None):
        return None
    if read is None:
        todo = "Leave --runtime out."
        raise ConfigError(problem(f"--runtime {runtime}", "a model of kind transformer", f"{folder}", todo))
    if runtime != "auto":
        verify(folder, runtime, model)
        return read(place(folder, runtime)), place(folder, runtime)
    for name in FASTEST_FIRST:
        if place(folder, name).exists():
            try:
                verify(folder, name, model)
                return read(place(folder, name)), place(folder, name)
            except ModelError as error:
                logger.warning("%s Until then it is passed over.", error)
    return None


def verify(folder: Path, runtime: Exported, model: str) -> Record:
    """Return the record of the export `runtime` of the model in `folder`, whose fingerprint is `model`.

    Raises:
        ModelError: the export is missing, damaged, or made from other weights.
    """
    path = place(folder, runtime) / RECORD
    todo = f"Export it again: stance export {folder} --runtime {runtime}"
    if not path.is_file():
        raise ModelError(problem(path.parent, f"an exported model ({RECORD})", "none", todo))
    if path.stat().st_size > MAX_RECORD_BYTES:
        raise ModelError(problem(path, f"at most {MAX_RECORD_BYTES:,} bytes", f"{path.stat().st_size:,}", todo))
    try:
        record = Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(problem(path, "the record of an export", "another or a damaged file", todo)) from error
    if record.model != model or record.runtime != runtime:
        raise ModelError(problem(path, "an export of the model beside it", "one of other weights", todo))
    for name, facts in record.files.items():
        file = path.parent / name
        inside = file.parent == path.parent and not file.is_symlink() and file.is_file()
        if not inside or facts != describe(file):
            raise ModelError(problem(file, f"the size and SHA-256 in {RECORD}", "others", todo))
    for file in sorted(path.parent.iterdir()):  # of any kind, as a graph may keep its weights in another file
        if file.name not in record.files and file != path:
            raise ModelError(problem(file, f"only files that {RECORD} lists", "another", todo))
    return record


def describe(path: Path) -> File:
    """Return size and SHA-256 of a file."""
    with path.open("rb") as file:
        return File(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
