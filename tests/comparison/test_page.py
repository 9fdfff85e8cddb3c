"""The page of a comparison: what it says, that it needs nothing else, and that no foreign text is markup."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from stance.comparison import Comparison, Read, compare, detail, learning_curves, page
from stance.comparison.figures import figures
from stance.comparison.runs import Found
from stance.comparison.words import sentence

MakeRun = Callable[..., Read]
GOLD = "anp" * 20
GOOD = "anp" * 17 + "pan" * 3
BAD = "anp" * 6 + "aap" * 14


def _in_theatres(one: Read) -> Read:
    """The same run with a large theatre and a small one."""
    n = len(one.predictions.ids)
    theatres = tuple("north & south" if at < 40 else "coast" for at in range(n))
    return Read(one.run, replace(one.predictions, theatres=theatres))


@pytest.fixture
def found(make_run: MakeRun) -> Found:
    """Two seeds of a good system, one of a bad one, and the good one's learning curve."""
    runs = [make_run(GOLD, GOOD, "good", seed, kind="x") for seed in ("0", "1")]
    runs.append(make_run(GOLD, BAD, "bad", kind="y"))
    runs = [Read(replace(_in_theatres(one).run, seconds=60.0), _in_theatres(one).predictions) for one in runs]
    point = make_run(GOLD, BAD, "good")
    return Found(runs, ["older runs"], [Read(replace(point.run, share=0.5), point.predictions)])


def _page(found: Found, **changes: object) -> str:
    compared = compare(found.runs, "test", resamples=200)
    return page(compared, detail(compared, found), "stance compare good bad", changed=6)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    return parser.tags


def test_every_section_and_figure_is_there(found: Found) -> None:
    text = _page(found)
    assert re.findall(r"<h2>(.*?)</h2>", text) == [
        "Scores",
        "Can the probabilities be trusted?",
        "Where do they differ?",
        "What is missing, and why",
        "How it was measured",
    ]
    assert re.findall(r"<figure><h3>(.*?)</h3><svg", text) == [
        "Score",
        "Paired differences",
        "Score against cost",
        "Learning curve",
        "Reliability",
        "Risk and coverage",
        "By conflict",
    ]


def test_the_page_asks_for_nothing_from_outside_and_runs_nothing(found: Found) -> None:
    tags = _tags(_page(found))
    assert not {"script", "link", "img", "iframe", "object", "image", "foreignobject", "form"} & {
        tag for tag, _ in tags
    }
    addresses = [value for _, attrs in tags for name, value in attrs.items() if name in ("src", "href", "xlink:href")]
    assert all(value is not None and value.startswith("#") for value in addresses)
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]
    assert "@import" not in _page(found)


def test_equal_comparisons_give_equal_pages_and_no_id_stands_twice(found: Found) -> None:
    text = _page(found)
    assert _page(found) == text
    ids = [attrs["id"] for _, attrs in _tags(text) if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    assert used <= set(ids)


HOSTILE = "<script>alert(1)</script>\"'&$\\frac{1}$\x1b[2J\u202e"


def test_no_foreign_text_is_markup_or_mathematics(make_run: MakeRun, found: Found) -> None:
    many = {"texts": [HOSTILE] * 3, "ids": [f"{HOSTILE}{at}" for at in range(3)]}
    runs = [
        make_run("anp", "anp", HOSTILE, seed=HOSTILE, x=HOSTILE, **many),
        make_run("anp", "naa", "b", x="1", **many),
    ]
    runs = [Read(one.run, replace(one.predictions, theatres=(HOSTILE, HOSTILE, "_"))) for one in runs]
    compared = compare(runs, "test", resamples=50)
    text = page(compared, detail(compared, Found(runs, [HOSTILE])), f"stance compare {HOSTILE}", changed=9)
    assert "script" not in {tag for tag, _ in _tags(text)}
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("&lt;script&gt;") > 8
    benign = {name for _, attrs in _tags(_page(found)) for name in attrs}
    assert {name for _, attrs in _tags(text) for name in attrs} <= benign


def test_a_name_between_dollars_is_no_formula(make_run: MakeRun) -> None:
    runs = [make_run("anp", "anp", "$\\frac{1}$"), make_run("anp", "aap", "b")]
    compared = compare(runs, "test", resamples=5)
    assert figures(compared, detail(compared, Found(runs)))["scores"].count(">$\\frac{1}$</text>") == 1


def test_colours_are_the_pages_own(found: Found) -> None:
    drawn = "".join(re.findall(r"<figure>.*?</figure>", _page(found), re.DOTALL))
    assert set(re.findall(r"(?:fill|stroke): ?(#[0-9a-f]{3,6})", drawn)) == set()
    assert {"var(--ink)", "var(--line)", "var(--s0)", "var(--s1)"} <= set(re.findall(r"var\(--\w+\)", drawn))


def test_what_is_missing_is_said_with_its_reason(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, GOOD, "good"), make_run(GOLD, BAD, "bad", "1", probabilities=False)]
    compared = compare(runs, "test", resamples=50)
    missing = detail(compared, Found(runs, ["x: too large"])).missing
    assert missing == (
        "Left out: x: too large",
        "One seed only: good, bad. What another seed would give is not known.",
        "No calibration and no selective prediction: bad logged no probabilities.",
        "No scores by conflict: the predictions have no column theatre.",
        "No learning curve: no run was trained on a share of the data (protocol learning-curve).",
        "No cost of some runs: they tell no time.",
    )


