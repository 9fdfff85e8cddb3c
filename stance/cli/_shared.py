"""What the commands share: how help and errors look, and how a model is named and loaded."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click
from click.core import ParameterSource

from stance.errors import StanceError

if TYPE_CHECKING:
    from stance.inference import Predictor
    from stance.models import Classifier
    from stance.models._runtime import Runtime

MODELS: Final = Path("experiments/models")
DEFAULTS: Final = (MODELS / "minilm", MODELS / "tfidf")
"""What scores by itself where no champion was promoted: the first that is there."""

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose help ends in an example, printed as it is to be typed."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(f"Example:\n  {self.epilog}\n")


class Group(click.Group):
    """Turns an error that a user can mend into one line and exit status 1."""

    command_class = Command

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


def given(*names: str) -> list[str]:
    """Which of the running command's options were typed, of those with the given names of parameters, as typed."""
    here = click.get_current_context()
    typed = [name for name in names if here.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    return [option.opts[0] for option in here.command.params if option.name in typed]


def default_model() -> str:
    """The champion that was last promoted here, or the first of `DEFAULTS` that is there, or the last of them."""
    from stance.registry import pointer

    return str(pointer.read() or next((folder for folder in DEFAULTS if folder.is_dir()), DEFAULTS[-1]))


def model_option(command: AnyCommand) -> AnyCommand:
    return click.option(
        "--model",
        default=default_model,
        show_default="the champion (stance promote), or else minilm or tfidf of experiments/models",
        envvar="STANCE_MODEL",
        show_envvar=True,
        metavar="MODEL",
        help="A model folder, or an MLflow address: runs:/ID/model, models:/NAME@ALIAS.",
    )(command)


def runtime_option(command: AnyCommand) -> AnyCommand:
    return click.option(
        "--runtime",
        type=click.Choice(["auto", "torch", "onnx", "onnx-int8"]),
        default="auto",
        show_default=True,
        help="What computes a transformer; auto is its fastest export (stance export), or torch without one.",
    )(command)


def model_folder(model: str) -> Path:
    """The folder itself, or the one to which what stands at an MLflow address is fetched."""
    from stance import tracking

    return tracking.fetch(model) if model.startswith(tracking.ADDRESSES) else Path(model)


def load_classifier(model: str, runtime: str = "auto") -> "Classifier":
    """The classifier at a folder or an MLflow address."""
    from stance.models import load

    return load(model_folder(model), cast("Runtime", runtime))


def load_predictor(model: str, target: str | None, runtime: str = "auto") -> "Predictor":
    from stance.inference import Predictor

    return Predictor(load_classifier(model, runtime), target)
