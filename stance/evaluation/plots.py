"""An evaluation as figures for a paper: confusion, reliability, risk against coverage, and a bar chart per facet.

Figures are built through matplotlib's objects and never through pyplot, so that no state outlives a call. Identical
evaluations give identical bytes under one version of matplotlib. Colours: Okabe & Ito, "Color universal design" (2008).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from stance.evaluation.intervals import Estimate
from stance.evaluation.report import ENOUGH_FOR_INTERVAL, Evaluation, Slice
from stance.schema import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SKY, BLUE, GREEN, ORANGE, GREY, BLACK = "#56B4E9", "#0072B2", "#009E73", "#D55E00", "#999999", "#222222"
PALE: Final = "#E5E5E5"
LARGEST: Final = 25
"""Values of a facet in one figure; more could not be read."""

LONGEST: Final = 36
"""Characters of a value's name beside its bar."""

DPI: Final = 200


def write_plots(evaluation: Evaluation, folder: Path, title: str) -> list[Path]:
    """Write the figures as PNG into `folder`, which is made where it is missing, and return their paths.

    They are `confusion.png`, `reliability.png`, `risk_coverage.png` and `by_<facet>.png` for each facet. `title` opens
    the title of each and should name the model and the split.
    """
    head = f"{title}\nn = {evaluation.n:,} statements in {evaluation.groups:,} groups"
    figures = {
        "confusion": _confusion(evaluation, head),
        "reliability": _reliability(evaluation, head),
        "risk_coverage": _risk_coverage(evaluation, head),
        **{f"by_{facet}": _by_facet(evaluation, facet, head) for facet in evaluation.facets},
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        write_png(figure, path)
        paths.append(path)
    return paths


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure, in inches; its canvas is Agg whatever backend the user has chosen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def write_png(figure: "Figure", path: Path, dpi: int = DPI) -> None:
    """Write `figure`; equal ones give equal bytes."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None})  # or else matplotlib writes its version into the file


def plain(axes: "Axes") -> None:
    """Take the frame off above and to the right, and keep what is drawn over the grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _legend_above(axes: "Axes") -> None:
    """Put the legend between title and axes, where no data can lie beneath it."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=8.5)


def _confusion(evaluation: Evaluation, head: str) -> "Figure":
    """Colour is the share of the gold label, so that a frequent label does not outshine the others."""
    matrix = np.array(evaluation.confusion)
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    figure = new_figure(4.8, 4.1)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(LABELS)):
        for column in range(len(LABELS)):
            ink = "white" if shares[row, column] > 0.55 else BLACK
            text = f"{matrix[row, column]:,}\n{shares[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=11)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), [f"{label}\n({n:,})" for label, n in zip(LABELS, totals, strict=True)])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Predicted label")
    axes.set_ylabel("Gold label (statements)")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format="{x:.0%}", ticks=[0, 0.5, 1])
    bar.set_label("Share of the gold label")
    bar.outline.set_visible(False)
    figure.suptitle(head, fontsize=10)
    return figure


def _reliability(evaluation: Evaluation, head: str) -> "Figure":
    bins = [part for part in evaluation.reliability if part.n]
    middle = [(part.low + part.high) / 2 for part in bins]
    accuracy = [part.accuracy for part in bins]
    confidence = [part.confidence for part in bins]
    width = bins[0].high - bins[0].low
    figure = new_figure(4.8, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(middle, accuracy, width, color=SKY, edgecolor="white")
    upper.plot(confidence, accuracy, "o", color=BLUE, markeredgecolor="white", label="Accuracy at mean confidence")
    upper.plot([0, 1], [0, 1], color=ORANGE, linewidth=1.5, linestyle="--", label="Perfect calibration")
    upper.set_ylim(0, 1)
    upper.set_ylabel("Accuracy (share correct)")
    _legend_above(upper)
    lower.bar(middle, [part.n for part in bins], width, color=GREY, edgecolor="white")
    lower.set_ylabel("Statements")
    lower.set_xlabel("Confidence (probability of the predicted label)")
    # The most probable of k labels has a probability of at least 1 / k.
    lower.set_xlim(1 / len(LABELS), 1)
    for axes in (upper, lower):
        plain(axes)
        axes.grid(axis="y", color=PALE, linewidth=0.8)
    error = _with_interval(evaluation.metrics["ece"])
    figure.suptitle(f"{head}\nExpected calibration error {error}", fontsize=10)
    return figure


def _risk_coverage(evaluation: Evaluation, head: str) -> "Figure":
    coverage = np.array([point.coverage for point in evaluation.risk_coverage])
    risk = np.array([point.risk for point in evaluation.risk_coverage])
    accuracy = evaluation.metrics["accuracy"].value
    decided = evaluation.metrics["coverage_at_accuracy_90"].value
    figure = new_figure(5.2, 4.6)
    axes = figure.subplots()
    axes.plot(coverage, risk, color=BLUE, linewidth=2, label="Most confident first")
    axes.axhline(1 - accuracy, color=ORANGE, linewidth=1.3, linestyle="--", label="Random order")
    axes.plot(
        coverage, np.maximum(0, 1 - accuracy / coverage), color=GREEN, linestyle="-.", label="Best possible order"
    )
    if decided:
        # The curve has few points, so that between two of them it may run above the 10% that is certain here.
        at = (decided, min(0.1, float(np.interp(decided, coverage, risk))))
        axes.plot(*at, "o", color=BLACK, label=f"90% accuracy on {decided:.0%}", clip_on=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(0.15, 1.1 * max(risk.max(), 1 - accuracy)))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("Coverage (share of statements decided)")
    axes.set_ylabel("Risk (error rate of those decided)")
    _legend_above(axes)
    plain(axes)
    axes.grid(color=PALE, linewidth=0.8)
    area = _with_interval(evaluation.metrics["aurc"])
    figure.suptitle(f"{head}\nArea under the curve (AURC) {area}", fontsize=10)
    return figure


def _by_facet(evaluation: Evaluation, facet: str, head: str) -> "Figure":
    every = evaluation.facets[facet]
    shown = sorted(every[:LARGEST], key=lambda part: (part.accuracy.value, part.macro_f1.value, part.n))
    figure = new_figure(7.2, 1.9 + 0.25 * len(shown))
    left, right = figure.subplots(1, 2, sharey=True)
    _bars(left, [part.accuracy for part in shown], SKY)
    for at, part in enumerate(shown):
        left.plot([part.majority_accuracy] * 2, [at - 0.4, at + 0.4], color=ORANGE, linewidth=2.5)
    left.set_yticks(range(len(shown)), [_name(part) for part in shown], fontsize=9)
    left.set_xlabel("Accuracy (share correct)")
    _bars(right, [part.macro_f1 for part in shown], GREEN)
    right.set_xlabel("Macro-F1")
    figure.suptitle(f"{head}, by {facet.replace('_', ' ')}", fontsize=10)
    figure.supxlabel("\n".join(_facet_notes(evaluation, every, shown)), fontsize=8, color="#444444")
    return figure


def _bars(axes: "Axes", estimates: Sequence[Estimate], colour: str) -> None:
    values = [estimate.value for estimate in estimates]
    axes.barh(range(len(values)), values, height=0.7, color=colour)
    for at, estimate in enumerate(estimates):
        # Where no interval could be given both ends are NaN, and matplotlib draws nothing.
        axes.plot([estimate.low, estimate.high], [at, at], color=BLACK, linewidth=1.2)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_ylim(-0.6, len(values) - 0.4)
    axes.tick_params(axis="y", length=0)
    plain(axes)
    axes.grid(axis="x", color=PALE, linewidth=0.8)


def _facet_notes(evaluation: Evaluation, every: Sequence[Slice], shown: Sequence[Slice]) -> list[str]:
    notes = [f"Upright mark: accuracy of always answering {evaluation.majority.label}."]
    if not all(np.isnan(part.accuracy.low) for part in shown):
        notes[0] += f" Line: 95% interval, from {ENOUGH_FOR_INTERVAL} statements on."
    if any(0 in part.labels.values() for part in shown):
        notes.append("* A label is missing from gold, so that macro-F1 cannot reach 1.")
    if len(shown) < len(every):
        notes.append(f"The {len(shown)} largest of {len(every)} values are shown.")
    return notes


def _name(part: Slice) -> str:
    value = "(none)" if part.value is None else part.value.replace("_", " ")
    if len(value) > LONGEST:
        value = value[: LONGEST - 3] + "..."
    mark = " *" if 0 in part.labels.values() else ""
    return f"{value} (n = {part.n:,}){mark}"


def _with_interval(estimate: Estimate) -> str:
    if np.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} (95% interval {estimate.low:.3f} to {estimate.high:.3f})"
