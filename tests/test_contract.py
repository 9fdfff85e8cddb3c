"""The contracts of the stages: every model and every source is found on disk and held to them.

A new file in `stance/models/` or `stance/dataset/sources/` is tested here by being there. A model that is too heavy
with its defaults gets an entry in `CHEAP`, a source an entry in `SAMPLES` if it is to be read as well.
"""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from stance import plugins
from stance.config import Settings
from stance.errors import DataError, ModelError
from stance.models import Classifier, Model, ModelFile, load
from stance.models._folder import model_file, save
from stance.schema import LABELS, Annotation, Example, Query, Vote

MODELS = plugins.names("stance.models")
SOURCES = plugins.names("stance.dataset.sources")

TEXTS = [
    "We will disarm.",
    "“Never”, said Ünal: keep the rifles… 武装解除 👍",
    "x",
    "",
    "The council urged all groups to disarm at once. " * 3,
]
QUERIES = [Query(text) for text in TEXTS]


def _tiny_transformer(folder: Path) -> dict[str, Any]:
    """Settings of one step with a random BERT of two layers, saved in `folder`."""
    pytest.importorskip("torch", reason="needs torch, which comes with an extra of stance")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = (
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "We",
        "disarm",
        "rifles",
        "the",
        "keep",
        "Tuesday",
        "militia",
    )
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="[MASK]", **names).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=32, **sizes)).save_pretrained(folder)
    return {"encoder": str(folder), "max_tokens": 16, "epochs": 1, "batch_size": 12}


def _tiny_cascade(folder: Path) -> dict[str, Any]:
    return {"second": {"kind": "transformer", "params": _tiny_transformer(folder)}}


def _tiny_ensemble(folder: Path) -> dict[str, Any]:
    """Settings of two saved models."""
    examples = [
        Example(f"{n}", text, label, f"{n}")
        for n, (text, label) in enumerate(zip(("never again", "it rained", "we disarm"), LABELS, strict=True))
    ]
    for kind in ("majority", "tfidf"):
        file = model_file(kind, "test")
        save(Classifier(kind, file.Params(), file.fit(examples, [], file.Params(), 0)), folder / kind)
    return {"models": [folder / "majority", folder / "tfidf"]}


CHEAP: dict[str, Callable[[Path], dict[str, Any]]] = {
    "transformer": _tiny_transformer,
    "cascade": _tiny_cascade,
    "ensemble": _tiny_ensemble,
}
"""Settings, made with the help of an empty folder, for models that are too heavy with their defaults."""

SAMPLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "annotations": ("a.jsonl", '{"id": "1", "text": "Yes.", "votes": [{"annotator": "gold", "label": "pro"}]}\n', {}),
    "table": (
        "a.jsonl",
        '{"n": 1, "said": "Yes.", "how": "favour"}\n',
        {"columns": {"text": "said", "label": "how", "id": "n"}, "labels": {"favour": "pro"}},
    ),
}
"""One statement in the form of each source: file name, content, settings."""


@dataclass(frozen=True)
class Fitted:
    kind: str
    file: ModelFile
    params: Settings
    model: Model

    @property
    def classifier(self) -> Classifier:
        return Classifier(self.kind, self.params, self.model, temperature=1.7)


