"""Reading the prediction artefact, which anybody may have written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stance.comparison import Read, predictions
from stance.comparison.predictions import check_same, check_size, clean, read_predictions
from stance.errors import DataError

MakeRun = Callable[..., Read]

HEAD = "id,group,label,predicted,p_anti,p_neutral,p_pro,text\n"
"""The columns of ours that are read, in another order."""


def _read(folder: Path, content: str | bytes) -> predictions.Predictions:
    path = folder / "test.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_predictions(path, "run: test.csv")


def test_statements_come_in_the_order_of_their_ids_with_all_they_have(tmp_path: Path) -> None:
    found = _read(tmp_path, HEAD + 'b,g,pro,anti,0.5,0.2,0.3,"two\nlines, one ""text"""\na,h,neutral,neutral,0,1,0,x\n')
    assert (found.ids, found.groups, found.texts) == (("a", "b"), ("h", "g"), ("x", 'two\nlines, one "text"'))
    assert (found.gold.tolist(), found.predicted.tolist()) == ([1, 2], [1, 0])
    assert found.probabilities is not None
    assert found.probabilities.tolist() == [[0, 1, 0], [0.5, 0.2, 0.3]]


def test_a_run_without_probabilities_or_text_can_be_compared(tmp_path: Path) -> None:
    found = _read(tmp_path, "\ufeffpredicted,label,group,id,more\npro,pro,g,1,\n")
    assert (found.ids, found.texts, found.probabilities) == (("1",), ("",), None)


NEEDED = (
    "expected the columns id, group, label, predicted (and p_anti, p_neutral, p_pro or none of these), "
    "got none named {}. Log the missing columns."
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", NEEDED.format("id, group, label, predicted")),
        ("id,label,predicted\n", NEEDED.format("group")),
        ("id,group,label,predicted,p_pro\n", NEEDED.format("p_anti, p_neutral")),
        (HEAD, "expected predictions, got no rows. Log the predictions of each statement."),
        (HEAD + "a,g,pro\n", "expected 8 cells a row, got another number in row 1. Correct it."),
        (HEAD + "a,g,pro,pro,0,0,1,x,y\n", "expected 8 cells a row, got another number in row 1. Correct it."),
        (HEAD + "a,g,pro,pro,0,0,1,x\n" * 2, "expected each id once, got 'a' twice. Give each statement an id."),
        (HEAD + 'a,g,pro,pro,0,0,1,"x', "expected a CSV file in UTF-8, got unexpected end of data. Log it again."),
        (
            HEAD.encode() + b"\xff",
            "expected a CSV file in UTF-8, got 'utf-8' codec can't decode byte 0xff in position 53: invalid start "
            "byte. Log it again.",
        ),
        (
            HEAD + f"a,g,pro,pro,0,0,1,{'x' * 200_000}\n",
            "expected a CSV file in UTF-8, got field larger than field limit (131072). Log it again.",
        ),
        (
            HEAD + "a,g,pro,FAVOR,0,0,1,x\n",
            "predicted of a: expected one of anti, neutral, pro, got 'FAVOR'. Log these labels.",
        ),
        (
            HEAD + "a,g,pro,pro,0,0,1e999,x\n",
            "expected probabilities from 0 to 1 that sum to 1, got [0.0, 0.0, inf] for a. Log probabilities.",
        ),
        (
            HEAD + "a,g,pro,pro,nan,0,1,x\n",
            "expected probabilities from 0 to 1 that sum to 1, got [nan, 0.0, 1.0] for a. Log probabilities.",
        ),
        (
            HEAD + "a,g,pro,pro,,0,1,x\n",
            "expected probabilities as numbers, got could not convert string to float: ''. Log numbers.",
        ),
    ],
)
def test_a_file_that_holds_no_predictions_is_refused_in_one_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        _read(tmp_path, content)
    assert str(caught.value) == f"run: test.csv: {message}"


def test_a_file_of_more_than_200_mb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(predictions.MOST_BYTES + 1_000_000)
    with pytest.raises(DataError) as caught:
        read_predictions(path, "run: huge.csv")
    assert str(caught.value) == (
        "run: huge.csv: expected at most 200 MB, got 201 MB. Log fewer statements or shorter texts."
    )
    check_size(None, "a server that tells no size")


def test_foreign_text_becomes_one_line_that_cannot_steer_a_terminal() -> None:
    assert clean("a\x1b[31m red\n\tand \u202eback") == "a\ufffd[31m red and \ufffdback"


def test_runs_on_the_same_statements_pass(make_run: MakeRun) -> None:
    check_same([("a", make_run("anp", "aaa").predictions), ("b", make_run("anp", "ppp").predictions)])


@pytest.mark.parametrize(
    ("gold", "ids", "groups", "got"),
    [
        ("anpp", "abcf", "1234", "2 only in tfidf (d, e) and 1 only in other (f)"),
        ("anpap", "abcde", "12345", "another gold label in 1 of 5 (d)"),
        ("aappp", "abcde", "12344", "another gold label in 1 of 5 (b)"),
        ("anppp", "abcde", "11111", "another group in 4 of 5 (b, c, d, ...)"),
    ],
)
def test_a_difference_between_runs_is_named(make_run: MakeRun, gold: str, ids: str, groups: str, got: str) -> None:
    reference = make_run("anppp", "aaaaa", ids="abcde", groups="12345").predictions
    other = make_run(gold, "a" * len(gold), ids=ids, groups=groups).predictions
    with pytest.raises(DataError) as caught:
        check_same([("tfidf", reference), ("other", other)])
    assert str(caught.value) == (
        f"tfidf and other: expected the same statements, gold labels and groups, got {got}. "
        "Compare runs that were evaluated on the same data."
    )
