"""A small project on disk, built, trained and tracked once by the real commands."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from stance.cli import main

PRO = ("They will hand over every rifle", "We urge the militia to disarm", "Arms belong to the state alone")
ANTI = ("We will never give up our rifles", "Nobody will take the weapons from us", "We refuse to disarm")
NEUTRAL = ("The committee met for two hours", "Prices of bread rose again", "The envoy flew home on Sunday")
PLACES = ("north", "south", "east", "west", "centre", "coast", "hills", "delta", "valley", "desert")

CONFIG = """\
name: tiny
sources:
  - path: tiny.jsonl
annotators: [a, b]
cleaning: {duplicate: 1.0, cluster: 1.0}
splits:
  validation: 0.25
  test: 0.25
  unseen_theatres: [desert]
"""
RUN = """\
name: {kind}
data:
  path: data/build/tiny
model:
  kind: {kind}
seed: 0
"""


def write_annotations(path: Path) -> None:
    rows = []
    for place in PLACES:
        for label, texts in (("pro", PRO), ("anti", ANTI), ("neutral", NEUTRAL)):
            for number, text in enumerate(texts):
                page = f"https://example.org/{place}/{label}/{number}"
                votes = [{"annotator": name, "label": label} for name in ("a", "b")]
                said = f"{text}, said the {place} command in its statement number {number} from the {place}."
                row = {"id": f"{place}-{label}-{number}", "text": said, "theatre": place, "source_url": page}
                rows.append(row | {"speaker": f"the {place} command", "kind": "indirect", "votes": votes})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def call(folder: Path, *arguments: str, stdin: str | None = None, **environment: str) -> Done:
    """Run the command line in this process, in `folder`, with none of the caller's own settings."""
    cleared = {name: None for name in os.environ if name.startswith(("MLFLOW", "STANCE"))}
    with contextlib.chdir(folder):
        result = CliRunner().invoke(main, arguments, input=stdin, env=cleared | environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def call_in() -> Callable[..., Done]:
    """Call the command line in any folder."""
    return call


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with annotations, configs, a built data set and two trained and tracked models."""
    folder = tmp_path_factory.mktemp("project")
    write_annotations(folder / "tiny.jsonl")
    (folder / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
    for kind in ("majority", "tfidf"):
        (folder / f"{kind}.yaml").write_text(RUN.format(kind=kind), encoding="utf-8")
    for arguments in (["build", "tiny.yaml"], ["train", "majority.yaml"], ["train", "tfidf.yaml"]):
        done = call(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(project: Path) -> Callable[..., Done]:
    """Call the command line inside the project folder."""

    def run_in_project(*arguments: str, stdin: str | None = None, **environment: str) -> Done:
        return call(project, *arguments, stdin=stdin, **environment)

    return run_in_project
