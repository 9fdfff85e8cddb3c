"""A run's model gets an alias in MLflow's registry, unless it is shown to be worse than the model that has it."""

import contextlib
import io
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stance import comparison, models, tracking
from stance.comparison import Read
from stance.comparison.paired import Difference, difference, sampled
from stance.comparison.predictions import check_same, clean
from stance.errors import ConfigError, DataError, problem
from stance.evaluation import Evaluation, Outcome
from stance.models import Classifier
from stance.registry import measuring, pointer
from stance.registry.card import card, estimate

SPLIT: Final = "test_unseen"
"""The split that decides: conflicts that no model has seen."""

CARD: Final = "card/README.md"
"""Where the run keeps its card, as an artefact."""

_FORCE: Final = "If it has to be: --force --reason TEXT."
_DESCRIPTION: Final = 5000
"""Characters that the database of a tracking server has for a description."""

_NONE: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Promoted:
    """What happened: the version that has the alias now, the one that had it, and how the two compare, in words.

    `folder` is the local copy of the champion, where there is one; `new` is false if the run had the alias already.
    """

    version: str
    former: str | None
    verdict: str
    folder: Path | None
    new: bool = True


def promote(
    run: str, name: str = pointer.NAME, alias: str = pointer.ALIAS, reason: str | None = None, suite: Path | None = None
) -> Promoted:
    """Register the model of a run with its card, and give it the alias.

    A run with the alias is replaced unless it is shown to be better: unless the 95 % interval of the difference in
    macro-F1 (new minus old, paired bootstrap over groups, split `test_unseen`) lies below 0. That a model is not shown
    to be worse does not show that it is as good.

    Args:
        run: the id of a tracked run, its name or the name of its config.
        name: of the registered model.
        alias: which one version of it has.
        reason: why the model is to have the alias even if it is refused; None to heed a refusal.
        suite: the folder of the behaviour suite, by default `tests/behaviour`.

    Raises:
        ConfigError: the name or alias is none, or the name stands for several runs.
        DataError: there is no such run, or it is worse than the holder, or cannot be compared with it.
        ModelError: the run has no model, a damaged one, or the local copy cannot be written.
    """
    read = _one(run)
    with _asking(f"{name}@{alias}"):
        holder = _holder(name, alias)
    local = (name, alias) == (pointer.NAME, pointer.ALIAS)
    if local:
        pointer.check_writable()
    model = tracking.fetch(f"runs:/{read.run.id}/model")
    classifier = models.load(model)
    if holder is not None and holder.run_id == read.run.id:
        folder = pointer.write(model, str(holder.version), read.run.id) if local else None
        return Promoted(str(holder.version), str(holder.version), "It has the alias already.", folder, new=False)
    verdict, overruled = _verdict(read, holder, reason is not None)
    tags = {} if reason is None else {"stance.reason": clean(reason)}
    tags |= {"stance.overruled": verdict} if overruled else {"stance.verdict": verdict}
    with _asking(f"{name}@{alias}"):
        version = _register(read, name, classifier, tags, suite or measuring.SUITE)
        _client().set_registered_model_alias(name, alias, version)
    folder = pointer.write(model, version, read.run.id) if local else None
    return Promoted(version, None if holder is None else str(holder.version), verdict, folder)


def _one(name: str) -> Read:
    runs = comparison.find([name], SPLIT).runs
    if len(runs) > 1:
        got = ", ".join(read.run.title for read in runs[:5])
        raise ConfigError(problem(clean(name), "one run", f"{len(runs)}: {got}", "Name one by its id."))
    return runs[0]


def _verdict(read: Read, holder: Any, forced: bool) -> tuple[str, bool]:
    """How the run compares with the holder of the alias, and whether a refusal was overruled."""
    if holder is None:
        return "The first to have the alias: there was nothing to compare it with.", False
    try:
        (other,) = comparison.find([holder.run_id], SPLIT).runs
        return _judge(read, other, holder.version), False
    except DataError as error:
        if not forced:
            raise
        return str(error), True


def _judge(new: Read, old: Read, version: str) -> str:
    """The difference between two runs in words.

    Raises:
        DataError: the new one is worse, or the two cannot be compared.
    """
    both = f"{new.run.title} and version {version}, {old.run.title}"
    check_same([(new.run.title, new.predictions), (f"version {version}, {old.run.title}", old.predictions)])
    if apart := _data_differs(new, old):
        raise DataError(problem(both, "models trained on the same data", apart, f"Train one again. {_FORCE}"))
    found = difference(*(_scores(read) for read in (new, old)))
    if math.isnan(found.high):
        groups = "statements of more than one group"
        raise DataError(problem(both, groups, "a single one, on which nothing can be tested", _FORCE))
    told = _told(found, new)
    if found.high < 0:
        where = f"{new.run.title}"
        raise DataError(problem(where, f"a model not shown to be worse than version {version}", told, _FORCE))
    return f"Not shown to be worse than version {version}: {told}."


