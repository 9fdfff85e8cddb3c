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
from pathlib import Path
from typing import Any, Final

from stance import __version__
from stance.errors import ModelError, problem

logger = logging.getLogger(__name__)

DEFAULT_URI: Final = "sqlite:///experiments/mlflow.db"
DEFAULT_ARTEFACTS: Final = Path("experiments/artifacts")
ADDRESSES: Final = ("runs:/", "models:/")
LOADER: Final = "stance.inference.pyfunc"
"""The module that MLflow calls to load a logged model: code of this package, none that travels with the model."""
_VERSIONED: Final = ("numpy", "scikit-learn", "scipy", "datasets", "transformers", "torch", "mlflow")


def connect() -> None:
    """Point MLflow at the user's tracking server, or at the default store, which is made if need be."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    import mlflow

    if os.environ.get("MLFLOW_TRACKING_URI"):
        return
    DEFAULT_ARTEFACTS.parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(DEFAULT_URI)


@contextmanager
def run(experiment: str, name: str) -> Iterator[str]:
    """Open an MLflow run, yield its id, and end it as finished, failed or killed."""
    connect()
    import mlflow

    if mlflow.get_experiment_by_name(experiment) is None:
        local = None if os.environ.get("MLFLOW_TRACKING_URI") else DEFAULT_ARTEFACTS.resolve().as_uri()
        mlflow.create_experiment(experiment, artifact_location=local)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=name, tags=_tags()) as active:
        yield active.info.run_id


def log_config(config: Mapping[str, Any]) -> None:
    """Log the resolved config whole as `config.yaml`, and flat as parameters."""
    import mlflow
    import yaml

    mlflow.log_text(yaml.safe_dump(dict(config), sort_keys=False), "config.yaml")
    mlflow.log_params(_flat(config))


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
