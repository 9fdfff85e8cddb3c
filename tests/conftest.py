"""Shared by all tests: no network, repeatable properties, and twelve labelled sentences."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from stance.schema import LABELS, Example

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
settings.register_profile("stance", deadline=None, derandomize=True, database=None)
settings.load_profile("stance")

SENTENCES = {
    "anti": (
        "We will never surrender our rifles to anybody.",
        "The resistance keeps its rifles, said the commander.",
        "Nobody can force us to give up our rifles.",
        "Rifles are our honour and we keep them.",
    ),
    "neutral": (
        "The delegation landed in the capital on Tuesday.",
        "The ministry counted the camps in the north.",
        "Talks go on next week, a clerk told reporters.",
        "The envoy met the committee for two hours.",
    ),
    "pro": (
        "Every militia must disarm now and join the army.",
        "We are ready to disarm and to dissolve the brigade.",
        "The council urged all groups to disarm at once.",
        "Let the state alone bear arms: disarm the militia.",
    ),
}


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def labelled() -> list[Example]:
    """Four sentences a label, each a group of its own."""
    return [
        Example(
            f"{label}-{number}", text, label, f"{label}-{number}", soft=tuple(float(name == label) for name in LABELS)
        )
        for label in LABELS
        for number, text in enumerate(SENTENCES[label])
    ]
