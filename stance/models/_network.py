"""An encoder with a classification head: its network, what goes into it and what comes out.

Shapes: b texts of a batch, t tokens, h width of the encoder, k labels.
"""

import inspect
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import torch
from tokenizers import Encoding
from torch import Tensor, nn

from stance.models import _tokens
from stance.models._tokens import by_length
from stance.schema import LABELS, FloatArray

TOKENS_AT_ONCE: Final = 1024
"""Padded tokens of a batch in inference; on a processor more is slower (all-MiniLM-L6-v2: 2048 by a twentieth)."""

Inputs = dict[str, Tensor]


class Network(nn.Module):
    """Encoder, pooling over tokens, dropout, one linear layer."""

    def __init__(self, encoder: Any, pooling: str, dropout: float) -> None:
        """Take an encoder of transformers; its own pooler, if it has one, goes unused and is dropped."""
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        self.encoder = encoder
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, len(LABELS))
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        self.segments = "token_type_ids" in inspect.signature(encoder.forward).parameters

    def pool(self, inputs: Inputs) -> Tensor:
        """Return one vector for each text, (b, t) -> (b, h)."""
        mask = inputs["attention_mask"]
        given = inputs if self.segments else {key: value for key, value in inputs.items() if key != "token_type_ids"}
        hidden: Tensor = self.encoder(**given).last_hidden_state  # (b, t, h)
        match self.pooling:
            case "cls":
                return hidden[:, 0]
            case "max":
                return hidden.masked_fill(mask[:, :, None] == 0, -torch.inf).amax(dim=1)
            case _:
                shares = mask[:, :, None].to(hidden.dtype)
                return (hidden * shares).sum(dim=1) / shares.sum(dim=1)

    def classify(self, pooled: Tensor) -> Tensor:
        """Return the logits for pooled vectors, (b, h) -> (b, k)."""
        logits: Tensor = self.head(self.dropout(pooled))
        return logits

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the logits, (b, t) -> (b, k)."""
        return self.classify(self.pool(inputs))

    def depths(self) -> tuple[dict[str, int], int]:
        """Return for each weight of the encoder how deep it sits, and the number of layers l.

        The embeddings, and what all layers share, have depth 0; layer i has i, counted from 1; what follows them has l.
        """
        prefix, count = layer_list(self.encoder)
        layer = re.compile(re.escape(prefix) + r"\.(\d+)\.")
        depths = {}
        for name, _ in self.encoder.named_parameters():
            found = layer.match(name)
            depths[name] = int(found[1]) + 1 if found else count if name.startswith("final_norm") else 0
        return depths, count

    def freeze(self, layers: int | None) -> None:
        """Keep the embeddings and the first `layers` layers as they are, or the whole encoder; 0 keeps nothing."""
        depths, top = self.depths()
        kept = -1 if layers == 0 else top if layers is None else layers
        for name, weight in self.encoder.named_parameters():
            weight.requires_grad_(depths[name] > kept)


def layer_list(encoder: nn.Module) -> tuple[str, int]:
    """Return the name and the length of the list of layers in `encoder`."""
    wanted = getattr(encoder.config, "num_hidden_layers", 0)
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            return name, wanted
    raise LookupError("no list of layers")


class Tokens(_tokens.Tokens):
    """The same as tensors."""

    def batch(self, encodings: Sequence[Encoding]) -> Inputs:
        """Return padded ids, segments and mask of `b` texts, each (b, t)."""
        return {name: torch.from_numpy(array) for name, array in self.arrays(encodings).items()}


def pooled(network: Network, tokens: Tokens, encodings: Sequence[Encoding]) -> Tensor:
    """Return the pooled vectors of `n` texts, (n, h), without dropout; the network is left as it was found."""
    out = torch.empty((len(encodings), network.head.in_features))
    batches = list(by_length([len(encoding.ids) for encoding in encodings], TOKENS_AT_ONCE))

    def fill(positions: list[int]) -> None:
        with torch.inference_mode():
            out[positions] = network.pool(tokens.batch([encodings[at] for at in positions]))

    training = network.training
    network.eval()
    try:
        _side_by_side(fill, batches)
    finally:
        network.train(training)
    return out


def _side_by_side(work: Callable[[list[int]], None], batches: Sequence[list[int]]) -> None:
    """Do `work` on each batch, one a thread: parts of one batch wait for each other, batches side by side do not.

    Only the main thread does so. How many threads a product takes is a number of the process: another thread that first
    used torch in the meantime, as a server's may, would be left with one.
    """
    threads = torch.get_num_threads()
    if min(threads, len(batches)) < 2 or threading.current_thread() is not threading.main_thread():
        for batch in batches:
            work(batch)
        return
    try:
        with ThreadPoolExecutor(min(threads, len(batches)), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(work, batches))
    finally:
        torch.set_num_threads(threads)  # the libraries of matrix products share one number


def log_probabilities(network: Network, tokens: Tokens, encodings: Sequence[Encoding]) -> FloatArray:
    """Return the log-probabilities of `n` texts, shape (n, k), in their order."""
    vectors = pooled(network, tokens, encodings)
    with torch.inference_mode():
        logits = network.head(vectors).double()
        scores: FloatArray = torch.log_softmax(logits, dim=-1).numpy()
    return scores
