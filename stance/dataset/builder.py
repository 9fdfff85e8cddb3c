"""From annotated sentences to splits on disk; the page to read for what happens in which order."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed_copy
from pathlib import Path
from typing import Any, cast

from pydantic import Field

from stance import plugins
from stance.atomic import staged
from stance.config import Settings, override, read_yaml, validate
from stance.dataset import checks, cleaning, splits, storage, votes
from stance.dataset.card import CardSettings, Facts, card
from stance.dataset.cleaning import CleaningSettings
from stance.dataset.masking import Mask, mask_speaker
from stance.dataset.sources import SourceFile
from stance.dataset.splits import SplitSettings
from stance.dataset.votes import VoteSettings
from stance.errors import DataError, problem
from stance.schema import LABELS, MADE_UP, Annotation, Example
from stance.text import normalise

logger = logging.getLogger(__name__)


class SourceSettings(Settings):
    """One file of annotations."""

    kind: str = Field("annotations", description="a file of stance/dataset/sources/")
    path: Path
    split: str | None = Field(None, description="the only split that these may go to; by default they are shared out")
    params: dict[str, Any] = Field(default_factory=dict, description="what the kind of source asks for")


class DataConfig(Settings):
    """What `stance build` reads; paths are relative to the folder that the command is called in."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    sources: tuple[SourceSettings, ...] = Field(min_length=1)
    annotators: tuple[str, ...] = Field(min_length=1, description="whose votes count; others are refused")
    articles: Path = Field(Path("."), description="folder that the `document` of an annotation is looked up in")
    max_characters: int = Field(2000, gt=0, description="longest statement; more is an article that was not cut")
    votes: VoteSettings = VoteSettings()
    cleaning: CleaningSettings = CleaningSettings()
    splits: SplitSettings = SplitSettings()
    mask: Mask = Field("none", description="speaker: names of speakers and affiliations become role words")
    card: CardSettings = CardSettings()


@dataclass(frozen=True, slots=True)
class Build:
    """What a build did: the data set, whether it is new, and what was left out and why."""

    dataset: storage.Dataset
    changed: bool
    facts: Facts


def read_config(path: Path, assignments: Sequence[str] = ()) -> DataConfig:
    """Return the checked data config in `path`, overridden by `assignments` (`dotted.key=value`).

    Raises:
        ConfigError: a key or value is wrong, or a source is of an unknown kind.
    """
    config = validate(DataConfig, override(read_yaml(path), assignments), str(path))
    for number, source in enumerate(config.sources):
        where = f"{path}: sources.{number}"
        kind = cast(SourceFile, plugins.load("stance.dataset.sources", source.kind, f"{where}.kind"))
        validate(kind.Params, source.params, f"{where}.params")
    return config


def build(config: DataConfig, folder: Path, replace: bool = False) -> Build:
    """Build the data set of `config` in `folder`, whole or not at all.

    Raises:
        DataError: a source is malformed, a check fails, or other data stands in `folder` and `replace` is false.
    """
    annotations, fixed = _read(config)
    if not annotations:
        got = f"none in {', '.join(str(source.path) for source in config.sources)}"
        raise DataError(problem("sources", "annotations", got, "Add statements or correct the paths."))
    checks.check_ids(annotations)
    checks.check_annotations(annotations, config.annotators, config.max_characters)
    checks.check_offsets(annotations, config.articles)
    examples = [example for annotation in annotations if (example := _example(annotation, config.votes)) is not None]
    pairs = cleaning.similar_pairs(examples, config.cleaning.cluster)
    groups = splits.group(examples, pairs, config.splits)
    torn = {at for at, group in enumerate(groups) if group is None}
    examples = [changed_copy(e, group=group or e.id) for e, group in zip(examples, groups, strict=True)]
    evaluation = {id_ for id_, split in fixed.items() if split != splits.TRAIN}
    removed = cleaning.duplicates(examples, pairs, config.cleaning.duplicate, evaluation)
    clashes = cleaning.contradictions(examples, pairs, config.cleaning.duplicate)
    kept = [example for position, example in enumerate(examples) if position not in removed and position not in torn]
    homes = splits.assign(kept, fixed, config.splits)
    held_back = [example for example, home in zip(kept, homes, strict=True) if not home]
    held_back += [examples[at] for at in sorted(torn - removed.keys())]
    shared = _by_split(kept, homes)
    checks.check_leaks(shared, config.splits)
    facts = Facts(
        annotations=len(annotations),
        without_majority=len(annotations) - len(examples),
        duplicates=[(examples[gone].id, examples[stays].id) for gone, stays in sorted(removed.items())],
        contradictions=[(examples[pair.first].id, examples[pair.second].id) for pair in clashes],
        held_back=dict(Counter(example.kind or "unknown" for example in held_back)),
        agreement=votes.agreement([annotation for annotation in annotations if annotation.kind not in MADE_UP]),
    )
    return _write(config, shared, facts, folder, replace)


