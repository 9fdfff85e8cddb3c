"""The statements of an actor by date, and whether the actor's position changed.

Only articles with a full date (year, month and day) take part: a bare year cannot be put in order with days of it.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import prod, sqrt
from typing import Final

from stance.articles.positions import LEVEL, Estimate, ScoredQuote, distinct, estimate_distinct

_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?!\d)")


@dataclass(frozen=True, slots=True)
class Moment:
    """What an actor said in the articles of one day."""

    day: date
    statements: tuple[ScoredQuote, ...]
    mean: float


@dataclass(frozen=True, slots=True)
class Change:
    """An actor's statements up to the day `last` and from the day `first` on lie on different sides."""

    last: date
    first: date
    before: Estimate
    after: Estimate


def day_of(text: str | None) -> date | None:
    """Return the day that `text` begins with in the form 2025-12-22, None if there is none."""
    match = _DAY.match(text.strip()) if text else None
    if match is None:
        return None
    year, month, day = map(int, match.groups())
    try:
        return date(year, month, day)
    except ValueError:  # no such day in the calendar
        return None


def moments(statements: Sequence[ScoredQuote]) -> list[Moment]:
    """Return the days on which something that could be scored was said, in order; a repeated text at its first."""
    days: defaultdict[date, list[ScoredQuote]] = defaultdict(list)
    for one in distinct([one for one in statements if day_of(one.date)]):
        day = day_of(one.date)
        if day is not None:
            days[day].append(one)
    return [
        Moment(day, tuple(said), sum(one.balance for one in said) / len(said)) for day, said in sorted(days.items())
    ]


def find_change(statements: Sequence[ScoredQuote]) -> Change | None:
    """Return the clearest change of side, None if there is none that can be relied on; one at most.

    Every day but the last may end the earlier part. A change is one where the intervals of both parts exclude 0 and lie
    on different sides. Of an actor who stands at 0 all the time, two intervals that each miss 0 with probability a do
    so on different sides with probability a^2 / 2; with k places tried, a is at most 5 % and so small that k a^2 / 2 is
    at most 5 % (Bonferroni), so that trying many places makes no change likely to be found by chance. Two statements on
    a side never suffice.
    """
    days = moments(statements)
    places = len(days) - 1
    level = 1 - min(1 - LEVEL, sqrt(2 * (1 - LEVEL) / max(places, 1)))
    found: list[Change] = []
    for place in range(1, places + 1):
        parts = [[one for moment in part for one in moment.statements] for part in (days[:place], days[place:])]
        # Cheap and necessary: most places fail here, before an interval is computed.
        if prod(sum(one.balance for one in part) for part in parts) >= 0:
            continue
        before, after = (estimate_distinct(part, level) for part in parts)
        if before and after and before.side and after.side and before.side != after.side:
            found.append(Change(days[place - 1].day, days[place].day, before, after))
    return max(found, key=lambda change: abs(change.after.mean - change.before.mean), default=None)


def row(days: Sequence[Moment], change: Change | None, start: date, end: date) -> str:
    """Return the line of an actor as HTML, from `start` at the left to `end` at the right, with its numbers as a table.

    Nothing that an article says enters it.
    """

    def left(day: date) -> float:
        return 2 + 96 * (day - start).days / max((end - start).days, 1)

    dots = "".join(
        f'<i class="dot {_shape(moment)}" style="left:{left(moment.day):.1f}%;top:{50 * (1 - moment.mean):.0f}%"></i>'
        for moment in days
    )
    turn = words = ""
    if change is not None:
        from_, to = left(change.last), left(change.first)
        turn = f'<i class="turn" style="left:{from_:.1f}%;width:{to - from_:.1f}%"></i>'
        words = f'<p class="change">{described(change)}</p>'
    cells = "".join(
        f'<tr><th scope="row">{moment.day}</th><td>{signed(moment.mean)}</td><td>{len(moment.statements)}</td></tr>'
        for moment in days
    )
    return (
        f'{words}<div class="line" aria-hidden="true">{turn}{dots}</div>'
        f'<div class="ends" aria-hidden="true"><span>{start}</span><span>{end}</span></div>'
        '<details><summary>As a table</summary><table><thead><tr><th scope="col">day</th>'
        f'<th scope="col">mean</th><th scope="col">statements</th></tr></thead><tbody>{cells}</tbody></table></details>'
    )


def described(change: Change) -> str:
    """Return a change in words."""
    before, after = change.before, change.after
    return (
        f"Changed from {before.side} ({before.statements} statements until {change.last}, mean {signed(before.mean)}) "
        f"to {after.side} ({after.statements} from {change.first}, mean {signed(after.mean)})"
    )


def signed(number: float) -> str:
    """Return `number` with two decimals and its sign, none for zero."""
    shown = f"{number:+.2f}"
    return "0.00" if shown in ("+0.00", "-0.00") else shown.replace("-", "−")


def _shape(moment: Moment) -> str:
    # A third of the way to an end: nearer to it than to the middle would be a half, which one uncertain word undoes.
    return "anti" if moment.mean < -1 / 3 else "pro" if moment.mean > 1 / 3 else "neutral"
