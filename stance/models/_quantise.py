"""A graph of 32-bit numbers -> the same graph with its products by weights in 8-bit numbers, for ONNX Runtime.

An input x (n, i) of a product by weights W (i, o) becomes whole numbers of one step, W of one step for each of its o
columns. A few inputs of an encoder are a hundred times as large as the rest, and one step for all of them would be too
coarse. So x is divided, input by input, by factors that W is multiplied by: SmoothQuant (Xiao et al. 2022,
https://arxiv.org/abs/2211.10438, equation 4), with the strength for each x that leaves the smallest error.

A product's own error does not tell what it does to the answers: three of the 36 products of a MiniLM, of middling
errors, made three quarters of all that its 8-bit graph got wrong. So each is tried alone, on texts.

Steps and factors are fixed once, on texts. Were they taken from each batch, as in dynamic quantisation, the answer to a
text would depend on the texts beside it: by up to 0.14 in the probability of a label (MiniLM, 100 statements together
against one by one), and 2 in 100 labels would change.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from stance.models._tokens import Arrays
from stance.schema import FloatArray

_STRENGTHS: Final = (0.0, 0.6, 0.7, 0.8, 0.9)
"""Alphas that are tried for each input: 1 would leave it equally wide everywhere, at the cost of the weights; 0 here
means no factors at all."""
_EVERY: Final = 8
"""Of the tokens seen, one in so many is kept to measure errors on."""
_DOMAIN: Final = "com.microsoft"
"""Where ONNX Runtime has its product of whole numbers with a bias; apart, the bias costs a tenth of all the time."""

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Seen:
    """What an input of `i` numbers held: the lowest and highest of each, (i,), and some tokens, (n, i)."""

    low: Floats
    high: Floats
    some: list[Floats]


@dataclass(frozen=True, slots=True)
class Product:
    """A product in 8-bit numbers, with the mean square `error` of what it gets wrong over the variance of its output.

    `factors` (i,) divide the input, or are None; then its step is `step` and its zero `zero`; the weights are `whole`
    (i, o) times `steps` (o,).
    """

    name: str
    given: str
    factors: Floats | None
    step: np.float32
    zero: np.uint8
    whole: NDArray[np.int8]
    steps: Floats
    error: float


def products(graph: Any) -> list[tuple[Any, Floats]]:
    """Return the products of something computed by weights: nodes, and weights (i, o)."""
    known = {constant.name: constant for constant in graph.initializer}
    return [
        (node, numpy_helper.to_array(known[node.input[1]]))
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in known and node.input[0] not in known
    ]


def watch(path: Path, batches: Iterable[Arrays]) -> dict[str, Seen]:
    """Return what the inputs of the products in the graph `path` hold while it reads `batches`, without padding."""
    model = onnx.load(path)
    names = sorted({node.input[0] for node, _ in products(model.graph)})
    wanted = {given.name for given in model.graph.input}
    model.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: dict[str, Seen] = {}
    for batch in batches:
        values = session.run(names, {name: array for name, array in batch.items() if name in wanted})
        for name, value in zip(names, values, strict=True):
            tokens = value.reshape(-1, value.shape[-1])
            seen = found.setdefault(name, Seen(tokens.min(axis=0), tokens.max(axis=0), []))
            seen.low, seen.high = np.minimum(seen.low, tokens.min(axis=0)), np.maximum(seen.high, tokens.max(axis=0))
            seen.some.append(tokens[::_EVERY].copy())
    return found


def planned(path: Path, found: dict[str, Seen]) -> list[Product]:
    """Return the products of the graph `path` in 8-bit numbers, with the strengths that leave the smallest errors."""
    by_input: dict[str, list[tuple[str, Floats]]] = {}
    for node, weights in products(onnx.load(path).graph):
        by_input.setdefault(node.input[0], []).append((node.name, weights))
    best = []
    for given, sharing in by_input.items():
        tried = [_quantised(given, sharing, found[given], strength) for strength in _STRENGTHS]
        best.extend(min(tried, key=lambda made: sum(product.error for product in made)))
    return best


def worst_first(path: Path, plan: Sequence[Product], answer: Callable[[Path], FloatArray]) -> list[Product]:
    """Return the products of `plan`, those first that alone change most in what the graph `path` answers.

    `answer` returns the probabilities (n, k) that a graph gives to some texts. Over all texts, what the products change
    adds up: they are nearly independent (MiniLM: the sum of 36 mean squares is 0.83 of that of all 36 together).
    """
    wanted = answer(path)
    changes = {}
    with tempfile.TemporaryDirectory() as scratch:
        alone = Path(scratch) / "alone.onnx"
        for product in plan:
            write(path, alone, [product])
            changes[product.name] = float(np.square(answer(alone) - wanted).mean())
    return sorted(plan, key=lambda product: -changes[product.name])


def _quantised(given: str, sharing: Sequence[tuple[str, Floats]], seen: Seen, strength: float) -> list[Product]:
    """The products that share an input."""
    factors = _factors(seen, [weights for _, weights in sharing], strength) if strength else None
    by = np.float32(1) if factors is None else factors
    low, high = min(float((seen.low / by).min()), 0.0), max(float((seen.high / by).max()), 0.0)
    step = np.float32(max((high - low) / 255, 1e-12))
    zero = np.uint8(round(-low / step))
    exact = np.concatenate(seen.some)
    rounded = (np.clip(np.rint(exact / by / step) + zero, 0, 255) - zero) * step
    made = []
    for name, weights in sharing:
        stretched = weights if factors is None else weights * factors[:, np.newaxis]
        steps = np.maximum(np.abs(stretched).max(axis=0) / 127, 1e-12).astype(np.float32)
        whole = np.rint(stretched / steps).astype(np.int8)
        wanted = exact @ weights
        error = np.square(rounded @ (whole * steps) - wanted).mean() / max(wanted.var(), 1e-12)
        made.append(Product(name, given, factors, step, zero, whole, steps, float(error)))
    return made


def _factors(seen: Seen, weights: Sequence[Floats], strength: float) -> Floats:
    """What the input is divided by, (i,), with a geometric mean of 1."""
    inputs = np.maximum(np.maximum(np.abs(seen.low), np.abs(seen.high)), 1e-5)
    others = np.maximum(np.max([np.abs(matrix).max(axis=1) for matrix in weights], axis=0), 1e-5)
    logarithms = strength * np.log(inputs) - (1 - strength) * np.log(others)
    return np.asarray(np.exp(logarithms - logarithms.mean()), dtype=np.float32)


def write(source: Path, path: Path, chosen: Sequence[Product]) -> None:
    """Write the graph `source` to `path` with the products `chosen` in 8-bit numbers."""
    model = onnx.load(source)
    graph, by_name = model.graph, {product.name: product for product in chosen}
    biases = _biases(graph)
    nodes, ready, fused = [], set(), set()
    for node in graph.node:
        product = by_name.get(node.name)
        if product is None:
            nodes.append(node)
            continue
        if product.given not in ready:
            ready.add(product.given)
            nodes.extend(_rounding(graph, product))
        bias, output = biases.get(node.output[0], ("", node.output[0]))
        fused.add(output)
        nodes.append(_whole_product(graph, product, bias, output))
    # The sums that a product took over still stand where they were.
    kept = [node for node in nodes if node.op_type != "Add" or node.output[0] not in fused]
    used = {name for node in kept for name in node.input}
    constants = [constant for constant in graph.initializer if constant.name in used]
    for field, values in ((graph.node, kept), (graph.initializer, constants)):
        del field[:]
        field.extend(values)
    if all(one.domain != _DOMAIN for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    onnx.save(model, path)


def _biases(graph: Any) -> dict[str, tuple[str, str]]:
    """For what goes into one sum with a constant vector and nowhere else: the name of the vector, and of the sum."""
    vectors = {constant.name for constant in graph.initializer if len(constant.dims) == 1}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = {}
    for name, nodes in readers.items():
        others = [other for other in nodes[0].input if other in vectors and other != name]
        if len(nodes) == 1 and nodes[0].op_type == "Add" and others:
            found[name] = others[0], nodes[0].output[0]
    return found


def _rounding(graph: Any, product: Product) -> list[Any]:
    """The nodes that make whole numbers of an input."""
    name, before = product.given, []
    source = name
    if product.factors is not None:
        source = f"{name}_smooth"
        before.append(helper.make_node("Mul", [name, _constant(graph, f"{name}_by", 1 / product.factors)], [source]))
    steps = [_constant(graph, f"{name}_step", product.step), _constant(graph, f"{name}_zero", product.zero)]
    return [*before, helper.make_node("QuantizeLinear", [source, *steps], [f"{name}_whole"])]


def _whole_product(graph: Any, product: Product, bias: str, output: str) -> Any:
    given, name = product.given, product.name
    inputs = [
        f"{given}_whole",
        _constant(graph, f"{name}_whole", product.whole),
        f"{given}_step",
        _constant(graph, f"{name}_steps", product.steps),
        f"{given}_zero",
        _constant(graph, f"{name}_zeros", np.zeros(len(product.steps), dtype=np.int8)),
        bias,
    ]
    return helper.make_node("MatMulIntegerToFloat", inputs, [output], name=name, domain=_DOMAIN)


def _constant(graph: Any, name: str, value: Any) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return name
