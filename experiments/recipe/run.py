"""Compare variants of a training recipe by cross-validation over whole theatres, on train and validation only.

Run: python experiments/recipe/run.py experiments/recipe/NAME.yaml [--table]

A definition names a run config, folds, seeds and variants (lists of `dotted.key=value`). Each finished pair of variant
and seed is a line of NAME.jsonl with the label predicted for every statement (a digit, in the order of `anti neutral
pro`) and the probabilities of `anti` and `pro` (three digits each, in thousandths), so that an interrupted comparison
goes on where it stopped. NAME.md is the table, made anew after each line: macro-F1 over all held-out statements, its
mean and range over seeds, and the difference to the first variant with a 95 % interval by paired bootstrap over groups.
No test split is read.

A variant may be another run config (`configs`). In `votes`, the mean of probabilities decides and nothing is trained:
of one variant all seeds vote; of several, each seed of one with the same seed of the others.

With a `teacher`, a variant in `taught` learns from it, to the weight given there. Each fold has its own teacher,
trained on that fold's part of the data, so that what is held out stays unseen; what it says is kept in cache/.
"""

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from rich.console import Console

from stance import dataset
from stance.comparison.paired import difference, sampled
from stance.config import Settings, read_yaml, validate
from stance.crossvalidation import Fold, cross_validate, theatre_folds
from stance.dataset.teacher import teach
from stance.errors import ConfigError, StanceError, problem
from stance.evaluation import scores
from stance.models import _encoder
from stance.schema import LABELS, Example, FloatArray, IntArray, label_indices
from stance.training import RunConfig, check_learns_alone, fit_examples, read_run, weigh

RESAMPLES = 2000
CACHE = Path(__file__).parent / "cache"


class Definition(Settings):
    """One question: a run config, `settings` of all variants, and what is varied.

    A variant may set `data.path` to data with the same statements in other words, such as masked ones. `first` takes
    only so many of the folds, where a teacher for each would cost hours. `settings` are not for variants in `configs`.
    """

    question: str
    config: Path
    data: Path = Path("data/build/disarmament")
    teacher: Path | None = None
    teacher_settings: tuple[str, ...] = ()
    folds: int = 6
    first: int | None = None
    settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    variants: dict[str, tuple[str, ...]]
    configs: dict[str, Path] = Field(default_factory=dict)
    votes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    taught: dict[str, float] = Field(default_factory=dict)


def main(arguments: Sequence[str]) -> None:
    """Run what is missing and write the table."""
    try:
        _run_missing(Path(arguments[0]), "--table" in arguments)
    except StanceError as error:
        raise SystemExit(f"Error: {error}") from error


def _run_missing(path: Path, table_only: bool) -> None:
    definition = validate(Definition, read_yaml(path), str(path))
    _check_names(definition)
    data = dataset.load(definition.data)
    examples = [*data.split("train"), *data.split("validation")]
    console = Console(stderr=True)
    if not table_only:
        _check(definition)
        for seed in definition.seeds:
            for variant in definition.variants:
                if (variant, seed) not in {(row["variant"], row["seed"]) for row in _read(path)}:
                    row = _run(definition, variant, seed, examples)
                    with path.with_suffix(".jsonl").open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
                    _write_table(path, definition, examples)
                    console.print(f"{variant} seed {seed}: macro-F1 {row['macro_f1']:.4f} in {row['seconds']:.0f} s")
    _write_table(path, definition, examples)


def _check(definition: Definition) -> None:
    """Find a wrong setting or an encoder that is not there before the hours, not in between."""
    for variant in definition.variants:
        params = _config(definition, variant, 0).model.params
        if "encoder" in params:
            _encoder.find(params["encoder"], params["revision"])


def _check_names(definition: Definition) -> None:
    named = {"configs": tuple(definition.configs)} | {f"votes.{name}": of for name, of in definition.votes.items()}
    for where, names in named.items():
        if unknown := [name for name in names if name not in definition.variants]:
            expected = f"variants among {', '.join(definition.variants)}"
            raise ConfigError(problem(where, expected, ", ".join(unknown), "Name variants."))


