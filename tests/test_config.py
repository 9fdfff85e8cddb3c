"""Strict settings: every mistake in a YAML file or an override is one line that names its place."""

from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from stance.config import Settings, override, read_yaml, validate
from stance.dataset import read_config
from stance.errors import ConfigError
from stance.training import read_run


class Inner(Settings):
    colour: Literal["red", "green"] = "red"
    size: int = Field(1, ge=1)


class Outer(Settings):
    name: str
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    maybe: Inner | None = None
    free: dict[str, Any] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(content: str | bytes) -> dict[str, Any]:
    Path("a.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(Path("a.yaml"))


def test_settings_are_read_with_their_types() -> None:
    tree = read("name: x\ninner: {colour: green, size: 3}\nmany:\n  - size: 2\nfree: {C: 1.5, flag: true}\n")
    found = validate(Outer, tree, "a.yaml")
    assert found == Outer(
        name="x",
        inner=Inner(colour="green", size=3),
        many=(Inner(size=2),),
        free={"C": 1.5, "flag": True},
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        setattr(Inner(), "size", 2)  # noqa: B010 (a plain assignment is a type error, too)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a mapping of settings, got an empty file."),
        ("- 1\n", "expected a mapping of settings, got list."),
        ("hello", "expected a mapping of settings, got str."),
        (
            "a: 1\nb: 2\na: 3\n",
            """expected valid YAML, got the key 'a' stands twice in "<unicode string>", line 3, column 1: a: 3 ^.""",
        ),
        (
            "x:\n  a: 1\n  a: 1\n",
            """expected valid YAML, got the key 'a' stands twice in "<unicode string>", line 3, column 3: a: 1 ^.""",
        ),
        (
            "a: [1\nb: 2\n",
            'expected valid YAML, got while parsing a flow sequence in "<unicode string>", line 1, column 4: a: [1 ^ '
            """expected ',' or ']', but got ':' in "<unicode string>", line 2, column 2: b: 2 ^.""",
        ),
        (
            "? [a]\n: 1\n",
            'expected valid YAML, got while constructing a mapping in "<unicode string>", line 1, column 1: ? [a] ^ '
            'found unhashable key in "<unicode string>", line 1, column 3: ? [a] ^.',
        ),
        ("date: 2020-13-45\n", "expected valid YAML, got month must be in 1..12."),
        (
            b"a: \xff\n",
            "expected valid YAML, got 'utf-8' codec can't decode byte 0xff in position 3: invalid start byte.",
        ),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "expected valid YAML, got could not determine a constructor for the tag "
            """'tag:yaml.org,2002:python/object/apply:os.system' in "<unicode string>", line 1, column 4: a: """
            "!!python/object/apply:os.system [ls] ^.",
        ),
    ],
)
def test_a_file_that_holds_no_settings_is_refused_in_one_line(content: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(content)
    assert str(error.value) == f"a.yaml: {message} Correct the file."


def test_a_bottomless_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^a\.yaml: expected valid YAML, got maximum recursion depth exceeded"):
        read("[" * 500)


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        read_yaml(Path("b.yaml"))
    assert str(error.value) == "b.yaml: expected a YAML file, got no such file. Check the path."


def test_a_mapping_may_take_over_the_keys_of_another() -> None:
    assert read("one: &one {a: 1, b: 2}\ntwo:\n  <<: *one\n  b: 3\n") == {
        "one": {"a": 1, "b": 2},
        "two": {"a": 1, "b": 3},
    }


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "name: expected a value, got nothing. Add the key."),
        ({"name": 5}, "name: expected a valid string, got 5. Change it."),
        (
            {"name": "x", "iner": {}},
            "iner: expected one of free, inner, many, maybe, name, got an unknown key. Remove it. "
            "Did you mean 'inner'?",
        ),
        (
            {"name": "x", "qqq": 1},
            "qqq: expected one of free, inner, many, maybe, name, got an unknown key. Remove it.",
        ),
        (
            {"name": "x", "inner": {"color": "red"}},
            "inner.color: expected one of colour, size, got an unknown key. Remove it. Did you mean 'colour'?",
        ),
        (
            {"name": "x", "many": [{}, {"sise": 1}]},
            "many.1.sise: expected one of colour, size, got an unknown key. Remove it. Did you mean 'size'?",
        ),
        (
            {"name": "x", "maybe": {"sise": 1}},
            "maybe.sise: expected one of colour, size, got an unknown key. Remove it. Did you mean 'size'?",
        ),
        ({"name": "x", "inner": {"colour": "blue"}}, "inner.colour: expected 'red' or 'green', got 'blue'. Change it."),
        ({"name": "x", "inner": {"size": 0}}, "inner.size: expected greater than or equal to 1, got 0. Change it."),
        (
            {"name": "x", "inner": {"size": "big"}},
            "inner.size: expected a valid integer, unable to parse string as an integer, got 'big'. Change it.",
        ),
        (
            {"name": "x", "inner": None},
            "inner: expected a valid dictionary or instance of Inner, got None. Change it.",
        ),
        (
            {"name": "x", True: 1},
            "1: expected a key that is text, got True. Put it in quotation marks or change it.",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(tree: dict[Any, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        validate(Outer, tree, "a.yaml")
    assert str(error.value) == f"a.yaml: {message}"


def test_a_setting_where_none_is_known_is_refused() -> None:
    class Nothing(Settings):
        pass

    with pytest.raises(ConfigError) as error:
        validate(Nothing, {"C": 1}, "params")
    assert str(error.value) == "params: C: expected no settings here, got an unknown key. Remove it."


def test_overrides_are_put_in_by_yamls_own_rules() -> None:
    tree = {"a": {"b": 1, "c": 2}}
    found = override(tree, ["a.b=[1, x]", "d.e.f=true", "a.c=", "text=a=b", "quoted='1'"])
    assert found == {
        "a": {"b": [1, "x"], "c": None},
        "d": {"e": {"f": True}},
        "text": "a=b",
        "quoted": "1",
    }
    assert tree == {"a": {"b": 1, "c": 2}}


def test_the_last_of_two_overrides_holds() -> None:
    assert override({}, ["a=1", "a=2"]) == {"a": 2}


keys = st.text(alphabet="abc", min_size=1, max_size=3)


@given(st.lists(keys, min_size=1, max_size=4), st.one_of(st.integers(), st.booleans(), st.none(), keys))
def test_an_override_sets_its_key_and_nothing_else(path: list[str], value: object) -> None:
    tree = {"zz": {"kept": 1}}
    found = override(tree, [f"{'.'.join(path)}={yaml.safe_dump(value)}"])
    assert found.pop("zz") == {"kept": 1}
    for part in path:
        assert list(found) == [part]
        found = found[part]
    assert found == value


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("C", "expected dotted.key=value, got 'C'. Write it as --set model.params.C=4."),
        ("=4", "expected dotted.key=value, got '=4'. Write it as --set model.params.C=4."),
        ("a..b=4", "expected dotted.key=value, got 'a..b=4'. Write it as --set model.params.C=4."),
        ("a=[1", "expected a YAML value, got '[1'. Quote the value."),
        ("a={b: 1, b: 2}", "expected a YAML value, got '{b: 1, b: 2}'. Quote the value."),
        ("a=2020-13-45", "expected a YAML value, got '2020-13-45'. Quote the value."),
        ("name.x=1", "expected a mapping at 'name', got str. Check the dotted key."),
        ("many.0.size=1", "expected a mapping at 'many', got list. Check the dotted key."),
    ],
)
def test_a_wrong_override_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        override({"name": "x", "many": [{}]}, [assignment])
    assert str(error.value) == f"--set {assignment}: {message}"


ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_run_config_of_the_repository_is_valid(path: Path) -> None:
    assert read_run(path).name == path.stem


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "data").glob("*.yaml")), ids=lambda path: path.name)
def test_every_data_config_of_the_repository_is_valid(path: Path) -> None:
    assert read_config(path).name == path.stem


