"""A real TF-IDF model of twelve sentences, and what it answers in the spelling of each format."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stance.inference import Predictor, Summary, predict_file
from stance.models import Classifier, tfidf
from stance.models._folder import save
from stance.schema import LABELS, Example

SENTENCES = {
    "anti": (
        "We will never hand over our weapons.",
        "Giving up our arms would be surrender.",
        "Disarmament is off the table, the rifle stays.",
        "No one will take the guns of the resistance.",
    ),
    "neutral": (
        "The delegation met in the capital on Tuesday.",
        "The ministry published figures about the camps.",
        "Talks will go on next week, a spokesman said.",
        "The commission counted the fighters in each region.",
    ),
    "pro": (
        "All groups must lay down their weapons at once.",
        "We are ready to disarm and to dissolve our units.",
        "Weapons belong in the hands of the state alone.",
        "Our fighters began to turn in their guns today.",
    ),
}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    examples = [Example(text, text, label, text) for label in LABELS for text in SENTENCES[label]]
    params = tfidf.Params()
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save(Classifier("tfidf", params, tfidf.fit(examples, [], params, seed=0)), folder)
    return folder


@pytest.fixture(scope="session")
def predictor(model_folder: Path) -> Predictor:
    return Predictor.load(model_folder)


@pytest.fixture(scope="session")
def fields(predictor: Predictor) -> Callable[[str], str]:
    """A function of a text: its label and probabilities as CSV."""

    def answer(text: str) -> str:
        (prediction,) = predictor.predict([text])
        assert prediction is not None
        return ",".join([prediction.label, *(f"{p:.6f}" for p in prediction.probabilities)])

    return answer


@pytest.fixture(scope="session")
def members(fields: Callable[[str], str]) -> Callable[[str], str]:
    """A function of a text: its label and probabilities as the members of a JSON object."""

    def answer(text: str) -> str:
        label, *shares = fields(text).split(",")
        named = zip(LABELS, shares, strict=True)
        return ", ".join([f'"label": {json.dumps(label)}', *(f'"p_{name}": {share}' for name, share in named)])

    return answer


@pytest.fixture
def rewritten(tmp_path: Path, predictor: Predictor) -> Callable[..., tuple[bytes, Summary]]:
    """A function of a suffix and the bytes of a file: the bytes of the scored file and the summary."""

    def run(default: str, content: bytes, suffix: str | None = None, **options: Any) -> tuple[bytes, Summary]:
        suffix = suffix or default
        source, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
        source.write_bytes(content)
        summary = predict_file(source, output, predictor, replace=True, **options)
        return output.read_bytes(), summary

    return run
