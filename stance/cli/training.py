"""`stance build`, `stance train` and `stance evaluate`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stance.cli._shared import MODELS, Command, default_model, given, load_classifier, runtime_option
from stance.errors import ConfigError, DataError, problem

if TYPE_CHECKING:
    from stance.evaluation import Decided, Evaluation
    from stance.models import Classifier
    from stance.schema import Example

DATA_CONFIG: Final = Path("configs/data/disarmament.yaml")
BUILDS: Final = Path("data/build")
SUITE: Final = Path("tests/behaviour")
SPLITS: Final = ("test", "test_unseen")


@click.command(cls=Command, epilog="stance build configs/data/disarmament.yaml")
@click.argument("config", type=click.Path(path_type=Path), default=DATA_CONFIG, metavar="[CONFIG]")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: data/build/NAME]")
@click.option("--replace", is_flag=True, help="Replace other data that stands there.")
def build(config: Path, assignments: tuple[str, ...], out: Path | None, replace: bool) -> None:
    """Build a data set: annotated sentences become labelled examples in splits that cannot leak.

    CONFIG is a YAML file, by default configs/data/disarmament.yaml. What is written is Parquet, one file a split, with
    a dataset card; equal input gives equal bytes.
    """
    from stance import dataset

    settings = dataset.read_config(config, assignments)
    folder = out or BUILDS / settings.name
    made = dataset.build(settings, folder, replace)
    for name, examples in made.dataset.splits.items():
        click.echo(f"{name:<12} {len(examples):>7,} statements  {len({e.group for e in examples}):>7,} groups")
    alpha = made.facts.agreement.alpha
    agreement = "" if alpha is None else f" Krippendorff's alpha {alpha:.3f}."
    held = sum(made.facts.held_back.values())
    click.echo(
        f"{made.facts.annotations:,} annotations read; left out: {made.facts.without_majority} without a majority, "
        f"{len(made.facts.duplicates)} duplicates, {held:,} held back.{agreement}",
        err=True,
    )
    click.echo(
        f"{'Wrote' if made.changed else 'Already up to date:'} {folder} (card: {folder / 'README.md'})", err=True
    )


@click.command(cls=Command, epilog="stance train configs/tfidf.yaml --set model.params.C=4 --seed 1")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting; may be repeated.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Override the seed.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: experiments/models/NAME]")
@click.option("--replace", is_flag=True, help="Replace the model that stands there.")
def train(config: Path, assignments: tuple[str, ...], seed: int | None, out: Path | None, replace: bool) -> None:
    """Train a model from CONFIG, calibrate and evaluate it, save it and log the run to MLflow."""
    from stance import training
    from stance.evaluation import table

    run = training.read_run(config, assignments, seed)
    trained = training.train(run, out or MODELS / run.name, replace)
    click.echo(table(trained.evaluations, breakdown=False), nl=False)
    click.echo(
        f"Wrote {trained.folder}; MLflow run {trained.run_id} (temperature {trained.classifier.temperature:.2f})",
        err=True,
    )


@click.command(
    cls=Command, epilog="stance evaluate experiments/models/tfidf --split test --split test_unseen --plots plots"
)
@click.argument("model", default=default_model, required=False, envvar="STANCE_MODEL", metavar="[MODEL]")
@runtime_option
@click.option(
    "--split", "splits", multiple=True, help="A split of the data; may be repeated.  [default: test and test_unseen]"
)
@click.option(
    "--dataset", "data", type=click.Path(path_type=Path), help="Built data.  [default: what the model was trained on]"
)
@click.option("--data", "file", type=click.Path(path_type=Path), help="A labelled file instead of a split.")
@click.option("--text-column", default="text", show_default=True, help="Of --data.")
@click.option("--label-column", default="label", show_default=True, help="Of --data.")
@click.option("--group-column", help="Of --data: what the bootstrap keeps whole, such as a page.")
@click.option("--plots", type=click.Path(path_type=Path), help="Folder to write PNG plots to.")
@click.option("--behaviour", is_flag=True, help="Run the behaviour suite instead: what the model cannot do.")
@click.option("--suite", type=click.Path(path_type=Path), default=SUITE, show_default=True, help="Of --behaviour.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Show, too, what is decided, and how well, by those of confidence P or more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def evaluate(
    model: str,
    runtime: str,
    splits: tuple[str, ...],
    data: Path | None,
    file: Path | None,
    text_column: str,
    label_column: str,
    group_column: str | None,
    plots: Path | None,
    behaviour: bool,
    suite: Path,
    min_confidence: float | None,
    as_json: bool,
) -> None:
    """Measure MODEL on labelled data: scores with intervals, calibration, selective prediction, breakdowns.

    MODEL is a folder or an MLflow address, by default the champion (stance promote), or else what is there of
    experiments/models/minilm and experiments/models/tfidf.
    --data takes the project's own JSON lines, or a .csv, .tsv, .jsonl or .parquet table with text and label columns.
    """
    from stance import training
    from stance.evaluation import decided_table, table, write_plots

    _check_options(behaviour, file is not None)
    if behaviour:
        _evaluate_behaviour(model, runtime, suite, as_json)
        return
    classifier = load_classifier(model, runtime)
    if file is not None:
        columns = {"text": text_column, "label": label_column, "group": group_column}
        chosen = {file.name: _labelled(file, columns)}
    else:
        _check_unseen(classifier, splits or SPLITS)
        chosen = training.read_splits(classifier, splits or SPLITS, data)
    found = {name: _judged(classifier, examples, min_confidence) for name, examples in chosen.items()}
    evaluations = {name: evaluation for name, (evaluation, _) in found.items()}
    points = {name: point for name, (_, point) in found.items() if point}
    if as_json:
        tree = {name: evaluation.as_dict() for name, evaluation in evaluations.items()}
        for name, point in points.items():
            tree[name]["decided"] = point.as_dict()
        click.echo(json.dumps(tree, indent=2))
    else:
        click.echo(table(evaluations) + ("\n" + decided_table(points) if points else ""), nl=False)
    if plots is not None:
        for name, evaluation in evaluations.items():
            for path in write_plots(evaluation, plots / Path(name).stem, name):
                click.echo(f"Wrote {path}", err=True)


def _check_options(behaviour: bool, file: bool) -> None:
    """Refuse what was typed and would be ignored, with --behaviour, and with or without a --data `file`."""
    columns = ("text_column", "label_column", "group_column")
    if behaviour and (others := given("splits", "data", "file", *columns, "plots", "min_confidence")):
        raise ConfigError(problem("--behaviour", f"no {others[0]} beside it", "both", "Give one of them."))
    if not behaviour and given("suite"):
        raise ConfigError(problem("--suite", "--behaviour beside it", "none", "Add --behaviour."))
    if file and given("splits", "data"):
        raise ConfigError(problem("--data", "no --split and no --dataset beside it", "both", "Give one of them."))
    if not file and (others := given(*columns)):
        raise ConfigError(problem(others[0], "--data beside it", "none", "Add --data FILE."))


def _labelled(path: Path, columns: Mapping[str, str | None]) -> "list[Example]":
    """The examples of a labelled file: the project's own JSON lines, or a table with the given `columns`."""
    from stance.dataset import read_examples

    examples = read_examples(path, columns)
    if not examples:
        raise DataError(problem(path, "labelled rows", "none", "Add rows."))
    return examples


