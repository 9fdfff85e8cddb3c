"""`experiments/report.py` on the small project: the same bytes each time, and beside each error its cause."""

import contextlib
import importlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def scripts(root: Path) -> tuple[ModuleType, ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "experiments")
        return importlib.import_module("report"), importlib.import_module("report_page")


def written(script: ModuleType, project: Path, *options: str) -> Path:
    out = project / "measured" / "REPORT.md"
    out.parent.mkdir(exist_ok=True)
    places = ["--data", "data/build/tiny", "--out", str(out), "--answers", str(out.parent / "answers")]
    with contextlib.chdir(project), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MLFLOW")]:
            patch.delenv(name)
        script.main([*places, *options])
    return out


def mistake(page: ModuleType, id_: str, agreed: float = 1.0) -> object:
    return page.Mistake(id_, "test", "We | they disarm", "north", "armed group", "pro", agreed, "anti", 0.9)


@pytest.mark.slow
def test_a_second_call_writes_the_same_bytes(scripts: tuple[ModuleType, ModuleType], project: Path) -> None:
    out = written(scripts[0], project)
    files = [out, *sorted((out.parent / "report").iterdir())]
    assert [path.name for path in files] == ["REPORT.md", "reliability.png", "risk_coverage.png"]
    first = [path.read_bytes() for path in files]
    written(scripts[0], project)
    assert [path.read_bytes() for path in files] == first
    text = out.read_text(encoding="utf-8")
    left_out = "`minilm-frozen`, `minilm-plain`, `minilm`, `mpnet`, `mpnet-taught`, `mpnet-twice-taught`, `ensemble`"
    assert f"Left out, since they are not trained here: {left_out}." in text
    assert "not tracked" not in text
    assert "nan" not in text


@pytest.mark.slow
def test_a_model_that_is_gone_is_told_from_what_is_kept_and_another_is_asked_anew(
    scripts: tuple[ModuleType, ModuleType], project: Path, tmp_path: Path, run: Callable[..., object]
) -> None:
    models, kept = tmp_path / "models", tmp_path / "answers" / "tfidf.json"
    shutil.copytree(project / "experiments/models/tfidf", models / "tfidf")
    places = ["--models", str(models), "--answers", str(kept.parent)]
    first = written(scripts[0], project, *places).read_bytes()
    content = kept.read_bytes()
    shutil.rmtree(models / "tfidf")
    assert written(scripts[0], project, *places).read_bytes() == first

    told = json.loads(content)
    told["logits"].popitem()
    kept.write_text(json.dumps(told))
    with pytest.raises(SystemExit) as caught:
        written(scripts[0], project, *places)
    assert str(caught.value) == (
        f"Error: {models}/tfidf: expected the model, got none, and 1 texts that it was never asked about. "
        "Train it again: stance train configs/tfidf.yaml"
    )
    kept.write_bytes(content[:-9])
    with pytest.raises(SystemExit, match=f"^Error: {kept}: expected JSON, got .*. Delete it: the model is asked anew."):
        written(scripts[0], project, *places)
    kept.write_text("{}")
    with pytest.raises(SystemExit, match=f"^Error: {kept}: expected what is known of a model, got 'model'. Delete it"):
        written(scripts[0], project, *places)

    store = f"sqlite:///{tmp_path / 'runs.db'}"
    run(
        "train", "tfidf.yaml", "--set", "model.params.C=0.01", "--out", str(models / "tfidf"), MLFLOW_TRACKING_URI=store
    )
    kept.write_bytes(content)
    assert written(scripts[0], project, *places).read_bytes() != first
    assert json.loads(kept.read_bytes())["model"]["fingerprint"] != json.loads(content)["model"]["fingerprint"]


@pytest.mark.slow
def test_other_seeds_are_told_and_another_model_under_their_name_is_refused(
    scripts: tuple[ModuleType, ModuleType], project: Path, tmp_path: Path, run: Callable[..., object]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(project / "experiments/models/tfidf", models / "tfidf")
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    run("train", "tfidf.yaml", "--seed", "1", "--out", str(models / "tfidf-1"), MLFLOW_TRACKING_URI=store)
    places = ["--models", str(models), "--answers", str(tmp_path / "answers")]
    text = written(scripts[0], project, *places).read_text(encoding="utf-8")
    always = "1.000 | 1.000 to 1.000 | 1.000, 1.000"
    assert f"| `tfidf` | 0, 1 | {always} | {always} |" in text

    (models / "tfidf-1").rename(models / "tfidf-2")
    with pytest.raises(SystemExit) as caught:
        written(scripts[0], project, *places)
    assert str(caught.value) == (
        f"Error: {models}/tfidf-2: expected tfidf with another seed, the one it is named by, got another model. "
        f"Train it again: stance train configs/tfidf.yaml --seed N --out {models}/tfidf-N --replace"
    )


def test_the_seeds_of_a_model_are_laid_out_by_split(scripts: tuple[ModuleType, ModuleType]) -> None:
    scores = {"minilm": {"test": {0: 0.5, 2: 0.7, 1: 0.3}, "unseen": {0: 0.25, 1: 0.25, 2: 0.4}}}
    assert list(scripts[1].seed_table(scores, ["test", "unseen"])) == [
        "| model | seeds | `test`: mean | range | each | `unseen`: mean | range | each |",
        "|---|---|---|---|---|---|---|---|",
        "| `minilm` | 0, 1, 2 | 0.500 | 0.300 to 0.700 | 0.500, 0.300, 0.700 | 0.300 | 0.250 to 0.400 "
        "| 0.250, 0.250, 0.400 |",
    ]


def test_without_a_model_it_says_what_to_do(
    scripts: tuple[ModuleType, ModuleType], project: Path, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as caught:
        written(scripts[0], project, "--models", str(tmp_path), "--answers", str(tmp_path / "answers"))
    assert str(caught.value) == (
        f"Error: {tmp_path}: expected a model among majority, tfidf, minilm-frozen, minilm-plain, minilm, mpnet, "
        "mpnet-taught, mpnet-twice-taught, ensemble, got none. Train one: stance train configs/tfidf.yaml"
    )


def test_each_error_is_shown_with_its_cause_or_as_not_read(scripts: tuple[ModuleType, ModuleType]) -> None:
    page = scripts[1]
    readings = {"b": page.Reading(cause="label doubtful", why="no arms"), "z": page.Reading(cause="other", why="-")}
    mistakes = [mistake(page, "a"), mistake(page, "b", agreed=2 / 3)]
    assert list(page.mistake_table(mistakes, readings))[2:] == [
        "| 1 | We / they disarm *(north, armed group; `test`, `a`)* | pro | anti 0.90 | not read yet |  |",
        "| 2 | We / they disarm *(north, armed group; `test`, `b`)* | pro (67% of votes) | anti 0.90 "
        "| label doubtful | no arms |",
    ]
    assert page.causes(mistakes, readings) == (
        "Causes: label doubtful 1, not read yet 1. The label is doubtful under the codebook in 1 of 2."
    )
