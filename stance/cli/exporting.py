"""`stance export`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from stance.cli._shared import Command
from stance.errors import ConfigError, DataError, ModelError, problem

if TYPE_CHECKING:
    from stance.models import Classifier
    from stance.models._runtime import Exported, Record
    from stance.schema import IntArray, Query

logger = logging.getLogger(__name__)

_CALIBRATION: Final = 512
"""Statements that the scales of 8-bit numbers are set on, evenly from the training split."""


@click.command(cls=Command, epilog="stance export experiments/models/minilm --runtime onnx-int8")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["onnx", "onnx-int8"]),
    default="onnx-int8",
    show_default=True,
    help="32-bit numbers, as in torch, or 8-bit ones, twice as fast and a little different.",
)
@click.option(
    "--dataset", "data", type=click.Path(path_type=Path), help="Built data.  [default: what the model was trained on]"
)
@click.option("--replace", is_flag=True, help="Export again, though a good export is there.")
def export(model: Path, runtime: str, data: Path | None, replace: bool) -> None:
    """Export the transformer in the folder MODEL for ONNX Runtime, check it against torch, and keep it in the folder.

    The check is made on the validation split of the data, or, where that is not there, on made-up statements. An export
    whose answers are too far from those of torch is not written. All other commands take it by themselves.
    """
    from stance.models import _runtime, load

    wanted = cast("Exported", runtime)
    classifier = load(model)
    if classifier.kind != "transformer":
        todo = "There is nothing to export: other models are fast as they are."
        raise ConfigError(problem(model, "a model of kind transformer", classifier.kind, todo))
    if not replace:
        try:
            record = _runtime.verify(model, wanted, classifier.fingerprint or "")
        except ModelError:
            logger.info("No good export is there yet")
        else:
            click.echo(_told(record))
            click.echo(f"Already up to date: {_runtime.place(model, wanted)}", err=True)
            return
    from stance.models._export import export as write

    calibration, check, source, gold = _texts(classifier, data)
    click.echo(_told(write(classifier, model, wanted, calibration, check, source, gold)))
    click.echo(f"Wrote {_runtime.place(model, wanted)}", err=True)


def _texts(classifier: "Classifier", data: Path | None) -> "tuple[list[Query], list[Query], str, IntArray | None]":
    """What scales are set on, what the export is checked on, what that is called, and its labels if it has any."""
    from stance import training
    from stance.models._probes import probes
    from stance.schema import label_indices

    try:
        splits = training.read_splits(classifier, ("train", "validation"), data)
    except DataError as error:
        if data is not None:
            raise
        logger.warning("%s Until then made-up statements are used.", error)
    else:
        queries = {name: [example.query for example in examples] for name, examples in splits.items()}
        if queries["validation"]:
            step = max(1, len(queries["train"]) // _CALIBRATION)
            gold = label_indices([example.label for example in splits["validation"]])
            return queries["train"][::step][:_CALIBRATION], queries["validation"], "validation", gold
    made_up = probes(classifier.targets[0])
    return made_up[::2], made_up[1::2], "made-up statements", None


def _told(record: "Record") -> str:
    check = record.check
    kept = f"; {record.in_float} of {record.products} products in float" if record.runtime == "onnx-int8" else ""
    f1 = "" if check.f1 is None else f", macro-F1 {check.f1:+.4f}"
    return (
        f"{record.runtime}: {check.agreement:.1%} of the labels as by torch, probabilities apart by "
        f"{check.mean:.4f} on average and {check.largest:.4f} at most{f1} ({check.texts:,} texts, {check.source}){kept}"
    )
