"""A comparison as plain text for a terminal of 100 columns, as Markdown, and as CSV for programs.

Text and Markdown are two spellings of the same tables. CSV is one long table with a row a number, because its parts
have different columns: `table, name, against, quantity, value`, of which `table` is run, curve, setting, test or
changed.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stance.comparison.details import Curves
from stance.comparison.predictions import clean
from stance.comparison.systems import FEW_GROUPS, Comparison, Pair, System
from stance.evaluation import Estimate, Interval
from stance.evaluation.intervals import LEVEL

WIDTH: Final = 100
GAP: Final = "  "

_LONGEST: Final = 32
"""Characters of a name or a value in a table; CSV has them whole."""

_HASH: Final = re.compile(r"[0-9a-f]{32,}")
_HASH_SHOWN: Final = 12
_FORMULA: Final = ("=", "+", "-", "@")
_FIELDS: Final = ("table", "name", "against", "quantity", "value")
_MARKDOWN: Final = re.compile(r"[\\`*<>|&~]|\](?=[(\[])")
"""What could begin markup in a cell; a bracket only where a link could follow, so that intervals stay plain."""

_NO_CURVES: Final[Curves] = {}

_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under a heading, its columns' names and notes; a missing cell is a dash."""

    heading: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def text(comparison: Comparison, changed: int = 0, curves: Curves = _NO_CURVES) -> str:
    """Return the tables as text, with up to `changed` statements a pair that it labels differently.

    Where there are learning `curves`, they are a table of their own.

    Columns that do not fit beside each other go into a further block.
    """
    lines = []
    for table in _tables(comparison, changed, curves):
        lines += [table.heading, *_blocks([table.head, *table.rows]), *table.notes, ""]
    return "\n".join(lines)


def markdown(comparison: Comparison, changed: int = 0, curves: Curves = _NO_CURVES) -> str:
    """Return the tables as Markdown (GitHub's), in which no foreign name or text can be markup."""
    lines = []
    for table in _tables(comparison, changed, curves):
        lines += [f"**{_plain(table.heading)}**", ""]
        for at, row in enumerate((table.head, *table.rows)):
            lines.append(f"| {' | '.join(map(_plain, row))} |")
            lines += ["|---" * len(row) + "|"] if at == 0 else []
        lines += ["", *(f"{_plain(note)}  " for note in table.notes), *([""] if table.notes else [])]
    return "\n".join(lines).rstrip() + "\n"


