"""`stance quotes` and `stance report`: whole articles in, quotes and positions out."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from stance.cli._shared import Command, load_predictor, model_option, runtime_option
from stance.errors import ConfigError, DataError, problem

if TYPE_CHECKING:
    from stance.articles import Article, Format, Unreadable
    from stance.articles.positions import ScoredQuote
    from stance.inference import Predictor


@click.command(cls=Command, epilog="stance quotes seeds --format jsonl")
@click.argument("articles", nargs=-1, required=True, metavar="ARTICLE...")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "jsonl", "csv"]),
    help="What to print.  [default: table on a terminal, else jsonl]",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes that parse.")
def quotes(articles: tuple[str, ...], kind: str | None, jobs: int) -> None:
    """Find who says what in news articles: sources, cues and contents with their offsets.

    ARTICLE is a .txt, .html or .jsonl file ({"id", "text", "title", "date", "url"} a line), a folder of these, or - for
    standard input. What cannot be read is told on standard error and stops nothing.
    """
    from stance.articles import extract_all, only_articles, read, writer

    unreadable = _Unreadable()
    form = kind or ("table" if sys.stdout.isatty() else "jsonl")
    write = writer(sys.stdout, cast("Format", form), shutil.get_terminal_size().columns)
    done = found = 0
    for article, quoted in extract_all(only_articles(read(articles), unreadable), jobs=jobs):
        write(article.id, quoted)
        sys.stdout.flush()
        done, found = done + 1, found + len(quoted)
    unreadable.summarise(done)
    click.echo(f"{found:,} quotes in {done:,} {'article' if done == 1 else 'articles'}", err=True)


@click.command(cls=Command, epilog="stance report seeds --output report.html")
@click.argument("articles", nargs=-1, required=True, metavar="ARTICLE...")
@click.option("--output", "-o", required=True, help="File to write; - is standard output.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "json", "csv"]),
    default="html",
    show_default=True,
    help="A page to look at, or the numbers for a program.",
)
@model_option
@runtime_option
@click.option("--target", help="What the stance is towards, for a model that knows several targets.")
@click.option("--title", default="Who stands where", show_default=True, help="The heading of the page.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Least probability of a label that is relied on; below it a statement is uncertain.",
)
@click.option("--replace", is_flag=True, help="Replace OUTPUT if it exists.")
def report(
    articles: tuple[str, ...],
    output: str,
    kind: str,
    model: str,
    runtime: str,
    target: str | None,
    title: str,
    threshold: float,
    replace: bool,
) -> None:
    """Show who stands where in whole articles, with the quotes as evidence.

    ARTICLE is a .txt, .html or .jsonl file ({"id", "text", "title", "date", "url"} a line), a folder of these, or - for
    standard input. What cannot be read is told on standard error and stops nothing.
    """
    from stance.articles.page import report as page_of
    from stance.articles.positions import as_csv, as_json

    if output != "-":
        _check_output(Path(output), replace)
    predictor = load_predictor(model, target, runtime)
    found, scored = _scored(articles, predictor)
    if kind == "html":
        about = f"The model is {predictor.classifier.kind} ({model})."
        text = page_of(found, scored, title, about, predictor.target, threshold)
    else:
        text = (as_json if kind == "json" else as_csv)(scored, threshold)
    if output == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(problem(output, "a file that can be written", str(error), "Choose another.")) from error
    count = f"{len(found):,} {'article' if len(found) == 1 else 'articles'}"
    click.echo(f"{count}, {len(scored):,} statements. Wrote {output}", err=True)


def _scored(articles: tuple[str, ...], predictor: "Predictor") -> "tuple[list[Article], list[ScoredQuote]]":
    """The readable articles, each once, and their quotes with predictions."""
    from stance.articles import extract_all, only_articles, read
    from stance.articles.positions import scored_quotes

    unreadable = _Unreadable()
    found: dict[str, Article] = {}
    scored: list[ScoredQuote] = []
    for article, quoted in extract_all(only_articles(read(articles), unreadable)):
        if article.id in found:
            click.echo(f"Warning: {article.id}: given before; left out.", err=True)
            continue
        found[article.id] = article
        # With its cue: "all calls for disarmament" says nothing without "refused" (experiments/articles/README.md)
        predictions = predictor.predict([quote.clause(article.text) for quote in quoted])
        scored += scored_quotes(article, quoted, predictions)
    unreadable.summarise(len(found))
    return list(found.values()), scored


def _check_output(output: Path, replace: bool) -> None:
    if output.exists() and not replace:
        raise ConfigError(problem(output, "a file that does not exist", "one that does", "Give --replace."))
    if not output.parent.is_dir():
        raise ConfigError(problem(output, "a folder that exists", str(output.parent), "Make it or choose another."))


class _Unreadable:
    """Tells of the first things that could not be read, and counts all."""

    SHOWN = 5

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, one: "Unreadable") -> None:
        self._count += 1
        if self._count <= self.SHOWN:
            click.echo(f"Warning: {one.reason}", err=True)

    def summarise(self, readable: int) -> None:
        """Say how many were left out, and refuse input without any article."""
        if self._count > self.SHOWN:
            click.echo(f"Warning: {self._count:,} in all could not be read.", err=True)
        if self._count and not readable:
            raise DataError(problem("ARTICLE", "an article that can be read", "none", "See the warnings above."))