@pytest.fixture(scope="module", params=MODELS)
def fitted(request: pytest.FixtureRequest, labelled: list[Example], tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Each model of the package, fitted on twelve sentences."""
    kind: str = request.param
    file = model_file(kind, "test")
    settings = CHEAP[kind](tmp_path_factory.mktemp(kind)) if kind in CHEAP else {}
    params = file.Params(**settings)
    return Fitted(kind, file, params, file.fit(labelled, labelled[::2], params, seed=3))


def test_the_models_and_sources_are_found() -> None:
    assert {"majority", "tfidf"} <= set(MODELS)
    assert {"annotations", "table"} <= set(SOURCES)
    assert set(CHEAP) <= {*MODELS, "transformer", "cascade", "ensemble"}
    assert set(SAMPLES) <= set(SOURCES)


@pytest.mark.parametrize("kind", MODELS)
def test_the_settings_of_a_model_have_defaults_and_descriptions(kind: str) -> None:
    params = model_file(kind, "test").Params
    assert issubclass(params, Settings)
    assert params.model_validate(params().model_dump(mode="json")) == params()
    assert [name for name, field in params.model_fields.items() if not field.description and name != "C"] == []


def test_logits_are_finite_and_one_row_a_query(fitted: Fitted) -> None:
    logits = fitted.model.logits(QUERIES)
    assert logits.shape == (len(QUERIES), len(LABELS))
    assert logits.dtype == np.float64
    assert np.isfinite(logits).all()


def test_no_queries_give_no_rows(fitted: Fitted) -> None:
    assert fitted.model.logits([]).shape == (0, len(LABELS))
    assert fitted.classifier.predict_proba([]).shape == (0, len(LABELS))


def test_probabilities_sum_to_one(fitted: Fitted) -> None:
    probabilities = fitted.classifier.predict_proba(QUERIES)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_a_query_is_answered_alike_in_whatever_company(fitted: Fitted) -> None:
    together = fitted.model.logits(QUERIES)
    alone = np.concatenate([fitted.model.logits([query]) for query in QUERIES])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(together[::-1], fitted.model.logits(QUERIES[::-1]), atol=1e-5)


def test_a_loaded_model_answers_as_the_saved_one(fitted: Fitted, tmp_path: Path) -> None:
    save(fitted.classifier, tmp_path / "model")
    found = load(tmp_path / "model")
    assert (found.kind, found.params) == (fitted.kind, fitted.params)
    assert np.array_equal(found.model.logits(QUERIES), fitted.model.logits(QUERIES))
    assert np.array_equal(found.predict_proba(QUERIES), fitted.classifier.predict_proba(QUERIES))


def test_a_model_is_flat_files_of_json_and_safetensors(fitted: Fitted, tmp_path: Path) -> None:
    save(fitted.classifier, tmp_path / "model")
    for path in (tmp_path / "model").iterdir():
        assert path.is_file()
        assert not path.is_symlink()
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        else:
            assert path.suffix == ".safetensors"
            assert load_file(path)


def test_the_same_seed_gives_the_same_files(fitted: Fitted, labelled: list[Example], tmp_path: Path) -> None:
    again = fitted.file.fit(labelled, labelled[::2], fitted.params, seed=3)
    for name, model in (("one", fitted.model), ("two", again)):
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    assert [n for n in names if (tmp_path / "one" / n).read_bytes() != (tmp_path / "two" / n).read_bytes()] == []


def test_fitting_leaves_the_global_generators_alone(fitted: Fitted, labelled: list[Example]) -> None:
    def states() -> list[Any]:
        torch = sys.modules.get("torch")
        drawn = torch.random.get_rng_state().tolist() if torch else []
        return [random.getstate(), np.random.get_state()[1].tolist(), drawn]  # type: ignore[index,union-attr]

    before = states()
    fitted.file.fit(labelled, [], fitted.params, seed=4)
    assert states() == before


def test_attributions_are_in_the_order_of_the_text_and_inside_it(fitted: Fitted) -> None:
    for query in QUERIES:
        for label in range(len(LABELS)):
            found = fitted.model.explain(query, label)
            spans = [(attribution.start, attribution.end) for attribution in found]
            assert spans == sorted(spans)
            assert all(0 <= start < end <= len(query.text) for start, end in spans)
            assert all(np.isfinite(attribution.weight) for attribution in found)


def test_an_empty_folder_is_no_model(fitted: Fitted, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        fitted.file.load(tmp_path, fitted.params)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_has_settings_and_refuses_a_missing_file(kind: str, tmp_path: Path) -> None:
    source = plugins.load("stance.dataset.sources", kind, "test")
    assert issubclass(source.Params, Settings)
    params = source.Params.model_validate(SAMPLES[kind][2] if kind in SAMPLES else {})
    with pytest.raises(DataError, match=rf"^{tmp_path}/none\.jsonl: expected [^\n]+, got no such file\."):
        list(source.read(tmp_path / "none.jsonl", params))


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_a_source_yields_annotations_with_their_place(kind: str, tmp_path: Path) -> None:
    source = plugins.load("stance.dataset.sources", kind, "test")
    name, content, params = SAMPLES[kind]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = list(source.read(path, source.Params.model_validate(params)))
    assert found == [Annotation("1", "Yes.", (Vote("gold", "pro"),), f"{path}:1")]


def run(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("module", ["stance", "stance.cli", "stance.plugins", "stance.errors"])
def test_importing_a_light_module_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    heavy = "torch transformers sklearn mlflow datasets numpy scipy pandas pyarrow matplotlib pydantic yaml"
    code = f"import sys, {module}; print(sorted(set({heavy.split()!r}) & set(sys.modules)))"
    assert run(code, tmp_path) == "[]\n"


def test_importing_a_plugin_has_no_side_effect(tmp_path: Path) -> None:
    code = (
        "import logging, os, random\n"
        "from stance import plugins\n"
        "import sklearn.linear_model  # has effects of its own, which are not ours\n"
        "def state():\n"
        "    return dict(os.environ), random.getstate(), logging.root.level\n"
        "before = state()\n"
        "for package in ('stance.models', 'stance.dataset.sources'):\n"
        "    for name in plugins.names(package):\n"
        "        plugins.load(package, name, 'test')\n"
        "assert before == state()\n"
        "assert not logging.root.handlers\n"
        "assert not [name for name in logging.root.manager.loggerDict if name.startswith('stance')\n"
        "            and logging.getLogger(name).handlers]\n"
    )
    assert run(code, tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