def _read(path: Path) -> list[dict[str, Any]]:
    results = path.with_suffix(".jsonl")
    if not results.is_file():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def _run(definition: Definition, variant: str, seed: int, examples: Sequence[Example]) -> dict[str, Any]:
    start = time.perf_counter()
    config = _config(definition, variant, seed)
    if config.data.path != definition.data:
        other = dataset.load(config.data.path)
        texts = {example.id: example.text for split in ("train", "validation") for example in other.split(split)}
        examples = [replace(example, text=texts[example.id]) for example in examples]
    if variant in definition.taught or definition.first is not None:
        asked, probabilities = _by_hand(definition, config, examples, variant)
    else:
        asked, probabilities = cross_validate(config, examples, definition.folds)
    found = scores(label_indices([example.label for example in asked]), probabilities)
    places = {example.id: place for place, example in enumerate(asked)}
    in_order = probabilities[[places[example.id] for example in _statements(definition, examples)]]
    digits = "".join(map(str, in_order.argmax(axis=1)))
    thousandths = "".join(f"{share:03}" for share in np.minimum(in_order * 1000, 999).round().astype(int)[:, ::2].flat)
    kept = {name: round(found[name], 4) for name in ("macro_f1", "f_avg", "accuracy", "log_loss", "ece")}
    kept["seconds"] = round(time.perf_counter() - start, 1)
    return {"variant": variant, "seed": seed, **kept, "predicted": digits, "thousandths": thousandths}


def _config(definition: Definition, variant: str, seed: int) -> RunConfig:
    if variant in definition.configs:
        return read_run(definition.configs[variant], definition.variants[variant], seed)
    return read_run(definition.config, (*definition.settings, *definition.variants[variant]), seed)


def _by_hand(
    definition: Definition, config: RunConfig, examples: Sequence[Example], variant: str
) -> tuple[list[Example], FloatArray]:
    """Cross-validate as `cross_validate` does, over the folds that are wanted and with a teacher for each."""
    check_learns_alone(config, "fold")
    asked: list[Example] = []
    answers = []
    for fold in _folds(definition, examples):
        train = weigh(fold.train, config.data)
        if variant in definition.taught:
            train = teach(train, _teacher_says(definition, fold), definition.taught[variant])
        classifier = fit_examples(config, train, [])
        answers.append(classifier.predict_proba([example.query for example in fold.held_out]))
        asked += fold.held_out
    return asked, np.concatenate(answers)


def _teacher_says(definition: Definition, fold: Fold) -> Path:
    """Return the file with the probabilities of the fold's teacher for all that may be learnt from, made if need be."""
    if definition.teacher is None:
        raise ConfigError(problem("taught", "a teacher in the definition", "none", "Name its run config."))
    config = read_run(definition.teacher, definition.teacher_settings)
    learnt = weigh(fold.train, config.data)
    told = [config.model_dump_json(exclude={"name"}), *(f"{example.id} {example.label}" for example in learnt)]
    path = CACHE / f"{hashlib.sha256(chr(10).join(told).encode()).hexdigest()[:16]}.csv"
    if not path.is_file():
        classifier = fit_examples(config, learnt, [])
        probabilities = classifier.predict_proba([example.query for example in fold.train])
        table = pd.DataFrame(probabilities.round(4), columns=[f"p_{label}" for label in LABELS])
        table.insert(0, "id", [example.id for example in fold.train])
        CACHE.mkdir(exist_ok=True)
        table.to_csv(path, index=False)
    return path


def _folds(definition: Definition, examples: Sequence[Example]) -> list[Fold]:
    return list(islice(theatre_folds(examples, definition.folds), definition.first))


def _statements(definition: Definition, examples: Sequence[Example]) -> list[Example]:
    """Return the statements that are held out, in the order of the data."""
    held_out = {example.id for fold in _folds(definition, examples) for example in fold.held_out}
    return [example for example in examples if example.id in held_out]


