"""A published folder, loaded by transformers alone, gives the probabilities of the model that it was made from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.errors import ConfigError, ModelError
from stance.models import Classifier, _folder, load, transformer
from stance.models.transformer import Params, Transformer
from stance.registry.publishing import check, publish
from stance.schema import LABELS, Example, Query

TEXTS = ["they will never surrender the guns", "talks today", "the militia refuse and the army said report the border"]


@pytest.mark.parametrize(("architecture", "pooling"), [("bert", "mean"), ("mpnet", "mean"), ("bert", "max")])
def test_transformers_gives_the_same_calibrated_probabilities(
    encoders: dict[str, Path],
    toy: Callable[..., list[Example]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
    pooling: str,
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    from transformers import pipeline

    params = Params(encoder=str(encoders[architecture]), max_tokens=32, epochs=1, pooling=pooling)
    model = transformer.fit(toy(30), [], params, seed=0)
    _folder.save(Classifier("transformer", params, model, temperature=0.4), tmp_path / "model")
    classifier = load(tmp_path / "model")
    publish(classifier, tmp_path / "model", tmp_path / "published", "# A card\n")

    ours = classifier.predict_proba([Query(text) for text in TEXTS])
    classify = pipeline("text-classification", str(tmp_path / "published"), trust_remote_code=True, top_k=None)
    answers = classify(TEXTS, truncation=True, batch_size=3)
    theirs = [[{row["label"]: row["score"] for row in answer}[label] for label in LABELS] for answer in answers]
    assert np.abs(np.array(theirs) - ours).max() < 1e-5
    assert (tmp_path / "published" / "README.md").read_text() == "# A card\n"
    with pytest.raises(ValueError, match="custom code which must be executed"):
        pipeline("text-classification", str(tmp_path / "published"), trust_remote_code=False)


def test_what_cannot_be_published_is_refused(learned: tuple[Transformer, Params], tmp_path: Path) -> None:
    model, params = learned
    classifier: Any = Classifier("transformer", params, model)
    with pytest.raises(ConfigError) as error:
        check(classifier, tmp_path / "new", replace=False)
    assert str(error.value) == (
        "MODEL: expected a transformer of one member and one target, got transformer, 2 members, 1 targets. "
        "Name another."
    )


@pytest.mark.parametrize(
    ("replace", "expected"),
    [
        (False, "a folder that does not exist, got one that does"),
        (True, "a published model to replace, got something else"),
    ],
)
def test_nothing_else_is_replaced(quick: Callable[..., Params], tmp_path: Path, replace: bool, expected: str) -> None:
    classifier: Any = Classifier("transformer", quick(), None)  # type: ignore[arg-type]
    with pytest.raises(ModelError) as error:
        check(classifier, tmp_path, replace)
    assert str(error.value).startswith(f"{tmp_path}: expected {expected}. ")
