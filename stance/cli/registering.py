"""`stance promote`, `stance card` and `stance publish`."""

from pathlib import Path

import click

from stance.cli._shared import Command, default_model, load_classifier
from stance.errors import ConfigError, problem


@click.command(cls=Command, epilog="stance promote minilm")
@click.argument("run")
@click.option("--name", default="disarmament", show_default=True, help="Of the registered model.")
@click.option("--alias", default="champion", show_default=True, help="Which one version of the model has.")
@click.option("--force", is_flag=True, help="Promote a model that is refused; needs --reason.")
@click.option("--reason", metavar="TEXT", help="Of --force: why, kept as a tag of the version.")
def promote(run: str, name: str, alias: str, force: bool, reason: str | None) -> None:
    """Make the model of a tracked RUN the champion, unless it is shown to be worse than the present one.

    RUN is the id of an MLflow run, its name or the name of its config. It is refused where the 95 % interval of its
    macro-F1 minus that of the present champion (test_unseen, paired bootstrap over groups) lies below 0, or where the
    two were not trained on the same data and measured on the same statements. Not shown to be worse is not shown to be
    as good. The first is accepted. The version gets its card, scores and data fingerprint.

    The champion disarmament@champion is copied to experiments/models/champion and is from then on the model that
    score, predict, evaluate and report take by themselves.
    """
    if force and not (reason or "").strip():
        raise ConfigError(problem("--force", "--reason TEXT beside it", "none", "Say why; it is kept."))
    if reason is not None and not force:
        raise ConfigError(problem("--reason", "--force beside it", "none", "Add --force or leave it out."))
    from stance.registry import promoting

    done = promoting.promote(run, name, alias, reason)
    click.echo(f"models:/{name}@{alias} is version {done.version}")
    click.echo(done.verdict, err=True)
    if done.folder is not None:
        click.echo(f"Wrote {done.folder}", err=True)


@click.command(cls=Command, epilog="stance card experiments/models/tfidf")
@click.argument("model", default=default_model, required=False, envvar="STANCE_MODEL", metavar="[MODEL]")
def card(model: str) -> None:
    """Print the card of MODEL as Markdown: intended use, data, scores with intervals, calibration, behaviour, limits.

    MODEL is a folder or an MLflow address, by default the champion. The scores are measured on the data that the model
    was trained on, if it is there unchanged, and the behaviour on tests/behaviour.
    """
    from stance.registry import measuring
    from stance.registry.card import card as write

    classifier = load_classifier(model)
    click.echo(write(classifier, measuring.of_model(classifier), measuring.behaviour(classifier)), nl=False)


@click.command(cls=Command, epilog="stance publish experiments/models/minilm published")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Replace the published model that stands in FOLDER.")
def publish(model: Path, folder: Path, replace: bool) -> None:
    """Write the transformer in the folder MODEL to FOLDER in the form that transformers and the Hub take.

    The folder holds weights as safetensors, with the calibration in them, the tokenizer, the card as README.md, and
    modeling_stance.py: loading it takes trust_remote_code=True, since no class of transformers pools tokens as these
    models do. It can be uploaded as it is. (stance export makes a model faster here; this is for other programs.)
    """
    from stance.registry import measuring, publishing
    from stance.registry.card import card as write

    classifier = load_classifier(str(model), "torch")
    publishing.check(classifier, folder, replace)
    usage = publishing.USAGE.replace("{pooling}", classifier.params.model_dump()["pooling"])
    evaluations, outcomes = measuring.of_model(classifier), measuring.behaviour(classifier)
    publishing.publish(
        classifier, model, folder, write(classifier, evaluations, outcomes, "transformers", usage), replace
    )
    click.echo(f"Wrote {folder}", err=True)
