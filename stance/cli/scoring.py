"""`stance score` and `stance predict`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from stance.cli._shared import Command, load_predictor, model_option

if TYPE_CHECKING:
    from stance.inference import Summary
    from stance.schema import Attribution, Prediction


@click.command(
    cls=Command,
    epilog='stance score "We will never hand over our weapons." "Arms belong to the state alone." --explain',
)
@click.argument("texts", nargs=-1, required=True, metavar='"TEXT"...')
@model_option
@click.option("--target", help="What the stance is towards, for a model that knows several targets.")
@click.option("--explain", is_flag=True, help="Show the words that moved each score.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a text.")
def score(texts: tuple[str, ...], model: str, target: str | None, explain: bool, as_json: bool) -> None:
    """Score quotes given on the command line."""
    from stance.text import normalise

    predictor = load_predictor(model, target)
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
@click.argument("input", metavar="INPUT")
@click.option("--output", "-o", required=True, help="File to write; - is standard output.")
@model_option
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
            load_predictor(model, target),
            text_column=text_column,
            prefix=prefix,
            replace=replace,
            progress=advance,
        )
    click.echo(_summary(summary, output), err=True)


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
    rows = f"{summary.rows:,} {'row' if summary.rows == 1 else 'rows'}"
    return f"{rows}: {labels}{missing}{cut}; {rate:,.0f} rows a second. Wrote {output}"
