"""Compare variants of a training recipe by cross-validation over whole theatres, on train and validation only.

Run: python experiments/recipe/run.py experiments/recipe/NAME.yaml [--table]

A definition names a run config, folds, seeds and variants (lists of `dotted.key=value`). Each finished pair of variant
and seed is a line of NAME.jsonl with the label predicted for every statement (a digit, in the order of `anti neutral
pro`), so that an interrupted comparison goes on where it stopped. NAME.md is the table, made anew after each line:
macro-F1 over all held-out statements, its mean and range over seeds, and the difference to the first variant with a
95 % interval by paired bootstrap over groups. No test split is read.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from stance import dataset
from stance.comparison.paired import difference, sampled
from stance.config import Settings, read_yaml, validate
from stance.crossvalidation import cross_validate
from stance.evaluation import scores
from stance.schema import MADE_UP, Example, IntArray, label_indices
from stance.training import read_run

RESAMPLES = 2000


class Definition(Settings):
    """One question: a run config and what is varied.

    A variant may set `data.path` to data with the same statements in other words, such as masked ones.
    """

    question: str
    config: Path
    data: Path = Path("data/build/disarmament")
    folds: int = 6
    seeds: tuple[int, ...] = (0,)
    variants: dict[str, tuple[str, ...]]


def main(arguments: Sequence[str]) -> None:
    """Run what is missing and write the table."""
    path = Path(arguments[0])
    definition = validate(Definition, read_yaml(path), str(path))
    data = dataset.load(definition.data)
    examples = [*data.split("train"), *data.split("validation")]
    console = Console(stderr=True)
    if "--table" not in arguments:
        for seed in definition.seeds:
            for variant in definition.variants:
                if (variant, seed) not in {(row["variant"], row["seed"]) for row in _read(path)}:
                    row = _run(definition, variant, seed, examples)
                    with path.with_suffix(".jsonl").open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
                    _write_table(path, definition, examples)
                    console.print(f"{variant} seed {seed}: macro-F1 {row['macro_f1']:.4f} in {row['seconds']:.0f} s")
    _write_table(path, definition, examples)


def _read(path: Path) -> list[dict[str, Any]]:
    results = path.with_suffix(".jsonl")
    if not results.is_file():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def _run(definition: Definition, variant: str, seed: int, examples: Sequence[Example]) -> dict[str, Any]:
    start = time.perf_counter()
    config = read_run(definition.config, definition.variants[variant], seed)
    if config.data.path != definition.data:
        other = dataset.load(config.data.path)
        texts = {example.id: example.text for split in ("train", "validation") for example in other.split(split)}
        examples = [replace(example, text=texts[example.id]) for example in examples]
    asked, probabilities = cross_validate(config, examples, definition.folds)
    found = scores(label_indices([example.label for example in asked]), probabilities)
    predicted = dict(zip((example.id for example in asked), probabilities.argmax(axis=1), strict=True))
    digits = "".join(str(predicted[example.id]) for example in _statements(examples))
    kept = {name: round(found[name], 4) for name in ("macro_f1", "f_avg", "accuracy", "log_loss", "ece")}
    seconds = round(time.perf_counter() - start, 1)
    return {"variant": variant, "seed": seed, **kept, "seconds": seconds, "predicted": digits}


def _statements(examples: Sequence[Example]) -> list[Example]:
    return [example for example in examples if example.kind not in MADE_UP]


def _write_table(path: Path, definition: Definition, examples: Sequence[Example]) -> None:
    rows = _read(path)
    statements = _statements(examples)
    gold = label_indices([example.label for example in statements])
    groups = [example.group for example in statements]
    by_variant = {v: [row for row in rows if row["variant"] == v] for v in definition.variants}
    first = next(iter(definition.variants))
    lines = [
        f"# {definition.question}",
        "",
        f"`python experiments/recipe/run.py {path}`: `{definition.config}`, cross-validation over whole theatres "
        f"({definition.folds} folds) on train and validation, n = {len(statements)} statements, "
        f"{len(set(groups))} groups. Interval: 95 %, paired bootstrap over groups, {RESAMPLES} resamples.",
        "",
        f"| variant | settings | seeds | macro-F1 | range | against {first} | accuracy | log loss | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for variant, found in by_variant.items():
        if found:
            lines.append(_line(variant, definition, found, by_variant[first], gold, groups))
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(
    variant: str,
    definition: Definition,
    found: Sequence[Mapping[str, Any]],
    base: Sequence[Mapping[str, Any]],
    gold: IntArray,
    groups: Sequence[str],
) -> str:
    values = [row["macro_f1"] for row in found]
    settings = " ".join(f"`{setting}`" for setting in definition.variants[variant]) or "as in the config"
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
    seeds = sorted({row["seed"] for row in found} & {row["seed"] for row in base})
    one, other = (
        sampled(gold, np.stack([_predicted(rows, seed) for seed in seeds]), groups, "macro_f1", RESAMPLES)
        for rows in (found, base)
    )
    shift = difference(one, other)
    return f"{shift.value:+.3f} [{shift.low:+.3f}, {shift.high:+.3f}]"


def _predicted(rows: Sequence[Mapping[str, Any]], seed: int) -> IntArray:
    (digits,) = [row["predicted"] for row in rows if row["seed"] == seed]
    return np.array([int(digit) for digit in digits])


if __name__ == "__main__":
    main(sys.argv[1:])
