"""A classifier on disk: `model.json` beside the model's own files, which it lists with size and SHA-256.

Nothing here can run code: JSON and safetensors are read as data, every file is checked against the list before it is
opened, and a file outside the folder or one of these two kinds that is not listed is refused. A folder appears whole
or not at all.
"""

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from stance import __version__, plugins
from stance.atomic import staged, swap
from stance.config import validate
from stance.errors import ConfigError, ModelError, problem
from stance.models import Classifier, Model, ModelFile, _runtime
from stance.schema import LABELS

FORMAT: Final = "stance-model"
FORMAT_VERSION: Final = 1
MANIFEST: Final = "model.json"
MAX_MANIFEST_BYTES: Final = 1_000_000
"""A real manifest has a few kilobytes; more is no manifest of ours."""

MAX_JSON_BYTES: Final = 200_000_000
"""JSON is read whole; the largest of ours, the vocabulary of a linear model, has a megabyte for 4,000 statements."""

_DATA: Final = (".json", ".safetensors")
"""What a model is made of. Nothing of another suffix is read, such as a pickle, so none is to be there either."""


def model_file(kind: str, where: str) -> ModelFile:
    """Return the file of `stance/models/` for `kind`.

    Raises:
        ConfigError: there is no such model.
    """
    return cast(ModelFile, plugins.load("stance.models", kind, where))


