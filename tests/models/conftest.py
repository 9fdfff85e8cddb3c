"""Tiny encoders with random weights, saved once to folders: they train in seconds and need no network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stance.models import transformer
from stance.models.transformer import Params, Transformer
from stance.schema import LABELS, Example

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CUES = {"anti": "refuse", "neutral": "report", "pro": "surrender"}
FILLER = ("they", "will", "the", "guns", "today", "and", "never", "militia", "army", "said", "hills", "border", "talks")
TARGETS = ("disarmament", "ceasefire")
SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 34,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}


def save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    words = [*SPECIAL, *CUES.values(), *FILLER, *TARGETS]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", SPECIAL.index("[CLS]")), ("[SEP]", SPECIAL.index("[SEP]"))],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    fast.save_pretrained(folder)


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny pretrained encoders by architecture; torch is imported here, for the tests that need it only."""
    import torch
    from transformers import BertConfig, BertModel, DebertaV2Config, DebertaV2Model, MPNetConfig, MPNetModel

    made = {
        "bert": lambda: BertModel(BertConfig(**SIZES)),
        "mpnet": lambda: MPNetModel(MPNetConfig(**SIZES, pad_token_id=0)),
        "deberta-v2": lambda: DebertaV2Model(
            DebertaV2Config(
                **SIZES,
                relative_attention=True,
                position_buckets=8,
                pos_att_type=["p2c", "c2p"],
                position_biased_input=False,
                norm_rel_ebd="layer_norm",
                share_att_key=True,
                type_vocab_size=0,
            )
        ),
    }
    folders = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, make in made.items():
            folders[name] = tmp_path_factory.mktemp(name)
            make().save_pretrained(folders[name])
            save_tokenizer(folders[name])
    return folders


@pytest.fixture(scope="session")
def toy() -> Callable[..., list[Example]]:
    """A function of `n` examples whose label is told by one word, at any place; `targets` are taken in turn."""

    def make(n: int, seed: int = 0, targets: int = 1) -> list[Example]:
        generator = np.random.default_rng(seed)
        examples = []
        for number in range(n):
            label = LABELS[number % len(LABELS)]
            words = generator.choice(FILLER, size=generator.integers(3, 12)).tolist()
            words.insert(int(generator.integers(len(words) + 1)), CUES[label])
            soft = tuple(0.8 if label == other else 0.1 for other in LABELS)
            target = TARGETS[number % targets]
            examples.append(Example(f"{seed}-{number}", " ".join(words), label, f"{number}", target=target, soft=soft))
        return examples

    return make


@pytest.fixture(scope="session")
def quick(encoders: dict[str, Path]) -> Callable[..., Params]:
    """A function of settings: a few steps with the tiny BERT, unless others are given."""

    def make(**settings: Any) -> Params:
        return Params(**{"encoder": str(encoders["bert"]), "max_tokens": 32, "epochs": 2, **settings})

    return make


@pytest.fixture(scope="session")
def learned(encoders: dict[str, Path], toy: Callable[..., list[Example]]) -> tuple[Transformer, Params]:
    """A model of two members that has learned the toy task, and its settings."""
    settings = {"max_tokens": 32, "epochs": 8, "learning_rate": 3e-3, "batch_size": 8, "members": 2}
    params = Params(encoder=str(encoders["bert"]), **settings)
    return transformer.fit(toy(150), [], params, seed=0), params
