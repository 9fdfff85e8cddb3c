"""The saved models of a folder, as `report.py` needs them: what they are, what they say, and what they cost.

What takes long is kept in a cache folder by the fingerprint of the model: its logits of every text it was asked about,
its speed, and the duration of its training. Another model, even one under the same name, is asked anew.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from stance import tracking
from stance.models import Classifier, load
from stance.schema import LABELS, FloatArray, Query

TIMES = 3
"""How often a speed is measured; the median counts."""

SAME = 1e-5
"""Two log losses closer than this are of one model: the padding of a batch moves single-precision logits by less."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A model in its folder; `majority` is the position of the most frequent label it was trained on.

    `config` is all that it was made by but the seed and what it was reported on.
    """

    name: str
    folder: Path
    fingerprint: str
    temperature: float
    seed: int
    data_fingerprint: str
    majority: int
    size: int
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """Statements a second of processor time on one thread, and seconds of training, None where MLflow has no run.

    `whole_run` marks seconds that hold evaluation and logging as well, for runs that logged no more.
    """

    per_second: float
    train_seconds: float | None
    whole_run: bool


def read_saved(name: str, folder: Path) -> Saved:
    """Return what the manifest in `folder` says.

    Raises:
        ModelError: the folder holds no model of this version.
    """
    from stance.models import _folder

    manifest = _folder.read_manifest(folder)
    origin = manifest["origin"]
    counts = origin["train_labels"]
    return Saved(
        name=name,
        folder=folder,
        fingerprint=_folder.fingerprint(folder),
        temperature=manifest["temperature"],
        seed=origin["config"]["seed"],
        data_fingerprint=origin["data_fingerprint"],
        majority=int(np.argmax([counts[label] for label in LABELS])),
        size=sum(path.stat().st_size for path in folder.iterdir()),
        config={key: value for key, value in origin["config"].items() if key not in ("seed", "evaluate", "experiment")},
    )


def logits(saved: Saved, texts: Sequence[str], cache: Path) -> FloatArray:
    """Return the log-probabilities of `n` texts before calibration, shape (n, k), from the cache where they are there.

    They are the model's logits up to a constant in each row, which no softmax sees.
    """
    path = cache / f"{saved.fingerprint[:16]}.json"
    known: dict[str, list[float]] = _read(path)
    missing = sorted({text for text in texts if text not in known})
    if missing:
        uncalibrated = replace(load(saved.folder), temperature=1.0)
        found = np.log(uncalibrated.predict_proba([Query(text) for text in missing]))
        known |= dict(zip(missing, found.tolist(), strict=True))
        _write(path, known)
    return np.array([known[text] for text in texts], dtype=np.float64)


def cost(saved: Saved, texts: Sequence[str], log_losses: Mapping[str, float], cache: Path, again: bool) -> Cost:
    """Return what the model costs, measured on `texts` where the cache does not know it or `again` is true.

    Args:
        saved: the model.
        texts: what it is timed on.
        log_losses: by split, which tell its run in MLflow from all others.
        cache: the folder of the cache.
        again: measure the speed again.
    """
    path = cache / "costs.json"
    known: dict[str, dict[str, Any]] = _read(path)
    facts = known.setdefault(saved.fingerprint, {})
    if again or "per_second" not in facts:
        facts["per_second"] = _speed(load(saved.folder), texts)
    if facts.get("train_seconds") is None:
        facts["train_seconds"], facts["whole_run"] = _trained(log_losses)
    _write(path, known)
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
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Write beside and rename: a cache cut short would be read as damaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    fresh.rename(path)
