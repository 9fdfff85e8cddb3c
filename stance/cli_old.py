"""The command line: data to standard output, everything else to standard error, one line and status 1 for an error.

Each command imports what it needs when it runs, so that `stance --help` is instant.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from stance import __version__
from stance.errors import ConfigError, StanceError, problem

if TYPE_CHECKING:
    from stance.inference import Predictor, Summary
    from stance.models import Classifier
    from stance.schema import Attribution, Prediction

DATA_CONFIG: Final = Path("configs/data/disarmament.yaml")
BUILDS: Final = Path("data/build")
MODELS: Final = Path("experiments/models")
SUITE: Final = Path("tests/behaviour")
DEFAULT_MODEL: Final = str(MODELS / "tfidf")

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])


class _Command(click.Command):
    """A command whose help ends in an example, printed as it is to be typed."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(f"Example:\n  {self.epilog}\n")


class _Group(click.Group):
    """Turns an error that a user can mend into one line and exit status 1."""

    command_class = _Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StanceError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)
        except BrokenPipeError:
            # The reader of standard output has gone (head, less): nothing is left to say, and nobody to say it to.
            sys.stdout = None
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stance")
@click.option("-v", "--verbose", is_flag=True, help="Say on standard error what is being done.")
def main(verbose: bool) -> None:
    """Read what is said about disarmament: anti, neutral or pro, with a probability that can be trusted.

    The usual order is build, train, evaluate, then score or predict.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("stance").setLevel(logging.INFO if verbose else logging.WARNING)


def _model_option(command: AnyCommand) -> AnyCommand:
    return click.option(
        "--model",
        default=DEFAULT_MODEL,
        show_default=True,
        envvar="STANCE_MODEL",
        show_envvar=True,
        metavar="MODEL",
        help="A model folder, or an MLflow address: runs:/ID/model, models:/NAME@ALIAS.",
    )(command)


@main.command(epilog="stance build configs/data/disarmament.yaml")
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


@main.command(epilog="stance train configs/tfidf.yaml --set model.params.C=4 --seed 1")
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


@main.command(epilog="stance evaluate experiments/models/tfidf --split test --split test_unseen --plots plots")
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
    classifier = _classifier(model)
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


@main.command(epilog='stance score "We will never hand over our weapons." "Arms belong to the state alone." --explain')
@click.argument("texts", nargs=-1, required=True, metavar='"TEXT"...')
@_model_option
@click.option("--target", help="What the stance is towards, for a model that knows several targets.")
@click.option("--explain", is_flag=True, help="Show the words that moved each score.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a text.")
def score(texts: tuple[str, ...], model: str, target: str | None, explain: bool, as_json: bool) -> None:
    """Score quotes given on the command line."""
    from stance.text import normalise

    predictor = _predictor(model, target)
    # Bytes of an argument that are no UTF-8 come as lone surrogates, which cannot be printed.
    printable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    if not as_json:
        click.echo("label    p_anti  p_neutral  p_pro  text")
    for text, prediction in zip(printable, predictor.predict(texts), strict=True):
        shown = normalise(text)
        attributions = predictor.explain(shown) if explain and prediction else []
        if as_json:
            click.echo(
                json.dumps(_as_json(text, shown, prediction, attributions if explain else None), ensure_ascii=False)
            )
            continue
        click.echo(_score_line(shown if explain else text, prediction, attributions))
        for attribution in sorted(attributions, key=lambda a: -abs(a.weight))[:8]:
            click.echo(f"{'':<26}{attribution.weight:+.2f}  {shown[attribution.start : attribution.end]}")


@main.command(epilog="stance predict quotes.csv --output scored.csv --text-column quote")
@click.argument("input", metavar="INPUT")
@click.option("--output", "-o", required=True, help="File to write; - is standard output.")
@_model_option
@click.option("--text-column", default="text", show_default=True, help="The column that holds the quotes.")
@click.option("--target", help="What the stance is towards, for a model that knows several targets.")
@click.option("--prefix", default="", help="Put in front of the new columns, where INPUT has such names already.")
@click.option("--replace", is_flag=True, help="Replace OUTPUT if it exists.")
def predict(
    input: str, output: str, model: str, text_column: str, target: str | None, prefix: str, replace: bool
) -> None:
    """Score the quotes of a file: .csv .tsv .jsonl .parquet, or - for a stream of JSON lines.

    OUTPUT gets every column of INPUT, unchanged and in order, and label, p_anti, p_neutral, p_pro. A row without a text
    that can be read gets empty ones; it is kept and counted.
    """
    from stance.inference import predict_file

    with _progress(input) as advance:
        summary = predict_file(
            input,
            output,
            _predictor(model, target),
            text_column=text_column,
            prefix=prefix,
            replace=replace,
            progress=advance,
        )
    click.echo(_summary(summary, output), err=True)


def _evaluate_behaviour(model: str, suite: Path, as_json: bool) -> None:
    """Print how the model fails the cases of a suite, with all failures in JSON and two of each capability in text."""
    from stance.evaluation import behaviour_table, read_suite, run_suite
    from stance.schema import Query

    capabilities = read_suite(suite)
    classifier = _classifier(model)
    outcomes = run_suite(capabilities, lambda texts: classifier.predict_proba([Query(text) for text in texts]))
    if as_json:
        click.echo(json.dumps([asdict(outcome) | {"rate": outcome.rate} for outcome in outcomes], indent=2))
    else:
        click.echo(behaviour_table(outcomes), nl=False)


def _classifier(model: str) -> "Classifier":
    """The classifier at a folder or an MLflow address."""
    from stance import tracking
    from stance.models import load

    return load(tracking.fetch(model) if model.startswith(tracking.ADDRESSES) else Path(model))


def _predictor(model: str, target: str | None) -> "Predictor":
    from stance.inference import Predictor

    return Predictor(_classifier(model), target)


def _as_json(
    text: str, shown: str, prediction: "Prediction | None", attributions: "list[Attribution] | None"
) -> dict[str, Any]:
    from stance.schema import LABELS

    row: dict[str, Any] = {"text": text, "label": prediction.label if prediction else None}
    for position, label in enumerate(LABELS):
        row[f"p_{label}"] = round(prediction.probabilities[position], 6) if prediction else None
    if attributions is None:
        return row
    words = [
        {"word": shown[a.start : a.end], "start": a.start, "end": a.end, "weight": round(a.weight, 4)}
        for a in attributions
    ]
    return row | {"normalised": shown, "words": words}


def _score_line(text: str, prediction: "Prediction | None", attributions: "list[Attribution]") -> str:
    if prediction is None:
        return f"{'-':<8} {'-':>6}  {'-':>9}  {'-':>5}  {text!r} (no text to score)"
    anti, neutral, pro = prediction.probabilities
    return f"{prediction.label:<8} {anti:>6.3f}  {neutral:>9.3f}  {pro:>5.3f}  {_highlight(text, attributions)}"


def _highlight(text: str, attributions: "list[Attribution]") -> str:
    """Colour the words that spoke for the label green and those against it red; weak ones (a fifth) stay plain."""
    strongest = max((abs(attribution.weight) for attribution in attributions), default=0.0)
    shown, at = [], 0
    for attribution in attributions:
        if abs(attribution.weight) < strongest / 5 or strongest == 0:
            continue
        word = text[attribution.start : attribution.end]
        shown += [
            text[at : attribution.start],
            click.style(word, fg="green" if attribution.weight > 0 else "red", bold=True),
        ]
        at = attribution.end
    return "".join([*shown, text[at:]])


@contextmanager
def _progress(source: str) -> Iterator[Callable[[int], None]]:
    """A bar that counts rows, on a terminal only; yields what moves it on."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(f"Scoring {source}", total=None)
        yield lambda rows: bar.advance(task, rows)


def _summary(summary: "Summary", output: str) -> str:
    labels = ", ".join(f"{count:,} {label}" for label, count in summary.labels.items())
    missing = "".join(f"; {count:,} not scored ({reason})" for reason, count in summary.missing.items())
    cut = f"; {summary.cut:,} too long and cut" if summary.cut else ""
    rate = summary.rows / summary.seconds if summary.seconds else 0.0
    return f"{summary.rows:,} rows: {labels}{missing}{cut}; {rate:,.0f} rows a second. Wrote {output}"
