"""Simulated predictions: groups that share their difficulty, and a model that is right more often than not."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from stance.schema import FloatArray, IntArray


class Simulated(NamedTuple):
    gold: IntArray
    probabilities: FloatArray
    groups: list[str]


@pytest.fixture(scope="session")
def simulate() -> Callable[..., Simulated]:
    """A function of `n` statements in `n_groups` groups."""

    def run(n: int = 200, n_groups: int = 50, seed: int = 0) -> Simulated:
        generator = np.random.default_rng(seed)
        group_of = generator.integers(n_groups, size=n)
        gold = generator.choice(3, p=[0.3, 0.45, 0.25], size=n)
        ease = generator.normal(1.0, 1.5, size=n_groups)[group_of]
        logits = generator.normal(size=(n, 3))
        logits[np.arange(n), gold] += ease
        shares = np.exp(logits)
        return Simulated(gold, shares / shares.sum(axis=1, keepdims=True), [f"g{group}" for group in group_of])

    return run
