import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from stance.errors import ModelError
from stance.models import Classifier, _folder, transformer
from stance.models.transformer import Params, Transformer
from stance.schema import Example

Toy = Callable[..., list[Example]]
Quick = Callable[..., Params]

MEMBER = "member-0.safetensors"
AGAIN = "The folder is damaged: train or copy it again."


@pytest.fixture(scope="module")
def trained(toy: Toy, quick: Quick) -> tuple[Transformer, Params]:
    params = quick(epochs=1, members=2)
    return transformer.fit(toy(24), [], params, seed=0), params


@pytest.fixture
def saved(trained: tuple[Transformer, Params], tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    trained[0].save(folder)
    return folder


def refusal(folder: Path, params: Params) -> str:
    with pytest.raises(ModelError) as caught:
        transformer.load(folder, params)
    return str(caught.value)


def change_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}), encoding="utf-8")


def change_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def test_a_model_comes_back_from_disk_without_its_encoder(
    trained: tuple[Transformer, Params], toy: Toy, encoders: dict[str, Path], tmp_path: Path
) -> None:
    model, params = trained
    params = params.model_copy(update={"encoder": "gone/gone", "revision": "gone"})
    _folder.save(Classifier("transformer", params, model), tmp_path / "model")
    state = torch.get_rng_state()
    again = _folder.load(tmp_path / "model").model
    assert torch.equal(torch.get_rng_state(), state)
    queries = [example.query for example in toy(12, seed=1)]
    np.testing.assert_array_equal(again.logits(queries), model.logits(queries))
    assert again.explain(queries[0], 0) == model.explain(queries[0], 0)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "encoder.json",
        MEMBER,
        "member-1.safetensors",
        "model.json",
        "tokenizer.json",
        "transformer.json",
    ]
    assert json.loads((tmp_path / "model" / "transformer.json").read_text(encoding="utf-8")) == {
        "mask_token": "[MASK]",
        "members": 2,
        "pad_id": 0,
        "pair": False,
        "vocabulary": 23,
    }


def test_saving_twice_writes_the_same_bytes(saved: Path, trained: tuple[Transformer, Params], tmp_path: Path) -> None:
    trained[0].save(tmp_path)
    for path in saved.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_weights_that_do_not_fit_are_refused(saved: Path, trained: tuple[Transformer, Params]) -> None:
    params = trained[1]
    path = saved / MEMBER
    original = path.read_bytes()

    def message(change: Callable[[dict[str, torch.Tensor]], object]) -> str:
        path.write_bytes(original)
        change_weights(path, change)
        return refusal(saved, params)

    assert message(lambda weights: weights.pop("head.bias")) == (
        f"{path}: expected 39 tensors, got none named head.bias. {AGAIN}"
    )
    assert message(lambda weights: weights.update(other=torch.zeros(1))) == (
        f"{path}: expected 39 tensors, got also other. {AGAIN}"
    )
    assert message(lambda weights: weights.update({"head.bias": torch.zeros(4)})) == (
        f"{path}: expected head.bias as torch.float32 (3,), got torch.float32 (4,). {AGAIN}"
    )
    assert message(lambda weights: weights.update({"head.bias": torch.zeros(3, dtype=torch.float16)})) == (
        f"{path}: expected head.bias as torch.float32 (3,), got torch.float16 (3,). {AGAIN}"
    )
    path.write_bytes(b"no tensors")
    assert refusal(saved, params).startswith(f"{path}: expected weights, got ")
    path.unlink()
    assert refusal(saved, params).startswith(f"{path}: expected weights, got ")


def test_a_tokenizer_of_another_model_is_refused(saved: Path, trained: tuple[Transformer, Params]) -> None:
    params = trained[1]
    path = saved / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model"]["vocab"]["more"] = 23
    path.write_text(json.dumps(content), encoding="utf-8")
    assert refusal(saved, params) == (
        f"{path}: expected 23 tokens, at most 40, got 24. The tokenizer is of another model: copy it again."
    )
    change_json(saved / "transformer.json", vocabulary=24)
    change_json(saved / "encoder.json", vocab_size=23)
    assert refusal(saved, params) == (
        f"{path}: expected 24 tokens, at most 23, got 24. The tokenizer is of another model: copy it again."
    )
    path.write_text("{}", encoding="utf-8")
    assert refusal(saved, params).startswith(f"{path}: expected a tokenizer, got ")
    path.unlink()
    assert refusal(saved, params).startswith(f"{path}: expected a file of the model, got ")


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"auto_map": {"AutoModel": "evil.Model"}},
            "expected the shape of an encoder, got auto_map, which can name code to run. Do not trust this model.",
        ),
        (
            {"attn_implementation": "evil/kernel"},
            "expected the shape of an encoder, got attn_implementation, which can name code to run. "
            "Do not trust this model.",
        ),
        (
            {"_attn_implementation_internal": "evil/kernel"},
            "expected the shape of an encoder, got _attn_implementation_internal, which can name code to run. "
            "Do not trust this model.",
        ),
        (
            {"model_type": "evil"},
            "expected a model_type that transformers knows, got 'evil'. "
            "Install the version of transformers that made it.",
        ),
        (
            {"model_type": ...},
            "expected a model_type that transformers knows, got None. "
            "Install the version of transformers that made it.",
        ),
    ],
)
def test_a_config_that_wants_code_or_an_unknown_architecture_is_refused(
    changes: dict[str, Any], message: str, saved: Path, trained: tuple[Transformer, Params]
) -> None:
    change_json(saved / "encoder.json", **changes)
    assert refusal(saved, trained[1]) == f"{saved / 'encoder.json'}: {message}"


def test_a_config_that_is_none_is_refused(saved: Path, trained: tuple[Transformer, Params]) -> None:
    path = saved / "encoder.json"
    change_json(path, hidden_size="wide")
    assert refusal(saved, trained[1]).startswith(f"{path}: expected a config of bert, got ")
    path.write_text("[]", encoding="utf-8")
    assert refusal(saved, trained[1]) == f"{path}: expected a JSON object, got list. {AGAIN}"
    for damaged in ("{", "[" * 10**5):
        path.write_text(damaged, encoding="utf-8")
        assert refusal(saved, trained[1]).startswith(f"{path}: expected JSON, got ")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"members": 3}, "expected 2 members, as in the settings, got 3."),
        ({"pair": ...}, "expected the facts about a transformer, got Field required (pair)."),
        ({"more": 1}, "expected the facts about a transformer, got Extra inputs are not permitted (more)."),
    ],
)
def test_facts_that_do_not_fit_are_refused(
    changes: dict[str, Any], message: str, saved: Path, trained: tuple[Transformer, Params]
) -> None:
    change_json(saved / "transformer.json", **changes)
    assert refusal(saved, trained[1]) == f"{saved / 'transformer.json'}: {message} {AGAIN}"
