"""The card: front matter that the Hub's own reader takes, every number from the evaluation, no foreign markup."""

from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard

from stance.evaluation import Evaluation, evaluate
from stance.evaluation.behaviour import Failure, Outcome
from stance.models import Classifier
from stance.registry.card import card


@pytest.fixture
def evaluation() -> Evaluation:
    gold = np.arange(40) % 3
    probabilities = np.full((40, 3), 0.1)
    probabilities[np.arange(40), np.where(np.arange(40) < 30, gold, (gold + 1) % 3)] = 0.8
    theatres = ["north" if n % 2 else "<b>south</b>|" for n in range(40)]
    return evaluate(gold, probabilities, [f"g{n}" for n in range(40)], facets={"theatre": theatres}, majority=0)


@pytest.fixture
def whole(classifier: Classifier, evaluation: Evaluation) -> str:
    outcome = Outcome("negation", "label", 4, (Failure(("a",), "pro", ("anti 0.90",)),))
    return card(classifier, {"test_unseen": evaluation}, [outcome])


def test_the_front_matter_is_what_the_hub_reads(whole: str, evaluation: Evaluation) -> None:
    facts = ModelCard(whole, ignore_metadata_errors=False).data
    assert (facts.language, facts.license, facts.library_name) == ("en", "apache-2.0", "stance")
    assert (facts.pipeline_tag, facts.datasets, facts.model_name) == ("text-classification", ["arms"], "tiny")
    assert facts.tags == ["stance-detection", "disarmament", "majority"]
    assert facts.eval_results is not None
    (f1, accuracy) = facts.eval_results
    assert (f1.metric_name, f1.metric_value) == ("Macro-F1", round(evaluation.metrics["macro_f1"].value, 4))
    assert (accuracy.metric_type, accuracy.metric_value, accuracy.dataset_split) == ("accuracy", 0.75, "test_unseen")


def test_the_card_has_data_scores_calibration_behaviour_and_limits(whole: str, evaluation: Evaluation) -> None:
    f1 = evaluation.metrics["macro_f1"]
    for line in (
        f"Data set `arms`, fingerprint `{'ab' * 32}`.",
        "| train | 4 | - | 2 | 1 | 1 |",
        "| test_unseen | 40 | 40 | 14 | 13 | 13 |",
        f"| macro_f1 | {f1.value:.3f} [{f1.low:.3f}, {f1.high:.3f}] |",
        "Logits are divided by a temperature of 1.500, found on validation.",
        "| test_unseen | 0.73 to 0.80 | 40 | 0.800 | 0.750 |",
        "| negation | label | 4 | 1 | 25% |",
        "| all |  | 4 | 1 | 25% |",
    ):
        assert line in whole.splitlines(), line
    headings = [line for line in whole.splitlines() if line.startswith("#")]
    assert headings == [
        "# tiny: stance towards the disarmament of non-state armed groups",
        *("## Intended use", "## Data", "## Scores", "### test_unseen by theatre", "## Calibration", "## Behaviour"),
        "## Limits",
    ]


def test_no_foreign_name_is_markup(whole: str, classifier: Classifier) -> None:
    assert "| &#60;b&#62;south&#60;/b&#62;&#124; | 20 |" in whole
    named = card(replace(classifier, targets=("<script>\n# arms",)), {})
    assert "# tiny: stance towards &#60;script&#62; # arms\n" in named


def test_splits_that_were_learnt_from_beside_train_are_told(classifier: Classifier, evaluation: Evaluation) -> None:
    origin = {**classifier.origin, "config": {"data": {"extra_train_splits": ["test_unseen", "test"]}}}
    told = "In train: the statements of test and test_unseen, too."
    assert told in card(replace(classifier, origin=origin), {"validation": evaluation})
    empty = card(replace(classifier, origin=origin), {})
    assert "Not measured: the model has learnt from test and test_unseen, on which others are measured." in empty
    assert told not in card(classifier, {})


def test_what_was_not_measured_is_said(classifier: Classifier) -> None:
    empty = card(classifier, {})
    assert "Not measured: the data that the model was trained on is not there, or has changed." in empty
    assert "The suite of hand-written cases was not run." in empty
