"""The definition of an experiment in YAML, and the cells of its grid.

A cell is one config with one variant's overrides, one seed and one protocol; it becomes one run in MLflow, with the
name of its config and variant.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from stance.config import Settings, override, read_yaml, validate
from stance.errors import ConfigError, problem
from stance.training import RunConfig, parts_facts, read_run, teacher_facts

Protocol: TypeAlias = Literal["split", "theatres", "leave-one-theatre-out", "learning-curve"]

CROSS_VALIDATED: Final = ("theatres", "leave-one-theatre-out")
"""Protocols that look at train and validation only; their predictions are called after them."""

_NAME: Final = r"^[a-z0-9][a-z0-9._-]*$"


class Definition(Settings):
    """What `stance experiment` reads; paths are relative to the folder that the command is called in."""

    name: str = Field(pattern=_NAME, description="of the MLflow experiment")
    question: str = Field("", description="what the experiment is to answer")
    configs: tuple[Path, ...] = Field(min_length=1, description="run configs")
    overrides: tuple[str, ...] = Field((), description="dotted.key=value, for every config")
    variants: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="by name, further overrides; every config is run with each of them"
    )
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    protocols: tuple[Protocol, ...] = Field(
        min_length=1,
        description="split: train on train, report the config's splits; theatres: cross-validation over whole theatres "
        "on train and validation; leave-one-theatre-out: the same with a fold a theatre; learning-curve: split with "
        "shares of the training groups",
    )
    folds: int = Field(6, ge=2, le=100, description="of theatres")
    shares: tuple[float, ...] = Field((0.25, 0.5, 0.75, 1.0), min_length=1, description="of learning-curve")
    keep_models: bool = Field(False, description="log the models of split; others are thrown away")

    @field_validator("configs", "seeds", "protocols", "shares")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        twice = [str(value) for value, count in Counter(values).items() if count > 1]
        if twice:
            raise ValueError(f"each value once, not {twice[0]} twice")
        return values

    @field_validator("shares")
    @classmethod
    def _parts(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < value <= 1 for value in values):
            raise ValueError("shares above 0, up to 1")
        return values

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> "Definition":
        for setting, protocol in (("folds", "theatres"), ("shares", "learning-curve"), ("keep_models", "split")):
            if setting in self.model_fields_set and protocol not in self.protocols:
                raise ValueError(f"{setting}, which has no effect without the protocol {protocol}")
        return self


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the grid. `folds` is of `theatres`, `share` of `learning-curve`; elsewhere they are `None`.

    `base` is the name of the config without the variant's.
    """

    protocol: Protocol
    config: RunConfig
    base: str
    folds: int | None = None
    share: float | None = None
    keep_model: bool = False

    @property
    def key(self) -> str:
        """What it is called within the experiment."""
        share = "" if self.share is None else f" {self.share:.4g}"
        folds = "" if self.folds is None else f" {self.folds}"
        return f"{self.protocol}{folds}{share} {self.config.name} seed {self.config.seed}"

    @property
    def splits(self) -> tuple[str, ...]:
        """Whose predictions it leaves."""
        return (self.protocol,) if self.protocol in CROSS_VALIDATED else self.config.evaluate

    @property
    def digest(self) -> str:
        """The SHA-256 of all that decides what comes out beside the data, a teacher and saved models included."""
        settings: dict[str, Any] = {
            "config": self.config.model_dump(mode="json", exclude={"experiment"}),
            "protocol": [self.protocol, self.folds, self.share, self.keep_model],
            **teacher_facts(self.config),
            **parts_facts(self.config),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def read_definition(path: Path, assignments: Sequence[str] = ()) -> Definition:
    """Return the checked definition in `path` with `assignments` (`dotted.key=value`) put in.

    Raises:
        ConfigError: a key or value is wrong.
    """
    return validate(Definition, override(read_yaml(path), assignments), str(path))


def cells(definition: Definition) -> list[Cell]:
    """Return the grid: by protocol, seed, variant and config, so that what is compared gets done side by side.

    Raises:
        ConfigError: a run config is wrong, or two cells would have one name.
    """
    grid = [
        cell
        for protocol in definition.protocols
        for seed in definition.seeds
        for variant in definition.variants or ("",)
        for path in definition.configs
        for cell in _cells(definition, protocol, seed, variant, path)
    ]
    for key, count in Counter(cell.key for cell in grid).items():
        if count > 1:
            todo = "Give each config a name of its own."
            raise ConfigError(problem(definition.name, "one run of each name", f"two of {key!r}", todo))
    return grid


def _cells(definition: Definition, protocol: Protocol, seed: int, variant: str, path: Path) -> list[Cell]:
    config = read_run(path, [*definition.overrides, *definition.variants.get(variant, ())], seed)
    base = config.name
    # Checked again, as a variant's name becomes part of the run's.
    named = {"name": f"{base}-{variant}" if variant else base, "experiment": definition.name}
    where = f"{definition.name}: variants: {variant}"
    config = validate(RunConfig, config.model_dump() | named, where)
    match protocol:
        case "theatres":
            return [Cell(protocol, config, base, folds=definition.folds)]
        case "learning-curve":
            return [Cell(protocol, config, base, share=share) for share in definition.shares]
        case "split":
            return [Cell(protocol, config, base, keep_model=definition.keep_models)]
        case _:
            return [Cell(protocol, config, base)]
