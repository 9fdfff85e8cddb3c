"""A comparison as one HTML page for a reader: findings in words, figures, tables, and what is missing and why.

The page needs nothing but itself: no script, style and figures inside, and a content security policy that forbids
everything else. Every foreign text is escaped.
"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from stance.comparison.details import Details
from stance.comparison.figures import COLOURS, MARKERS, SHAPES, figures
from stance.comparison.predictions import clean
from stance.comparison.systems import Changed, Comparison, Pair
from stance.comparison.tables import Table, curves_table, runs_table, settings_table, tests_table
from stance.comparison.words import NAMES, sentence
from stance.evaluation import Estimate

CHANGED: Final = 25
"""Statements shown of each pair unless told."""

_SETTINGS_OPEN: Final = 15
"""Settings that differ which stand open at first."""

_TOLD: Final = 6
"""Pairs told in words; of more, those with the best system."""

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
"""

_FIGURES: Final = {
    "scores": (
        "Score",
        "Mean over seeds. Thin line: 95 % interval by bootstrap over groups of statements; thick: range over seeds.",
    ),
    "differences": ("Paired differences", "With 95 % interval, on the same resamples. Right of zero the first leads."),
    "cost": ("Score against cost", "Line: 95 % interval. Cost is wall-clock time on the machine of the run."),
    "learning": ("Learning curve", "Mean over seeds. Line: 95 % interval by bootstrap over groups."),
    "reliability": (
        "Reliability",
        "Accuracy at each confidence, seeds together, in bins of at least 10 predictions. On the dashed line "
        "probabilities mean what they say; below it they promise too much.",
    ),
    "risk": ("Risk and coverage", "Error rate when only the most confident share is decided, mean over seeds."),
    "theatres": (
        "By conflict",
        "Accuracy in each conflict, largest first (statements in brackets), mean over seeds. Line: 95 % interval, from "
        "30 statements on.",
    ),
}
_SECTIONS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Scores", ("scores", "differences", "cost", "learning")),
    ("Can the probabilities be trusted?", ("reliability", "risk")),
    ("Where do they differ?", ("theatres",)),
)


def page(comparison: Comparison, details: Details, command: str, changed: int = CHANGED) -> str:
    """Return the page as HTML.

    Args:
        comparison: what was compared.
        details: of the same runs.
        command: what makes the page again.
        changed: how many statements to show of each pair that got another label.
    """
    names = ", ".join(clean(system.name) for system in comparison.systems)
    title = f"{names} on {comparison.split}"
    drawn = figures(comparison, details)
    style = files("stance.comparison").joinpath("page.css").read_text(encoding="utf-8")
    parts = [
        _HEAD,
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n",
        *_opening(comparison, title),
        "<main>\n",
        f'<div class="sticky">{_legend(comparison)}</div>\n',
    ]
    for heading, wanted in _SECTIONS:
        parts += _section(heading, [name for name in wanted if name in drawn], drawn)
        if heading == "Scores":
            parts += [_table(runs_table(comparison))]
            parts += [_table(tests_table(comparison))] if comparison.pairs else []
            parts += [_curves(comparison, details)]
        if heading.startswith("Where"):
            parts += [_theatre_table(comparison, details), _settings(comparison)]
            parts += [_changed(pair, changed) for pair in comparison.pairs if changed]
    parts += [*_missing(details), *_method(comparison, command), "</main>\n</body>\n</html>\n"]
    return "".join(parts)


def _text(text: str) -> str:
    return escape(clean(text))


def _opening(comparison: Comparison, title: str) -> Iterator[str]:
    best = comparison.systems[0]
    yield f'<header>\n<h1 dir="auto">{_text(title)}</h1>\n'
    yield (
        f'<p class="soft">{comparison.n:,} statements in {comparison.groups:,} groups that hang together (a page, an '
        f"article). Best {NAMES[comparison.metric]}: <bdi>{_text(best.name)}</bdi>, {best.mean:.3f}.</p>\n"
    )
    told = comparison.pairs
    if len(told) > _TOLD:
        told = tuple(pair for pair in told if best.name in (pair.one, pair.other))
    if told:
        lines = "".join(f'<li dir="auto">{_text(sentence(pair, comparison))}</li>\n' for pair in told)
        yield f'<ul class="findings">\n{lines}</ul>\n'
    if len(told) < len(comparison.pairs):
        rest = len(comparison.pairs) - len(told)
        yield f'<p class="soft">The other {rest:,} pairs are in the table of differences.</p>\n'
    yield "</header>\n"


def _legend(comparison: Comparison) -> str:
    items = "".join(
        f'<li><svg viewBox="0 0 12 12" aria-hidden="true" style="fill:var(--s{at % len(COLOURS)})">'
        f"{SHAPES[MARKERS[at % len(MARKERS)]]}</svg><bdi>{_text(system.name)}</bdi></li>"
        for at, system in enumerate(comparison.systems)
    )
    return f'<ul class="legend" aria-label="Markers of the systems">{items}</ul>'


