"""`stance build`, `stance train` and `stance evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from stance.cli._shared import MODELS, Command, load_classifier
from stance.errors import ConfigError, problem

DATA_CONFIG: Final = Path("configs/data/disarmament.yaml")
BUILDS: Final = Path("data/build")
SUITE: Final = Path("tests/behaviour")


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
@click.argument("model")
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def evaluate(
    model: str,
    splits: tuple[str, ...],
    data: Path | None,
    file: Path | None,
    text_column: str,
    label_column: str,
    group_column: str | None,
    plots: Path | None,
    behaviour: bool,
    suite: Path,
    as_json: bool,
) -> None:
    """Measure MODEL on labelled data: scores with intervals, calibration, selective prediction, breakdowns.

    --data takes the project's own JSON lines, or a .csv, .tsv, .jsonl or .parquet table with text and label columns.
    """
    from stance import training
    from stance.evaluation import table, write_plots

    if behaviour:
        _evaluate_behaviour(model, suite, as_json)
        return
    if file is not None and (splits or data):
        raise ConfigError(problem("--data", "no --split and no --dataset beside it", "both", "Give one of them."))
    classifier = load_classifier(model)
    if file is not None:
        columns = {"text": text_column, "label": label_column, "group": group_column}
        chosen = {file.name: training.read_labelled(file, columns)}
    else:
        chosen = training.read_splits(classifier, splits or ("test", "test_unseen"), data)
    evaluations = {name: training.score(classifier, examples) for name, examples in chosen.items()}
    if as_json:
        click.echo(json.dumps({name: evaluation.as_dict() for name, evaluation in evaluations.items()}, indent=2))
    else:
        click.echo(table(evaluations), nl=False)
    if plots is not None:
        for name, evaluation in evaluations.items():
            for path in write_plots(evaluation, plots / Path(name).stem, name):
                click.echo(f"Wrote {path}", err=True)


def _evaluate_behaviour(model: str, suite: Path, as_json: bool) -> None:
    """Print how the model fails the cases of a suite, with all failures in JSON and two of each capability in text."""
    from stance.evaluation import behaviour_table, read_suite, run_suite
    from stance.schema import Query

    capabilities = read_suite(suite)
    classifier = load_classifier(model)
    outcomes = run_suite(capabilities, lambda texts: classifier.predict_proba([Query(text) for text in texts]))
    if as_json:
        click.echo(json.dumps([asdict(outcome) | {"rate": outcome.rate} for outcome in outcomes], indent=2))
    else:
        click.echo(behaviour_table(outcomes), nl=False)
