"""The saved models of a folder, as `report.py` needs them: what they are, what they say, and what they cost.

What takes long is kept, in a file a model: what it is, its logits of every text that it was asked about, its speed, and
the duration of its training. So a report can be made again where the model is not there any more. Another model under
the same name is asked anew.
"""

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from stance import tracking
from stance.errors import DataError, problem
from stance.models import Classifier, load
from stance.schema import LABELS, FloatArray, Query

TIMES = 3
"""How often a speed is measured; the median counts."""

SAME = 1e-5
"""Two log losses closer than this are of one model: the padding of a batch moves single-precision logits by less."""

DECIMALS = 6
"""Of the logits that are kept."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A model; `majority` is the position of the most frequent label it was trained on.

    `config` is all that it was made by but the seed and what it was reported on. The model is in `folder`, or was, and
    `kept` is the file of what is known of it.
    """

    name: str
    fingerprint: str
    temperature: float
    seed: int
    data_fingerprint: str
    majority: int
    size: int
    config: Mapping[str, Any]
    folder: Path
    kept: Path

    def content(self) -> dict[str, Any]:
        """Return what is kept of this very model, with nothing known of it at first."""
        found = _read(self.kept)
        facts = {key: value for key, value in asdict(self).items() if key not in ("folder", "kept")}
        same = found.get("model", {}).get("fingerprint") == self.fingerprint
        return {"model": facts, "cost": {}, "logits": {}} | (found if same else {})

    def there(self) -> bool:
        """Whether the model can be asked."""
        return _is_model(self.folder)


@dataclass(frozen=True, slots=True)
class Cost:
    """Statements a second of processor time on one thread, and seconds of training, None where MLflow has no run.

    `whole_run` marks seconds that hold evaluation and logging as well, for runs that logged no more.
    """

    per_second: float
    train_seconds: float | None
    whole_run: bool


def names_there(pattern: str, folder: Path, kept: Path) -> list[str]:
    """Return the names, which fit `pattern`, of the models that are in `folder` or of which something is kept."""
    saved = {path.name for path in folder.glob(pattern) if _is_model(path)}
    return sorted(saved | {path.stem for path in kept.glob(f"{pattern}.json")})


def read_saved(name: str, folder: Path, kept: Path) -> Saved:
    """Return what the manifest of the model in `folder` says or, if it is not there any more, what is kept of it.

    Raises:
        DataError: the file of what is kept is damaged.
        ModelError: the folder holds no model of this version.
    """
    from stance.models import _folder

    places = {"folder": folder / name, "kept": kept / f"{name}.json"}
    if not _is_model(folder / name):
        try:
            return Saved(**_read(places["kept"])["model"], **places)
        except (KeyError, TypeError) as error:
            todo = f"Delete it and train the model: stance train configs/{name}.yaml"
            raise DataError(problem(places["kept"], "what is known of a model", str(error), todo)) from error
    manifest = _folder.read_manifest(folder / name)
    origin = manifest["origin"]
    counts = origin["train_labels"]
    return Saved(
        name=name,
        fingerprint=_folder.fingerprint(folder / name),
        temperature=manifest["temperature"],
        seed=origin["config"]["seed"],
        data_fingerprint=origin["data_fingerprint"],
        majority=int(np.argmax([counts[label] for label in LABELS])),
        size=sum(path.stat().st_size for path in (folder / name).iterdir()),
        config={key: value for key, value in origin["config"].items() if key not in ("seed", "evaluate", "experiment")},
        **places,
    )


def logits(saved: Saved, texts: Sequence[str]) -> FloatArray:
    """Return the log-probabilities of `n` texts before calibration, shape (n, k), kept ones where there are any.

    They are the model's logits up to a constant in each row, which no softmax sees.

    Raises:
        DataError: a text is new, and the model is not there to be asked.
    """
    content = saved.content()
    known: dict[str, list[float]] = content["logits"]
    marks = [_mark(text) for text in texts]
    missing = {mark: text for mark, text in sorted(zip(marks, texts, strict=True)) if mark not in known}
    if missing:
        if not saved.there():
            got = f"none, and {len(missing):,} texts that it was never asked about"
            todo = f"Train it again: stance train configs/{saved.name}.yaml"
            raise DataError(problem(saved.folder, "the model", got, todo))
        uncalibrated = replace(load(saved.folder), temperature=1.0)
        found = np.log(uncalibrated.predict_proba([Query(text) for text in missing.values()])).round(DECIMALS)
        known |= dict(zip(missing, found.tolist(), strict=True))
        _write(saved.kept, content)
    return np.array([known[mark] for mark in marks], dtype=np.float64)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_model(folder: Path) -> bool:
    return (folder / "model.json").is_file()


def cost(saved: Saved, texts: Sequence[str], log_losses: Mapping[str, float], again: bool) -> Cost:
    """Return what the model costs, measured on `texts` where that is not known or `again` is true.

    Args:
        saved: the model.
        texts: what it is timed on.
        log_losses: by split, which tell its run in MLflow from all others.
        again: measure the speed again, if the model is there.
    """
    content = saved.content()
    facts = content["cost"]
    if "per_second" not in facts or (again and saved.there()):
        facts["per_second"] = round(_speed(load(saved.folder), texts), 1)
    if facts.get("train_seconds") is None:
        facts["train_seconds"], facts["whole_run"] = _trained(log_losses)
    _write(saved.kept, content)
    return Cost(**facts)


def _speed(classifier: Classifier, texts: Sequence[str]) -> float:
    """The processor's time counts, not the clock's, so that other work on the machine matters little."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    queries = [Query(text) for text in texts]
    taken = []
    for _ in range(TIMES):
        start = time.process_time()
        classifier.predict_proba(queries)
        taken.append(time.process_time() - start)
    torch.set_num_threads(threads)
    return len(texts) / median(taken)


def _trained(log_losses: Mapping[str, float]) -> tuple[float | None, bool]:
    """Seconds of the newest finished run with these log losses, and whether they are those of the whole run."""
    store = Path(tracking.DEFAULT_URI.removeprefix("sqlite:///"))
    if not store.is_file():
        return None, False
    tracking.connect()
    import mlflow

    for run in mlflow.search_runs(search_all_experiments=True, output_format="list"):
        metrics = run.data.metrics
        logged = [metrics.get(f"{split}.log_loss", math.inf) for split in log_losses]
        if run.info.end_time is not None and np.allclose(logged, list(log_losses.values()), rtol=0, atol=SAME):
            told = metrics.get("train_seconds")
            whole = (run.info.end_time - run.info.start_time) / 1000
            return (whole, True) if told is None else (told, False)
    return None, False


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise DataError(problem(path, "JSON", str(error), "Delete it: the model is asked anew.")) from error
    return dict(found)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Write beside and rename: a file cut short would be read as damaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
    fresh.rename(path)
