"""The figures of a comparison as SVG that stands inside a page: its colours are the page's, light or dark.

Each is about as wide as a telephone, so that its text stays readable there; a page puts two or three beside each other.
No foreign text is read as mathematics. Colours: Okabe & Ito, "Color universal design" (2008); systems differ by marker
as well.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stance.comparison.details import Details
from stance.comparison.predictions import clean
from stance.comparison.systems import Comparison
from stance.comparison.words import NAMES
from stance.evaluation import Estimate
from stance.evaluation.plots import BLACK, BLUE, GREEN, GREY, LARGEST, ORANGE, PALE, SKY
from stance.schema import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = (BLUE, ORANGE, GREEN, "#CC79A7", SKY, "#E69F00", "#7A5195")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
SHAPES: Final[Mapping[str, str]] = {
    "o": '<circle cx="6" cy="6" r="4.5"/>',
    "s": '<path d="M2 2h8v8h-8z"/>',
    "^": '<path d="M6 1l5 9h-10z"/>',
    "D": '<path d="M6 .5l5 5.5-5 5.5-5-5.5z"/>',
    "v": '<path d="M6 11l5-9h-10z"/>',
    "P": '<path d="M4 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z"/>',
    "X": '<path d="M2 1l4 3 4-3 1 1-3 4 3 4-1 1-4-3-4 3-1-1 3-4-3-4z"/>',
}
"""The markers again, for a legend in HTML, in a box of 12 by 12."""

WIDTH: Final = 4.6
"""Inches; at 72 points an inch that is a telephone's width."""

_LEAST_IN_BIN: Final = 10
"""Predictions below which the accuracy in a bin says little, and its point is not drawn."""

_LONGEST: Final = 24
_STYLE: Final[dict[Any, Any]] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.size": 9.0,
    "text.color": BLACK,
    "axes.labelcolor": BLACK,
    "axes.edgecolor": BLACK,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
}
_PAGE: Final = {BLACK: "--ink", GREY: "--soft", PALE: "--line"} | {
    colour: f"--s{at}" for at, colour in enumerate(COLOURS)
}
"""The page's name of each colour."""


def figures(comparison: Comparison, details: Details) -> dict[str, str]:
    """Return the figures that can be drawn, by name, as SVG elements."""
    draw: dict[str, Callable[[Comparison, Details], Figure | None]] = {
        "scores": _scores,
        "differences": _differences,
        "theatres": _theatres,
        "reliability": _reliability,
        "risk": _risk,
        "learning": _learning,
        "cost": _cost,
    }
    found = {}
    with _styled():
        for name, one in draw.items():
            figure = one(comparison, details)
            if figure is not None:
                found[name] = _svg(figure, name)
    return found


@contextmanager
def _styled() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A letter that matplotlib's own font lacks is drawn by the browser's.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        yield


def _svg(figure: "Figure", name: str) -> str:
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = name
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", out.getvalue(), flags=re.DOTALL)
    text = text[text.index("<svg") :]
    box = re.search(r'viewBox="([^"]*)"', text)
    wide = float(box[1].split()[2]) if box else 0.0
    opening = f'<svg viewBox="{box[1] if box else ""}" style="max-width:{1.35 * wide:.0f}px" aria-hidden="true">'
    text = opening + text[text.index(">") + 1 :]
    # Ids of two figures in one page must differ.
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return re.sub(r"#[0-9a-f]{6}\b", lambda colour: _page_colour(colour[0]), text)


def _page_colour(colour: str) -> str:
    for known, variable in _PAGE.items():
        if known.lower() == colour:
            return f"var({variable})"
    return colour


def _axes(height: float, width: float = WIDTH) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _look(at: int) -> dict[str, Any]:
    return {"color": COLOURS[at % len(COLOURS)], "marker": MARKERS[at % len(MARKERS)]}


