"""The measurements that a card is made of: of a tracked run by what it predicted, of a saved model by asking it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from stance import comparison, dataset, training
from stance.comparison import Read
from stance.errors import DataError
from stance.evaluation import Evaluation, Outcome, evaluate, read_suite, run_suite
from stance.models import Classifier
from stance.schema import DEFAULT_TARGET, LABELS, Query

SPLITS: Final = ("test", "test_unseen")
SUITE: Final = Path("tests/behaviour")


def of_run(run_id: str, classifier: Classifier) -> dict[str, Evaluation]:
    """Return the evaluations of a run by split, computed anew from its predictions; splits that it lacks are left out.

    Its own `evaluation/*.json` is not taken: what comes from a server is checked where predictions are read.
    """
    found = {}
    for split in SPLITS:
        try:
            (read,) = comparison.find([run_id], split).runs
        except DataError:
            continue
        if read.predictions.probabilities is not None:
            found[split] = _evaluated(read, classifier)
    return found


def of_model(classifier: Classifier) -> dict[str, Evaluation]:
    """Return the evaluations by split on the data that the model was trained on.

    There are none where that data is not there any more, or has changed: a card would name data it was not measured on.
    Splits that the model has learnt from are left out.
    """
    path = classifier.origin.get("config", {}).get("data", {}).get("path")
    if path is None:
        return {}
    try:
        data = dataset.load(Path(path))
        if data.fingerprint != classifier.origin.get("data_fingerprint"):
            return {}
        unseen = [name for name in SPLITS if name not in training.learnt_splits(classifier.origin)]
        return {name: training.score(classifier, data.split(name)) for name in unseen}
    except DataError:
        return {}


def behaviour(classifier: Classifier, suite: Path = SUITE) -> Sequence[Outcome]:
    """Return how the model does on the suite; nothing where that is not there, or is about another target.

    Raises:
        ConfigError: a file of the suite is no capability.
        DataError: a case is malformed.
    """
    if not suite.is_dir() or classifier.targets != (DEFAULT_TARGET,):
        return ()
    return run_suite(read_suite(suite), lambda texts: classifier.predict_proba([Query(text) for text in texts]))


def _evaluated(read: Read, classifier: Classifier) -> Evaluation:
    predictions = read.predictions
    if predictions.probabilities is None:
        raise AssertionError("checked by the caller")
    counts = classifier.origin.get("train_labels")
    theatres = [theatre or None for theatre in predictions.theatres]
    return evaluate(
        predictions.gold,
        predictions.probabilities,
        predictions.groups,
        facets={"theatre": theatres},
        majority=int(np.argmax([counts[label] for label in LABELS])) if counts else None,
    )
