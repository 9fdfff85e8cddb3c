"""Texts -> token ids in batches, and the files that say how. Arrays only: what reads a saved model needs no torch.

Shapes: b texts of a batch, t tokens.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from tokenizers import Encoding, Tokenizer

from stance.errors import ModelError, problem
from stance.schema import IntArray, Query

TOKENIZER: Final = "tokenizer.json"
FACTS: Final = "transformer.json"
AGAIN: Final = "The folder is damaged: train or copy it again."

Arrays: TypeAlias = dict[str, IntArray]


class Facts(BaseModel):
    """What a saved model tells about its input, `transformer.json`; `vocabulary` counts the tokenizer's tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    members: int
    pair: bool
    pad_id: int
    mask_token: str | None
    vocabulary: int


class Tokens:
    """Texts as token ids, with or without their target as the second segment, cut at a number of tokens."""

    def __init__(self, tokenizer: Tokenizer, pad: int, max_tokens: int, pair: bool) -> None:
        """Take a tokenizer of the tokenizers library and the id of its padding token."""
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_tokens)
        self.tokenizer = tokenizer
        self.pad = pad
        self.max_tokens = max_tokens
        self.pair = pair

    def encode(self, queries: Sequence[Query]) -> list[Encoding]:
        """Return the tokens of `n` queries."""
        inputs = [(query.text, query.target) if self.pair else query.text for query in queries]
        encodings: list[Encoding] = self.tokenizer.encode_batch(inputs)
        return encodings

    def arrays(self, encodings: Sequence[Encoding]) -> Arrays:
        """Return padded ids, segments and mask of `b` texts, each (b, t)."""
        width = max(len(encoding.ids) for encoding in encodings)
        ids = np.full((len(encodings), width), self.pad, dtype=np.int64)
        segments, mask = np.zeros_like(ids), np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            ids[row, :length] = encoding.ids
            segments[row, :length] = encoding.type_ids
            mask[row, :length] = 1
        return {"input_ids": ids, "token_type_ids": segments, "attention_mask": mask}


def by_length(sizes: Sequence[int], tokens_at_once: int) -> Iterator[list[int]]:
    """Cut texts, sorted from long to short, into batches of at most `tokens_at_once` padded tokens, one text at least.

    What is yielded are positions in `sizes`, the lengths of the texts in tokens.
    """
    order = sorted(range(len(sizes)), key=lambda at: -sizes[at])
    while order:
        count = max(1, tokens_at_once // max(1, sizes[order[0]]))
        yield order[:count]
        order = order[count:]


def read_facts(path: Path, members: int) -> Facts:
    """Return the facts in `path`, the file `FACTS` of a saved model.

    Raises:
        ModelError: the file is missing or unreadable, or tells of another number of members.
    """
    try:
        facts = Facts.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{first['msg']} ({'.'.join(map(str, first['loc'])) or 'the file'})"
        raise ModelError(problem(path, "the facts about a transformer", got, AGAIN)) from error
    if facts.members != members:
        raise ModelError(problem(path, f"{members} members, as in the settings", str(facts.members), AGAIN))
    return facts


def read_tokenizer(path: Path, vocabulary: int, embedded: int) -> Tokenizer:
    """Return the tokenizer in `path`, which knows `vocabulary` tokens, at most the `embedded` ones of the encoder.

    Raises:
        ModelError: the file is missing or unreadable, or has another number of tokens.
    """
    text = read_text(path)
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:
        # The library raises bare Exception for a bad file; any subclass is something else and none of ours.
        if type(error) is not Exception:
            raise
        raise ModelError(problem(path, "a tokenizer", str(error), AGAIN)) from error
    found = tokenizer.get_vocab_size()
    if found != vocabulary or found > embedded:
        expected = f"{vocabulary} tokens, at most {embedded}"
        raise ModelError(problem(path, expected, str(found), "The tokenizer is of another model: copy it again."))
    return tokenizer


def read_text(path: Path) -> str:
    """Return what stands in `path`.

    Raises:
        ModelError: the file is missing or no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(problem(path, "a file of the model", str(error), AGAIN)) from error
