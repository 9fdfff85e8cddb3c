"""Saved models vote."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.errors import ConfigError, ModelError
from stance.models import Classifier, ensemble, load
from stance.models._folder import model_file, save
from stance.schema import Example, Query

QUERIES = [Query("We disarm."), Query("Never."), Query("It rained.")]


@pytest.fixture
def folders(labelled: list[Example], tmp_path: Path) -> tuple[Path, ...]:
    found = []
    for name, strength in (("weak", 0.1), ("strong", 10.0)):
        file = model_file("tfidf", "test")
        params = file.Params(C=strength)
        classifier = Classifier("tfidf", params, file.fit(labelled, [], params, 0), 2.0, origin={"name": name})
        save(classifier, tmp_path / name)
        found.append(tmp_path / name)
    return tuple(found)


def test_the_scores_are_the_mean_of_the_parts_calibrated_log_probabilities(folders: tuple[Path, ...]) -> None:
    model = ensemble.fit([], [], ensemble.Params(models=folders), 0)
    each = [np.log(load(folder).predict_proba(QUERIES)) for folder in folders]
    assert np.allclose(model.logits(QUERIES), (each[0] + each[1]) / 2)


def test_a_saved_ensemble_needs_its_parts_no_more(folders: tuple[Path, ...], tmp_path: Path) -> None:
    params = ensemble.Params(models=folders)
    model = ensemble.fit([], [], params, 0)
    save(Classifier("ensemble", params, model), tmp_path / "both")
    for folder in folders:
        folder.rename(folder.with_name(f"{folder.name} gone"))
    again = load(tmp_path / "both")
    assert np.array_equal(again.model.logits(QUERIES), model.logits(QUERIES))


def test_an_ensemble_of_one_is_refused(folders: tuple[Path, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        ensemble.fit([], [], ensemble.Params(models=folders[:1]), 0)
    assert str(caught.value) == (
        "model.params.models: expected folders of two or more saved models, got 1. Train and name them."
    )


def test_damaged_facts_are_refused(folders: tuple[Path, ...], tmp_path: Path) -> None:
    (tmp_path / "ensemble.json").write_text('{"parts": []}')
    with pytest.raises(ModelError, match="expected the parts of an ensemble, got "):
        ensemble.load(tmp_path, ensemble.Params(models=folders))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "lstm"}, "0.kind: expected one of "),
        ({"params": {"C": 0}}, "0.params: C: expected greater than 0, got 0. Change it."),
    ],
)
def test_parts_that_cannot_be_are_refused(
    folders: tuple[Path, ...], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    ensemble.fit([], [], ensemble.Params(models=folders), 0).save(tmp_path)
    path = tmp_path / "ensemble.json"
    first, second = json.loads(path.read_text(encoding="utf-8"))["parts"]
    path.write_text(json.dumps({"parts": [first | change, second]}), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        ensemble.load(tmp_path, ensemble.Params(models=folders))
    assert str(caught.value).startswith(f"{path}: parts.{message}")


def test_the_parts_tell_where_they_came_from(folders: tuple[Path, ...]) -> None:
    origins = ensemble.origins(ensemble.Params(models=folders))
    assert [origin["name"] for origin in origins] == ["weak", "strong"]
    assert [origin["fingerprint"] for origin in origins] == [load(folder).fingerprint for folder in folders]