def test_a_conflict_has_the_accuracy_of_its_own_statements_and_an_interval_if_it_is_large(found: Found) -> None:
    compared = compare(found.runs, "test", resamples=50)
    large, small = detail(compared, found).theatres
    assert (large.name, large.n, large.groups, small.name, small.n) == ("north & south", 40, 40, "coast", 20)
    gold, good = np.array(list(GOLD)), np.array(list(GOOD))
    for theatre, rows in ((large, _rows_of(found, 0)), (small, _rows_of(found, 1))):
        assert theatre.accuracies[0].value == pytest.approx((gold == good)[rows].mean())
    assert large.accuracies[0].low <= large.accuracies[0].value <= large.accuracies[0].high
    assert np.isnan(small.accuracies[0].low)


def _rows_of(found: Found, which: int) -> list[int]:
    names = found.runs[0].predictions.theatres
    return [at for at, name in enumerate(names) if name == ("north & south", "coast")[which]]


def test_a_learning_curve_ends_with_the_system_itself(found: Found) -> None:
    compared = compare(found.runs, "test", resamples=50)
    good, bad = detail(compared, found).systems
    assert [(step.share, step.seeds) for step in good.steps] == [(0.5, 1), (1.0, 2)]
    assert good.steps[1].score.value == pytest.approx(compared.systems[0].mean)
    assert good.steps[0].score.value == pytest.approx(compared.systems[1].mean)
    assert bad.steps == ()
    assert learning_curves(compared, found) == {"good": good.steps}
    table = re.search(r"Learning curve as a table.*?</details>", _page(found), re.DOTALL)
    assert table is not None
    assert table[0].count("50%") == table[0].count("100%") == 1
    assert "Learning curve as a table" not in _page(replace(found, curve=[]))


def _compared(make_run: MakeRun, *predicted: str) -> Comparison:
    runs = [make_run(GOLD, each, f"run{at}") for at, each in enumerate(predicted)]
    return compare(runs, "test", resamples=2000)


def test_a_sure_difference_is_told_in_words(make_run: MakeRun) -> None:
    compared = _compared(make_run, GOLD, BAD)
    (pair,) = compared.pairs
    assert sentence(pair, compared) == (
        f"run0 is better than run1 by {pair.difference.value:.3f} [{pair.difference.low:.3f}, "
        f"{pair.difference.high:.3f}] macro-F1, p < 0.001, on 60 statements of 60 groups."
    )


def test_with_a_baseline_that_is_better_the_words_turn_the_difference_round(make_run: MakeRun) -> None:
    runs = [make_run(GOLD, GOLD, "good"), make_run(GOLD, BAD, "bad"), make_run(GOLD, GOOD, "fair")]
    compared = compare(runs, "test", baseline="good")
    pair = next(pair for pair in compared.pairs if pair.one == "bad")
    assert pair.difference.value < 0
    assert sentence(pair, compared).startswith(
        f"good is better than bad by {-pair.difference.value:.3f} [{-pair.difference.high:.3f}, "
        f"{-pair.difference.low:.3f}] macro-F1, p "
    )
    assert " after Holm, on 60 " in sentence(pair, compared)


def test_an_uncertain_difference_is_called_uncertain(make_run: MakeRun) -> None:
    compared = _compared(make_run, GOLD[:-1] + "n", GOLD[:-2] + "pp")
    (pair,) = compared.pairs
    told = sentence(pair, compared)
    assert told.startswith("Whether run0 is better than run1 is not certain: it leads by 0.0")
    assert "[−0." in told
    one_group = compare([make_run("anp", p, f"r{p}", groups="ggg") for p in ("anp", "aap")], "test")
    assert sentence(one_group.pairs[0], one_group) == (
        "Between ranp and raap nothing can be tested on 3 statements of 1 group."
    )
