"""Plug-ins are the files of a folder."""

import sys
from pathlib import Path

import pytest

from stance import plugins
from stance.errors import ConfigError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with two plug-ins and a part that is none; one plug-in cannot be imported."""
    folder = tmp_path / "plugged"
    folder.mkdir()
    for name, code in (("__init__", ""), ("_part", ""), ("rose", "colour = 'red'"), ("broken", "1 / 0")):
        (folder / f"{name}.py").write_text(code)
    (folder / "notes.txt").write_text("no plug-in")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "plugged"]:
        monkeypatch.delitem(sys.modules, name)
    return "plugged"


def test_names_are_those_of_the_public_files_and_nothing_is_imported(package: str) -> None:
    assert plugins.names(package) == ["broken", "rose"]
    assert "plugged.rose" not in sys.modules


def test_a_plugin_is_the_module_of_its_name(package: str) -> None:
    assert plugins.load(package, "rose", "here").colour == "red"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rosa", " Did you mean 'rose'?"),
        ("_part", ""),
        ("__init__", ""),
        ("", ""),
        ("../rose", " Did you mean 'rose'?"),
    ],
)
def test_an_unknown_plugin_is_refused(package: str, name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        plugins.load(package, name, "a.yaml: kind")
    assert str(error.value) == f"a.yaml: kind: expected one of broken, rose, got {name!r}. Change it.{hint}"


def test_the_nearest_name_is_hinted_at_only_if_it_is_near() -> None:
    known = ["tfidf", "majority"]
    assert plugins.nearest("tdidf", known) == " Did you mean 'tfidf'?"
    assert plugins.nearest("bert", known) == ""
    assert plugins.nearest("tfidf", []) == ""