def _section(heading: str, wanted: Sequence[str], drawn: dict[str, str]) -> Iterator[str]:
    yield f'<section aria-label="{_text(heading)}">\n<h2>{_text(heading)}</h2>\n'
    if wanted:
        yield f'<div class="figures{" single" if len(wanted) == 1 else ""}">\n'
        for name in wanted:
            title, caption = _FIGURES[name]
            yield f"<figure><h3>{title}</h3>{drawn[name]}<figcaption>{caption}</figcaption></figure>\n"
        yield "</div>\n"
    yield "</section>\n"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in table.head)
    rows = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>\n" for row in table.rows)
    notes = "".join(f"{_text(note)} " for note in table.notes)
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{_text(table.heading)}</caption><thead><tr>{head}</tr>'
        f'</thead>\n<tbody>\n{rows}</tbody></table></div>\n<p class="notes">{notes}</p>\n'
    )


def _curves(comparison: Comparison, details: Details) -> str:
    if not details.curves:
        return ""
    table = _table(curves_table(comparison, details.curves))
    return f"<details><summary>Learning curve as a table</summary>\n{table}</details>\n"


def _theatre_table(comparison: Comparison, details: Details) -> str:
    if not details.theatres:
        return ""
    head = ("conflict", "statements", "groups", *(system.name for system in comparison.systems))
    rows = [
        (one.name, f"{one.n:,}", f"{one.groups:,}", *(_estimate(accuracy) for accuracy in one.accuracies))
        for one in details.theatres
    ]
    table = _table(Table("Accuracy by conflict", head, tuple(rows)))
    return f"<details><summary>Accuracy by conflict as a table ({len(rows):,})</summary>\n{table}</details>\n"


def _estimate(one: Estimate) -> str:
    return f"{one.value:.3f}" if one.low != one.low else f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def _settings(comparison: Comparison) -> str:
    if not comparison.settings:
        return '<p class="soft">The runs differ in no setting but the seed.</p>\n'
    table = settings_table(comparison)
    opened = " open" if len(table.rows) <= _SETTINGS_OPEN else ""
    return f"<details{opened}><summary>{len(table.rows):,} settings differ</summary>\n{_table(table)}</details>\n"


def _changed(pair: Pair, changed: int) -> str:
    """The statements that a pair labels differently, each side's mistakes first."""
    shown: list[Changed] = []
    for outcome in ("lost", "won", "wrong"):
        of_kind = [one for one in pair.changed if one.outcome == outcome]
        # A third for each, so that the first kind does not fill the table.
        shown += of_kind[: -(-changed // 3)]
    names = tuple(_text(name) for name in (pair.one, pair.other))
    rows = "".join(
        f'<tr class="{one.outcome}"><td>{one.outcome}</td><td class="text" dir="auto">{_text(one.text)}</td>'
        f"<td>{one.gold}</td><td>{one.one}</td><td>{one.other}</td><td>{_text(one.id)}</td></tr>\n"
        for one in shown[:changed]
    )
    count = f"{len(pair.changed):,} statements got another label"
    return (
        f"<details><summary><bdi>{names[0]}</bdi> against <bdi>{names[1]}</bdi>: {count}, {pair.won:,} won, "
        f'{pair.lost:,} lost</summary>\n<div class="scroll" tabindex="0"><table><thead><tr><th scope="col"></th>'
        f'<th scope="col">statement</th><th scope="col">gold</th><th scope="col">{names[0]}</th>'
        f'<th scope="col">{names[1]}</th><th scope="col">id</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n'
        f'<p class="notes">Won: only {names[0]} is right; lost: only {names[1]} is. '
        f"{len(shown[:changed]):,} of {len(pair.changed):,} are shown.</p></details>\n"
    )


def _missing(details: Details) -> Iterator[str]:
    yield "<section>\n<h2>What is missing, and why</h2>\n"
    if details.missing:
        lines = "".join(f"<li>{_text(line)}</li>\n" for line in details.missing)
        yield f'<ul class="prose">\n{lines}</ul>\n'
    else:
        yield '<p class="prose">Nothing that the page could show.</p>\n'
    yield "</section>\n"


def _method(comparison: Comparison, command: str) -> Iterator[str]:
    metric = NAMES[comparison.metric]
    yield (
        '<section class="prose">\n<h2>How it was measured</h2>\n'
        f"<p>All runs are scored on the same {comparison.n:,} statements. A run’s {metric} is the mean over its seeds. "
        f"Intervals are 95 % percentile intervals of {comparison.resamples:,} resamples of whole groups (seed "
        f"{comparison.seed}); all runs share the resamples, so that a difference is taken resample by resample. Its "
        "p-value is two-sided (Efron and Tibshirani 1993, section 16.4; Berg-Kirkpatrick et al. 2012). McNemar’s exact "
        "test counts the statements that only one of two runs has right, as if they were independent. Both are "
        "adjusted by Holm (1979) for the number of pairs. What is tested are these trained models on new statements of "
        "this kind: with the seeds averaged, the seeds are taken as given.</p>\n"
    )
    if comparison.split in ("theatres", "leave-one-theatre-out"):
        yield (
            "<p>These are predictions by cross-validation: each statement is judged by a model that saw no statement "
            "of its conflict. The probabilities are not calibrated, as the models of the folds have no validation part."
            "</p>\n"
        )
    runs = "".join(
        f"<li><bdi>{_text(system.name)}</bdi>: <code>{_text(' '.join(system.run_ids))}</code></li>\n"
        for system in comparison.systems
    )
    yield f"<p>Runs in MLflow:</p>\n<ul>\n{runs}</ul>\n<p>Made by <code>{_text(command)}</code></p>\n</section>\n"
