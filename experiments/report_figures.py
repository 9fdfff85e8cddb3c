"""Two figures of the report: are the probabilities right, and what is left to decide if the unsure are left out.

As in `stance.evaluation.plots`, figures are built without pyplot and equal input gives equal bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stance.evaluation import Bin, Evaluation
from stance.evaluation.plots import BLACK, BLUE, DPI, GREEN, GREY, ORANGE, PALE, SKY, new_figure, plain, write_png
from stance.schema import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (GREY, SKY, GREEN, BLUE, ORANGE, "#CC79A7", BLACK)
FEW = 5
"""Statements below which the accuracy of a bin is mostly luck, and is not drawn."""


def reliability_figure(bins: Mapping[str, tuple[Sequence[Bin], Sequence[Bin]]], head: str, path: Path) -> None:
    """Write a panel for each model: accuracy against confidence, before and after temperature scaling."""
    across = min(3, len(bins))
    down = -(-len(bins) // across)
    figure = new_figure(3.1 * across, 2.9 * down + 0.7)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(bins) :]:
        panel.set_visible(False)
    for panel, (name, (before, after)) in zip(panels.flat, bins.items(), strict=False):
        panel.plot([0, 1], [0, 1], color=ORANGE, linewidth=1.2, linestyle="--", label="perfect")
        _points(panel, before, GREY, "temperature 1")
        _points(panel, after, BLUE, "fitted temperature")
        panel.set_title(name, fontsize=10)
        _gridded(panel)
    panels[0, 0].set_xlim(1 / len(LABELS), 1)
    panels[0, 0].set_ylim(0, 1.02)
    panels[0, 0].legend(frameon=False, fontsize=7.5, loc="upper left")
    figure.suptitle(f"{head}; a point is a bin of {FEW} or more statements, its size their number", fontsize=10)
    figure.supxlabel("Confidence (probability of the predicted label)", fontsize=9)
    figure.supylabel("Accuracy (share correct)", fontsize=9)
    _write(figure, path)


def risk_coverage_figure(evaluations: Mapping[str, Mapping[str, Evaluation]], path: Path) -> None:
    """Write a panel for each split, a curve for each model: the error rate among the most confident statements."""
    figure = new_figure(5.0 * len(evaluations), 4.6)
    panels = figure.subplots(1, len(evaluations), sharey=True, squeeze=False)[0]
    for panel, (split, by_model) in zip(panels, evaluations.items(), strict=True):
        for (name, evaluation), colour in zip(by_model.items(), COLOURS, strict=False):
            # The first few statements of a curve jump between 0 and 1.
            shown = [point for point in evaluation.risk_coverage if point.coverage >= 0.05]
            panel.plot([p.coverage for p in shown], [p.risk for p in shown], color=colour, linewidth=1.6, label=name)
            of_all = evaluation
        panel.axhline(0.1, color=BLACK, linewidth=0.8, linestyle=":")
        panel.set_title(f"{split}, n = {of_all.n} in {of_all.groups} groups", fontsize=10)
        panel.set_xlim(0, 1)
        panel.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        panel.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        panel.set_xlabel("Coverage (share of statements decided, most confident first)", fontsize=9)
        _gridded(panel)
    # The panels share the axis: its lower end alone is set, and only once all curves are there.
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("Risk (error rate of those decided; dots: 10%)", fontsize=9)
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=len(names), frameon=False, fontsize=9)
    _write(figure, path)


def _points(panel: "Axes", bins: Sequence[Bin], colour: str, label: str) -> None:
    shown = [part for part in bins if part.n >= FEW]
    confidence, accuracy = [part.confidence for part in shown], [part.accuracy for part in shown]
    panel.plot(confidence, accuracy, color=colour, linewidth=1, label=label)
    panel.scatter(confidence, accuracy, s=2 * np.sqrt([part.n for part in shown]) ** 1.5, color=colour, zorder=3)


def _gridded(panel: "Axes") -> None:
    plain(panel)
    panel.grid(color=PALE, linewidth=0.8)


def _write(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(figure, path, DPI // 2)
