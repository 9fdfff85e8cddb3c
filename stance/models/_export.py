"""A fine-tuned encoder -> a graph for ONNX Runtime beside it, with 32-bit or 8-bit numbers, checked against torch.

The scales of the 8-bit activations are fixed once, on texts. Were they taken from each batch, as in dynamic
quantisation, the answer to a text would depend on the texts beside it: by up to 0.14 in the probability of a label
(MiniLM, 100 statements together against one by one), and 2 in 100 labels would change.

Exported is by torch.export; the older TorchScript exporter gives another answer for padded texts (torch 2.13).
"""

import copy
import hashlib
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor, nn

from stance.atomic import staged, swap
from stance.errors import ModelError, problem
from stance.models import Classifier, _onnx, _runtime
from stance.models._network import Network, pooled
from stance.models._runtime import Check, Exported, Record
from stance.models.transformer import Transformer
from stance.schema import Query

INPUTS: Final = ("input_ids", "token_type_ids", "attention_mask")
_STEP: Final = 8
"""Texts of a batch while the scales are found."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What an export may change: the least share of equal labels, the largest difference of a probability."""

    agreement: float
    largest: float


TOLERANCE: Final[Mapping[Exported, Tolerance]] = {
    "onnx": Tolerance(agreement=0.999, largest=0.001),
    "onnx-int8": Tolerance(agreement=0.97, largest=0.1),
}
_IN_FLOAT: Final = (0, 1 / 12, 1 / 6, 1 / 4, 1 / 3)
"""Shares of the products that keep 32 bits, tried in turn until the answers are close enough. First those whose input
has the widest range for its size: a few large numbers make the steps of all others coarse."""


