"""A folder that transformers loads and the Hub takes, of a model of kind `transformer` with one member.

No class of transformers has what these models have, a linear layer on pooled token vectors: the heads for BERT and
MPNet read the first token, through a layer more. So the folder brings sixty lines of code, `modeling_stance.py`, which
`trust_remote_code=True` lets run. The architecture has a name of its own, so that without it loading fails, rather than
give a BERT with a random head. Our own loader (`stance.models`) still runs no code of any folder.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from safetensors.numpy import load_file, save_file

from stance.atomic import staged, swap
from stance.errors import ConfigError, ModelError, problem
from stance.models import Classifier
from stance.models._tokens import FACTS, TOKENIZER, read_facts
from stance.schema import LABELS

CODE: Final = Path(__file__).with_name("modeling_stance.py.txt")
"""No module of this package, and so not named as one: it is read by transformers alone, in the published folder."""

USAGE: Final = """\
```python
from transformers import pipeline

classify = pipeline("text-classification", MODEL, trust_remote_code=True, top_k=None)
classify("Arms belong to the state alone.", truncation=True)
```

`trust_remote_code=True` runs `modeling_stance.py` of this folder: read it first. It is needed as no class of
transformers puts a linear layer on {pooling}-pooled token vectors. The temperature is in the weights of the head, so
that the probabilities are calibrated. `stance` normalises texts first (NFC, straight quotation marks, single spaces);
do the same for the same answers."""

_CLASS: Final = "StanceForSequenceClassification"


def check(classifier: Classifier, folder: Path, replace: bool) -> None:
    """Refuse what cannot be published, or not there.

    Raises:
        ConfigError: the model is of another kind, or has several members or targets.
        ModelError: the folder exists and `replace` is false, or holds something else than a published model.
    """
    params: Any = classifier.params
    if classifier.kind != "transformer" or params.members != 1 or len(classifier.targets) != 1:
        members = f", {params.members} members" if classifier.kind == "transformer" else ""
        got = f"{classifier.kind}{members}, {len(classifier.targets):,} targets"
        raise ConfigError(problem("MODEL", "a transformer of one member and one target", got, "Name another."))
    if folder.exists() and not replace:
        raise ModelError(problem(folder, "a folder that does not exist", "one that does", "Give --replace."))
    if folder.exists() and not (folder / CODE.stem).is_file():
        raise ModelError(problem(folder, "a published model to replace", "something else", "Choose another."))


def publish(classifier: Classifier, model: Path, folder: Path, card: str, replace: bool = False) -> None:
    """Write the model saved in the folder `model`, which `classifier` was loaded from, to `folder`.

    Raises:
        ConfigError: the model is of another kind, or has several members or targets.
        ModelError: the folder exists and `replace` is false, holds something else, or cannot be written.
    """
    check(classifier, folder, replace)
    params: Any = classifier.params
    try:
        with staged(folder) as fresh:
            _write_weights(model / "member-0.safetensors", fresh / "model.safetensors", classifier.temperature)
            _write_json(fresh / "config.json", _config(model, params.pooling))
            _write_json(fresh / "tokenizer_config.json", _tokenizer(model, params.max_tokens))
            shutil.copyfile(model / TOKENIZER, fresh / TOKENIZER)
            shutil.copyfile(CODE, fresh / CODE.stem)
            (fresh / "README.md").write_text(card, encoding="utf-8")
            swap(fresh, folder)
    except OSError as error:
        raise ModelError(problem(folder, "a folder that can be written", str(error), "Choose another.")) from error


def _write_weights(source: Path, to: Path, temperature: float) -> None:
    """The temperature divides the logits, so it divides the head, which is linear."""
    weights = load_file(source)
    for name in ("head.weight", "head.bias"):
        weights[name] = (weights[name] / temperature).astype(weights[name].dtype)
    save_file(weights, to, metadata={"format": "pt"})


def _config(model: Path, pooling: str) -> dict[str, Any]:
    return {
        "model_type": "stance",
        "architectures": [_CLASS],
        "auto_map": {
            "AutoConfig": "modeling_stance.StanceConfig",
            "AutoModelForSequenceClassification": f"modeling_stance.{_CLASS}",
        },
        "encoder": json.loads((model / "encoder.json").read_text(encoding="utf-8")),
        "pooling": pooling,
        "problem_type": "single_label_classification",
        "id2label": {str(at): label for at, label in enumerate(LABELS)},
        "label2id": {label: at for at, label in enumerate(LABELS)},
        "dtype": "float32",
    }


def _tokenizer(model: Path, max_tokens: int) -> dict[str, Any]:
    facts = read_facts(model / FACTS, 1)
    by_id = {at: token for token, at in json.loads((model / TOKENIZER).read_text("utf-8"))["model"]["vocab"].items()}
    mask = {} if facts.mask_token is None else {"mask_token": facts.mask_token}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "pad_token": by_id[facts.pad_id],
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        **mask,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
