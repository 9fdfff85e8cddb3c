"""The command line: data to standard output, everything else to standard error, one line and status 1 for an error.

Each command imports what it needs when it runs, so that `stance --help` is instant.
"""

import logging
import sys

import click

from stance import __version__
from stance.cli._shared import Group
from stance.cli.articles import quotes, report
from stance.cli.comparing import compare
from stance.cli.experimenting import experiment
from stance.cli.exporting import export
from stance.cli.registering import card, promote, publish
from stance.cli.scoring import predict, score
from stance.cli.training import build, evaluate, train


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stance")
@click.option("-v", "--verbose", is_flag=True, help="Say on standard error what is being done.")
def main(verbose: bool) -> None:
    """Read what is said about disarmament: anti, neutral or pro, with a probability that can be trusted.

    The usual order is build, train, evaluate; then score, predict, or report on whole articles.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("stance").setLevel(logging.INFO if verbose else logging.WARNING)


for command in (
    build,
    train,
    evaluate,
    export,
    experiment,
    compare,
    promote,
    card,
    publish,
    score,
    predict,
    quotes,
    report,
):
    main.add_command(command)
