"""How much of the machine's rate of matrix products can a small encoder use, and how much does ours?

Run: python experiments/bench/products.py [--texts 500] [--rounds 5] [--model FOLDER]

In interleaved rounds, on the texts of runtimes.py, in float32:

- the rate of torch.matmul of two 2048 x 2048 matrices, all threads on one product;
- the encoder's own products alone: each linear layer of the network once, on vectors of the batches' shapes, batches
  side by side as in scoring. Nothing that does these products can be faster;
- scoring, from texts to probabilities.

Shares are of useful work, as runtimes.py counts it: padding counts against them. To see what a processor without
512-bit vectors would show, set ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
from runtimes import MATRIX, MODELS, Work, flop, interleaved, mixed
from torch import nn

from stance.models import load
from stance.models._network import TOKENS_AT_ONCE, _side_by_side, by_length
from stance.schema import Query


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, default=MODELS / "minilm", help="a saved transformer")
    options = parser.parse_args()
    classifier = load(options.model, "torch")
    queries = [Query(text) for text in mixed(options.texts)]
    model: Any = classifier.model
    lengths = np.array([len(encoding.ids) for encoding in model.tokens.encode(queries)], dtype=np.float64)
    layers = [layer for layer in model.networks[0].encoder.modules() if isinstance(layer, nn.Linear)]
    batches = list(by_length([int(length) for length in lengths], TOKENS_AT_ONCE))
    square = torch.randn(MATRIX, MATRIX, generator=torch.Generator().manual_seed(0))
    works: dict[str, Work] = {
        "product": lambda: torch.matmul(square, square),
        "products alone": lambda: products(layers, lengths, batches),
        "scoring": lambda: classifier.predict_proba(queries),
    }
    median = {name: statistics.median(taken) for name, taken in interleaved(works, options.rounds).items()}
    rate = 2 * MATRIX**3 / median["product"]
    linear = 2 * sum(layer.weight.numel() for layer in layers) * lengths.sum()
    print(f"vectors: {torch.backends.cpu.get_cpu_capability()}; threads: {torch.get_num_threads()}")
    print(f"products of {MATRIX} x {MATRIX}: {rate / 1e9:.0f} GFLOP/s")
    print(f"the encoder's products alone: {linear / median['products alone'] / rate:.0%}")
    print(f"scoring: {flop(model, lengths) / median['scoring'] / rate:.0%}")


def products(layers: list[nn.Linear], lengths: Any, batches: list[list[int]]) -> None:
    """Apply each of `layers` once to vectors for all tokens of each of `batches`, padding included."""

    def apply(positions: list[int]) -> None:
        count = len(positions) * int(lengths[positions].max())
        vectors = {width: torch.ones(count, width) for width in {layer.in_features for layer in layers}}
        with torch.inference_mode():
            for layer in layers:
                layer(vectors[layer.in_features])

    _side_by_side(apply, batches)


if __name__ == "__main__":
    main()