def _check_unseen(classifier: "Classifier", splits: Sequence[str]) -> None:
    """Refuse a split, other than train, that the classifier has learnt from: what it scores there says nothing."""
    from stance import training

    seen = training.learnt_splits(classifier.origin) - {"train"}
    if both := [split for split in splits if split in seen]:
        got = f"{', '.join(both)}, which it has learnt from (data.extra_train_splits)"
        todo = "Take --split validation or --data FILE, or train it without."
        raise ConfigError(problem("--split", "splits that the model has not learnt from", got, todo))


def _judged(
    classifier: "Classifier", examples: "Sequence[Example]", least: float | None
) -> "tuple[Evaluation, Decided | None]":
    """The evaluation of the classifier, and what those of confidence `least` or more are worth."""
    from stance import training
    from stance.evaluation import decided
    from stance.schema import label_indices

    probabilities = classifier.predict_proba([example.query for example in examples])
    evaluation = training.judge(classifier, examples, probabilities)
    if least is None:
        return evaluation, None
    gold = label_indices([example.label for example in examples])
    return evaluation, decided(gold, probabilities, [example.group for example in examples], least)


def _evaluate_behaviour(model: str, runtime: str, suite: Path, as_json: bool) -> None:
    """Print how the model fails the cases of a suite, with all failures in JSON and two of each capability in text."""
    from stance.evaluation import behaviour_table, read_suite, run_suite
    from stance.schema import Query

    capabilities = read_suite(suite)
    classifier = load_classifier(model, runtime)
    outcomes = run_suite(capabilities, lambda texts: classifier.predict_proba([Query(text) for text in texts]))
    if as_json:
        click.echo(json.dumps([asdict(outcome) | {"rate": outcome.rate} for outcome in outcomes], indent=2))
    else:
        click.echo(behaviour_table(outcomes), nl=False)
