"""A comparison as text, Markdown and CSV."""

import csv
import io
from collections.abc import Callable

import pytest

from stance.comparison import Comparison, Read, as_csv, compare, markdown, text
from stance.comparison.details import Step
from stance.evaluation import Estimate

MakeRun = Callable[..., Read]
GOLD = "anp" * 8


@pytest.fixture
def compared(make_run: MakeRun) -> Comparison:
    """Two seeds of one config against one of another."""
    predicted = {"0": "anpaaaanp", "1": "anpaaaapp"}
    runs = [make_run(GOLD, start + GOLD[9:], "tfidf", seed, kind="tfidf", C="1") for seed, start in predicted.items()]
    bad = make_run(GOLD, "a" * 23 + "n", "majority", kind="majority", hash="0123456789abcdef" * 4)
    return compare([*runs, bad], "test", resamples=100)


SHOWN = """\
test: 24 statements in 24 groups
run       seeds  macro_f1  range           95% interval    accuracy  ece    id
tfidf     0 1    0.896     0.874 to 0.919  [0.758, 0.977]  0.896     0.104  00000001 ...
majority  0      0.172     -               [0.103, 0.234]  0.333     0.667  00000003
macro_f1, accuracy and ece: means over seeds. Range: over seeds. Lower is better: ece.
Interval: percentile bootstrap of the mean over 24 groups, 100 resamples, seed 0.

Settings that differ
setting  tfidf  majority
C        1      -
hash     -      0123456789ab
kind     tfidf  majority

Differences
pair              macro_f1  95% interval      won/lost  p      (Holm)  McNemar  (Holm)
tfidf - majority  +0.724    [+0.586, +0.802]  14/0      0.010  0.010   <0.001   <0.001
p: paired bootstrap over groups, two-sided. McNemar: exact, statements as if independent.
Holm: adjusted for 1 pair. Won/lost: only the first/second is right.
Of several seeds, won/lost and McNemar count the label that most of them predict.

tfidf - majority: 14 statements with another label
     id  gold     tfidf    majority  text
won  s1  neutral  neutral  anti      text 1
won  s2  pro      pro      anti      text 2
... and 12 more
"""


def test_text_shows_scores_settings_tests_and_changes(compared: Comparison) -> None:
    assert text(compared, changed=2) == SHOWN


def test_markdown_has_the_same_tables(compared: Comparison) -> None:
    lines = markdown(compared, changed=2).splitlines()
    assert lines[:5] == [
        "**test: 24 statements in 24 groups**",
        "",
        "| run | seeds | macro_f1 | range | 95% interval | accuracy | ece | id |",
        "|---|---|---|---|---|---|---|---|",
        "| tfidf | 0 1 | 0.896 | 0.874 to 0.919 | [0.758, 0.977] | 0.896 | 0.104 | 00000001 ... |",
    ]
    difference = "| tfidf - majority | +0.724 | [+0.586, +0.802] | 14/0 | 0.010 | 0.010 | &#60;0.001 | &#60;0.001 |"
    assert difference in lines
    assert lines[-3:] == ["| won | s2 | pro | pro | anti | text 2 |", "", "... and 12 more"]


def test_a_learning_curve_is_a_table_of_its_own(compared: Comparison) -> None:
    curves = {"tfidf": [Step(0.25, 1, Estimate(0.5, 0.4, 0.6)), Step(1.0, 2, Estimate(0.9))]}
    lines = text(compared, curves=curves).splitlines()
    start = lines.index("Learning curve")
    assert lines[start + 1 : start + 5] == [
        "run    share  seeds  macro_f1  95% interval",
        "tfidf  25%    1      0.500     [0.400, 0.600]",
        "tfidf  100%   2      0.900     -",
        "Share: of the training groups. Scores: means over seeds, with intervals as those above.",
    ]
    assert "| tfidf | 25% | 1 | 0.500 | [0.400, 0.600] |" in markdown(compared, curves=curves).splitlines()
    rows = list(csv.reader(io.StringIO(as_csv(compared, curves=curves))))
    assert [row[3:] for row in rows if row[0] == "curve"] == [
        ["macro_f1 at 0.25", "0.5"],
        ["macro_f1_low at 0.25", "0.4"],
        ["macro_f1_high at 0.25", "0.6"],
        ["macro_f1 at 1", "0.9"],
        ["macro_f1_low at 1", ""],
        ["macro_f1_high at 1", ""],
    ]
    assert "Learning curve" not in text(compared)


