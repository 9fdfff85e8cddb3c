"""`stance score` and `stance predict`."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from stance.cli._shared import Command, load_predictor, model_folder, model_option, runtime_option

if TYPE_CHECKING:
    from stance.inference import Summary
    from stance.inference.distributed import Ray
    from stance.models._runtime import Runtime
    from stance.schema import Attribution, Prediction

_NAMED: Final = 5
"""Languages that the summary names."""


@click.command(
    cls=Command,
    epilog='stance score "We will never hand over our weapons." "Arms belong to the state alone." --explain',
)
@click.argument("texts", nargs=-1, required=True, metavar='"TEXT"...')
@model_option
@runtime_option
@click.option("--target", help="What the stance is towards, for a model that knows several targets.")
@click.option("--explain", is_flag=True, help="Show the words that moved each score.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a text.")
def score(texts: tuple[str, ...], model: str, runtime: str, target: str | None, explain: bool, as_json: bool) -> None:
    """Score quotes given on the command line."""
    from stance.text import normalise

    predictor = load_predictor(model, target, runtime)
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


@click.command(cls=Command, epilog="stance predict quotes.csv --output scored.csv --text-column quote")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", "-o", required=True, help="File or folder to write; - is standard output.")
@model_option
@runtime_option
@click.option("--text-column", default="text", show_default=True, help="The column that holds the quotes.")
@click.option("--target", help="What the stance is towards, for a model that knows several targets.")
@click.option("--prefix", default="", help="Put in front of the new columns, where INPUT has such names already.")
@click.option(
    "--min-confidence", type=float, metavar="P", help="Write abstain for a label whose probability is below P."
)
@click.option(
    "--language",
    type=click.Choice(["en", "any"]),
    default="en",
    show_default=True,
    help="en adds the column language, so that what is not English can be told; any leaves it out.",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    help="Rows of a part of an output folder.  [default: 1048576, with --engine ray 65536]",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="ray scores Parquet into a folder with several processes, or on the cluster that RAY_ADDRESS names.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes of --engine ray.  [default: all processors]")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run stopped, if there was one.")
@click.option("--replace", is_flag=True, help="Start anew, and replace OUTPUT if it exists.")
def predict(
    inputs: tuple[str, ...],
    output: str,
    model: str,
    runtime: str,
    text_column: str,
    target: str | None,
    prefix: str,
    min_confidence: float | None,
    language: str,
    part_rows: int | None,
    engine: str,
    workers: int | None,
    resume: bool,
    replace: bool,
) -> None:
    """Score the quotes of files: .csv .tsv .jsonl .parquet, the texts packed (.gz .zst) or not.

    INPUT is a file, several, a folder, a pattern in quotation marks, or - for a stream of JSON lines. OUTPUT gets every
    column of INPUT, unchanged and in order, and label, p_anti, p_neutral, p_pro. A row without a text that can be read
    gets empty ones; it is kept and counted. An OUTPUT without a suffix, or with / at the end, is a folder of parts with
    a manifest.json; several inputs need one.
    """
    from stance.inference import predict_file

    ray = _ray(engine, workers, inputs, output, model, runtime)
    with _progress(inputs) as (rows, share), _how_to_resume(output, inputs):
        summary = predict_file(
            inputs,
            output,
            load_predictor(str(ray.model) if ray else model, target, runtime),
            text_column=text_column,
            prefix=prefix,
            language="en" if language == "en" else "any",
            min_confidence=min_confidence,
            replace=replace,
            resume=resume,
            part_rows=part_rows,
            engine=ray,
            progress=rows,
            share=share,
        )
    click.echo(_summary(summary, output), err=True)


def _ray(
    engine: str, workers: int | None, inputs: Sequence[str], output: str, model: str, runtime: str
) -> "Ray | None":
    """What is to do the work if it is Ray; what that could not do is refused before the model is fetched or loaded."""
    from stance.errors import ConfigError, problem

    if engine == "local":
        if workers is not None:
            raise ConfigError(problem("--workers", "--engine ray beside it", "--engine local", "Leave it out."))
        return None
    from stance.inference.distributed import Ray
    from stance.inference.inputs import find

    Ray(Path(model), workers=workers).check(find(inputs), output)
    return Ray(model_folder(model), cast("Runtime", runtime), workers)


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
def _progress(inputs: Sequence[str]) -> Iterator[tuple[Callable[[int], None], Callable[[float], None]]]:
    """A bar with the rows, their rate and the time left, on a terminal only.

    Yields what is to be called with the rows of a batch, and with the share of the input that is read.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[done]:,} rows, {task.fields[rate]:,.0f} a second, left:"),
        TimeRemainingColumn(),
    )
    what = inputs[0] if len(inputs) == 1 else f"{len(inputs)} inputs"
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(f"Scoring {what}", total=None, done=0, rate=0.0)
        first: dict[str, tuple[int, float]] = {}

        def rows(count: int) -> None:
            done, now = bar.tasks[0].fields["done"] + count, time.monotonic()
            begin, since = first.setdefault("batch", (done, now))  # the time before it went into loading the model
            bar.update(task, done=done, rate=(done - begin) / max(now - since, 1e-3))

        def share(done: float) -> None:
            if not done:  # a stream, of which nobody knows the end
                return
            if bar.tasks[0].total is None:  # what an earlier run did must not count as fast work of this one
                bar.reset(task, total=1.0, completed=done)  # type: ignore[arg-type]  # the bar counts any number
            bar.update(task, completed=done)

        yield rows, share


@contextmanager
def _how_to_resume(output: str, inputs: Sequence[str]) -> Iterator[None]:
    """Say after an interruption from the keyboard that the work is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        if "-" not in (output, *inputs):
            click.echo("Interrupted: give the same command with --resume to go on.", err=True)
        raise


def _summary(summary: "Summary", output: str) -> str:
    labels = ", ".join(f"{count:,} {label}" for label, count in summary.labels.items())
    abstained = f", {summary.abstained:,} abstain" if summary.abstained else ""
    missing = "".join(f"; {count:,} not scored ({reason})" for reason, count in summary.missing.items())
    cut = f"; {summary.cut:,} too long and cut" if summary.cut else ""
    codes = ", ".join(f"{code} {count:,}" for code, count in list(summary.languages.items())[:_NAMED])
    foreign = f"; {sum(summary.languages.values()):,} not in English ({codes})" if codes else ""
    repeated = f"; {summary.repeated:,} repeat a text" if summary.repeated else ""
    before = f", {summary.before:,} of them before" if summary.before else ""
    rate = (summary.rows - summary.before) / summary.seconds if summary.seconds else 0.0
    rows = f"{summary.rows:,} {'row' if summary.rows == 1 else 'rows'}{before}"
    parts = f" ({summary.parts} {'part' if summary.parts == 1 else 'parts'})" if summary.parts else ""
    what = f"{labels}{abstained}{missing}{cut}{foreign}{repeated}"
    return f"{rows}: {what}; {rate:,.0f} rows a second. Wrote {output}{parts}"
