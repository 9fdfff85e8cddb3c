"""Write what larger models make of the training statements inside: a text vector for each, in few dimensions.

Run: python experiments/recipe/vectors.py OUTPUT.parquet MODEL [MODEL ...] [--layers 12 10 8] [--dimensions 64]

Hidden states of the given layers of each saved transformer are averaged over the tokens of a text, put side by side and
reduced to their principal components over the texts of the train split (no other is read). Each component is divided
by the fourth root of its variance, so that the first ones matter most and the others still count, and the whole is
scaled to a mean squared length of 1. `model.params.teacher_vectors` of a smaller model takes the file.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.progress import track

from stance import dataset
from stance.errors import ModelError, StanceError, problem
from stance.models import load
from stance.models._tokens import by_length
from stance.models.transformer import Transformer
from stance.schema import FloatArray, Query

TOKENS_AT_ONCE = 2048


def main() -> None:
    """Ask each model and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=Path("data/build/disarmament"))
    parser.add_argument("--layers", type=int, nargs="+", default=[12, 10, 8])
    parser.add_argument("--dimensions", type=int, default=64)
    options = parser.parse_args()
    examples = dataset.load(options.data).split("train")
    queries = [example.query for example in examples]
    states = np.concatenate([hidden(folder, queries, options.layers) for folder in options.models], axis=1)
    write(options.output, [example.id for example in examples], reduced(states, options.dimensions))


def hidden(folder: Path, queries: list[Query], layers: list[int]) -> FloatArray:
    """Return the hidden states of `layers`, averaged over the tokens of `n` texts and side by side, shape (n, l h)."""
    model = load(folder, "torch").model
    if not isinstance(model, Transformer):
        raise ModelError(problem(folder, "a saved transformer", "a model of another kind", "Name another model."))
    network, encodings = model.networks[0], model.tokens.encode(queries)
    width = network.head.in_features
    out = np.empty((len(queries), width * len(layers)), dtype=np.float32)
    batches = list(by_length([len(encoding.ids) for encoding in encodings], TOKENS_AT_ONCE))
    for positions in track(batches, folder.name, console=Console(stderr=True)):
        inputs: dict[str, Any] = model.tokens.batch([encodings[at] for at in positions])
        shares = inputs["attention_mask"][:, :, None].float()
        if not network.segments:
            del inputs["token_type_ids"]
        with torch.inference_mode():
            states = network.encoder(**inputs, output_hidden_states=True).hidden_states
            means = [(states[layer] * shares).sum(dim=1) / shares.sum(dim=1) for layer in layers]
        out[positions] = torch.cat(means, dim=1).numpy()
    return out.astype(np.float64)


def reduced(states: FloatArray, dimensions: int) -> FloatArray:
    """Return the principal components of `states` (n, w), shape (n, dimensions), scaled as said above."""
    centred = states - states.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    largest = np.argsort(variances)[::-1][:dimensions]
    components = centred @ directions[:, largest] / variances[largest] ** 0.25
    return np.asarray(components / np.sqrt((components**2).sum(axis=1).mean()), dtype=np.float64)


def write(path: Path, ids: list[str], vectors: FloatArray) -> None:
    """Write `id` and `vector` in half precision, which is finer than what a student foretells."""
    half = pa.array(vectors.astype(np.float16).ravel())
    table = pa.table({"id": ids, "vector": pa.FixedSizeListArray.from_arrays(half, vectors.shape[1])})
    parquet.write_table(table, path, compression="zstd")


if __name__ == "__main__":
    try:
        main()
    except StanceError as error:
        raise SystemExit(f"Error: {error}") from error