def test_a_share_of_a_teacher_without_a_teacher_is_refused() -> None:
    path = ROOT / "configs" / "tfidf.yaml"
    with pytest.raises(ConfigError) as error:
        read_run(path, ["data.teacher_weight=0.7"])
    assert str(error.value) == (
        f"{path}: data: expected settings that fit together, got teacher_weight, which has no effect without teacher. "
        "Change one of them."
    )


@pytest.mark.parametrize(
    ("splits", "where", "got"),
    [
        ("[validation]", ": data", "extra_train_splits with validation, which calibration needs unseen"),
        ("[test, test]", ": data", "extra_train_splits with a split that is learnt from twice"),
        ("[train]", ": data", "extra_train_splits with a split that is learnt from twice"),
        ("[test]", ": the settings", "test in data.extra_train_splits and in evaluate"),
    ],
)
def test_splits_to_learn_from_that_calibration_or_evaluation_needs_unseen_are_refused(
    splits: str, where: str, got: str
) -> None:
    path = ROOT / "configs" / "tfidf.yaml"
    with pytest.raises(ConfigError) as error:
        read_run(path, [f"data.extra_train_splits={splits}"])
    expected = "expected settings that fit together"
    assert str(error.value) == f"{path}{where}: {expected}, got {got}. Change one of them."
