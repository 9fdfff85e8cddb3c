from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.evaluation import evaluate, write_plots
from stance.evaluation.plots import _by_facet

PNG = b"\x89PNG\r\n\x1a\n"


def test_plots_are_png_files_one_per_facet_and_the_same_bytes_twice(
    simulate: Callable[..., Any], tmp_path: Path
) -> None:
    gold, probabilities, groups = simulate(n=60)
    facets = {"theatre": ["x", "y", None] * 20, "actor_type": ["state"] * 60}
    found = evaluate(gold, probabilities, groups, facets=facets, resamples=10)
    paths = write_plots(found, tmp_path / "new" / "one", "tfidf on test")
    names = ["confusion.png", "reliability.png", "risk_coverage.png", "by_theatre.png", "by_actor_type.png"]
    assert paths == [tmp_path / "new" / "one" / name for name in names]
    again = write_plots(found, tmp_path / "two", "tfidf on test")
    for one, other in zip(paths, again, strict=True):
        assert one.read_bytes().startswith(PNG)
        assert one.read_bytes() == other.read_bytes()
        assert b"matplotlib" not in one.read_bytes().lower()


def test_one_statement_without_intervals_can_be_plotted(tmp_path: Path) -> None:
    found = evaluate(np.array([1]), np.array([[0.2, 0.2, 0.6]]), ["a"], facets={"theatre": [None]})
    assert len(write_plots(found, tmp_path, "tiny")) == 4


def test_a_facet_of_many_values_shows_the_largest_by_accuracy_and_says_so() -> None:
    values = [f"theatre_{number}" for number in range(60) for _ in range(number + 1)]
    gold = np.arange(len(values)) % 3
    found = evaluate(gold, np.eye(3)[np.arange(len(values)) % 7 % 3], values, facets={"theatre": values}, resamples=0)
    figure = _by_facet(found, "theatre", "head")
    left, right = figure.axes
    shown = [tick.get_text() for tick in left.get_yticklabels()]
    lengths = [bar.get_width() for bar in left.patches]
    assert len(shown) == len(lengths) == len(right.patches) == 25
    assert lengths == sorted(lengths)
    assert "theatre 59 (n = 60)" in shown
    assert "theatre 34 (n = 35)" not in shown
    assert figure.get_supxlabel().splitlines()[-1] == "The 25 largest of 60 values are shown."


def test_pyplot_is_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    found = evaluate(np.array([1]), np.array([[0.2, 0.2, 0.6]]), ["a"])
    assert len(write_plots(found, tmp_path, "tiny")) == 3
