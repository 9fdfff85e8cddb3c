"""Products in 8-bit numbers: close to the exact ones, also where a few numbers are a hundred times the others."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from stance.models import _quantise

draw = np.random.default_rng(0)
WEIGHTS = draw.normal(size=(16, 24)).astype(np.float32)
OTHERS = draw.normal(size=(16, 4)).astype(np.float32)
BIAS = draw.normal(size=24).astype(np.float32)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Two products share an input; one has a bias."""
    nodes = [
        helper.make_node("Neg", ["x"], ["negated"], name="negated"),
        helper.make_node("MatMul", ["negated", "others"], ["small"], name="narrow"),
        helper.make_node("MatMul", ["negated", "weights"], ["product"], name="wide"),
        helper.make_node("Add", ["bias", "product"], ["sum"], name="sum"),
    ]
    constants = {"weights": WEIGHTS, "others": OTHERS, "bias": BIAS}
    made = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None]) for name in ("sum", "small")],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path = tmp_path / "toy.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def inputs(outlier: float) -> dict[str, Any]:
    x = np.random.default_rng(1).normal(size=(400, 16)).astype(np.float32)
    x[:, 3] *= outlier
    return {"x": x}


def answers(path: Path, given: dict[str, Any]) -> list[Any]:
    return list(ort.InferenceSession(path).run(None, given))


def far(found: Any, wanted: Any) -> float:
    return float(np.square(found - wanted).mean() / wanted.var())


def test_the_answers_stay_and_the_bias_is_part_of_the_product(graph: Path, tmp_path: Path) -> None:
    given = inputs(outlier=1)
    plan = _quantise.planned(graph, _quantise.watch(graph, [given]))
    _quantise.write(graph, tmp_path / "whole.onnx", plan)
    for found, wanted in zip(answers(tmp_path / "whole.onnx", given), answers(graph, given), strict=True):
        assert 0 < far(found, wanted) < 1e-3
    made = onnx.load(tmp_path / "whole.onnx").graph
    kinds = [node.op_type for node in made.node if node.op_type != "Mul"]
    assert kinds == ["Neg", "QuantizeLinear", "MatMulIntegerToFloat", "MatMulIntegerToFloat"]
    assert not {"weights", "others"} & {constant.name for constant in made.initializer}


def test_a_product_that_is_not_chosen_stays_as_it_is(graph: Path, tmp_path: Path) -> None:
    given = inputs(outlier=1)
    plan = _quantise.planned(graph, _quantise.watch(graph, [given]))
    _quantise.write(graph, tmp_path / "half.onnx", [product for product in plan if product.name == "narrow"])
    (found, small), (wanted, exact) = answers(tmp_path / "half.onnx", given), answers(graph, given)
    np.testing.assert_array_equal(found, wanted)
    assert 0 < far(small, exact) < 1e-3


def test_factors_take_the_error_of_an_input_with_a_few_large_numbers(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = inputs(outlier=100)
    found = _quantise.watch(graph, [given])
    smooth = _quantise.planned(graph, found)
    assert all(product.factors is not None for product in smooth)
    monkeypatch.setattr(_quantise, "_STRENGTHS", (0.0,))
    plain = _quantise.planned(graph, found)
    assert all(product.factors is None for product in plain)
    # The large number is most of the output: what is compared is what the others add.
    for name in ("wide", "narrow"):
        errors = [next(product.error for product in plan if product.name == name) for plan in (smooth, plain)]
        assert errors[0] < errors[1] / 2


@pytest.mark.parametrize(("output", "first"), [(0, "wide"), (1, "narrow")])
def test_the_product_that_changes_the_answers_most_comes_first(graph: Path, output: int, first: str) -> None:
    given = inputs(outlier=1)
    plan = _quantise.planned(graph, _quantise.watch(graph, [given]))
    asked = []

    def answer(path: Path) -> Any:
        asked.append(path)
        return answers(path, given)[output]

    ordered = _quantise.worst_first(graph, plan, answer)
    assert ordered[0].name == first
    assert {product.name for product in ordered} == {"wide", "narrow"}
    assert asked[0] == graph
    assert not asked[1].exists()


def test_what_was_seen_is_of_all_batches(graph: Path) -> None:
    first, second = inputs(outlier=1), inputs(outlier=5)
    seen = _quantise.watch(graph, [first, second])["negated"]
    both = -np.concatenate([first["x"], second["x"]])
    np.testing.assert_array_equal(seen.low, both.min(axis=0))
    np.testing.assert_array_equal(seen.high, both.max(axis=0))
