"""How often do the 95 % intervals of the bootstrap over groups hold the truth? A simulation; it writes `README.md`.

Run: python experiments/coverage/run.py [REPEATS]

Each repeat draws groups of 1 to 5 statements, each group mostly of one label, and a model that is right with a chance
drawn anew for each group from a beta law of mean 0.65, so that the correlation of being right within a group is `rho`.
The truth is the score on 200,000 groups. The interval is that of `stance.evaluation.bootstrap` with 500 resamples.
Beside it stands the interval that takes statements for independent. The script is seeded: equal calls, equal tables.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.progress import track

from stance.evaluation import bootstrap
from stance.evaluation.metrics import label_scores
from stance.schema import FloatArray, IntArray

GROUPS = (10, 20, 60, 240)
RHOS = (0.0, 0.2, 0.5)
METRICS = ("accuracy", "macro_f1")
RESAMPLES = 500
MEAN = 0.65

HEAD = """# Do the intervals hold what they promise?

`python experiments/coverage/run.py {repeats}`: {repeats:,} repeats a row, {resamples} resamples an interval; the
standard error of a share near 95 % is {error:.1f} points. How the data is drawn is said in [`run.py`](run.py). Shares
of 95 % intervals that hold the truth, in percent, by bootstrap over groups (what the project reports) and, for
comparison, over single statements:

| groups | statements | rho | accuracy, groups | macro-F1, groups | accuracy, statements | macro-F1, statements |
|---|---|---|---|---|---|---|
"""

TAIL = """
With 60 groups or more the intervals over groups hold the truth nearly as often as they say; with 20 and 10 they are too
narrow, as `stance compare` warns below 20. Statements taken for independent are too sure as soon as groups hang
together, and more groups do not cure that. `tests/evaluation/test_coverage.py` holds a small case of it.
"""


def draw(generator: np.random.Generator, groups: int, rho: float) -> tuple[IntArray, FloatArray, list[str]]:
    """Return gold labels, one-hot answers and the group of each statement."""
    group_of = np.repeat(np.arange(groups), generator.integers(1, 6, size=groups))
    usual = generator.choice(3, p=[0.35, 0.4, 0.25], size=groups)[group_of]
    gold = np.where(generator.random(group_of.size) < 0.6, usual, generator.integers(3, size=group_of.size))
    chance = np.full(groups, MEAN)
    if rho:
        # The correlation within a group is 1 / (1 + a + b) for the beta law's parameters a and b.
        total = 1 / rho - 1
        chance = generator.beta(total * MEAN, total * (1 - MEAN), size=groups)
    right = generator.random(group_of.size) < chance[group_of]
    answer = np.where(right, gold, (gold + generator.integers(1, 3, size=gold.size)) % 3)
    return gold.astype(np.int64), np.eye(3)[answer], group_of.astype(str).tolist()


def scores(gold: IntArray, probabilities: FloatArray) -> dict[str, float]:
    """Return the two headline scores."""
    found = label_scores(gold, probabilities.argmax(axis=1))
    return {name: found[name] for name in METRICS}


def row(groups: int, rho: float, repeats: int) -> str:
    """Return a line of the table."""
    generator = np.random.default_rng([groups, round(100 * rho)])
    truth = scores(*draw(generator, 200_000, rho)[:2])
    hits: dict[tuple[str, str], int] = {(way, name): 0 for way in ("groups", "statements") for name in METRICS}
    sizes = []
    for repeat in range(repeats):
        gold, probabilities, names = draw(generator, groups, rho)
        sizes.append(gold.size)
        for way, units in (("groups", names), ("statements", [str(at) for at in range(gold.size)])):
            for name, one in bootstrap(gold, probabilities, units, scores, RESAMPLES, repeat).items():
                hits[way, name] += one.low <= truth[name] <= one.high
    cells = " | ".join(f"{100 * count / repeats:.1f}" for count in hits.values())
    return f"| {groups} | {np.mean(sizes):.0f} | {rho} | {cells} |"


def rows(repeats: int) -> Iterator[str]:
    """Yield the lines of the table."""
    shapes = [(groups, rho) for groups in GROUPS for rho in RHOS]
    for groups, rho in track(shapes, "Simulating"):
        yield row(groups, rho, repeats)


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    head = HEAD.format(repeats=number, resamples=RESAMPLES, error=100 * (0.95 * 0.05 / number) ** 0.5)
    table = "\n".join(rows(number))
    (Path(__file__).parent / "README.md").write_text(f"{head}{table}\n{TAIL}", encoding="utf-8")
