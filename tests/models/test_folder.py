"""Models on disk: whole or not at all, and nothing is read that is not what was written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.errors import ConfigError, ModelError
from stance.models import Classifier, _folder, load, majority, tfidf
from stance.schema import Example, Query


@pytest.fixture
def classifier(labelled: list[Example]) -> Classifier:
    params = majority.Params()
    model = majority.fit(labelled[2:], [], params, seed=0)
    return Classifier("majority", params, model, 1.5, ("arms",), {"name": "a run", "seed": 3})


@pytest.fixture
def saved(classifier: Classifier, tmp_path: Path) -> Path:
    _folder.save(classifier, tmp_path / "model")
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def change(folder: Path, **changes: Any) -> None:
    """Write other values into the manifest; `...` takes a key out."""
    path = folder / "model.json"
    manifest = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in manifest.items() if value is not ...}))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        load(folder)
    return str(error.value)


def test_a_loaded_classifier_is_the_saved_one(classifier: Classifier, saved: Path) -> None:
    found = load(saved)
    assert (found.kind, found.params, found.temperature, found.targets, found.origin) == (
        "majority",
        majority.Params(),
        1.5,
        ("arms",),
        {"name": "a run", "seed": 3},
    )
    assert np.array_equal(found.predict_proba([Query("x")]), classifier.predict_proba([Query("x")]))


def test_the_manifest_says_what_is_in_the_folder(saved: Path) -> None:
    manifest = json.loads((saved / "model.json").read_text())
    sha256 = manifest["files"]["majority.json"].pop("sha256")
    assert len(sha256) == 64
    assert manifest == {
        "format": "stance-model",
        "format_version": 1,
        "stance_version": "0.1.0",
        "kind": "majority",
        "labels": ["anti", "neutral", "pro"],
        "targets": ["arms"],
        "temperature": 1.5,
        "params": {},
        "origin": {"name": "a run", "seed": 3},
        "files": {"majority.json": {"bytes": (saved / "majority.json").stat().st_size}},
    }


def test_the_same_model_has_the_same_fingerprint_wherever_it_stands(classifier: Classifier, tmp_path: Path) -> None:
    _folder.save(classifier, tmp_path / "one")
    _folder.save(classifier, tmp_path / "deep" / "two")
    assert _folder.fingerprint(tmp_path / "one") == _folder.fingerprint(tmp_path / "deep" / "two")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == (
        f"{tmp_path}/none: expected a model folder, got no such folder. Train one: stance train configs/tfidf.yaml"
    )


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"{tmp_path}: expected a model folder with model.json, got none there. Name a folder that stance train made."
    )


def test_a_huge_manifest_is_refused_before_it_is_read(saved: Path) -> None:
    (saved / "model.json").write_bytes(b" " * 1_000_001)
    assert refusal(saved) == f"{saved}/model.json: expected at most 1,000,000 bytes, got 1,000,001. Do not trust it."


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'"\xff"', "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"),
    ],
)
def test_a_manifest_that_is_no_json_is_refused(saved: Path, content: bytes, got: str) -> None:
    (saved / "model.json").write_bytes(content)
    assert refusal(saved) == (
        f"{saved}/model.json: expected JSON, got {got}. The folder is damaged: train or copy it again."
    )


def test_a_bottomless_manifest_is_refused(saved: Path) -> None:
    (saved / "model.json").write_bytes(b"[" * 100_000)
    assert refusal(saved).startswith(f"{saved}/model.json: expected JSON, got maximum recursion depth exceeded")


AGAIN = "Train the model again."
MADE = "Name a folder that stance train made."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "pickle"}, f'expected "format": "stance-model", got another file. {MADE}'),
        ({"format": ...}, f'expected "format": "stance-model", got another file. {MADE}'),
        ({"format_version": 2}, "expected format version 1, got 2. Use the version of stance that made it."),
        ({"format_version": ...}, "expected format version 1, got None. Use the version of stance that made it."),
        (
            {"labels": ["pro", "neutral", "anti"]},
            "expected the labels ['anti', 'neutral', 'pro'], got ['pro', 'neutral', 'anti']. "
            "Train a model for these labels.",
        ),
        (
            {"kind": "oracle"},
            "expected a known kind of model, got 'oracle'. Install the version of stance that made it.",
        ),
        (
            {"kind": "_folder"},
            "expected a known kind of model, got '_folder'. Install the version of stance that made it.",
        ),
        ({"files": ["majority.json"]}, f"expected a list of files, got list. {AGAIN}"),
        ({"files": ...}, f"expected a list of files, got NoneType. {AGAIN}"),
        ({"temperature": 0}, f"expected a positive temperature, got 0. {AGAIN}"),
        ({"temperature": -1.0}, f"expected a positive temperature, got -1.0. {AGAIN}"),
        ({"temperature": float("nan")}, f"expected a positive temperature, got nan. {AGAIN}"),
        ({"temperature": float("inf")}, f"expected a positive temperature, got inf. {AGAIN}"),
        ({"temperature": "1"}, f"expected a positive temperature, got '1'. {AGAIN}"),
        ({"targets": 5}, f"expected a list of targets, got 5. {AGAIN}"),
        ({"targets": [5]}, f"expected a list of targets, got [5]. {AGAIN}"),
        ({"origin": []}, f"expected a mapping as origin, got []. {AGAIN}"),
    ],
)
def test_a_foreign_or_changed_manifest_is_refused(saved: Path, changes: dict[str, Any], message: str) -> None:
    change(saved, **changes)
    assert refusal(saved) == f"{saved}/model.json: {message}"


def test_a_manifest_that_is_a_list_is_refused(saved: Path) -> None:
    (saved / "model.json").write_text("[]")
    assert refusal(saved) == f'{saved}/model.json: expected "format": "stance-model", got another file. {MADE}'


def test_settings_that_the_model_does_not_know_are_refused(saved: Path) -> None:
    change(saved, params={"C": 4})
    assert refusal(saved) == (
        f"{saved}/model.json: params: C: expected no settings here, got an unknown key. Remove it."
    )


def test_a_setting_out_of_range_is_refused(labelled: list[Example], tmp_path: Path) -> None:
    params = tfidf.Params()
    _folder.save(Classifier("tfidf", params, tfidf.fit(labelled, [], params, seed=0)), tmp_path / "model")
    change(tmp_path / "model", params={"C": -1})
    assert refusal(tmp_path / "model") == (
        f"{tmp_path}/model/model.json: params: C: expected greater than 0, got -1. Change it."
    )


def test_a_missing_file_is_refused(saved: Path) -> None:
    (saved / "majority.json").unlink()
    assert refusal(saved) == (
        f"{saved}/majority.json: expected a file of the model, got none. The folder is damaged: train or copy it again."
    )


@pytest.mark.parametrize("facts", [None, {}, {"bytes": 5}, 7])
def test_a_file_that_is_not_the_listed_one_is_refused(saved: Path, facts: object) -> None:
    if facts is None:
        text = (saved / "majority.json").read_text()
        (saved / "majority.json").write_text(text.replace("-0", "-1"))
    else:
        change(saved, files={"majority.json": facts})
    assert refusal(saved) == (
        f"{saved}/majority.json: expected the size and SHA-256 in model.json, got others. "
        "The file was changed or damaged: train or copy it again."
    )


@pytest.mark.parametrize("name", ["majority.json", "more.safetensors", "0.JSON"])
def test_a_file_that_is_not_listed_is_refused(saved: Path, name: str) -> None:
    if name == "majority.json":
        change(saved, files={})
    else:
        (saved / name).write_bytes(b"{}")
    assert refusal(saved) == (
        f"{saved}/{name}: expected only files that model.json lists, got another. "
        "Remove it, or do not trust this model."
    )


def test_what_no_model_reads_may_lie_beside_its_files(saved: Path) -> None:
    for name in ("README.md", "calibration.png", ".DS_Store"):
        (saved / name).write_bytes(b"anything")
    (saved / "runtime" / "onnx").mkdir(parents=True)
    (saved / "runtime" / "onnx" / "runtime.json").write_bytes(b"{}")
    assert load(saved).kind == "majority"


def test_a_symbolic_link_is_refused_even_to_the_same_bytes(saved: Path) -> None:
    (saved / "majority.json").rename(saved.parent / "elsewhere.json")
    (saved / "majority.json").symlink_to(saved.parent / "elsewhere.json")
    assert refusal(saved) == (
        f"{saved}/model.json: expected file names inside the folder, got 'majority.json'. Do not trust this model."
    )


@pytest.mark.parametrize("name", ["../model/majority.json", "deep/majority.json", "/etc/passwd", "..", ".", ""])
def test_a_name_that_leaves_the_folder_is_refused(saved: Path, name: str) -> None:
    facts = json.loads((saved / "model.json").read_text())["files"]["majority.json"]
    change(saved, files={name: facts})
    assert refusal(saved) == (
        f"{saved}/model.json: expected file names inside the folder, got {name!r}. Do not trust this model."
    )


def test_an_unknown_kind_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"^here: expected one of .*, got 'majorty'\. .* Did you mean 'majority'\?$"):
        _folder.model_file("majorty", "here")


def test_an_existing_model_is_replaced_on_request_only(classifier: Classifier, saved: Path) -> None:
    before = contents(saved)
    other = Classifier(classifier.kind, classifier.params, classifier.model, temperature=3.0)
    with pytest.raises(ModelError) as error:
        _folder.save(other, saved)
    assert str(error.value) == (
        f"{saved}: expected a folder that does not exist, got one that does. Give --replace or another --out."
    )
    assert contents(saved) == before
    _folder.save(other, saved, replace=True)
    assert load(saved).temperature == 3.0


@pytest.mark.parametrize("manifest", [None, "{}", '{"format": "other"}', "[]", "not JSON"])
def test_only_a_model_is_ever_replaced(classifier: Classifier, tmp_path: Path, manifest: str | None) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "novel.txt").write_text("Call me Ishmael.")
    if manifest is not None:
        (folder / "model.json").write_text(manifest)
    before = contents(folder)
    with pytest.raises(ModelError) as error:
        _folder.save(classifier, folder, replace=True)
    assert str(error.value) == (
        f"{folder}: expected a model to replace (model.json), got something else. Choose another --out."
    )
    assert contents(folder) == before


def test_a_file_is_never_replaced(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("Call me Ishmael.")
    with pytest.raises(ModelError, match=r"mine: expected a model to replace \(model\.json\), got something else"):
        _folder.save(classifier, tmp_path / "mine", replace=True)
    assert (tmp_path / "mine").read_text() == "Call me Ishmael."


def test_a_model_of_another_version_may_be_replaced(classifier: Classifier, saved: Path) -> None:
    change(saved, format_version=99)
    _folder.save(classifier, saved, replace=True)
    assert load(saved).kind == "majority"


def test_an_empty_folder_is_filled_on_request(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    _folder.save(classifier, tmp_path / "model", replace=True)
    assert load(tmp_path / "model").kind == "majority"


def test_a_folder_that_cannot_be_made_is_refused(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"file/model: expected a folder that can be written, got .* with --out\.$"):
        _folder.save(classifier, tmp_path / "file" / "model")


class _FullDisk(majority.Majority):
    """A model whose disk is full after the first file."""

    def save(self, folder: Path) -> None:
        super().save(folder)
        raise OSError("No space left on device")


def test_a_crash_while_saving_leaves_the_old_model_and_nothing_else(classifier: Classifier, saved: Path) -> None:
    before = contents(saved)
    broken = Classifier("majority", majority.Params(), _FullDisk(np.zeros(3)))
    for folder in (saved, saved.parent / "new"):
        with pytest.raises(ModelError, match=r"expected a folder that can be written, got .*No space left on device"):
            _folder.save(broken, folder, replace=True)
    assert contents(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
