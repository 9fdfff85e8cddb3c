"""The definition of an experiment and the cells of its grid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stance.errors import ConfigError
from stance.experiment import Definition, cells, read_definition
from stance.models import Classifier, majority
from stance.models._folder import save
from stance.schema import Example

Write = Callable[..., Path]
CONFIG = """\
name: {name}
data: {{path: data}}
model: {{kind: {kind}}}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A definition of two configs, with further lines."""
    monkeypatch.chdir(tmp_path)
    for kind in ("majority", "tfidf"):
        Path(f"{kind}.yaml").write_text(CONFIG.format(name=kind, kind=kind), encoding="utf-8")

    def write_definition(*lines: str) -> Path:
        text = "\n".join(("name: grid", "configs: [majority.yaml, tfidf.yaml]", *lines))
        Path("grid.yaml").write_text(text, encoding="utf-8")
        return Path("grid.yaml")

    return write_definition


def _grid(path: Path, *assignments: str) -> list[Any]:
    return cells(read_definition(path, assignments))


def test_the_grid_is_configs_by_variants_by_seeds_by_protocols(write: Write) -> None:
    path = write("protocols: [theatres, split]", "seeds: [0, 3]", "folds: 4", "variants: {plain: [], x: [seed=9]}")
    keys = [cell.key for cell in _grid(path)]
    assert keys[:5] == [
        "theatres 4 majority-plain seed 0",
        "theatres 4 tfidf-plain seed 0",
        "theatres 4 majority-x seed 0",
        "theatres 4 tfidf-x seed 0",
        "theatres 4 majority-plain seed 3",
    ]
    assert len(keys) == len(set(keys)) == 16


def test_without_variants_a_run_has_the_name_of_its_config_and_the_experiment_of_the_definition(write: Write) -> None:
    (one, _) = _grid(write("protocols: [leave-one-theatre-out]"))
    assert (one.key, one.config.name, one.config.experiment) == (
        "leave-one-theatre-out majority seed 0",
        "majority",
        "grid",
    )
    assert one.splits == ("leave-one-theatre-out",)


def test_a_learning_curve_has_a_run_a_share_and_leaves_the_splits_of_its_config(write: Write) -> None:
    grid = _grid(write("protocols: [learning-curve]", "shares: [0.1, 1]"))
    assert [cell.key for cell in grid][:2] == [
        "learning-curve 0.1 majority seed 0",
        "learning-curve 1 majority seed 0",
    ]
    assert grid[0].splits == ("validation", "test", "test_unseen")


def test_a_digest_is_equal_for_equal_settings_only_and_does_not_know_the_experiment(write: Write) -> None:
    path = write("protocols: [theatres]")
    first = _grid(path)[1].digest
    assert _grid(path)[1].digest == first
    assert _grid(path, "name=other")[1].digest == first
    changes = ("folds=3", "seeds=[1]", "overrides=[data.contrast_weight=0.5]", "protocols=[split]")
    assert len({first, *(_grid(path, change)[1].digest for change in changes)}) == 5


def test_other_saved_models_under_the_same_names_are_another_digest(write: Write, labelled: list[Example]) -> None:
    Path("both.yaml").write_text(CONFIG.format(name="both", kind="ensemble"), encoding="utf-8")
    path = write("protocols: [split]", "overrides: ['model.params.models=[one, two]']")
    params = majority.Params()
    digests = []
    for examples in (None, labelled, labelled[2:], labelled):
        if examples is not None:
            for name in ("one", "two"):
                model = majority.fit(examples, [], params, 0)
                save(Classifier("majority", params, model), Path(name), replace=True)
        (cell,) = _grid(path, "configs=[both.yaml]")
        digests.append(cell.digest)
    assert len(set(digests)) == 3
    assert digests[1] == digests[3]


def test_another_content_of_the_teachers_file_is_another_digest(write: Write) -> None:
    overrides = "overrides: [data.teacher=said.csv, model.params.soft_labels=true]"
    path = write("protocols: [split]", overrides)
    digests = []
    for content in (None, "one", "two", "one"):
        if content is not None:
            Path("said.csv").write_text(content, encoding="utf-8")
        (cell,) = _grid(path, "configs=[tfidf.yaml]")
        digests.append(cell.digest)
    assert len(set(digests)) == 3
    assert digests[1] == digests[3]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["protocols: [theatre]"],
            "grid.yaml: protocols.0: expected 'split', 'theatres', 'leave-one-theatre-out' or 'learning-curve', "
            "got 'theatre'. Change it.",
        ),
        (
            ["protocols: [split]", "folds: 3"],
            "grid.yaml: the settings: expected settings that fit together, "
            "got folds, which has no effect without the protocol theatres. Change one of them.",
        ),
        (
            ["protocols: [split]", "seeds: [1, 1]"],
            "grid.yaml: seeds: expected each value once, not 1 twice, got [1, 1]. Change it.",
        ),
        (
            ["protocols: [learning-curve]", "shares: [0.5, 1.5]"],
            "grid.yaml: shares: expected shares above 0, up to 1, got [0.5, 1.5]. Change it.",
        ),
        (
            ["protocol: [split]"],
            "grid.yaml: protocols: expected a value, got nothing. Add the key.",
        ),
    ],
)
def test_a_wrong_definition_is_refused(write: Write, lines: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_definition(write(*lines))
    assert str(error.value) == message


def test_a_variant_whose_name_cannot_be_part_of_a_runs_is_refused(write: Write) -> None:
    definition = read_definition(write("protocols: [split]", "variants: {'two words': []}"))
    with pytest.raises(ConfigError) as error:
        cells(definition)
    assert str(error.value).startswith("grid: variants: two words: name: expected String should match pattern")


def test_two_configs_of_one_name_are_refused(write: Write) -> None:
    path = write("protocols: [split]")
    Path("tfidf.yaml").write_text(CONFIG.format(name="majority", kind="tfidf"), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        cells(read_definition(path))
    assert str(error.value) == (
        "grid: expected one run of each name, got two of 'split majority seed 0'. Give each config a name of its own."
    )


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml")), ids=lambda p: p.name
)
def test_each_definition_of_the_repository_can_be_planned(
    path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    definition: Definition = read_definition(path)
    assert definition.name == path.stem
    assert cells(definition)