def export(
    classifier: Classifier,
    folder: Path,
    runtime: Exported,
    calibration: Sequence[Query],
    check: Sequence[Query],
    of: str,
) -> Record:
    """Write the export `runtime` of `classifier`, which was loaded from `folder` to be computed by torch.

    The scales are found on `calibration`, what the export changes on `check`, texts of the source `of`.

    Raises:
        ModelError: the answers are too far from those of torch, or the folder cannot be written.
    """
    assert classifier.fingerprint is not None
    place = _runtime.place(folder, runtime)
    try:
        with staged(place) as fresh, _quiet():
            products, in_float, found = _close_enough(classifier, fresh, runtime, calibration, check, of)
            if not _within(found, runtime):
                raise ModelError(_too_far(place, runtime, found))
            record = Record(
                runtime=runtime,
                model=classifier.fingerprint,
                made_by=f"torch {torch.__version__}, onnxruntime {ort.__version__}",
                products=products,
                in_float=in_float,
                check=found,
                files={path.name: _runtime.describe(path) for path in sorted(fresh.iterdir())},
            )
            (fresh / _runtime.RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
            swap(fresh, place)
    except OSError as error:
        raise ModelError(
            problem(place, "a folder that can be written", str(error), "Check its permissions.")
        ) from error
    return record


def _close_enough(
    classifier: Classifier,
    fresh: Path,
    runtime: Exported,
    calibration: Sequence[Query],
    check: Sequence[Query],
    of: str,
) -> tuple[int, int, Check]:
    """Write graphs into `fresh` until their answers are close to those of torch, or there is nothing left to try.

    Returned are the number of products with weights, of those in float, and how close the last answers are.
    """
    model = classifier.model
    assert isinstance(model, Transformer)
    wanted = classifier.predict_proba(check)
    for products, in_float in _graphs(model, fresh, runtime, calibration):
        compiled = _onnx.Compiled(_onnx.sessions(fresh, len(model.networks)), model.tokens, model.mask, fresh)
        found = _compare(wanted, replace(classifier, model=compiled).predict_proba(check), of)
        last = products, in_float, found
        if _within(found, runtime):
            break
    return last


def _within(found: Check, runtime: Exported) -> bool:
    return found.agreement >= TOLERANCE[runtime].agreement and found.largest <= TOLERANCE[runtime].largest


def _too_far(place: Path, runtime: Exported, found: Check) -> str:
    least, most = TOLERANCE[runtime].agreement, TOLERANCE[runtime].largest
    expected = f"labels alike in {least:.1%}, probabilities at most {most} apart"
    got = f"{found.agreement:.1%} and {found.largest:.3f} on {found.texts} texts of {found.source}"
    return problem(place, expected, got, "Use another runtime; nothing was written.")


def _compare(wanted: Any, got: Any, of: str) -> Check:
    """What became of probabilities (n, k)."""
    apart = np.abs(wanted - got)
    agreement = float(np.mean(wanted.argmax(axis=1) == got.argmax(axis=1)))
    return Check(
        source=of, texts=len(wanted), agreement=agreement, largest=float(apart.max()), mean=float(apart.mean())
    )


def _graphs(
    model: Transformer, folder: Path, runtime: Exported, calibration: Sequence[Query]
) -> Iterator[tuple[int, int]]:
    """Write the graphs of all members into `folder`, closer to torch each time; yield how many products are in float.

    What is yielded counts the products with weights, and those of them that are not quantised.
    """
    with tempfile.TemporaryDirectory() as scratch:
        made: list[tuple[Path, Path, list[str]]] = []
        for number, network in enumerate(model.networks):
            path = Path(scratch) / _onnx.graph_file(number)
            _write_graph(network, path)
            made.append((path, folder / path.name, _widest_first(network, path, model, calibration)))
        count = sum(len(names) for _, _, names in made)
        if runtime == "onnx":
            for whole, path, _ in made:
                shutil.copyfile(whole, path)
            yield count, count
            return
        for share in _IN_FLOAT:
            in_float = 0
            for whole, path, names in made:
                kept = round(share * len(names))
                _quantise(whole, path, names[kept:], model, calibration)
                in_float += kept
            yield count, in_float


class _Scored(nn.Module):
    """The network as a graph: three inputs, log-probabilities out."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor) -> Tensor:
        inputs = dict(zip(INPUTS, (input_ids, token_type_ids, attention_mask), strict=True))
        return torch.log_softmax(self.network(inputs), dim=-1)


def _write_graph(network: Network, path: Path) -> None:
    network = copy.deepcopy(network).eval()
    # As plain products and a softmax: the fused attention of torch brings guards along that cost time (a twentieth
    # in 8-bit numbers) and change nothing where every text has a token.
    network.encoder.set_attn_implementation("eager")
    ids = torch.ones((2, 8), dtype=torch.long)  # two of each, as the exporter takes a 1 for a constant
    mask = ids.clone()
    mask[1, 6:] = 0
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        _Scored(network).eval(),
        (ids, torch.zeros_like(ids), mask),
        input_names=list(INPUTS),
        output_names=["log_probabilities"],
        dynamic_shapes=(free, free, free),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.save(path)


def _widest_first(network: Network, path: Path, model: Transformer, calibration: Sequence[Query]) -> list[str]:
    """Return the names of the products with weights in the graph `path`, those with the widest input first.

    The width is the range of the input over its root mean square, both over all tokens of the texts.
    """
    widths: dict[bytes, float] = {}
    facts: dict[str, list[float]] = {}
    layers = {name: layer for name, layer in network.encoder.named_modules() if isinstance(layer, nn.Linear)}

    def watch(name: str) -> Any:
        def seen(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            low, high, squares, count = facts.get(name, [0.0, 0.0, 0.0, 0.0])
            x = given[0]
            squares, count = squares + x.square().sum().item(), count + x.numel()
            facts[name] = [min(low, x.min().item()), max(high, x.max().item()), squares, count]

        return seen

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    pooled(network, model.tokens, model.tokens.encode(calibration))
    for hook in hooks:
        hook.remove()
    for name, (low, high, squares, count) in facts.items():
        widths[_digest(layers[name].weight.detach().T.numpy())] = (high - low) / max((squares / count) ** 0.5, 1e-12)
    graph = onnx.load(path).graph
    weights = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    found = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    return [
        node.name for node in sorted(found, key=lambda node: -widths.get(_digest(weights[node.input[1]]), float("inf")))
    ]


def _digest(array: Any) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()


def _quantise(source: Path, path: Path, names: Sequence[str], model: Transformer, calibration: Sequence[Query]) -> None:
    """Write the graph `source` to `path` with the products `names` in 8-bit numbers, weights by output channel."""
    quantize_static(
        source,
        path,
        _Texts(model, calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        nodes_to_quantize=list(names),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )


class _Texts(CalibrationDataReader):  # type: ignore[misc]  # untyped
    """Gives the texts in small batches of like length, so that padding does not count for much."""

    def __init__(self, model: Transformer, queries: Sequence[Query]) -> None:
        encodings = sorted(model.tokens.encode(queries), key=lambda encoding: len(encoding.ids))
        cuts = range(0, len(encodings), _STEP)
        self._batches = iter([model.tokens.arrays(encodings[at : at + _STEP]) for at in cuts])

    def get_next(self) -> Any:
        return next(self._batches, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch and ONNX Runtime tell about operators and passes that play no part here."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(level)