def test_few_groups_are_warned_of(make_run: MakeRun) -> None:
    few = compare([make_run("anp", "anp")], "test", resamples=10)
    assert "Fewer than 20 groups: intervals are too narrow and bootstrap p-values too small." in text(few).splitlines()
    one = compare([make_run("anp", "anp", groups="ggg")], "test")
    assert "No intervals, since all statements are of one group." in text(one).splitlines()
    assert "Differences" not in text(one)


def test_no_line_of_text_is_wider_than_a_terminal_and_the_first_column_comes_again(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, GOLD, f"{letter * 60}", setting=letter * 60) for letter in "abcdef"]
    lines = text(compare(runs, "test", resamples=5)).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("setting") for line in lines) > 3


HOSTILE = "=1+1|<script>alert(1)</script>\x1b[2J![x](http://x)\n"


def test_foreign_names_and_texts_are_neither_markup_nor_formulas_nor_steer_a_terminal(make_run: MakeRun) -> None:
    runs = [
        make_run("anp", "anp", HOSTILE, ids=["-1+2", "b", "c"], texts=[HOSTILE] * 3, x="@SUM(A1)"),
        make_run("anp", "naa", "other", ids=["-1+2", "b", "c"], texts=[HOSTILE] * 3, x="-1.5e3"),
    ]
    found = compare(runs, "test", resamples=5)
    shown = markdown(found, changed=5)
    assert "<script" not in shown
    assert "](http" not in shown
    tables = [line for line in shown.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {4, 7, 9}
    for output in (shown, text(found, changed=5), as_csv(found, changed=5)):
        assert "\x1b" not in output
    rows = list(csv.reader(io.StringIO(as_csv(found, changed=5))))
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@")) and cell != "-1.5e3"] == []
    assert {row[1] for row in rows if row[0] == "run"} >= {"other"}
    assert ["setting", "other", "", "x", "-1.5e3"] in rows


def test_csv_has_every_number_unrounded_and_nothing_for_what_is_not_known(
    make_run: MakeRun, compared: Comparison
) -> None:
    rows = {tuple(row[:4]): row[4] for row in csv.reader(io.StringIO(as_csv(compared, changed=1)))}
    assert float(rows["run", "tfidf", "", "macro_f1"]) == compared.systems[0].mean
    assert float(rows["test", "tfidf", "majority", "p_holm"]) == compared.pairs[0].p_holm
    assert float(rows["test", "tfidf", "majority", "macro_f1_low"]) == compared.pairs[0].difference.low
    assert rows["run", "tfidf", "", "seeds"] == "0 1"
    assert rows["setting", "majority", "", "C"] == ""
    assert rows["changed", "tfidf", "majority", "s1"] == "won: neutral, not anti, gold neutral"
    bare = as_csv(compare([make_run("anp", "anp", probabilities=False, groups="ggg")], "test"))
    assert {"run,one,,ece,", "run,one,,macro_f1_low,"} <= set(bare.splitlines())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n@", " \t+"])
def test_no_cell_of_the_csv_is_a_formula_whatever_a_foreign_name_begins_with(make_run: MakeRun, start: str) -> None:
    name = f"{start}HYPERLINK(1)"
    found = compare([make_run("anp", "anp", name, seed=name, x=name), make_run("anp", "aap", "b", x="-2")], "test")
    rows = list(csv.reader(io.StringIO(as_csv(found, changed=3))))
    quoted = f"'{name.strip()}"
    assert ["run", quoted, "", "seeds", quoted] in rows
    assert ["setting", quoted, "", "x", quoted] in rows
    assert ["setting", "b", "", "x", "-2"] in rows
    formulas = ("=", "+", "-", "@", "\t", "\r")
    cells = [cell for row in rows for cell in row if cell.startswith(formulas)]
    assert all(float(cell) for cell in cells)
