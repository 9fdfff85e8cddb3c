"""Data sets on disk: a tiny one that is made anew for each test, and the real corpus built once."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import chdir
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

import pytest

from stance.config import override, validate
from stance.dataset import Build, DataConfig, build, read_config

Writer = Callable[[str, Iterable[Mapping[str, Any]]], Path]
Tiny = Callable[..., DataConfig]


@pytest.fixture
def write_rows(tmp_path: Path) -> Writer:
    """A function that writes rows as JSON lines to a file in `tmp_path`."""

    def write(name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def tiny_rows() -> list[dict[str, Any]]:
    """Sixteen pages of two statements each; theatre `nepal` has four of the pages."""
    labels = {"anti": "They keep the", "neutral": "They count the", "pro": "They give up the"}
    rows = []
    for page in range(16):
        for number in range(2):
            label = list(labels)[(page + number) % 3]
            random = Random(page * 2 + number)
            words = " ".join("".join(random.choices(ascii_lowercase, k=7)) for _ in range(5))
            rows.append(
                {
                    "id": f"p{page:02}-{number}",
                    "text": f"{labels[label]} {words}.",
                    "speaker": f"Speaker {page % 5}",
                    "theatre": "nepal" if page >= 12 else "iraq",
                    "date": f"{2010 + page % 3}-05",
                    "source_url": f"https://example.org/{page}",
                    "actor_type": "state" if number else "armed_group",
                    "kind": "direct",
                    "votes": [{"annotator": "a", "label": label}, {"annotator": "b", "label": label}],
                }
            )
    return rows


@pytest.fixture
def tiny(write_rows: Writer, tiny_rows: list[dict[str, Any]], tmp_path: Path) -> Tiny:
    """A function of settings that differ: the config of a data set of `tiny_rows`."""

    def config(*assignments: str, rows: Iterable[Mapping[str, Any]] | None = None) -> DataConfig:
        path = write_rows("tiny.jsonl", tiny_rows if rows is None else rows)
        tree = {
            "name": "tiny",
            "sources": [{"path": str(path)}],
            "annotators": ["a", "b"],
            "splits": {"validation": 0.25, "test": 0.25, "unseen_theatres": ["nepal"]},
        }
        return validate(DataConfig, override(tree, assignments), "tiny.yaml")

    return config


@pytest.fixture(scope="session")
def real_config(root: Path) -> DataConfig:
    """The config of the corpus in this repository."""
    with chdir(root):
        return read_config(Path("configs/data/disarmament.yaml"))


@pytest.fixture(scope="session")
def real(root: Path, real_config: DataConfig, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The corpus in this repository, built in a temporary folder (some six seconds)."""
    with chdir(root):
        return build(real_config, tmp_path_factory.mktemp("real") / "disarmament")
