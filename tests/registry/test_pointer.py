"""The champion is found by a small file, which is believed only as far as it is true."""

import json
import shutil
from pathlib import Path

import pytest

from stance.errors import ModelError
from stance.models import Classifier, _folder
from stance.registry import pointer


@pytest.fixture
def path(saved: Path, tmp_path: Path) -> Path:
    place = tmp_path / "models" / "champion.json"
    pointer.write(saved, "3", "a" * 32, place)
    return place


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as error:
        pointer.read(path)
    return str(error.value).removesuffix(
        f". Promote it again (stance promote RUN), name a model with --model, or remove {path}."
    )


def test_without_a_pointer_there_is_no_champion(tmp_path: Path) -> None:
    assert pointer.read(tmp_path / "champion.json") is None


def test_the_champion_is_the_copy_of_what_was_promoted(saved: Path, path: Path) -> None:
    (saved / "notes.txt").write_text("not listed, so not copied")
    folder = pointer.write(saved, "4", "a" * 32, path)
    assert pointer.read(path) == folder == path.parent / "champion"
    assert sorted(file.name for file in folder.iterdir()) == ["majority.json", "model.json"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["champion", "champion.json"]
    assert json.loads(path.read_text()) == {
        "address": "models:/disarmament@champion",
        "version": "4",
        "run": "a" * 32,
        "fingerprint": _folder.fingerprint(saved),
        "folder": "champion",
    }


def test_an_export_of_the_same_model_comes_along_and_stays(saved: Path, path: Path) -> None:
    for name, model in (("a-other", b"{}"), ("b-same", (saved / "model.json").read_bytes())):
        graphs = path.parent / name / "runtime" / "onnx"
        graphs.mkdir(parents=True)
        (path.parent / name / "model.json").write_bytes(model)
        (graphs / "member-0.onnx").write_text(f"the graph of {name}")
    for _ in range(2):
        copied = pointer.write(saved, "4", "a" * 32, path) / "runtime" / "onnx" / "member-0.onnx"
        assert copied.read_text() == "the graph of b-same"
        assert [folder.stat().st_mode & 0o777 for folder in copied.parents[:2]] == [0o755, 0o755]
        if (path.parent / "b-same").exists():
            shutil.rmtree(path.parent / "b-same")


def test_another_model_in_the_place_of_the_champion_is_refused(classifier: Classifier, path: Path) -> None:
    other = Classifier(classifier.kind, classifier.params, classifier.model, temperature=3.0)
    _folder.save(other, path.parent / "champion", replace=True)
    assert refusal(path) == f"{path}: expected version 3 in {path.parent}/champion, got another model"


def test_a_champion_that_is_gone_is_said(path: Path) -> None:
    (path.parent / "champion" / "model.json").unlink()
    assert refusal(path) == f"{path}: expected the champion in {path.parent}/champion, got no model there"


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff"])
def test_a_damaged_pointer_is_said(path: Path, content: str) -> None:
    path.write_bytes(content.encode("latin-1"))
    assert refusal(path) == f"{path}: expected a pointer to the champion, got another or a damaged file"


@pytest.mark.parametrize("folder", ["../model", "/etc", "a/b", ".."])
def test_a_pointer_cannot_lead_out_of_its_folder(path: Path, folder: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"folder": folder}))
    assert refusal(path) == f"{path}: expected a pointer to the champion, got another or a damaged file"


def test_a_huge_pointer_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**30)
    assert refusal(path) == f"{path}: expected at most 10,000 bytes, got 1,073,741,824"


def test_what_is_no_model_is_not_replaced(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "champion").mkdir()
    (tmp_path / "champion" / "novel.txt").write_text("Call me Ishmael.")
    with pytest.raises(ModelError) as error:
        pointer.write(saved, "3", "a" * 32, tmp_path / "champion.json")
    assert str(error.value) == (
        f"{tmp_path}/champion: expected a model to replace, or nothing, got something else. Move it."
    )
    assert (tmp_path / "champion" / "novel.txt").read_text() == "Call me Ishmael."