def as_csv(comparison: Comparison, changed: int = 0, curves: Curves = _NO_CURVES) -> str:
    """Return every number, unrounded, as a row of a CSV table; what cannot be given is an empty value.

    A foreign text that begins with = + - @ gets an apostrophe in front, as a spreadsheet would run it as a formula
    (OWASP, "CSV injection"); tabs and line breaks, which could come before these, do not get that far. Numbers stay.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_FIELDS)
    for row in _long(comparison, changed, curves):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _tables(comparison: Comparison, changed: int, curves: Curves) -> Iterator[Table]:
    yield runs_table(comparison)
    if curves:
        yield curves_table(comparison, curves)
    if comparison.settings:
        yield settings_table(comparison)
    if comparison.pairs:
        yield tests_table(comparison)
    for pair in comparison.pairs if changed else ():
        yield _statements(pair, changed)


def curves_table(comparison: Comparison, curves: Curves) -> Table:
    """Return the learning curves of the systems, a row a point."""
    head = ("run", "share", "seeds", comparison.metric, f"{LEVEL:.0%} interval")
    rows = [
        (_short(name), f"{step.share:.0%}", str(step.seeds), f"{step.score.value:.3f}", _interval(step.score, ".3f"))
        for name, steps in curves.items()
        for step in steps
    ]
    note = "Share: of the training groups. Scores: means over seeds, with intervals as those above."
    return Table("Learning curve", head, tuple(rows), (note,))


def settings_table(comparison: Comparison) -> Table:
    """Return the settings that differ between systems."""
    names = tuple(_short(system.name) for system in comparison.systems)
    rows = [(_short(name), *map(_value, values)) for name, values in comparison.settings.items()]
    return Table("Settings that differ", ("setting", *names), tuple(rows))


def runs_table(comparison: Comparison) -> Table:
    """Return the scores of the systems."""
    metric = comparison.metric
    head = ("run", "seeds", metric, "range", f"{LEVEL:.0%} interval", *_extra(comparison), "ece", "id")
    rows = [_run(system, comparison) for system in comparison.systems]
    measured = ", ".join((metric, *_extra(comparison)))
    notes = [f"{measured} and ece: means over seeds. Range: over seeds. Lower is better: ece."]
    if comparison.groups == 1:
        notes.append("No intervals, since all statements are of one group.")
    else:
        drawn = f"{comparison.groups:,} groups, {comparison.resamples:,} resamples, seed {comparison.seed}"
        notes.append(f"Interval: percentile bootstrap of the mean over {drawn}.")
    if 1 < comparison.groups < FEW_GROUPS:
        notes.append(f"Fewer than {FEW_GROUPS} groups: intervals are too narrow and bootstrap p-values too small.")
    return Table(
        f"{comparison.split}: {comparison.n:,} statements in {comparison.groups:,} groups",
        head,
        tuple(rows),
        tuple(notes),
    )


def _extra(comparison: Comparison) -> tuple[str, ...]:
    return () if comparison.metric == "accuracy" else ("accuracy",)


def _run(system: System, comparison: Comparison) -> tuple[str, ...]:
    one = len(system.seeds) == 1
    ids = system.run_ids[0][:8] if one else f"{system.run_ids[0][:8]} ..."
    return (
        _short(system.name),
        _short(" ".join(_value(seed) for seed in system.seeds)),
        f"{system.mean:.3f}",
        "-" if one else f"{system.lowest:.3f} to {system.highest:.3f}",
        _interval(system.interval, ".3f"),
        *(f"{system.accuracy:.3f}" for _ in _extra(comparison)),
        "-" if system.ece is None else f"{system.ece:.3f}",
        ids,
    )


def tests_table(comparison: Comparison) -> Table:
    """Return the paired tests."""
    head = ("pair", comparison.metric, f"{LEVEL:.0%} interval", "won/lost", "p", "(Holm)", "McNemar", "(Holm)")
    rows = []
    for pair in comparison.pairs:
        found = pair.difference
        p_values = (found.p, pair.p_holm, pair.mcnemar, pair.mcnemar_holm)
        interval = _interval(Interval(found.low, found.high), "+.3f")
        rows.append((_title(pair), f"{found.value:+.3f}", interval, f"{pair.won}/{pair.lost}", *map(_p, p_values)))
    count = len(comparison.pairs)
    notes = [
        "p: paired bootstrap over groups, two-sided. McNemar: exact, statements as if independent.",
        f"Holm: adjusted for {count} {'pair' if count == 1 else 'pairs'}. Won/lost: only the first/second is right.",
    ]
    if any(len(system.seeds) > 1 for system in comparison.systems):
        notes.append("Of several seeds, won/lost and McNemar count the label that most of them predict.")
    return Table("Differences", head, tuple(rows), tuple(notes))


def _statements(pair: Pair, changed: int) -> Table:
    heading = f"{_title(pair)}: {len(pair.changed):,} statements with another label"
    shown = pair.changed[:changed]
    rows = [(one.outcome, _short(one.id), one.gold, one.one, one.other) for one in shown]
    head = ("", "id", "gold", _short(pair.one), _short(pair.other))
    used = sum(max(map(len, column)) + len(GAP) for column in zip(head, *rows, strict=True))
    room = max(_LONGEST, WIDTH - used)
    texts = tuple((*row, _clipped(clean(one.text), room)) for row, one in zip(rows, shown, strict=True))
    rest = len(pair.changed) - len(shown)
    return Table(heading, (*head, "text"), texts, (f"... and {rest:,} more",) if rest else ())


def _long(comparison: Comparison, changed: int, curves: Curves) -> Iterator[tuple[str | float, ...]]:
    for system in comparison.systems:
        for quantity, value in _numbers(system, comparison).items():
            yield "run", system.name, "", quantity, value
    for name, steps in curves.items():
        for step in steps:
            at = f"at {step.share:g}"
            yield "curve", name, "", f"{comparison.metric} {at}", step.score.value
            yield "curve", name, "", f"{comparison.metric}_low {at}", step.score.low
            yield "curve", name, "", f"{comparison.metric}_high {at}", step.score.high
    for setting, values in comparison.settings.items():
        for system, of_system in zip(comparison.systems, values, strict=True):
            yield "setting", system.name, "", setting, of_system or ""
    for pair in comparison.pairs:
        found = pair.difference
        numbers = {"": found.value, "_low": found.low, "_high": found.high}
        for suffix, number in numbers.items():
            yield "test", pair.one, pair.other, f"{comparison.metric}{suffix}", number
        yield "test", pair.one, pair.other, "p", found.p
        for quantity in ("p_holm", "won", "lost", "mcnemar", "mcnemar_holm"):
            yield "test", pair.one, pair.other, quantity, getattr(pair, quantity)
        for one in pair.changed[:changed]:
            yield "changed", pair.one, pair.other, one.id, f"{one.outcome}: {one.one}, not {one.other}, gold {one.gold}"


def _numbers(system: System, comparison: Comparison) -> dict[str, str | float]:
    metric = comparison.metric
    return {
        "run_ids": " ".join(system.run_ids),
        "seeds": " ".join(seed or "" for seed in system.seeds),
        "n": comparison.n,
        "groups": comparison.groups,
        metric: system.mean,
        f"{metric}_lowest": system.lowest,
        f"{metric}_highest": system.highest,
        f"{metric}_low": system.interval.low,
        f"{metric}_high": system.interval.high,
        "accuracy": system.accuracy,
        "ece": math.nan if system.ece is None else system.ece,
    }


def _blocks(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as aligned lines, the first column again in front of what did not fit into `WIDTH`."""
    first, *others = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in others]
    start = 0
    while start < len(others):
        end, used = start + 1, max(map(len, first)) + len(GAP) + widths[start]
        while end < len(others) and used + len(GAP) + widths[end] <= WIDTH:
            used += len(GAP) + widths[end]
            end += 1
        if start:
            yield ""
        for row in zip(first, *others[start:end], strict=True):
            padded = zip(row, [max(map(len, first)), *widths[start:end]], strict=True)
            yield GAP.join(f"{cell:<{width}}" for cell, width in padded).rstrip()
        start = end


def _title(pair: Pair) -> str:
    return f"{_short(pair.one)} - {_short(pair.other)}"


def _interval(interval: Interval | Estimate, form: str) -> str:
    return "-" if math.isnan(interval.low) else f"[{interval.low:{form}}, {interval.high:{form}}]"


def _p(value: float) -> str:
    return "-" if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def _value(value: str | None) -> str:
    if value is None:
        return "-"
    return value[:_HASH_SHOWN] if _HASH.fullmatch(value) else _short(value)


def _short(name: str) -> str:
    return _clipped(clean(name), _LONGEST)


def _clipped(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 3] + "..."


def _plain(name: str) -> str:
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", name)


def _cell(value: str | float) -> str | float:
    if isinstance(value, float) and math.isnan(value):
        return ""
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    return f"'{clean(value)}" if clean(value).startswith(_FORMULA) else clean(value)