def read_examples(path: Path, columns: Mapping[str, str | None]) -> list[Example]:
    """Return all examples of one labelled file, each in its own group unless a page or a group column ties them.

    A JSON lines file whose first row has `votes` is in the project's own format; anything else is a table with the
    given `columns` (`text`, `label`, and optionally more of `sources.table.Columns`).

    Raises:
        DataError: the file is missing or malformed.
    """
    kind = "annotations" if path.suffix == ".jsonl" and _has_votes(path) else "table"
    params = {} if kind == "annotations" else {"columns": columns, "labels": {label: label for label in LABELS}}
    source = SourceSettings(kind=kind, path=path, params=params)
    config = DataConfig(name="file", sources=(source,), annotators=("any",))
    annotations, _ = _read(config)
    checks.check_ids(annotations)
    examples = [example for annotation in annotations if (example := _example(annotation, config.votes)) is not None]
    return [changed_copy(example, group=example.source_url or example.id) for example in examples]


def _has_votes(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b'"votes"' in file.readline()


def _read(config: DataConfig) -> tuple[list[Annotation], dict[str, str]]:
    """Return all annotations, and the fixed split of those that have one by their source or as contrasts, by id."""
    annotations: list[Annotation] = []
    fixed: dict[str, str] = {}
    for number, source in enumerate(config.sources):
        kind = cast(SourceFile, plugins.load("stance.dataset.sources", source.kind, f"sources.{number}.kind"))
        params = validate(kind.Params, source.params, f"sources.{number}.params")
        found = list(kind.read(source.path, params))
        logger.info("%s: %d annotations", source.path, len(found))
        annotations += found
        for annotation in found:
            if (split := source.split or (splits.TRAIN if annotation.kind in MADE_UP else None)) is not None:
                fixed[annotation.id] = split
    return annotations, fixed


def _example(annotation: Annotation, settings: VoteSettings) -> Example | None:
    label = votes.decide(annotation.votes, settings)
    if label is None:
        return None
    return Example(
        id=annotation.id,
        text=normalise(annotation.text),
        label=label,
        group=annotation.id,
        target=annotation.target,
        soft=votes.shares(annotation.votes),
        speaker=annotation.speaker,
        affiliation=annotation.affiliation,
        actor_type=annotation.actor_type,
        theatre=annotation.theatre,
        conflict=annotation.conflict,
        country=annotation.country,
        date=annotation.date,
        source_url=annotation.source_url or annotation.document,
        kind=annotation.kind,
        base=annotation.base,
    )


def _by_split(examples: Sequence[Example], homes: Sequence[str | None]) -> dict[str, list[Example]]:
    """Examples by split, the splits in the order of use and the examples in that of their ids."""
    order = (splits.TRAIN, splits.VALIDATION, splits.TEST, splits.TEST_UNSEEN)
    names = sorted({home for home in homes if home}, key=lambda name: (order.index(name) if name in order else 9, name))
    return {name: sorted(_of(name, examples, homes), key=lambda example: example.id) for name in names}


def _of(name: str, examples: Sequence[Example], homes: Sequence[str | None]) -> Iterator[Example]:
    return (example for example, home in zip(examples, homes, strict=True) if home == name)


def _write(config: DataConfig, shared: Mapping[str, list[Example]], facts: Facts, folder: Path, replace: bool) -> Build:
    """Mask, write and load. Masking comes last, so that groups and splits are the same with and without it."""
    if config.mask == "speaker":
        shared = {
            name: [changed_copy(example, text=mask_speaker(example)) for example in part]
            for name, part in shared.items()
        }
    text = card(config.name, shared, facts, config.card)
    try:
        with staged(folder) as fresh:
            storage.write(config.name, shared, text, {"config": config.model_dump(mode="json")}, fresh)
            changed = storage.put_in_place(fresh, folder, replace)
    except OSError as error:
        raise DataError(problem(folder, "a folder that can be written", str(error), "Choose another --out.")) from error
    return Build(storage.load(folder), changed, facts)
