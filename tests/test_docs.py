"""The README and the help texts say what is there, and what is there is said."""

import re
import shlex
from pathlib import Path

import pytest
from click import Option

from stance import plugins
from stance.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:console|bash|sh)\n(.*?)```", README, re.DOTALL)
LINES = [line.removeprefix("$ ") for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
COMMANDS = [line for line in LINES if line.startswith("stance ")]


def test_the_readme_shows_commands() -> None:
    assert {"make demo", "make test"} <= set(LINES)
    assert {shlex.split(line)[1] for line in COMMANDS} >= set(main.commands)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_of_the_readme_exists_with_its_options(line: str) -> None:
    words = shlex.split(line.split(" | ")[0].split(" > ")[0])
    command = main.commands[words[1]]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert options <= known


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make ")])
def test_each_make_target_of_the_readme_exists(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in line.split()[1:]:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_each_path_in_the_tree_of_the_readme_exists() -> None:
    (tree,) = re.findall(r"```text\nstance/\n(.*?)```", README, re.DOTALL)
    folders: list[str] = ["stance"]
    named = set()
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        name = line.split()[0]
        folders = [*folders[: indent // 2], name.rstrip("/")]
        named.add("/".join(folders))
        assert (ROOT / "/".join(folders)).exists(), name
    there = {
        f"stance/{path.name}" for path in (ROOT / "stance").iterdir() if not path.name.startswith(("_", "py.typed"))
    }
    assert there <= named


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_each_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_each_model_has_a_config_and_is_named_in_the_readme() -> None:
    for name in plugins.names("stance.models"):
        configs = [path for path in (ROOT / "configs").glob("*.yaml") if f"kind: {name}\n" in path.read_text("utf-8")]
        assert configs, name
        assert f"`{name}`" in README


@pytest.mark.parametrize("name", sorted(main.commands))
def test_each_option_is_documented(name: str) -> None:
    for option in main.commands[name].params:
        if isinstance(option, Option) and option.name != "help":
            assert option.help, option.name


def test_the_changelog_names_each_command() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in main.commands if f"stance {name}" not in text] == []


@pytest.mark.parametrize("path", sorted((ROOT / "stance").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_longer_than_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
