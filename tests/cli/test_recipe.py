"""`experiments/recipe/run.py` on the small project: it goes on where it stopped, and votes are of what was kept."""

import contextlib
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

DEFINITION: dict[str, Any] = {
    "question": "Is a strong penalty better?",
    "config": "majority.yaml",
    "data": "data/build/tiny",
    "folds": 3,
    "seeds": [0, 1],
    "variants": {"plain": [], "weak": ["model.params.C=50"], "most frequent": []},
    "configs": {"plain": "tfidf.yaml", "weak": "tfidf.yaml"},
    "votes": {"both": ["plain", "weak"], "seeds": ["plain"]},
}


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "experiments" / "recipe")
        return importlib.import_module("run")


def compared(script: ModuleType, project: Path, path: Path, *options: str, **changes: Any) -> list[dict[str, Any]]:
    path.write_text(json.dumps(DEFINITION | changes))
    with contextlib.chdir(project):
        script.main([str(path), *options])
    return [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(script: ModuleType, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "penalty.yaml"
    compared(script, project, path, seeds=[0], variants={"plain": []}, configs={"plain": "tfidf.yaml"}, votes={})
    rows = compared(script, project, path)
    made = [(row["variant"], row["seed"]) for row in rows]
    assert made == [(name, seed) for seed in (0, 1) for name in ("plain", "weak", "most frequent")]
    return path


def test_a_second_call_trains_nothing_and_writes_the_same_bytes(
    script: ModuleType, project: Path, finished: Path
) -> None:
    files = [finished.with_suffix(suffix) for suffix in (".jsonl", ".md")]
    first = [path.read_bytes() for path in files]
    compared(script, project, finished)
    assert [path.read_bytes() for path in files] == first
    files[1].unlink()
    compared(script, project, finished, "--table")
    assert [path.read_bytes() for path in files] == first


def test_the_table_has_a_row_for_each_variant_and_vote(finished: Path) -> None:
    lines = [line.split("|")[1:4] for line in finished.with_suffix(".md").read_text().splitlines() if line[:1] == "|"]
    assert [[cell.strip() for cell in line] for line in lines[2:]] == [
        ["plain", "`tfidf.yaml`", "2"],
        ["weak", "`tfidf.yaml` `model.params.C=50`", "2"],
        ["most frequent", "as in the config", "2"],
        ["both", "vote of plain and weak", "2"],
        ["seeds", "vote of all seeds of plain", "1"],
    ]


def test_what_is_kept_of_a_statement_is_its_label_and_its_probabilities(
    script: ModuleType, project: Path, finished: Path
) -> None:
    for row in compared(script, project, finished):
        kept = script._probabilities(row)
        assert kept.shape == (len(row["predicted"]), 3)
        assert kept.min() > 0
        np.testing.assert_allclose(kept.sum(axis=1), 1)
        second, first = np.sort(kept, axis=1)[:, 1:].T
        clear = first - second > 0.005  # of the others, rounding may decide
        assert row["variant"] == "most frequent" or clear.sum() > 40
        np.testing.assert_array_equal(kept.argmax(axis=1)[clear], script._predicted(row)[clear])


def test_in_a_vote_the_mean_of_probabilities_decides(script: ModuleType) -> None:
    def row(seed: int, *thousandths: str) -> dict[str, Any]:
        return {"variant": "x", "seed": seed, "seconds": 1.0, "predicted": "", "thousandths": "".join(thousandths)}

    sure, unsure = row(0, "900050", "010010"), row(0, "400100", "100800")
    gold = np.array([0, 1])
    (vote,) = script._votes([[sure, row(7, "000000", "000000")], [unsure]], gold)
    assert vote["predicted"] == "01"  # 0.65 anti; 0.54 neutral, though the second says pro
    assert vote["accuracy"] == 1
    assert vote["seconds"] == 2
    (vote,) = script._votes([[unsure, row(1, "000900", "000900")]], gold)
    assert (vote["seeds"], vote["predicted"]) == ((0, 1), "22")
    assert script._votes([[unsure]], gold) == []


@pytest.mark.parametrize("options", [(), ("--table",)])
def test_names_of_no_variant_are_refused(
    script: ModuleType, project: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as caught:
        compared(script, project, tmp_path / "wrong.yaml", *options, configs={"plian": "tfidf.yaml"})
    assert str(caught.value) == (
        "Error: configs: expected variants among plain, weak, most frequent, got plian. Name variants."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"votes": {"all": ["plain", "wek"]}},
            "votes.all: expected variants among plain, weak, most frequent, got wek. Name variants.",
        ),
        (
            {"variants": DEFINITION["variants"] | {"weak": ["model.params.C=0"]}},
            "tfidf.yaml: model.params: C: expected greater than 0, got 0. Change it.",
        ),
    ],
)
def test_a_wrong_definition_is_found_before_anything_is_trained(
    script: ModuleType, project: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        compared(script, project, tmp_path / "wrong.yaml", **changes)
    assert str(caught.value) == f"Error: {said}"
    assert not (tmp_path / "wrong.jsonl").exists()


def test_an_encoder_that_is_missing_is_found_before_anything_is_trained(
    script: ModuleType, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "encoder.yaml").write_text(
        "name: x\ndata: {path: data/build/tiny}\nmodel: {kind: transformer, params: {encoder: ./gone}}\nseed: 0\n"
    )
    changes = {"configs": DEFINITION["configs"] | {"most frequent": str(tmp_path / "encoder.yaml")}}
    with pytest.raises(SystemExit) as caught:
        compared(script, project, tmp_path / "gone.yaml", **changes)
    assert "expected package:NAME, a folder, or OWNER/NAME on the Hugging Face Hub, got './gone'" in str(caught.value)
    assert not (tmp_path / "gone.jsonl").exists()
