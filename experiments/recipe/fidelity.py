"""How near a student comes to its teacher on statements that neither learnt from. No label is looked at.

Run: python experiments/recipe/fidelity.py TEACHER STUDENT [STUDENT ...]

Told is, on validation, the mean Kullback-Leibler divergence of the student's probabilities from the teacher's in nats,
with its standard error, and the share of statements with the same label. Between settings of a student this tells
more than its scores: seeds move the macro-F1 of so few statements by several points, and the divergence hardly.
"""

import argparse
from pathlib import Path

import numpy as np

from stance import dataset
from stance.errors import StanceError
from stance.models import load


def main() -> None:
    """Print a line for each student."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("students", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=Path("data/build/disarmament"))
    options = parser.parse_args()
    queries = [example.query for example in dataset.load(options.data).split("validation")]
    said = load(options.teacher).predict_proba(queries)
    for folder in options.students:
        answered = load(folder).predict_proba(queries)
        each = (said * (np.log(said) - np.log(answered))).sum(axis=1)
        error = each.std(ddof=1) / np.sqrt(len(each))
        same = np.mean(said.argmax(axis=1) == answered.argmax(axis=1))
        print(f"{folder}: divergence {each.mean():.4f} (standard error {error:.4f}), same label {same:.1%}")


if __name__ == "__main__":
    try:
        main()
    except StanceError as error:
        raise SystemExit(f"Error: {error}") from error
