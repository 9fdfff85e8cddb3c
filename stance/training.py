"""The page where the stages meet: a run config goes in; a calibrated, evaluated, tracked model comes out."""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from stance.config import Settings, override, read_yaml, validate
from stance.errors import ConfigError, DataError, ModelError, problem
from stance.models import Classifier
from stance.schema import CONTRAST, INVENTED, LABELS, Example, FloatArray, label_indices

if TYPE_CHECKING:
    from stance.dataset import Dataset
    from stance.evaluation import Evaluation

logger = logging.getLogger(__name__)

FACETS: Final = ("theatre", "actor_type")
"""What an evaluation is broken down by."""


class RunData(Settings):
    """Which built data a run uses."""

    path: Path = Field(description="a folder that stance build wrote")
    contrast_weight: float = Field(1.0, ge=0, le=10, description="weight of a contrast statement; 0 leaves them out")
    invented_weight: float = Field(1.0, ge=0, le=10, description="weight of an invented statement; 0 leaves them out")
    teacher: Path | None = Field(None, description="a larger model's probabilities of the training examples, to learn")
    teacher_weight: float = Field(0.5, gt=0, le=1, description="the teacher's share of what an example teaches")
    extra_train_splits: tuple[str, ...] = Field(
        (),
        description="what a model that goes into use learns from beside train; it cannot be judged on these any more",
        exclude_if=lambda splits: not splits,  # models without any keep the fingerprint that they had
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "RunData":
        if self.teacher is None and self.teacher_weight != type(self).model_fields["teacher_weight"].default:
            raise ValueError("teacher_weight, which has no effect without teacher")
        if "validation" in self.extra_train_splits:
            raise ValueError("extra_train_splits with validation, which calibration needs unseen")
        if len({"train", *self.extra_train_splits}) <= len(self.extra_train_splits):
            raise ValueError("extra_train_splits with a split that is learnt from twice")
        return self

    @property
    def learnt(self) -> tuple[str, ...]:
        """The splits that the model learns from."""
        return ("train", *self.extra_train_splits)


class RunModel(Settings):
    """Which model a run trains, and its settings."""

    kind: str = Field(description="a file of stance/models/")
    params: dict[str, Any] = Field(default_factory=dict)


class RunConfig(Settings):
    """What `stance train` reads; paths are relative to the folder that the command is called in."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    data: RunData
    model: RunModel
    seed: int = Field(0, ge=0, lt=2**32)
    calibration: Literal["temperature", "none"] = Field("temperature", description="of probabilities, on validation")
    evaluate: tuple[str, ...] = Field(("validation", "test", "test_unseen"), description="splits to report on")
    experiment: str = Field("disarmament", min_length=1, description="the MLflow experiment that the run belongs to")

    @model_validator(mode="after")
    def _judged_on_what_is_unseen(self) -> "RunConfig":
        if both := [split for split in self.evaluate if split in self.data.extra_train_splits]:
            raise ValueError(f"{', '.join(both)} in data.extra_train_splits and in evaluate")
        return self


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run: the classifier, where it was saved, its evaluations by split, and the id of its MLflow run."""

    classifier: Classifier
    folder: Path
    evaluations: Mapping[str, "Evaluation"]
    run_id: str


def read_run(path: Path, assignments: Sequence[str] = (), seed: int | None = None) -> RunConfig:
    """Return the checked run config in `path` with `assignments` (`dotted.key=value`) and `seed` put in.

    The model's defaults are filled in, so that what is logged says everything.

    Raises:
        ConfigError: a key or value is wrong, or there is no such model.
    """
    from stance.models import _folder

    tree = override(read_yaml(path), assignments)
    if seed is not None:
        tree["seed"] = seed
    config = validate(RunConfig, tree, str(path))
    params_class = _folder.model_file(config.model.kind, f"{path}: model.kind").Params
    params = validate(params_class, config.model.params, f"{path}: model.params").model_dump(mode="json")
    if config.data.teacher is not None and not params.get("soft_labels"):
        got = "model.params.soft_labels off" if "soft_labels" in params else f"model.kind {config.model.kind}"
        todo = "Set model.params.soft_labels to true, or take data.teacher out."
        raise ConfigError(problem(f"{path}: data.teacher", "a model that learns from soft labels", got, todo))
    return config.model_copy(update={"model": RunModel(kind=config.model.kind, params=params)})


def train(config: RunConfig, out: Path, replace: bool = False) -> Trained:
    """Train, calibrate and evaluate the model of `config`, save it to `out` and log the run to MLflow.

    Raises:
        ConfigError: a setting does not fit the data.
        DataError: the data is missing, damaged or lacks a split.
        ModelError: `out` exists and `replace` is false, or cannot be written.
    """
    from stance import dataset, tracking
    from stance.models import _folder

    _folder.check_writable(out, replace)
    data = dataset.load(config.data.path)
    for split in (*config.data.extra_train_splits, *config.evaluate):
        data.split(split)
    with tracking.run(config.experiment, f"{config.name}-seed{config.seed}") as run_id:
        log_inputs(config, data, (*config.data.learnt, "validation", *config.evaluate))
        classifier, evaluations = fit_and_evaluate(config, data)
        _folder.save(classifier, out, replace)
        log_model(classifier, out, data)
    return Trained(classifier, out, evaluations, run_id)


def log_inputs(config: RunConfig, data: "Dataset", splits: Sequence[str]) -> None:
    """Log the config, the data's facts and, as inputs, its `splits` to the active run."""
    from stance import tracking

    tracking.log_config(config.model_dump(mode="json"))
    sizes = {name: len(rows) for name, rows in data.splits.items()}
    tracking.log_data(data.name, data.fingerprint, data.folder, sizes)
    tracking.log_params({f"data.{name}": value for name, value in teacher_facts(config).items()})
    for split in dict.fromkeys(splits):
        rows = [(example.id, example.text, example.label) for example in data.split(split)]
        tracking.log_input(data.name, split, data.folder / f"{split}.parquet", rows)


def fit_and_evaluate(config: RunConfig, data: "Dataset") -> tuple[Classifier, dict[str, "Evaluation"]]:
    """Return the fitted classifier and its evaluations by split, which are logged to the active run."""
    from stance import tracking

    start = time.perf_counter()
    classifier = fit(config, data)
    tracking.log_metrics({"train_seconds": time.perf_counter() - start})
    evaluations = {}
    for split in config.evaluate:
        examples = data.split(split)
        probabilities = classifier.predict_proba([example.query for example in examples])
        evaluations[split] = judge(classifier, examples, probabilities, config.seed)
        log_evaluation(split, examples, probabilities, evaluations[split])
    return classifier, evaluations


def log_model(classifier: Classifier, folder: Path, data: "Dataset") -> None:
    """Log the classifier saved in `folder` to the active run, with three training examples as its input example."""
    from stance import tracking

    tracking.log_model(folder, _input_example(classifier, data.split("train")[:3]))


def fit(config: RunConfig, data: "Dataset") -> Classifier:
    """Return the model of `config` fitted on train and calibrated on validation.

    No other split is looked at, but those that `data.extra_train_splits` adds to train; of the others only that a
    teacher does not speak of them.

    Raises:
        ConfigError: a setting does not fit the data, or a model that this one is made of was trained on other data.
        DataError: the teacher's file does not fit, or train is empty.
    """
    from stance.dataset.teacher import teach

    _check_origins(config, data)
    train = _learnt(config, data)
    if config.data.teacher is not None:
        held_out = [e for split in data.splits if split not in config.data.learnt for e in data.split(split)]
        train = teach(train, config.data.teacher, config.data.teacher_weight, held_out)
    return fit_examples(config, train, data.split("validation"), _origin(config, data))


def _check_origins(config: RunConfig, data: "Dataset") -> None:
    """Refuse a model made of models that may have learnt from what it is judged on."""
    for number, origin in enumerate(_saved_models(config)):
        if origin.get("data_fingerprint") != data.fingerprint:
            got = f"{origin.get('name', 'one')} trained on {origin.get('data', 'unknown data')}, other or changed data"
            raise ConfigError(problem(_saved(number), f"a model trained on {data.folder}", got, "Train it again."))
        if more := sorted(learnt_splits(origin).difference(config.data.learnt)):
            got = f"{origin.get('name', 'one')}, which has learnt from {', '.join(more)} as well"
            todo = "Take another, or name these in data.extra_train_splits and leave them out of evaluate."
            raise ConfigError(problem(_saved(number), "a model that has learnt from the same splits", got, todo))


def _saved(number: int) -> str:
    return f"model.params: saved model {number + 1}"


def learnt_splits(origin: Mapping[str, Any]) -> set[str]:
    """Return the splits that a model of this `origin` has learnt from."""
    return {"train", *origin.get("config", {}).get("data", {}).get("extra_train_splits", ())}


def _learnt(config: RunConfig, data: "Dataset") -> list[Example]:
    """What the model learns from: train and the splits that are added to it, with their weights."""
    return weigh([example for split in config.data.learnt for example in data.split(split)], config.data)


def check_learns_alone(config: RunConfig, part: str) -> None:
    """Refuse a model that would not learn from a `part` of train alone, but was made of saved ones or adds splits.

    Raises:
        ConfigError: it does not learn from that alone, or a setting of it is wrong.
        ModelError: a folder that it names holds no model.
    """
    if more := ", ".join(config.data.extra_train_splits):
        where, todo = "data.extra_train_splits", "Take it out, or judge the model on a split."
        raise ConfigError(problem(where, f"nothing beside a {part}", more, todo))
    if saved := _saved_models(config):
        many = f"{len(saved)} saved {'model' if len(saved) == 1 else 'models'}"
        got = f"{config.model.kind} of {many}, which may have learnt from more"
        todo = "Take it out, or judge it on a split."
        raise ConfigError(problem("model.kind", f"a model that learns from its {part} alone", got, todo))


def _saved_models(config: RunConfig) -> Sequence[Mapping[str, Any]]:
    """Where the saved models that the model of `config` is made of came from; empty if it learns all by itself."""
    from stance.models import _folder

    module = _folder.model_file(config.model.kind, "model.kind")
    if (origins := getattr(module, "origins", None)) is None:
        return ()
    found: Sequence[Mapping[str, Any]] = origins(validate(module.Params, config.model.params, "model.params"))
    return found


def fit_examples(
    config: RunConfig, train: Sequence[Example], validation: Sequence[Example], origin: Mapping[str, Any] | None = None
) -> Classifier:
    """Return the model of `config` fitted on `train` and calibrated on `validation`, if there is any.

    Raises:
        DataError: `train` is empty.
    """
    from stance.evaluation import fit_temperature
    from stance.models import _folder

    if not train:
        raise DataError(problem("the training split", "examples", "none", "Check the data and its weights."))
    module = _folder.model_file(config.model.kind, "model.kind")
    params = validate(module.Params, config.model.params, "model.params")
    logger.info("Fitting %s on %d examples", config.model.kind, len(train))
    model = module.fit(train, validation, params, config.seed)
    temperature = 1.0
    if config.calibration == "temperature" and validation:
        logits = model.logits([example.query for example in validation])
        temperature = fit_temperature(logits, label_indices([example.label for example in validation]))
    targets = tuple(sorted({example.target for example in train}))
    return Classifier(config.model.kind, params, model, temperature, targets, origin or {})


def teacher_files(config: RunConfig) -> dict[str, Path]:
    """Return the files of a teacher that `config` names, by the setting that does."""
    vectors = config.model.params.get("teacher_vectors")
    files = {"data.teacher": config.data.teacher, "model.params.teacher_vectors": vectors}
    return {setting: Path(path) for setting, path in files.items() if path is not None}


def teacher_facts(config: RunConfig) -> dict[str, str | None]:
    """Return the SHA-256 of each file of a teacher, `None` where it cannot be read; nothing where there is none."""
    return {f"{setting.rsplit('.')[-1]}_sha256": _sha256(path) for setting, path in teacher_files(config).items()}


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # whoever learns from it says what is wrong
        return None


def parts_facts(config: RunConfig) -> dict[str, list[str] | None]:
    """Return the fingerprints of the saved models that `config` names, `None` where they cannot be read; or nothing."""
    try:
        saved = _saved_models(config)
    except (ConfigError, ModelError):  # whoever makes a model of them says what is wrong
        return {"parts": None}
    return {"parts": [origin["fingerprint"] for origin in saved]} if saved else {}


def weigh(examples: Sequence[Example], settings: RunData) -> list[Example]:
    """Return `examples` with the weights of contrast and invented statements set; those of weight 0 are left out."""
    weights = {CONTRAST: settings.contrast_weight, INVENTED: settings.invented_weight}
    weighted = [
        replace(example, weight=weights[example.kind]) if example.kind in weights else example for example in examples
    ]
    return [example for example in weighted if example.weight > 0]


def judge(
    classifier: Classifier, examples: Sequence[Example], probabilities: FloatArray, seed: int = 0
) -> "Evaluation":
    """Return the evaluation of `probabilities` (n, k) on `n` examples, training's most frequent label beside it."""
    from stance.evaluation import evaluate

    counts = classifier.origin.get("train_labels")
    return evaluate(
        label_indices([example.label for example in examples]),
        probabilities,
        [example.group for example in examples],
        facets={facet: [getattr(example, facet) for example in examples] for facet in FACETS},
        majority=int(np.argmax([counts[label] for label in LABELS])) if counts else None,
        seed=seed,
    )


def score(classifier: Classifier, examples: Sequence[Example]) -> "Evaluation":
    """Return the evaluation of what `classifier` predicts for `examples`."""
    probabilities = classifier.predict_proba([example.query for example in examples])
    return judge(classifier, examples, probabilities)


def read_splits(classifier: Classifier, names: Sequence[str], folder: Path | None = None) -> dict[str, list[Example]]:
    """Return the named splits of the data in `folder`, by default of the data that `classifier` was trained on.

    Other data than it was trained on may hold statements that it has seen; a warning is logged.

    Raises:
        DataError: the data is not there or has no such split.
    """
    from stance import dataset

    trained_on = classifier.origin.get("config", {}).get("data", {}).get("path")
    if folder is None and trained_on is None:
        raise DataError(problem("--dataset", "a folder of built data", "none known to the model", "Give --dataset."))
    data = dataset.load(folder or Path(trained_on))
    if classifier.origin.get("data_fingerprint") != data.fingerprint:
        logger.warning(
            "%s is not the data that the model was trained on: it may have seen these statements", data.folder
        )
    return {name: data.split(name) for name in names}


def _origin(config: RunConfig, data: "Dataset") -> dict[str, Any]:
    labels = [example.label for example in _learnt(config, data)]
    return {
        "name": config.name,
        "config": config.model_dump(mode="json"),
        "data": data.name,
        "data_fingerprint": data.fingerprint,
        "train_labels": {label: labels.count(label) for label in LABELS},
        **teacher_facts(config),
        **parts_facts(config),
    }


def _input_example(classifier: Classifier, examples: Sequence[Example]) -> dict[str, list[str]]:
    columns = {"text": [example.text for example in examples]}
    return columns if len(classifier.targets) == 1 else columns | {"target": [example.target for example in examples]}


def log_evaluation(
    split: str, examples: Sequence[Example], probabilities: FloatArray, evaluation: "Evaluation"
) -> None:
    """Log the metrics, the plots and the prediction of each statement of a split to the active run."""
    import tempfile

    from stance import tracking
    from stance.evaluation import write_plots

    tracking.log_metrics(evaluation.flat(f"{split}."))
    log_predictions(split, examples, probabilities)
    tracking.log_json(f"evaluation/{split}.json", evaluation.as_dict())
    with tempfile.TemporaryDirectory() as folder:
        write_plots(evaluation, Path(folder), split)
        tracking.log_folder(f"plots/{split}", Path(folder))


def log_predictions(split: str, examples: Sequence[Example], probabilities: FloatArray) -> None:
    """Log what was predicted for `n` examples, probabilities (n, k), as `predictions/<split>.csv`."""
    from stance import tracking

    rows = [asdict(example) for example in examples]
    columns = {name: [row[name] for row in rows] for name in ("id", "group", "theatre", "actor_type", "text", "label")}
    columns["predicted"] = [LABELS[index] for index in probabilities.argmax(axis=1)]
    columns |= {f"p_{label}": probabilities[:, index].tolist() for index, label in enumerate(LABELS)}
    tracking.log_table(f"predictions/{split}.csv", columns)
