"""How hard the invented statements are, lot by lot, for an MPNet that has learnt from real statements alone.

Run: python experiments/recipe/invented.py

Printed are the share of statements on whose label author and reader agree, and accuracy and log loss of what
data/teacher/mpnet.csv says of those in the train split, beside the contrast statements. Of the real statements it has
learnt the labels, so they are not shown.
"""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from stance import dataset
from stance.schema import LABELS, label_indices

ROOT = Path(__file__).parents[2]
LOTS = ((6, 9), (10, 17), (18, 25), (26, 33))


def main() -> None:
    """Print the table."""
    with (ROOT / "data/teacher/mpnet.csv").open(encoding="utf-8", newline="") as file:
        said = {row["id"]: [float(row[f"p_{label}"]) for label in LABELS] for row in csv.DictReader(file)}
    agreed = defaultdict(list)
    for line in (ROOT / "data/annotations/invented.jsonl").read_text(encoding="utf-8").splitlines():
        votes = {vote["label"] for vote in json.loads(line)["votes"]}
        agreed[_lot(json.loads(line)["id"])].append(len(votes) == 1)
    by_lot = defaultdict(list)
    for example in dataset.load(ROOT / "data/build/disarmament").split("train"):
        if example.kind in ("invented", "contrast"):
            by_lot[_lot(example.id) if example.kind == "invented" else "contrast"].append(example)
    print(f"{'lot':<18}{'n':>6}{'agreed':>9}{'accuracy':>10}{'log loss':>10}")
    for lot, examples in sorted(by_lot.items(), key=lambda item: item[0]):
        gold = label_indices([example.label for example in examples])
        told = np.array([said[example.id] for example in examples])
        right = (told.argmax(axis=1) == gold).mean()
        loss = -np.log(np.maximum(told[np.arange(len(gold)), gold], 1e-4)).mean()
        share = f"{np.mean(agreed[lot]):.1%}" if lot in agreed else ""
        print(f"{lot:<18}{len(gold):>6}{share:>9}{right:>10.3f}{loss:>10.3f}")


def _lot(name: str) -> str:
    number = int(name.split("-")[1])
    return next(f"inv-{low} to inv-{high}" for low, high in LOTS if low <= number <= high)


if __name__ == "__main__":
    main()
