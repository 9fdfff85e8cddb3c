"""A small project on disk, built, trained and tracked once by the real commands."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
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


PATIENCE = 180
"""Seconds until a server that does not answer counts as broken."""

Serve = Callable[[Sequence[str], Mapping[str, str], Path, str], contextlib.AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serve() -> Serve:
    """A context in which MLflow serves; it gives the address on the loopback, and ends the server.

    It takes the arguments of `mlflow`, more environment, the folder to run in, and the path that answers when ready.
    """
    return _serving


@contextlib.contextmanager
def _serving(arguments: Sequence[str], more: Mapping[str, str], folder: Path, ready: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", *arguments, "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"} | more
    with tempfile.TemporaryFile() as log:
        one = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True)
        try:
            if not _answers(f"http://127.0.0.1:{port}{ready}", one):
                log.seek(0)
                pytest.fail(log.read().decode())
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one.pid, 9)
            one.wait()


def _answers(address: str, one: "subprocess.Popen[bytes]") -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and one.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            # Lets the server have the processor until its process changes state or a moment has passed.
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(timeout=0.2)
    return False