def save(classifier: Classifier, folder: Path, replace: bool = False) -> None:
    """Write `classifier` to `folder`, whole or not at all.

    Raises:
        ModelError: the folder exists and `replace` is false, holds something else than a model, or cannot be written.
    """
    check_writable(folder, replace)
    try:
        with staged(folder) as fresh:
            classifier.model.save(fresh)
            manifest = json.dumps(_manifest(classifier, fresh), indent=2)
            (fresh / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
            swap(fresh, folder)
    except OSError as error:
        raise ModelError(
            problem(folder, "a folder that can be written", str(error), "Choose another with --out.")
        ) from error


def check_writable(folder: Path, replace: bool) -> None:
    """Refuse a `folder` that `save` could not write to; cheap, for before the slow work.

    Raises:
        ModelError: the folder exists and `replace` is false, or holds something else than a model.
    """
    if not folder.exists():
        return
    if not replace:
        raise ModelError(
            problem(folder, "a folder that does not exist", "one that does", "Give --replace or another --out.")
        )
    if not _is_model(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(problem(folder, f"a model to replace ({MANIFEST})", "something else", "Choose another --out."))


def load(folder: Path, runtime: _runtime.Runtime = "torch") -> Classifier:
    """Return the classifier saved in `folder`, to be computed by `runtime`.

    Raises:
        ModelError: the folder is missing, damaged, of another program or version, or made for other labels; or so is
            the export that `runtime` means.
        ConfigError: the kind of model has no such runtime.
    """
    manifest = read_manifest(folder)
    where = f"{folder / MANIFEST}"
    if manifest.get("labels") != list(LABELS):
        got = str(manifest.get("labels"))
        raise ModelError(problem(where, f"the labels {list(LABELS)}", got, "Train a model for these labels."))
    _check_files(folder, manifest.get("files"))
    kind = str(manifest.get("kind"))
    if kind not in plugins.names("stance.models"):
        raise ModelError(
            problem(where, "a known kind of model", repr(kind), "Install the version of stance that made it.")
        )
    module = model_file(kind, where)
    try:
        params = validate(module.Params, manifest.get("params") or {}, f"{where}: params")
    except ConfigError as error:
        raise ModelError(str(error)) from error
    temperature = manifest.get("temperature")
    if not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
        raise ModelError(problem(where, "a positive temperature", repr(temperature), "Train the model again."))
    targets, origin = manifest.get("targets"), manifest.get("origin")
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise ModelError(problem(where, "a list of targets", repr(targets), "Train the model again."))
    if not isinstance(origin, dict):
        raise ModelError(problem(where, "a mapping as origin", repr(origin), "Train the model again."))
    mark = fingerprint(folder)
    load_export = getattr(module, "load_export", None)
    read = None if load_export is None else partial(load_export, folder, params)
    found = _runtime.chosen(folder, runtime, mark, read)
    if found is None:
        model = module.load(folder, params)
    else:  # other numbers come out, if only by a little, so it goes by the fingerprint of the export, which names this
        model, mark = found[0], _sha256(found[1] / _runtime.RECORD)
    return Classifier(kind, params, model, float(temperature), tuple(targets), origin, mark)


def load_part(folder: Path, prefix: str, kind: str, params: Mapping[str, Any], where: str) -> Model:
    """Return the model of `kind` whose files in `folder` have `prefix` in front of their names.

    `where` opens a message about `kind` and `params`, which come from a file of `folder`, too.

    Raises:
        ModelError: there is no such kind, a setting is wrong, or a file of the model.
    """
    try:
        file = model_file(kind, f"{where}.kind")
        settings = validate(file.Params, params, f"{where}.params")
    except ConfigError as error:
        raise ModelError(str(error)) from error
    with tempfile.TemporaryDirectory() as scratch:
        for path in folder.glob(f"{prefix}*"):
            (Path(scratch) / path.name.removeprefix(prefix)).symlink_to(path.resolve())
        return file.load(Path(scratch), settings)


def _is_model(folder: Path) -> bool:
    """Whether `folder` has a manifest of ours, of whatever version: other programs write a `model.json`, too."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of the manifest in `folder`, which covers every file by hash: equal only for equal models."""
    return _sha256(folder / MANIFEST)


def _manifest(classifier: Classifier, folder: Path) -> dict[str, Any]:
    files = {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in sorted(folder.iterdir())}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "stance_version": __version__,
        "kind": classifier.kind,
        "labels": list(LABELS),
        "targets": list(classifier.targets),
        "temperature": classifier.temperature,
        "params": classifier.params.model_dump(mode="json"),
        "origin": dict(classifier.origin),
        "files": files,
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what `model.json` in `folder` says; the files that it lists are not looked at.

    Raises:
        ModelError: it is missing, too large, damaged, or of another program or version.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ModelError(
            problem(folder, "a model folder", "no such folder", "Train one: stance train configs/tfidf.yaml")
        )
    if not path.is_file():
        raise ModelError(
            problem(folder, f"a model folder with {MANIFEST}", "none there", "Name a folder that stance train made.")
        )
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise ModelError(
            problem(path, f"at most {MAX_MANIFEST_BYTES:,} bytes", f"{path.stat().st_size:,}", "Do not trust it.")
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(problem(path, "JSON", str(error), "The folder is damaged: train or copy it again.")) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(
            problem(path, f'"format": "{FORMAT}"', "another file", "Name a folder that stance train made.")
        )
    if manifest.get("format_version") != FORMAT_VERSION:
        got = repr(manifest.get("format_version"))
        raise ModelError(
            problem(path, f"format version {FORMAT_VERSION}", got, "Use the version of stance that made it.")
        )
    return manifest


def _check_files(folder: Path, files: object) -> None:
    if not isinstance(files, Mapping):
        raise ModelError(problem(folder / MANIFEST, "a list of files", type(files).__name__, "Train the model again."))
    for name, facts in files.items():
        path = folder / name
        if path.parent != folder or path.is_symlink() or name in ("", ".", ".."):
            raise ModelError(
                problem(folder / MANIFEST, "file names inside the folder", repr(name), "Do not trust this model.")
            )
        if path.suffix not in _DATA:
            expected = f"files of {' and '.join(_DATA)}"
            raise ModelError(problem(folder / MANIFEST, expected, repr(name), "Do not trust this model."))
        if not path.is_file():
            raise ModelError(
                problem(path, "a file of the model", "none", "The folder is damaged: train or copy it again.")
            )
        size = path.stat().st_size
        if path.suffix == ".json" and size > MAX_JSON_BYTES:
            expected = f"at most {MAX_JSON_BYTES:,} bytes"
            raise ModelError(problem(path, expected, f"{size:,}", "Do not trust this model."))
        stated = facts.get("bytes") if isinstance(facts, Mapping) else None
        # The size first: a large file is not hashed for nothing.
        if stated != size or facts != {"bytes": size, "sha256": _sha256(path)}:
            todo = "The file was changed or damaged: train or copy it again."
            raise ModelError(problem(path, "the size and SHA-256 in model.json", "others", todo))
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _DATA and path.name not in files and path.name != MANIFEST and not path.is_dir():
            todo = "Remove it, or do not trust this model."
            raise ModelError(problem(path, f"only files that {MANIFEST} lists", "another", todo))


def _sha256(path: Path) -> str:
    return _runtime.describe(path).sha256
