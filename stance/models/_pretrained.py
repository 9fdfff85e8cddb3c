"""Networks from files: a pretrained encoder before training, a saved model after it.

Both are read as data. Weights come from safetensors only, architectures only from transformers itself by the name in
`model_type`, and every weight of a network has to be in its file: none is left at random.
"""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from stance.errors import ConfigError, ModelError, problem
from stance.models._encoder import SETTING, Source
from stance.models._network import Network, Tokens, layer_list
from stance.models._tokens import AGAIN, FACTS, TOKENIZER, Facts, read_facts, read_text, read_tokenizer

CONFIG: Final = "encoder.json"

_DROPOUT: Final = re.compile(r"(?<!classifier_)dropout(_prob|_rate)?$")
"""Names of the rates in the configs of transformers: hidden_dropout_prob, attention_dropout, dropout_rate."""


def pretrained(source: Source, dropout: float | None = None) -> tuple[Any, Any]:
    """Return the encoder of `source`, in float32, and its tokenizer (both of transformers).

    `dropout` takes the place of every dropout rate inside the encoder; None leaves them as its config has them.

    Raises:
        ConfigError: the encoder's config has no such rate.
        ModelError: it cannot be had, is of a kind that transformers does not know, has no safetensors or no fast
            tokenizer, or lacks weights.
    """
    where = {"revision": source.revision, "local_files_only": source.local, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(source.name, **where)
        tokenizer = AutoTokenizer.from_pretrained(source.name, **where)
        if dropout is not None:
            _set_dropout(config, dropout)
        with _quiet():
            encoder, found = AutoModel.from_pretrained(
                source.name, config=config, use_safetensors=True, output_loading_info=True, dtype=torch.float32, **where
            )
    except (OSError, ValueError, SafetensorError) as error:
        todo = "Name another encoder, or download it before."
        raise ModelError(problem(f"{SETTING} {source.name}", "a pretrained encoder", str(error), todo)) from error
    lacking = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
    if lacking or found["mismatched_keys"]:
        got = f"none for {', '.join(lacking or map(str, found['mismatched_keys']))}"
        raise ModelError(
            problem(f"{SETTING} {source.name}", "all weights of the encoder", got, "Name another encoder.")
        )
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        got = f"{type(tokenizer).__name__}"
        todo = "Name another encoder."
        raise ModelError(problem(f"{SETTING} {source.name}", "a fast tokenizer that can pad", got, todo))
    return encoder, tokenizer


def _set_dropout(config: Any, dropout: float) -> None:
    rates = [name for name, value in config.to_dict().items() if _DROPOUT.search(name) and value is not None]
    if not rates:
        todo = "Set it to null."
        raise ConfigError(
            problem("model.params.encoder_dropout", "null, as this encoder has no dropout", str(dropout), todo)
        )
    for name in rates:
        setattr(config, name, dropout)


def check_settings(encoder: Any, max_tokens: int, frozen_layers: int) -> None:
    """Refuse settings that do not fit the architecture.

    Raises:
        ConfigError: there are fewer layers or positions.
        ModelError: the layers cannot be told apart.
    """
    try:
        _, layers = layer_list(encoder)
    except LookupError as error:
        got = f"none in {type(encoder).__name__}"
        raise ModelError(problem(SETTING, "an encoder with a list of layers", got, "Name another encoder.")) from error
    if frozen_layers > layers:
        todo = 'Lower it; "all" freezes the whole encoder.'
        raise ConfigError(
            problem("model.params.frozen_layers", f"at most {layers}, the encoder's layers", str(frozen_layers), todo)
        )
    positions = position_limit(encoder)
    if positions is not None and max_tokens > positions:
        raise ConfigError(
            problem("model.params.max_tokens", f"at most {positions}, the encoder's", str(max_tokens), "Lower it.")
        )


def position_limit(encoder: nn.Module) -> int | None:
    """Return the longest input of `encoder` in tokens, None if its positions are relative.

    Encoders of the RoBERTa kind count positions from behind the padding token's number.
    """
    for name, module in encoder.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - offset
    return None


def write(folder: Path, networks: Sequence[Network], tokens: Tokens, mask: str | None) -> None:
    """Write a model into `folder`: config and tokenizer of the encoder, facts, and the weights of each member."""
    config = networks[0].encoder.config.to_diff_dict()
    for unsaid in ("architectures", "_name_or_path", "auto_map"):
        config.pop(unsaid, None)
    facts = Facts(
        members=len(networks),
        pair=tokens.pair,
        pad_id=tokens.pad,
        mask_token=mask,
        vocabulary=tokens.tokenizer.get_vocab_size(),
    )
    for name, content in ((CONFIG, config), (FACTS, facts.model_dump())):
        (folder / name).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    tokens.tokenizer.save(str(folder / TOKENIZER))
    for number, network in enumerate(networks):
        weights = {name: weight.detach().contiguous() for name, weight in network.state_dict().items()}
        save_file(weights, folder / member_file(number))


def member_file(number: int) -> str:
    """Return the name of the weights of the member `number`, counted from 0."""
    return f"member-{number}.safetensors"


def read(folder: Path, members: int, pooling: str, max_tokens: int) -> tuple[list[Network], Tokens, str | None]:
    """Return the networks, the tokens and the mask token that `write` wrote into `folder`.

    Raises:
        ModelError: a file is missing or unreadable, wants code to be run, or does not fit the others or the settings.
    """
    facts = read_facts(folder / FACTS, members)
    config = _config(folder / CONFIG)
    tokenizer = read_tokenizer(folder / TOKENIZER, facts.vocabulary, config.vocab_size)
    networks = []
    for number in range(members):
        with torch.random.fork_rng(devices=[]):  # the weights are drawn first and read then
            encoder = AutoModel.from_config(config, trust_remote_code=False, dtype=torch.float32)  # type: ignore[no-untyped-call]
            network = Network(encoder, pooling, dropout=0.0)
        fill(network, folder / member_file(number))
        networks.append(network.eval())
    return networks, Tokens(tokenizer, facts.pad_id, max_tokens, facts.pair), facts.mask_token


def fill(network: Network, path: Path) -> None:
    """Put the weights in the file `path` into `network`, all of them and no others.

    Raises:
        ModelError: the file is missing or unreadable, or names, shapes or types of the weights differ.
    """
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(problem(path, "weights", str(error), AGAIN)) from error
    wanted = network.state_dict()
    if lacking := sorted(wanted.keys() - found.keys()):
        raise ModelError(problem(path, f"{len(wanted)} tensors", f"none named {', '.join(lacking)}", AGAIN))
    if foreign := sorted(found.keys() - wanted.keys()):
        raise ModelError(problem(path, f"{len(wanted)} tensors", f"also {', '.join(foreign)}", AGAIN))
    for name, weight in wanted.items():
        if found[name].shape != weight.shape or found[name].dtype != weight.dtype:
            expected = f"{name} as {weight.dtype} {tuple(weight.shape)}"
            got = f"{found[name].dtype} {tuple(found[name].shape)}"
            raise ModelError(problem(path, expected, got, AGAIN))
    network.load_state_dict(found, strict=True)


def _config(path: Path) -> Any:
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(problem(path, "JSON", str(error), AGAIN)) from error
    if not isinstance(content, dict):
        raise ModelError(problem(path, "a JSON object", type(content).__name__, AGAIN))
    if running := sorted(key for key in content if key == "auto_map" or "attn_implementation" in key):
        got = f"{', '.join(running)}, which can name code to run"
        raise ModelError(problem(path, "the shape of an encoder", got, "Do not trust this model."))
    kind = content.pop("model_type", None)
    if kind not in CONFIG_MAPPING:
        todo = "Install the version of transformers that made it."
        raise ModelError(problem(path, "a model_type that transformers knows", repr(kind), todo))
    try:
        return AutoConfig.for_model(kind, **content)
    except (ValueError, TypeError, StrictDataclassError) as error:
        raise ModelError(problem(path, f"a config of {kind}", str(error), AGAIN)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what transformers says while it loads: a bar, and warnings of weights that `pretrained` checks itself."""
    shown, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
