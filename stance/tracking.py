"""MLflow, the memory of what was run. All of it is imported inside functions: a prediction needs none of it.

Runs go to `MLFLOW_TRACKING_URI`, by default to `sqlite:///experiments/mlflow.db` with artefacts in
`experiments/artifacts`, both relative to the folder that the command is called in.
"""

import logging
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from stance import __version__
from stance.errors import ModelError, StanceError, problem

logger = logging.getLogger(__name__)

DEFAULT_URI: Final = "sqlite:///experiments/mlflow.db"
DEFAULT_ARTEFACTS: Final = Path("experiments/artifacts")
ADDRESSES: Final = ("runs:/", "models:/")
LOADER: Final = "stance.inference.pyfunc"
"""The module that MLflow calls to load a logged model: code of this package, none that travels with the model."""
ROLE: Final = "stance.role"
"""What a run of `stance experiment` is: `experiment` (the parent of all), `cell`, or `fold` (a part of a cell)."""

CELL: Final = "stance.cell"
"""What a cell is called in its experiment."""

SPLITS: Final = "stance.splits"
"""The splits that a cell predicts, with commas."""

SHARE: Final = "stance.share"
"""The share of the training groups that a point of a learning curve was trained on."""

ERROR: Final = "stance.error"
"""The one line that a failed run ended with."""

EPOCHS: Final = "stance.models.epochs"
"""The logger of a training's progress. What a record brings as `metrics`, at `step`, goes to the active run."""

NO_TAGS: Final[Mapping[str, str]] = {}
_VERSIONED: Final = ("numpy", "scikit-learn", "scipy", "datasets", "transformers", "torch", "mlflow")


def connect() -> None:
    """Point MLflow at the user's tracking server, or at the default store, which is made if need be."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    # Standard output is for data; a server's client would print the address of each run there.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    if uri == DEFAULT_URI:
        DEFAULT_ARTEFACTS.parent.mkdir(parents=True, exist_ok=True)
    # Set even where it comes from the environment: what was set before in this process would go before it.
    mlflow.set_tracking_uri(uri)


@contextmanager
def run(
    experiment: str, name: str, tags: Mapping[str, str] = NO_TAGS, run_id: str | None = None, monitored: bool = True
) -> Iterator[str]:
    """Open an MLflow run, inside the active one if there is any, yield its id, and end it: finished, failed or killed.

    Args:
        experiment: made where it is missing.
        name: of the run.
        tags: beside those that say which code it was.
        run_id: of a run to go on with, instead of a new one.
        monitored: whether the load of the machine is logged, where psutil is there.
    """
    connect()
    import mlflow

    if mlflow.get_experiment_by_name(experiment) is None:
        # MLflow puts the address that it is given into the environment, so that this cannot tell where it came from.
        local = DEFAULT_ARTEFACTS.resolve().as_uri() if mlflow.get_tracking_uri() == DEFAULT_URI else None
        mlflow.create_experiment(experiment, artifact_location=local)
    mlflow.set_experiment(experiment)
    # The level in the environment is read only once, by whoever imports mlflow first.
    logging.getLogger("mlflow.system_metrics").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())
    with mlflow.start_run(
        run_id=run_id,
        run_name=name,
        nested=True,
        tags=_tags() | dict(tags),
        log_system_metrics=monitored and find_spec("psutil") is not None,
    ) as active:
        try:
            with _epochs_logged():
                yield active.info.run_id
        except KeyboardInterrupt:
            mlflow.end_run("KILLED")
            raise


@contextmanager
def _epochs_logged() -> Iterator[None]:
    """Send the numbers in the records of the logger `EPOCHS` to the active run, whether or not they are shown."""
    epochs, handler = logging.getLogger(EPOCHS), _ToMlflow()
    level, propagate = epochs.level, epochs.propagate
    epochs.propagate = propagate and epochs.isEnabledFor(logging.INFO)
    epochs.setLevel(logging.INFO)
    epochs.addHandler(handler)
    try:
        yield
    finally:
        epochs.removeHandler(handler)
        epochs.setLevel(level)
        epochs.propagate = propagate


class _ToMlflow(logging.Handler):
    """Logs the numbers of a record as metrics with a step."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log them to the active run."""
        import mlflow

        if metrics := getattr(record, "metrics", None):
            mlflow.log_metrics(metrics, step=getattr(record, "step", None))


