"""`stance compare`."""

from typing import TYPE_CHECKING, cast

import click

from stance.cli._shared import Command

if TYPE_CHECKING:
    from stance.comparison import Metric


@click.command(cls=Command, epilog="stance compare tfidf majority --split test --baseline majority --changed 5")
@click.argument("names", nargs=-1, metavar="[RUN | EXPERIMENT]...")
@click.option("--split", default="test_unseen", show_default=True, help="Whose predictions are compared.")
@click.option("--filter", "filter_string", help="An MLflow filter on the runs of the experiments, in MLflow's grammar.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "markdown", "csv"]),
    default="text",
    show_default=True,
    help="Tables to read, or a row a number for a program.",
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
    default=0,
    metavar="N",
    help="Show up to N statements a pair that got another label.",
)
def compare(
    names: tuple[str, ...],
    split: str,
    filter_string: str | None,
    kind: str,
    metric: str,
    baseline: str | None,
    changed: int,
) -> None:
    """Compare tracked runs on the same statements: scores with intervals, settings that differ, paired tests.

    A RUN is the id of an MLflow run, its name or the name of its config; of an EXPERIMENT (by default, disarmament) the
    newest finished run of each name and seed counts. Runs that differ in nothing but the seed are averaged. Whoever
    logged a run, it can be compared if it has the artefact predictions/SPLIT.csv with the columns id, group, label,
    predicted and, where there are any, text and p_anti, p_neutral, p_pro.
    """
    from stance import comparison

    found = comparison.find(names, split, filter_string)
    for line in found.left_out:
        click.echo(f"Left out: {line}", err=True)
    compared = comparison.compare(found.runs, split, cast("Metric", metric), baseline)
    show = {"text": comparison.text, "markdown": comparison.markdown, "csv": comparison.as_csv}[kind]
    click.echo(show(compared, changed), nl=False)
