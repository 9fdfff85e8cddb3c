"""Behaviour tests: small hand-written cases of one capability each, and the share of them that a model fails.

After CheckList (Ribeiro et al. 2020, https://aclanthology.org/2020.acl-main.442). A score on a test split says how
often a model is right; this says what it cannot do. A suite is a folder of YAML files, one a capability.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np

from stance.config import Settings, read_yaml, validate
from stance.errors import DataError, problem
from stance.schema import LABELS, FloatArray

CaseType: TypeAlias = Literal["label", "invariance", "direction"]
Predict: TypeAlias = Callable[[Sequence[str]], FloatArray]
"""Probabilities of `n` texts, shape (n, k)."""

_ANTI: Final = LABELS.index("anti")
_PRO: Final = LABELS.index("pro")


class Capability(Settings):
    """One file of a suite.

    A case is `[label, text]` for type label, two or more texts that must get one label for invariance, and a lower and
    a higher text on the axis from anti to pro for direction.
    """

    capability: str
    type: CaseType
    about: str
    cases: tuple[tuple[str, ...], ...]

    def texts(self, case: Sequence[str]) -> Sequence[str]:
        """Return the texts of a case."""
        return case[1:] if self.type == "label" else case


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that a model fails: its texts, what was expected, and what the model said of each text."""

    texts: tuple[str, ...]
    expected: str
    got: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a model did on the `n` cases of a capability."""

    capability: str
    type: CaseType
    n: int
    failures: tuple[Failure, ...]

    @property
    def rate(self) -> float:
        """The share of cases failed, 0 to 1."""
        return len(self.failures) / self.n


def read_suite(folder: Path) -> list[Capability]:
    """Return the capabilities in the YAML files of `folder`, in the order of their file names.

    Raises:
        ConfigError: a file is no capability.
        DataError: the folder holds no suite, a case is malformed or names an unknown label.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise DataError(problem(folder, "a folder with a behaviour suite (*.yaml)", "none", "Name another folder."))
    suite = []
    for path in paths:
        capability = validate(Capability, read_yaml(path), str(path))
        _check(capability, path)
        suite.append(capability)
    return suite


def run_suite(suite: Sequence[Capability], predict: Predict) -> list[Outcome]:
    """Return the outcome of each capability; `predict` is called once, with all texts."""
    texts = [text for capability in suite for case in capability.cases for text in capability.texts(case)]
    answers = dict(zip(texts, predict(texts), strict=True))
    return [
        Outcome(capability.capability, capability.type, len(capability.cases), tuple(_failures(capability, answers)))
        for capability in suite
    ]


def behaviour_table(outcomes: Sequence[Outcome], examples: int = 2) -> str:
    """Return outcomes as plain text: failure rates by capability, then up to `examples` failures of each."""
    cases, failed = sum(o.n for o in outcomes), sum(len(o.failures) for o in outcomes)
    width = max(len("capability"), *(len(o.capability) for o in outcomes))
    lines = [f"{'capability':<{width}}  type        cases  failed  rate"]
    lines += [
        f"{o.capability:<{width}}  {o.type:<10}  {o.n:>5}  {len(o.failures):>6}  {o.rate:>4.0%}" for o in outcomes
    ]
    lines += [f"{'all':<{width}}  {'':<10}  {cases:>5}  {failed:>6}  {failed / cases:>4.0%}"]
    for outcome in outcomes:
        if outcome.failures and examples:
            lines += ["", f"{outcome.capability}, failures:"]
            for failure in outcome.failures[:examples]:
                lines += [f"  expected {failure.expected}", *map(_said, failure.texts, failure.got)]
    return "\n".join(lines) + "\n"


def _said(text: str, got: str) -> str:
    return f"    {got:<13} {text}"


def _failures(capability: Capability, answers: dict[str, FloatArray]) -> Iterator[Failure]:
    for case in capability.cases:
        texts = tuple(capability.texts(case))
        rows = [answers[text] for text in texts]
        labels = [LABELS[int(row.argmax())] for row in rows]
        if capability.type == "direction":
            scores = [float(row[_PRO] - row[_ANTI]) for row in rows]
            if not scores[0] < scores[1]:
                yield Failure(texts, "the second to be more pro", tuple(f"{score:+.2f}" for score in scores))
            continue
        expected = case[0] if capability.type == "label" else "one label"
        if len(set(labels)) > 1 or (capability.type == "label" and labels[0] != case[0]):
            got = [f"{label} {np.max(row):.2f}" for label, row in zip(labels, rows, strict=True)]
            yield Failure(texts, expected, tuple(got))


def _check(capability: Capability, path: Path) -> None:
    if not capability.cases:
        raise DataError(problem(path, "cases", "none", "Add some or remove the file."))
    for number, case in enumerate(capability.cases, 1):
        where = f"{path}: case {number}"
        if len(case) < 2 or (len(case) > 2 and capability.type != "invariance"):
            raise DataError(problem(where, f"a case of type {capability.type}", f"{len(case)} parts", "Correct it."))
        if capability.type == "label" and case[0] not in LABELS:
            raise DataError(problem(where, f"a label among {', '.join(LABELS)}", repr(case[0]), "Correct it."))
        if not all(text.strip() for text in capability.texts(case)):
            raise DataError(problem(where, "texts", "an empty one", "Correct it."))