def log_input(name: str, split: str, source: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    """Log a split of the data, rows of id, text and label, as an input of the run."""
    import mlflow
    import pandas as pd
    from mlflow.data.sources import LocalArtifactDatasetSource

    frame = pd.DataFrame(list(rows), columns=["id", "text", "label"])
    place = LocalArtifactDatasetSource(str(source))
    data = mlflow.data.from_pandas(frame, source=place, targets="label", name=f"{name}.{split}")
    mlflow.log_input(data, context=split)


@contextmanager
def error_tagged(kinds: tuple[type[Exception], ...]) -> Iterator[None]:
    """Tag the active run with the one line of an error of `kinds` before it goes on its way."""
    import mlflow

    try:
        yield
    except kinds as error:
        mlflow.set_tag(ERROR, one_line(error))
        raise


def one_line(error: Exception) -> str:
    """Return what an error says, on one line of at most 500 characters."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, StanceError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def end_as_failed(reason: str) -> None:
    """End the active run as failed, though no error is raised."""
    import mlflow

    mlflow.set_tag(ERROR, reason)
    mlflow.end_run("FAILED")


def end_other(run_id: str, status: str, tags: Mapping[str, str]) -> None:
    """Tag and end a run that is not the active one."""
    import mlflow

    tag_other(run_id, tags)
    mlflow.MlflowClient().set_terminated(run_id, status)


def tag_other(run_id: str, tags: Mapping[str, str]) -> None:
    """Tag a run that is not the active one."""
    import mlflow

    for key, value in tags.items():
        mlflow.MlflowClient().set_tag(run_id, key, value)


def active() -> str:
    """Return the id of the active run."""
    import mlflow

    run_id: str = mlflow.active_run().info.run_id
    return run_id


def fetch_artefact(run_id: str, path: str, folder: Path) -> Path:
    """Return an artefact of a run, downloaded into `folder`."""
    import mlflow

    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=str(folder)))


def log_params(params: Mapping[str, Any]) -> None:
    """Log parameters under their names."""
    import mlflow

    mlflow.log_params(dict(params))


def log_yaml(path: str, content: Mapping[str, Any]) -> None:
    """Log a mapping as a YAML artefact."""
    import mlflow
    import yaml

    mlflow.log_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True), path)


def log_config(config: Mapping[str, Any]) -> None:
    """Log the resolved config whole as `config.yaml`, and flat as parameters."""
    log_yaml("config.yaml", config)
    log_params(_flat(config))


def log_data(name: str, fingerprint: str, folder: Path, sizes: Mapping[str, int]) -> None:
    """Log the fingerprint of the data as a parameter, its card as an artefact, and its sizes as parameters."""
    import mlflow

    mlflow.log_params({"data.name": name, "data.fingerprint": fingerprint})
    mlflow.log_params({f"data.n_{split}": n for split, n in sizes.items()})
    mlflow.log_artifact(str(folder / "README.md"), "data")


def log_metrics(metrics: Mapping[str, float]) -> None:
    """Log metrics under their names."""
    import mlflow

    mlflow.log_metrics(dict(metrics))


def log_table(path: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Log columns of equal length as a CSV artefact."""
    import mlflow
    import pandas as pd

    mlflow.log_text(pd.DataFrame(dict(columns)).to_csv(index=False), path)


def log_json(path: str, content: Mapping[str, Any]) -> None:
    """Log a mapping as a JSON artefact."""
    import mlflow

    mlflow.log_dict(dict(content), path)


def log_folder(path: str, folder: Path) -> None:
    """Log all files in `folder` as artefacts below `path`."""
    import mlflow

    mlflow.log_artifacts(str(folder), path)


def log_model(folder: Path, example: Mapping[str, Sequence[str]]) -> None:
    """Log the saved model in `folder` as a pyfunc that scores a DataFrame.

    `example` has its columns: `text`, and `target` for a model that knows several.
    """
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = [ColSpec(DataType.string, name, required=False) for name in example]
    outputs = [ColSpec(DataType.string, "label", required=False)]
    outputs += [ColSpec(DataType.double, name, required=False) for name in ("p_anti", "p_neutral", "p_pro")]
    mlflow.pyfunc.log_model(
        name="model",
        loader_module=LOADER,
        data_path=str(folder),
        signature=ModelSignature(Schema(inputs), Schema(outputs)),
        input_example=pd.DataFrame(dict(example)),
        pip_requirements=[f"stance=={__version__}"],
    )


def fetch(address: str) -> Path:
    """Return a local folder with the model at an MLflow address such as `runs:/<id>/model` or `models:/name@champion`.

    Raises:
        ModelError: MLflow finds nothing there, or what it finds is no model of ours.
    """
    connect()
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        downloaded = Path(mlflow.artifacts.download_artifacts(artifact_uri=address))
    except (MlflowException, OSError) as error:
        got = str(error).strip().splitlines()[0]
        raise ModelError(problem(address, "a model that MLflow finds", got, "Check MLFLOW_TRACKING_URI.")) from error
    for manifest in sorted(downloaded.glob("data/*/model.json")):
        return manifest.parent
    if (downloaded / "model.json").is_file():
        return downloaded
    raise ModelError(
        problem(address, "a model that stance logged", "another", "Name a run of stance train: runs:/ID/model")
    )


def _tags() -> dict[str, str]:
    tags = {"stance_version": __version__}
    for package in _VERSIONED:
        try:
            tags[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    commit = _git("rev-parse", "HEAD")
    if commit:
        tags |= {"git_commit": commit, "git_dirty": str(bool(_git("status", "--porcelain"))).lower()}
    return tags


def _git(*arguments: str) -> str | None:
    """The output of a git command, or `None` where there is no repository or no git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
