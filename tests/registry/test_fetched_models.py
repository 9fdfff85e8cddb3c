"""A model that came from a tracking server is data from anywhere: whatever cannot be one of ours is refused unread."""

import hashlib
import json
import pickle
from pathlib import Path

import pytest

from stance.errors import ModelError
from stance.models import Classifier, _folder, _runtime, load, tfidf
from stance.schema import LABELS, Example


class Loaded(Exception):
    """Raised by a pickle that somebody opens."""


class Trap:
    def __reduce__(self) -> tuple[type[Loaded], tuple[str]]:
        return Loaded, ("the pickle was loaded",)


def listed(folder: Path, name: str, content: bytes) -> None:
    """Put a file into the folder, and into the manifest with its true size and hash."""
    (folder / name).write_bytes(content)
    path = folder / "model.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(manifest))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        load(folder)
    return str(error.value)


@pytest.mark.parametrize("name", ["weights.bin", "weights.pkl", "modeling.py", "member-0.pt", "weights"])
def test_a_model_of_anything_but_data_is_refused(saved: Path, name: str) -> None:
    listed(saved, name, pickle.dumps(Trap()))
    assert refusal(saved) == (
        f"{saved}/model.json: expected files of .json and .safetensors, got {name!r}. Do not trust this model."
    )


def test_a_pickle_under_the_name_of_weights_is_not_opened(tmp_path: Path) -> None:
    examples = [Example(f"{n}", f"the text number {n}", LABELS[n % 3], f"{n}") for n in range(9)]
    params = tfidf.Params()
    folder = tmp_path / "model"
    _folder.save(Classifier("tfidf", params, tfidf.fit(examples, [], params, seed=0)), folder)
    listed(folder, "weights.safetensors", pickle.dumps(Trap()))
    assert refusal(folder) == (
        f"{folder}: expected a TF-IDF model, got SafetensorError: Error while deserializing header: header too large. "
        "Train it again."
    )


def test_a_gigabyte_of_json_is_refused_by_its_size(saved: Path) -> None:
    with (saved / "majority.json").open("wb") as file:
        file.truncate(2**30)
    assert refusal(saved) == (
        f"{saved}/majority.json: expected at most 200,000,000 bytes, got 1,073,741,824. Do not trust this model."
    )


def test_a_gigabyte_in_the_record_of_an_export_is_refused_by_its_size(saved: Path) -> None:
    place = _runtime.place(saved, "onnx")
    place.mkdir(parents=True)
    with (place / "runtime.json").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(ModelError) as error:
        _runtime.verify(saved, "onnx", "0" * 64)
    assert str(error.value) == (
        f"{place}/runtime.json: expected at most 1,000,000 bytes, got 1,073,741,824. "
        f"Export it again: stance export {saved} --runtime onnx"
    )
