"""A cheap model answers where it is sure; the other reads the rest, at no more than the stated loss."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.config import validate
from stance.errors import ConfigError, ModelError
from stance.models import Classifier, cascade, load, softmax
from stance.models._folder import save
from stance.models.cascade import Cascade, Params, choose, curve
from stance.schema import Example, Query

CHEAP: dict[str, Any] = {"first": {"kind": "tfidf"}, "second": {"kind": "majority"}}
TEXTS = [Query("We keep our rifles."), Query("Every militia must disarm now."), Query("The envoy met the committee.")]
SURE = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.4, 0.3, 0.3], [0.3, 0.3, 0.4]])
RIGHT = np.eye(3)[[0, 1, 2, 1, 0]]
GOLD = np.array([0, 1, 2, 1, 0])


@pytest.fixture(scope="module")
def fitted(labelled: list[Example]) -> Cascade:
    return cascade.fit(labelled, labelled, Params.model_validate(CHEAP), seed=0)


@pytest.mark.parametrize("threshold, which", [(1.0, "second"), (0.0, "first")])
def test_at_the_ends_one_model_answers_everything(fitted: Cascade, threshold: float, which: str) -> None:
    one = Cascade(fitted.first, fitted.second, fitted.temperatures, threshold)
    model, temperature = getattr(fitted, which), fitted.temperatures[which == "second"]
    np.testing.assert_allclose(softmax(one.logits(TEXTS)), softmax(model.logits(TEXTS) / temperature))
    assert one.explain(TEXTS[0], 0) == model.explain(TEXTS[0], 0)


def test_only_what_the_first_model_is_not_sure_of_goes_to_the_second(fitted: Cascade) -> None:
    sure = softmax(fitted.first.logits(TEXTS) / fitted.temperatures[0])
    between = float(np.sort(sure.max(axis=1))[1:].mean())
    found = softmax(Cascade(fitted.first, fitted.second, fitted.temperatures, between).logits(TEXTS))
    other = softmax(fitted.second.logits(TEXTS) / fitted.temperatures[1])
    answered = sure.max(axis=1) > between
    assert answered.sum() == 1
    np.testing.assert_allclose(found, np.where(answered[:, None], sure, other))


def test_the_threshold_defers_no_more_than_the_loss_asks_for() -> None:
    assert choose(SURE, RIGHT, GOLD, max_loss=0.0) == pytest.approx(
        0.55
    )  # the three that the first model has right stay with it
    assert choose(SURE, RIGHT, GOLD, max_loss=1.0) == 0.2
    assert (
        choose(SURE[[1, 0, 2, 3, 4]], RIGHT, GOLD, max_loss=0.0) == 0.95
    )  # surest where it is wrong: all are deferred


def test_a_lucky_point_below_a_loss_is_not_taken() -> None:
    sure = np.array([[0.1, 0.9, 0.0], [0.1, 0.8, 0.1], [0.3, 0.2, 0.5]])  # the surest is wrong
    other = np.eye(3)[[0, 0, 2]]
    gold = np.array([0, 1, 2])
    assert [round(score, 3) for _, _, score in curve(sure, other, gold)] == [0.556, 0.556, 0.333, 0.556, 0.556]
    assert choose(sure, other, gold, max_loss=0.1) == 0.95


def test_the_curve_runs_from_the_second_model_to_the_first() -> None:
    points = curve(SURE, RIGHT, GOLD)
    assert [round(share, 1) for _, share, _ in points] == [1.0, 1.0, 0.8, 0.6, 0.4, 0.0]
    assert points[0][2] == points[4][2] == 1.0


def test_a_cascade_comes_back_from_disk(fitted: Cascade, tmp_path: Path) -> None:
    params = Params.model_validate(CHEAP)
    save(Classifier("cascade", params, fitted), tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {
        "cascade.json",
        "first.vocabulary.json",
        "first.weights.safetensors",
        "model.json",
        "second.majority.json",
    }
    found = load(tmp_path / "model").model
    np.testing.assert_array_equal(found.logits(TEXTS), fitted.logits(TEXTS))


@pytest.mark.parametrize("content", ["", "[]", '{"temperatures": [1.0, 1.0], "threshold": 2.0}'])
def test_damaged_facts_are_refused(fitted: Cascade, tmp_path: Path, content: str) -> None:
    fitted.save(tmp_path)
    (tmp_path / "cascade.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=rf"^{tmp_path}/cascade.json: expected the facts about a cascade, got [^\n]+$"):
        cascade.load(tmp_path, Params.model_validate(CHEAP))


def test_without_a_validation_split_the_second_model_answers_all(
    labelled: list[Example], caplog: pytest.LogCaptureFixture
) -> None:
    found = cascade.fit(labelled, [], Params.model_validate(CHEAP), seed=0)
    np.testing.assert_allclose(softmax(found.logits(TEXTS)), softmax(found.second.logits(TEXTS)))
    assert caplog.messages == [
        "Without a validation split nothing says where the first model is sure: the second answers all."
    ]


def test_wrong_stages_are_refused(labelled: list[Example]) -> None:
    with pytest.raises(ConfigError) as caught:
        cascade.fit(labelled, labelled, Params.model_validate(CHEAP | {"first": {"kind": "tfdif"}}), seed=0)
    assert str(caught.value).startswith("model.params.first.kind: expected one of ")
    with pytest.raises(ConfigError) as caught:
        validate(Params, {"second": {"kind": "cascade"}}, "x.yaml")
    assert str(caught.value) == (
        "x.yaml: the settings: expected settings that fit together, got a cascade inside a cascade. Change one of them."
    )


def test_the_facts_are_three_numbers(fitted: Cascade, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    facts = json.loads((tmp_path / "cascade.json").read_text(encoding="utf-8"))
    assert facts == {"temperatures": list(fitted.temperatures), "threshold": fitted.threshold}


def test_a_saved_cascade_of_unknown_models_is_refused(fitted: Cascade, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    with pytest.raises(ModelError, match=r"^model\.params\.second\.kind: expected one of [^\n]+, got 'lstm'\."):
        cascade.load(tmp_path, Params.model_validate(CHEAP | {"second": {"kind": "lstm"}}))
