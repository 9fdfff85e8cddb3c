"""The champion's local copy, and the small file that says where it is.

`stance promote` writes both, so that a command finds the champion by reading one file of JSON: importing MLflow takes
about two seconds, and most users have no store. The file is as of the last promotion on this machine; what another
machine promoted since then is at `models:/disarmament@champion`.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stance.atomic import staged, swap
from stance.errors import ModelError, problem

NAME: Final = "disarmament"
ALIAS: Final = "champion"
POINTER: Final = Path("experiments/models/champion.json")
"""Relative to the folder that the command is called in, as the models are."""

_MAX_BYTES: Final = 10_000


class Pointer(BaseModel):
    """What `champion.json` holds; `folder` is a name beside it, `fingerprint` the SHA-256 of that model's manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    address: str
    version: str
    run: str
    fingerprint: str
    folder: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")


def read(path: Path = POINTER) -> Path | None:
    """Return the folder of the champion, or None where none was ever promoted here.

    Raises:
        ModelError: the file is damaged, or the folder holds another model than was promoted.
    """
    from stance.models import _folder

    if not path.is_file():
        return None
    todo = f"Promote it again (stance promote RUN), name a model with --model, or remove {path}."
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(problem(path, f"at most {_MAX_BYTES:,} bytes", f"{path.stat().st_size:,}", todo))
        pointer = Pointer.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(problem(path, "a pointer to the champion", "another or a damaged file", todo)) from error
    folder = path.parent / pointer.folder
    if not (folder / _folder.MANIFEST).is_file():
        raise ModelError(problem(path, f"the champion in {folder}", "no model there", todo))
    if _folder.fingerprint(folder) != pointer.fingerprint:
        raise ModelError(problem(path, f"version {pointer.version} in {folder}", "another model", todo))
    return folder


def check_writable(path: Path = POINTER) -> None:
    """Refuse to replace what is no model of ours; cheap, for before the slow work.

    Raises:
        ModelError: something else stands where the champion is to be copied.
    """
    from stance.models import _folder

    folder = path.parent / ALIAS
    try:
        _folder.check_writable(folder, replace=True)
    except ModelError as error:
        raise ModelError(problem(folder, "a model to replace, or nothing", "something else", "Move it.")) from error


def write(model: Path, version: str, run: str, path: Path = POINTER) -> Path:
    """Copy the model in the folder `model` and point at the copy, which is returned.

    Only what its manifest lists is copied, and the exports (stance export) of the same model here: those in the folder,
    in another one beside the copy, as of a model that was exported after its run was tracked, or in the former copy.

    Raises:
        ModelError: the copy cannot be written.
    """
    from stance.models import _folder, _runtime

    check_writable(path)
    folder = path.parent / ALIAS
    names = [_folder.MANIFEST, *json.loads((model / _folder.MANIFEST).read_text(encoding="utf-8"))["files"]]
    mark = _folder.fingerprint(model)
    places = [model, *(found.parent for found in sorted(path.parent.glob(f"*/{_folder.MANIFEST}")))]
    exports = [
        place / _runtime.FOLDER
        for place in places
        if (place / _runtime.FOLDER).is_dir() and _folder.fingerprint(place) == mark
    ]
    pointer = Pointer(
        address=f"models:/{NAME}@{ALIAS}",
        version=version,
        run=run,
        fingerprint=mark,
        folder=folder.name,
    )
    try:
        with staged(folder) as fresh:
            for name in names:
                shutil.copyfile(model / name, fresh / name)
            if exports:
                shutil.copytree(exports[0], fresh / _runtime.FOLDER)
            swap(fresh, folder)
        # In between the pointer names the former champion, which is refused and not mistaken for this one.
        half = path.with_name(f".{path.name}")
        half.write_text(pointer.model_dump_json(indent=2) + "\n", encoding="utf-8")
        os.replace(half, path)
    except OSError as error:
        raise ModelError(problem(folder, "a folder that can be written", str(error), "Make it writable.")) from error
    return folder
