"""The baseline that reads nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stance.errors import ModelError
from stance.models import majority, softmax
from stance.schema import Example, Query


def shares(examples: list[Example]) -> list[float]:
    model = majority.fit(examples, [], majority.Params(), seed=0)
    return softmax(model.logits([Query("Whatever.")]))[0].tolist()


def test_every_text_gets_the_label_shares_with_one_more_of_each(labelled: list[Example]) -> None:
    # 2 anti, 4 neutral and 4 pro become 3, 5 and 5 of 13.
    assert shares(labelled[2:]) == pytest.approx([3 / 13, 5 / 13, 5 / 13])


def test_a_label_that_does_not_occur_is_not_impossible(labelled: list[Example]) -> None:
    assert shares(labelled[:4]) == pytest.approx([5 / 7, 1 / 7, 1 / 7])


def test_examples_count_by_their_weight(labelled: list[Example]) -> None:
    weighted = [replace(example, weight=2.5 if example.label == "pro" else 0.5) for example in labelled]
    assert shares(weighted) == pytest.approx([3 / 17, 3 / 17, 11 / 17])


def test_no_word_is_to_blame(labelled: list[Example]) -> None:
    assert majority.fit(labelled, [], majority.Params(), seed=0).explain(Query("Disarm."), 2) == []


def test_the_saved_model_is_three_numbers(labelled: list[Example], tmp_path: Path) -> None:
    model = majority.fit(labelled, [], majority.Params(), seed=0)
    model.save(tmp_path)
    third = float(np.log(5 / 15))
    assert (tmp_path / "majority.json").read_text() == f'{{"log_shares": [{third}, {third}, {third}]}}\n'
    assert np.array_equal(majority.load(tmp_path, majority.Params()).log_shares, model.log_shares)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "{",
            "expected log label shares, got Expecting property name enclosed in double quotes: line 1 column 2 "
            "(char 1)",
        ),
        ("[]", "expected log label shares, got list indices must be integers or slices, not str"),
        ("{}", "expected log label shares, got 'log_shares'"),
        pytest.param(
            "[" * 10**5,
            "expected log label shares, got maximum recursion depth exceeded while decoding a JSON array from a "
            "unicode string",
            id="brackets",
        ),
        ('{"log_shares": "x"}', "expected log label shares, got could not convert string to float: 'x'"),
        ('{"log_shares": [1, 2]}', "expected 3 finite log shares, got [1. 2.]"),
        ('{"log_shares": [1, 2, NaN]}', "expected 3 finite log shares, got [ 1. 2. nan]"),
    ],
)
def test_a_damaged_model_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "majority.json").write_text(content)
    with pytest.raises(ModelError) as error:
        majority.load(tmp_path, majority.Params())
    assert str(error.value) == f"{tmp_path}/majority.json: {message}. Train the model again."
