"""Strict YAML settings: every key is known, typed and checked before any slow work begins.

A command's settings are one YAML file plus `--set dotted.key=value` overrides, read by YAML's own rules. Unknown keys
are refused with the nearest known name; so is a key that stands twice.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stance.errors import ConfigError, problem
from stance.plugins import nearest

Tree: TypeAlias = dict[str, Any]
"""Settings as YAML gives them: strings to scalars, lists and further trees."""


class Settings(BaseModel):
    """Base of all settings: frozen, no unknown keys, defaults checked too."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


AnySettings = TypeVar("AnySettings", bound=Settings)


_MERGE: Final = "tag:yaml.org,2002:merge"
"""The tag of `<<`, which takes over the keys of another mapping; own keys come before those."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, except that a key which stands twice in one mapping is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE or not isinstance(key_node, yaml.ScalarNode):
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Tree:
    """Return the settings in the YAML file `path`.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds something else than a mapping.
    """
    if not path.is_file():
        raise ConfigError(problem(path, "a YAML file", "no such file", "Check the path."))
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(problem(path, "valid YAML", str(error), "Correct the file.")) from error
    if not isinstance(tree, dict):
        got = "an empty file" if tree is None else type(tree).__name__
        raise ConfigError(problem(path, "a mapping of settings", got, "Correct the file."))
    return tree


def override(tree: Tree, assignments: Sequence[str]) -> Tree:
    """Return a copy of `tree` with each `dotted.key=value` of `assignments` put in; values are read as YAML.

    Raises:
        ConfigError: an assignment has no `=`, is no YAML, or goes through a key that holds no mapping.
    """
    tree = copy.deepcopy(tree)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        where = f"--set {assignment}"
        if not equals or not all(path.split(".")):
            raise ConfigError(
                problem(where, "dotted.key=value", repr(assignment), "Write it as --set model.params.C=4.")
            )
        try:
            value = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(problem(where, "a YAML value", repr(text), "Quote the value.")) from error
        *parents, last = path.split(".")
        at = tree
        for parent in parents:
            at = at.setdefault(parent, {})
            if not isinstance(at, dict):
                raise ConfigError(
                    problem(where, f"a mapping at {parent!r}", type(at).__name__, "Check the dotted key.")
                )
        at[last] = value
    return tree


def validate(kind: type[AnySettings], tree: Mapping[str, Any], where: str) -> AnySettings:
    """Return `tree` as checked settings of class `kind`; `where` (file, or file and key) opens a message.

    Raises:
        ConfigError: a key is unknown, missing, of the wrong type or out of range; the first problem is named.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(kind, error, where)) from error


def _explain(kind: type[Settings], error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    dotted = ".".join(path) or "the settings"
    at = f"{where}: {dotted}"
    match first["type"]:
        case "extra_forbidden":
            known = _keys_at(kind, path[:-1])
            expected = f"one of {', '.join(known)}" if known else "no settings here"
            return problem(at, expected, "an unknown key", f"Remove it.{nearest(path[-1], known)}")
        case "missing":
            return problem(at, "a value", "nothing", "Add the key.")
        case "invalid_key":
            return problem(at, "a key that is text", repr(first["input"]), "Put it in quotation marks or change it.")
        case "value_error" if not path or _settings_at(kind, path[:-1], path[-1]):
            got = first["msg"].removeprefix("Value error, ")
            return problem(at, "settings that fit together", got, "Change one of them.")
        case _:
            return problem(
                at,
                first["msg"].removeprefix("Input should be ").removeprefix("Value error, "),
                repr(first["input"]),
                "Change it.",
            )


def _keys_at(kind: type[Settings], path: Sequence[str]) -> list[str]:
    """The known keys of the settings class reached from `kind` along `path`; list positions are passed over."""
    for part in path:
        kind = _settings_at(kind, (), part) or kind
    return sorted(kind.model_fields)


def _settings_at(kind: type[Settings], path: Sequence[str], last: str) -> type[Settings] | None:
    """The settings class in the field `last` of the one that `path` leads to, if it holds one."""
    for part in path:
        kind = _settings_at(kind, (), part) or kind
    field = kind.model_fields.get(last)
    return _settings_in(field.annotation) if field else None


def _settings_in(annotation: Any) -> type[Settings] | None:
    """The first settings class inside a type such as `list[Source]` or `Source | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if (found := _settings_in(part)) is not None:
            return found
    return None
