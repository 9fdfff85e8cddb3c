"""Texts in memory."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stance.errors import ConfigError, ModelError
from stance.inference import MAX_CHARACTERS, Predictor, missing_reason
from stance.inference import predictor as predictor_module
from stance.schema import DEFAULT_TARGET, LABELS, Query

ANTI = "We will never hand over our guns."
PRO = "They must lay down their weapons."


class Counting:
    """A model that remembers what it was asked, for the tests of what is asked at all."""

    def __init__(self, model):
        self.model = model
        self.asked = []

    def logits(self, queries):
        self.asked.append([query.text for query in queries])
        return self.model.logits(queries)

    def explain(self, query, label):
        return self.model.explain(query, label)

    def save(self, folder):
        self.model.save(folder)


@pytest.fixture
def counting(predictor):
    return Predictor(replace(predictor.classifier, model=Counting(predictor.classifier.model)))


def test_predictions_are_those_of_the_classifier_in_the_order_of_the_texts(predictor):
    texts = [PRO, ANTI, "The delegation met."]
    expected = predictor.classifier.predict_proba([Query(text) for text in texts])
    predictions = predictor.predict(texts)
    assert [p.label for p in predictions] == [LABELS[i] for i in expected.argmax(axis=1)] == ["pro", "anti", "neutral"]
    np.testing.assert_allclose([p.probabilities for p in predictions], expected, atol=1e-12)


def test_no_texts_give_no_predictions(predictor):
    assert predictor.predict([]) == []


def test_texts_that_cannot_be_scored_give_none_in_their_places(predictor):
    texts = [None, ANTI, "", " \t\n", "caf\udce9", "a\0b", PRO]
    (anti, pro) = predictor.predict([ANTI, PRO])
    assert predictor.predict(texts) == [None, anti, None, None, None, None, pro]


@pytest.mark.parametrize(
    "text, reason",
    [
        (None, "missing"),
        ("", "blank"),
        (" \t\r\n\u00a0", "blank"),
        ("\u200b\ufeff", "blank"),
        ("caf\udce9", "invalid UTF-8"),
        ("\ud83d", "invalid UTF-8"),
        ("\0", "NUL byte"),
        ("a\0b", "NUL byte"),
        (" " * MAX_CHARACTERS + "text", "blank"),
        ("“Never.”", None),
        ("...", None),
        ("平和", None),
    ],
)
def test_the_reason_says_why_a_text_is_not_scored(text, reason):
    assert missing_reason(text) == reason


def test_identical_texts_are_scored_once(counting):
    first, second, third, *_ = counting.predict([PRO, ANTI, PRO, None, ANTI])
    assert counting.classifier.model.asked == [[PRO, ANTI]]
    assert first == third != second


def test_a_long_text_is_scored_by_its_beginning(counting):
    beginning = (ANTI + " ") * (MAX_CHARACTERS // (len(ANTI) + 1) + 1)
    megabyte = beginning[:MAX_CHARACTERS] + PRO * 30_000
    assert len(megabyte) > 1_000_000
    assert counting.predict([megabyte]) == counting.predict([megabyte[:MAX_CHARACTERS]])
    assert [len(text) for texts in counting.classifier.model.asked for text in texts] == [MAX_CHARACTERS] * 2


def test_many_characters_reach_the_model_in_several_calls(counting, monkeypatch):
    texts = [f"{ANTI} {number}" for number in range(25)]
    together = counting.predict(texts)
    monkeypatch.setattr(predictor_module, "_CHARACTERS_AT_ONCE", 10 * len(ANTI))
    assert counting.predict(texts) == together
    assert [len(asked) for asked in counting.classifier.model.asked] == [25, 10, 10, 5]


def test_the_words_of_an_explanation_are_those_of_the_text(predictor):
    attributions = predictor.explain(ANTI)
    assert [ANTI[a.start : a.end] for a in attributions] == ["We", "will", "never", "hand", "over", "our", "guns"]
    assert attributions == predictor.classifier.model.explain(Query(ANTI), LABELS.index("anti"))


def test_a_blank_text_has_no_explanation(predictor):
    assert predictor.explain(" ") == []


def test_the_only_target_is_taken(predictor):
    assert predictor.target == DEFAULT_TARGET
    assert Predictor(replace(predictor.classifier, targets=("a treaty",))).target == "a treaty"
    assert Predictor(replace(predictor.classifier, targets=())).target == DEFAULT_TARGET


def test_one_of_several_targets_must_be_named(predictor):
    classifier = replace(predictor.classifier, targets=("a treaty", "a truce"))
    with pytest.raises(ConfigError) as caught:
        Predictor(classifier)
    assert str(caught.value) == "--target: expected one of 'a treaty', 'a truce', got nothing. Name one."
    assert Predictor(classifier, "a truce").target == "a truce"


def test_a_blank_target_is_refused(predictor):
    with pytest.raises(ConfigError) as caught:
        Predictor(predictor.classifier, " ")
    assert str(caught.value) == "--target: expected a target, got ' '. Name one."


def test_a_target_that_the_model_never_saw_is_taken_with_a_warning(predictor, caplog):
    assert Predictor(replace(predictor.classifier, targets=("a treaty",)), "a treatty").target == "a treatty"
    assert caplog.messages == ["The model never saw the target 'a treatty'. Did you mean 'a treaty'?"]


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"expected a model folder with model\.json, got none there"):
        Predictor.load(tmp_path)


def test_importing_the_stage_loads_no_heavy_library():
    heavy = "{'sklearn', 'mlflow', 'torch', 'transformers', 'pandas', 'pyarrow'}"
    code = f"import sys, stance.inference; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert (run.stdout, run.stderr) == ("[]\n", "")
