from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from stance.errors import DataError
from stance.evaluation import behaviour_table, read_suite, run_suite
from stance.evaluation.behaviour import Capability
from stance.schema import FloatArray

SUITE = Path(__file__).parent.parent / "behaviour"
ROWS = {"a": [0.8, 0.1, 0.1], "n": [0.1, 0.8, 0.1], "p": [0.1, 0.1, 0.8]}


def by_first_letter(texts: Sequence[str]) -> FloatArray:
    return np.array([ROWS[text[0]] for text in texts])


def suite() -> list[Capability]:
    label = Capability(capability="labels", type="label", about="", cases=(("anti", "a1"), ("pro", "n1")))
    same = Capability(capability="sameness", type="invariance", about="", cases=(("a", "a2", "a3"), ("a", "p", "a")))
    up = Capability(
        capability="pairs", type="direction", about="", cases=(("a", "n"), ("n", "p"), ("p", "a"), ("n", "n"))
    )
    return [label, same, up]


def test_failures_are_counted_by_the_type_of_the_case() -> None:
    outcomes = run_suite(suite(), by_first_letter)
    assert [(o.capability, o.n, len(o.failures), o.rate) for o in outcomes] == [
        ("labels", 2, 1, 0.5),
        ("sameness", 2, 1, 0.5),
        ("pairs", 4, 2, 0.5),
    ]


def test_the_table_shows_rates_and_examples() -> None:
    assert behaviour_table(run_suite(suite(), by_first_letter), examples=1) == EXPECTED


EXPECTED = """\
capability  type        cases  failed  rate
labels      label           2       1   50%
sameness    invariance      2       1   50%
pairs       direction       4       2   50%
all                         8       4   50%

labels, failures:
  expected pro
    neutral 0.80  n1

sameness, failures:
  expected one label
    anti 0.80     a
    pro 0.80      p
    anti 0.80     a

pairs, failures:
  expected the second to be more pro
    +0.70         p
    -0.70         a
"""


def test_the_projects_suite_has_enough_cases_and_no_text_twice() -> None:
    found = read_suite(SUITE)
    cases = [case for capability in found for case in capability.cases]
    assert len(cases) >= 120
    for capability in found:
        assert len(capability.cases) >= 8, capability.capability
        for case in capability.cases:
            assert len(set(case)) == len(case), case


def test_a_folder_without_a_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_suite(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: expected a folder with a behaviour suite (*.yaml), got none. Name another folder."
    )


@pytest.mark.parametrize(
    ("type_", "cases", "message"),
    [
        ("label", '[["con", "x"]]', "case 1: expected a label among anti, neutral, pro, got 'con'. Correct it."),
        ("label", '[["pro"]]', "case 1: expected a case of type label, got 1 parts. Correct it."),
        ("direction", '[["x", "y", "z"]]', "case 1: expected a case of type direction, got 3 parts. Correct it."),
        ("invariance", '[["x", " "]]', "case 1: expected texts, got an empty one. Correct it."),
        ("invariance", "[]", "expected cases, got none. Add some or remove the file."),
    ],
)
def test_malformed_cases_are_refused_with_their_number(tmp_path: Path, type_: str, cases: str, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"capability: x\ntype: {type_}\nabout: y\ncases: {cases}\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_suite(tmp_path)
    assert str(error.value) == f"{path}: {message}"
