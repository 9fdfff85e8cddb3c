"""`stance compare`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from stance.cli._shared import Command
from stance.errors import ConfigError, DataError, problem

if TYPE_CHECKING:
    from stance.comparison import Comparison, Found, Metric


@click.command(cls=Command, epilog="stance compare tfidf majority --split test --format html --output page.html")
@click.argument("names", nargs=-1, metavar="[RUN | EXPERIMENT]...")
@click.option("--split", default="test_unseen", show_default=True, help="Whose predictions are compared.")
@click.option("--filter", "filter_string", help="An MLflow filter on the runs of the experiments, in MLflow's grammar.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "markdown", "csv", "html"]),
    default="text",
    show_default=True,
    help="Tables to read, a row a number for a program, or one page with figures.",
)
@click.option(
    "--metric",
    type=click.Choice(["macro_f1", "f_avg", "accuracy"]),
    default="macro_f1",
    show_default=True,
    help="What is compared; f_avg is the mean F1 of pro and anti.",
)
@click.option("--baseline", metavar="NAME", help="Test each run against this one.  [default: each pair of runs]")
@click.option(
    "--changed",
    type=click.IntRange(0),
    metavar="N",
    help="Show up to N statements a pair that got another label.  [default: 0; in html 25]",
)
@click.option("--output", type=click.Path(path_type=Path), help="File to write.  [default: standard output]")
@click.option("--replace", is_flag=True, help="Replace OUTPUT if it exists.")
def compare(
    names: tuple[str, ...],
    split: str,
    filter_string: str | None,
    kind: str,
    metric: str,
    baseline: str | None,
    changed: int | None,
    output: Path | None,
    replace: bool,
) -> None:
    """Compare tracked runs on the same statements: scores with intervals, settings that differ, paired tests.

    A RUN is the id of an MLflow run, its name or the name of its config; of an EXPERIMENT (by default, disarmament) the
    newest finished run of each name and seed counts. Runs that differ in nothing but the seed are averaged. Whoever
    logged a run, it can be compared if it has the artefact predictions/SPLIT.csv with the columns id, group, label,
    predicted and, where there are any, text and p_anti, p_neutral, p_pro.
    """
    from stance import comparison

    if output is not None:
        _check_output(output, replace)
    found = comparison.find(names, split, filter_string)
    for line in found.left_out:
        click.echo(f"Left out: {line}", err=True)
    compared = comparison.compare(found.runs, split, cast("Metric", metric), baseline)
    if kind == "html":
        shown = _page(compared, found, names, 25 if changed is None else changed)
    else:
        show = {"text": comparison.text, "markdown": comparison.markdown, "csv": comparison.as_csv}[kind]
        shown = show(compared, changed or 0, comparison.learning_curves(compared, found))
    if output is None:
        click.echo(shown, nl=False)
        return
    try:
        output.write_text(shown, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(problem(output, "a file that can be written", str(error), "Choose another.")) from error
    click.echo(f"Wrote {output}", err=True)


def _page(compared: "Comparison", found: "Found", names: tuple[str, ...], changed: int) -> str:
    from stance import comparison

    command = shlex.join(["stance", "compare", *names, "--split", compared.split, "--format", "html"])
    return comparison.page(compared, comparison.detail(compared, found), command, changed)


def _check_output(output: Path, replace: bool) -> None:
    if output.exists() and not replace:
        raise ConfigError(problem(output, "a file that does not exist", "one that does", "Give --replace."))
    if not output.parent.is_dir():
        raise ConfigError(problem(output, "a folder that exists", str(output.parent), "Make it or choose another."))
