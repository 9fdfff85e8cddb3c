"""A real TF-IDF model of twelve sentences, and what it answers in the spelling of each format."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stance.inference import Predictor
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