def _write_table(path: Path, definition: Definition, examples: Sequence[Example]) -> None:
    rows = _read(path)
    statements = _statements(definition, examples)
    gold = label_indices([example.label for example in statements])
    groups = [example.group for example in statements]
    by_variant = {v: [row for row in rows if row["variant"] == v] for v in definition.variants}
    first = next(iter(definition.variants))
    lines = [
        f"# {definition.question}",
        "",
        f"`python experiments/recipe/run.py {path}`: `{definition.config}`{_shared(definition)}, "
        f"cross-validation over whole theatres ({definition.folds} folds{_taken(definition)}) on train and validation, "
        f"n = {len(statements)} statements, {len(set(groups))} groups. Interval: 95 %, paired bootstrap over groups, "
        f"{RESAMPLES} resamples.",
        "",
        f"| variant | settings | seeds | macro-F1 | range | against {first} | accuracy | log loss | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for variant, found in by_variant.items():
        if found:
            settings = _settings(definition, variant)
            lines.append(_line(variant, settings, found, by_variant[first], gold, groups))
    for name, parts in definition.votes.items():
        if all(by_variant[part] for part in parts):
            votes = _votes([by_variant[part] for part in parts], gold)
            if votes:
                settings = f"vote of {' and '.join(parts) if len(parts) > 1 else f'all seeds of {parts[0]}'}"
                lines.append(_line(name, settings, votes, by_variant[first], gold, groups))
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _shared(definition: Definition) -> str:
    return "".join(f" `{setting}`" for setting in definition.settings)


def _taken(definition: Definition) -> str:
    return f", the first {definition.first} of them" if definition.first is not None else ""


def _settings(definition: Definition, variant: str) -> str:
    config = [f"`{definition.configs[variant]}`"] if variant in definition.configs else []
    shown = [*config, *(f"`{setting}`" for setting in definition.variants[variant])]
    taught = f", taught, weight {definition.taught[variant]:g}" if variant in definition.taught else ""
    return (" ".join(shown) or "as in the config") + taught


def _votes(parts: Sequence[Sequence[Mapping[str, Any]]], gold: IntArray) -> list[dict[str, Any]]:
    """Return rows of votes: one of all seeds of a single part, else one for each seed that all parts have."""
    by_part = [{row["seed"]: row for row in rows if "thousandths" in row} for rows in parts]
    seeds = sorted(set.intersection(*map(set, by_part)))
    together = [tuple(seeds)] if len(parts) == 1 else [(seed,) for seed in seeds]
    found = []
    for voting in together:
        team = [rows[seed] for rows in by_part for seed in voting]
        if len(team) > 1:
            probabilities = np.mean([_probabilities(row) for row in team], axis=0)
            digits = "".join(map(str, probabilities.argmax(axis=1)))
            seconds = sum(row["seconds"] for row in team)
            found.append({"seeds": voting, "seconds": seconds, "predicted": digits, **scores(gold, probabilities)})
    return found


def _probabilities(row: Mapping[str, Any]) -> FloatArray:
    """Return the probabilities that were kept of `n` statements, shape (n, k); a thousandth at least."""
    digits = row["thousandths"]
    kept = np.array([int(digits[at : at + 3]) for at in range(0, len(digits), 3)]).reshape(-1, 2) / 1000
    anti, pro = np.clip(kept, 0.001, 0.998).T
    found = np.stack([anti, np.clip(1 - anti - pro, 0.001, 0.998), pro], axis=1)
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)


def _line(
    variant: str,
    settings: str,
    found: Sequence[Mapping[str, Any]],
    base: Sequence[Mapping[str, Any]],
    gold: IntArray,
    groups: Sequence[str],
) -> str:
    values = [row["macro_f1"] for row in found]
    against = "" if found is base or not base else _difference(found, base, gold, groups)
    means = {name: np.mean([row[name] for row in found]) for name in ("accuracy", "log_loss", "seconds")}
    return (
        f"| {variant} | {settings} | {len(found)} | {np.mean(values):.3f} | {min(values):.3f} to {max(values):.3f} "
        f"| {against} | {means['accuracy']:.3f} | {means['log_loss']:.3f} | {means['seconds'] / 60:.1f} |"
    )


def _difference(
    found: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]], gold: IntArray, groups: Sequence[str]
) -> str:
    """The mean difference in macro-F1 over the seeds that both have, with its interval."""
    by_seed = {row["seed"]: row for row in base}
    shared = [row for row in found if by_seed.keys() >= set(_seeds(row))]
    others = [by_seed[seed] for row in shared for seed in _seeds(row)]
    one, other = (
        sampled(gold, np.stack([_predicted(row) for row in rows]), groups, "macro_f1", RESAMPLES)
        for rows in (shared, others)
    )
    shift = difference(one, other)
    return f"{shift.value:+.3f} [{shift.low:+.3f}, {shift.high:+.3f}]"


def _seeds(row: Mapping[str, Any]) -> Sequence[int]:
    return row["seeds"] if "seeds" in row else (row["seed"],)


def _predicted(row: Mapping[str, Any]) -> IntArray:
    return np.array([int(digit) for digit in row["predicted"]])


if __name__ == "__main__":
    main(sys.argv[1:])