def _named(axes: "Axes", names: Sequence[str]) -> None:
    """Name the rows from the top down."""
    axes.set_yticks(range(len(names)), [_cut(clean(name), _LONGEST) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def _scores(comparison: Comparison, details: Details) -> "Figure":
    """Thin: interval over groups; thick: range over seeds."""
    figure, axes = _axes(0.9 + 0.34 * len(comparison.systems))
    for at, system in enumerate(comparison.systems):
        look = _look(at)
        axes.plot([system.interval.low, system.interval.high], [at, at], color=look["color"], linewidth=1.6)
        axes.plot([system.lowest, system.highest], [at, at], color=look["color"], linewidth=6, alpha=0.35)
        axes.plot(system.mean, at, linestyle="", markersize=7, **look)
    _named(axes, [system.name for system in comparison.systems])
    axes.set_xlabel(NAMES[comparison.metric])
    return figure


def _differences(comparison: Comparison, details: Details) -> "Figure | None":
    if not comparison.pairs:
        return None
    figure, axes = _axes(0.9 + 0.42 * len(comparison.pairs))
    for at, pair in enumerate(comparison.pairs):
        found = pair.difference
        axes.plot([found.low, found.high], [at, at], color=BLACK, linewidth=1.6)
        axes.plot(found.value, at, "o", color=BLACK, markersize=6, markerfacecolor=BLACK)
    axes.axvline(0, color=GREY, linewidth=1.2, linestyle="--")
    half = _LONGEST // 2 - 1
    _named(axes, [f"{_cut(pair.one, half)} − {_cut(pair.other, half)}" for pair in comparison.pairs])
    axes.set_xlabel(f"Difference in {NAMES[comparison.metric]}")
    return figure


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


def _theatres(comparison: Comparison, details: Details) -> "Figure | None":
    shown = details.theatres[:LARGEST]
    if not shown:
        return None
    count = len(comparison.systems)
    figure, axes = _axes(0.9 + (0.2 + 0.1 * count) * len(shown))
    for at in range(count):
        shift = 0.62 * ((at + 0.5) / count - 0.5)
        look = _look(at)
        for row, theatre in enumerate(shown):
            one: Estimate = theatre.accuracies[at]
            axes.plot([one.low, one.high], [row + shift] * 2, color=look["color"], linewidth=1.2)
            axes.plot(one.value, row + shift, linestyle="", markersize=4.5, **look)
    _named(axes, [f"{_cut(one.name, _LONGEST - 6)} ({one.n})" for one in shown])
    for row in range(len(shown) - 1):
        axes.axhline(row + 0.5, color=PALE, linewidth=0.8)
    axes.set_xlim(0, 1)
    axes.set_xlabel("Accuracy (share correct)")
    return figure


def _reliability(comparison: Comparison, details: Details) -> "Figure | None":
    if not any(one.bins for one in details.systems):
        return None
    figure, axes = _axes(3.6)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle="--")
    for at, one in enumerate(details.systems):
        bins = [part for part in one.bins if part.n >= _LEAST_IN_BIN]
        axes.plot(
            [part.confidence for part in bins],
            [part.accuracy for part in bins],
            linewidth=1.4,
            markersize=4.5,
            **_look(at),
        )
    axes.set_xlim(1 / len(LABELS), 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("Confidence (probability of the predicted label)")
    axes.set_ylabel("Accuracy (share correct)")
    return figure


def _risk(comparison: Comparison, details: Details) -> "Figure | None":
    if not any(one.risk for one in details.systems):
        return None
    figure, axes = _axes(3.6)
    for at, one in enumerate(details.systems):
        look = _look(at)
        coverage, risk = [point.coverage for point in one.risk], [point.risk for point in one.risk]
        axes.plot(coverage, risk, linewidth=1.6, markevery=0.2, markersize=4.5, **look)
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("Coverage (share of statements decided)")
    axes.set_ylabel("Risk (error rate of those decided)")
    return figure


def _learning(comparison: Comparison, details: Details) -> "Figure | None":
    if not any(one.steps for one in details.systems):
        return None
    figure, axes = _axes(3.6)
    for at, one in enumerate(details.systems):
        look, shares = _look(at), [step.share for step in one.steps]
        scores = [step.score for step in one.steps]
        axes.plot(shares, [score.value for score in scores], linewidth=1.6, markersize=5.5, **look)
        for share, score in zip(shares, scores, strict=True):
            axes.plot([share, share], [score.low, score.high], color=look["color"], linewidth=1.0)
    axes.set_xlim(0, 1.04)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("Share of the training groups")
    axes.set_ylabel(NAMES[comparison.metric])
    return figure


def _cost(comparison: Comparison, details: Details) -> "Figure | None":
    minutes = [None if one.seconds is None else max(one.seconds, 0.1) / 60 for one in details.systems]
    known = [each for each in minutes if each is not None]
    if not known:
        return None
    figure, axes = _axes(3.6)
    for at, (system, x) in enumerate(zip_longest(comparison.systems, minutes)):
        if x is not None:
            axes.plot([x, x], [system.interval.low, system.interval.high], color=_look(at)["color"], linewidth=1.4)
            axes.plot(x, system.mean, linestyle="", markersize=7, **_look(at))
    _logarithmic(axes, min(known), max(known))
    axes.set_xlabel("Minutes of training (logarithmic)")
    axes.set_ylabel(NAMES[comparison.metric])
    return figure


def _logarithmic(axes: "Axes", least: float, most: float) -> None:
    """Make the horizontal axis logarithmic, with ticks at 1, 2, 5 or, over two decades or more, at 1 alone."""
    from matplotlib.ticker import NullLocator

    low, high = np.log10(least), np.log10(most)
    margin = max(0.4, 0.1 * (high - low))
    axes.set_xscale("log")
    axes.set_xlim(10 ** (low - margin), 10 ** (high + margin))
    steps = (1,) if high - low >= 2 else (1, 2, 5)
    decades = range(int(np.floor(low - margin)), int(np.ceil(high + margin)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    axes.set_xticks([tick for tick in ticks if low - margin <= np.log10(tick) <= high + margin])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