def _data_differs(new: Read, old: Read) -> str:
    """What differs between the data of two runs, or an empty string.

    A teacher's file is data where both learnt from one; whether to have a teacher is a choice like that of a model.
    """
    marks = [read.run.params.get("data.fingerprint") for read in (new, old)]
    if None in marks:
        return "a run that does not tell its data.fingerprint"
    if marks[0] == marks[1]:
        return _splits_differ(new, old) or _teachers_differ(new, old)
    names = sorted(name for name in new.run.params if name.startswith("data."))
    sizes = [
        f"{name.removeprefix('data.')} {new.run.params[name]} and {old.run.params[name]}"
        for name in names
        if name != "data.fingerprint" and old.run.params.get(name, new.run.params[name]) != new.run.params[name]
    ]
    return "; ".join([f"fingerprints {str(marks[0])[:12]} and {str(marks[1])[:12]}", *sizes])


def _splits_differ(new: Read, old: Read) -> str:
    more = [read.run.params.get("data.extra_train_splits", "none") for read in (new, old)]
    return "" if more[0] == more[1] else f"extra_train_splits {more[0]} and {more[1]}"


def _teachers_differ(new: Read, old: Read) -> str:
    if any(read.run.params.get("data.teacher", "None") == "None" for read in (new, old)):  # how MLflow keeps none
        return ""
    marks = [read.run.params.get("data.teacher_sha256", "None") for read in (new, old)]
    if "None" in marks:
        return "a run that does not tell its data.teacher_sha256"
    return "" if marks[0] == marks[1] else f"teachers' files {marks[0][:12]} and {marks[1][:12]}"


def _scores(read: Read) -> Any:
    predictions = read.predictions
    return sampled(predictions.gold, predictions.predicted[np.newaxis, :], predictions.groups, "macro_f1")


def _told(found: Difference, read: Read) -> str:
    predictions = read.predictions
    return (
        f"macro-F1 {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}] on {len(predictions.ids):,} statements "
        f"of {len(set(predictions.groups)):,} groups of {SPLIT}"
    )


def _client() -> Any:
    import mlflow

    return mlflow.MlflowClient()


def _holder(name: str, alias: str) -> Any:
    """The version that has the alias, or None."""
    from mlflow.exceptions import MlflowException

    try:
        aliases = _client().get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return _client().get_model_version(name, str(aliases[alias])) if alias in aliases else None


def _register(read: Read, name: str, classifier: Classifier, tags: Mapping[str, str], suite: Path) -> str:
    """The number of a new version, with the card as its description and the facts as its tags."""
    import mlflow

    evaluations = measuring.of_run(read.run.id, classifier)
    outcomes = measuring.behaviour(classifier, suite)
    whole = card(classifier, evaluations, outcomes)
    client = _client()
    # It says that it takes the model that was logged with the run, as it should, and prints its progress.
    logging.getLogger("mlflow.tracking._model_registry.fluent").setLevel(logging.ERROR)
    with contextlib.redirect_stderr(io.StringIO()):
        made = mlflow.register_model(f"runs:/{read.run.id}/model", name, tags=_facts(classifier, evaluations, outcomes))
    for key, value in tags.items():
        client.set_model_version_tag(name, made.version, key, value)
    client.update_model_version(name, made.version, description=_description(whole))
    client.log_text(read.run.id, whole, CARD)
    return str(made.version)


def _facts(
    classifier: Classifier, evaluations: Mapping[str, Evaluation], outcomes: Sequence[Outcome]
) -> dict[str, str]:
    facts = {
        "stance.fingerprint": classifier.fingerprint or "",
        "stance.data": str(classifier.origin.get("data", "unknown")),
        "stance.data_fingerprint": str(classifier.origin.get("data_fingerprint", "unknown")),
    }
    facts |= {f"stance.{name}.macro_f1": estimate(each.metrics["macro_f1"]) for name, each in evaluations.items()}
    if outcomes:
        failed, cases = sum(len(one.failures) for one in outcomes), sum(one.n for one in outcomes)
        facts["stance.behaviour"] = f"{failed} of {cases} cases failed"
    return facts


def _description(whole: str) -> str:
    """The card without its front matter, cut where a section begins if the server has no room for all of it."""
    body = whole.split("\n---\n", 1)[1].strip()
    if len(body) <= _DESCRIPTION:
        return body
    note = f"\n\nMore is in the artefact `{CARD}` of the run."
    kept = body[: _DESCRIPTION - len(note)]
    return kept[: kept.rindex("\n\n##")] + note


@contextmanager
def _asking(where: str) -> Iterator[None]:
    """Turn what MLflow refuses, or a server that does not answer, into an error of the house."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        got = clean(str(error).strip())[:200] or type(error).__name__
        todo = "Check --name, --alias and MLFLOW_TRACKING_URI."
        raise DataError(problem(clean(where), "an answer by MLflow", got, todo)) from error
