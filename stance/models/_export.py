"""A fine-tuned encoder -> a graph for ONNX Runtime beside it, with 32-bit or 8-bit numbers, checked against torch.

Exported is by torch.export; the older TorchScript exporter gives another answer for padded texts (torch 2.13).
"""

import copy
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime as ort
import torch
from tokenizers import Encoding
from torch import Tensor, nn

from stance.atomic import staged, swap
from stance.errors import ModelError, problem
from stance.models import Classifier, _onnx, _quantise, _runtime
from stance.models._batches import macro_f1
from stance.models._network import Network
from stance.models._runtime import Check, Exported, Record
from stance.models._tokens import Arrays
from stance.models.transformer import Transformer
from stance.schema import FloatArray, IntArray, Query

INPUTS: Final = ("input_ids", "token_type_ids", "attention_mask")
_TOGETHER: Final = 8
"""Texts of a batch while the steps of 8-bit numbers are found."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What an export may change: the least share of equal labels, the largest differences of a probability and of F1.

    `f1` is of macro-F1, where the true labels are known.
    """

    agreement: float
    largest: float
    f1: float


TOLERANCE: Final[Mapping[Exported, Tolerance]] = {
    "onnx": Tolerance(agreement=0.999, largest=0.001, f1=0.005),
    "onnx-int8": Tolerance(agreement=0.985, largest=0.1, f1=0.005),
}
_IN_FLOAT: Final = (1 / 6, 1 / 4, 1 / 3)
"""Shares of the products that keep 32 bits, tried in turn until the answers are close enough: the worst ones first.

With smaller shares a few hundred statements may agree by luck: with 2 products of 36 a MiniLM passed its check (F1
+0.0045 on 232 statements of validation) and lost 0.008 on 349 of `test`.
"""
_TRIED: Final = 96
"""Texts on which each product is tried alone."""


def export(
    classifier: Classifier,
    folder: Path,
    runtime: Exported,
    calibration: Sequence[Query],
    check: Sequence[Query],
    of: str,
    gold: IntArray | None = None,
) -> Record:
    """Write the export `runtime` of `classifier`, which was loaded from `folder` to be computed by torch.

    The steps of 8-bit numbers are found on `calibration`, what the export changes on `check`, `n` texts of the source
    `of`, whose true labels are `gold` (n,) where they are known.

    Raises:
        ModelError: the answers are too far from those of torch, or the folder cannot be written.
    """
    assert classifier.fingerprint is not None
    place = _runtime.place(folder, runtime)
    try:
        with staged(place) as fresh, _quiet():
            products, in_float, found = _close_enough(classifier, fresh, runtime, calibration, check, of, gold)
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
    gold: IntArray | None,
) -> tuple[int, int, Check]:
    """Write graphs into `fresh` until their answers are close to those of torch, or there is nothing left to try.

    Returned are the number of products with weights, of those in float, and how close the last answers are.
    """
    model = classifier.model
    assert isinstance(model, Transformer)
    wanted = classifier.predict_proba(check)
    for products, in_float in _graphs(model, fresh, runtime, calibration):
        sessions = _onnx.sessions(fresh, len(model.networks), model.tokens.max_tokens)
        compiled = _onnx.Compiled(sessions, model.tokens, model.mask, fresh)
        found = _compare(wanted, replace(classifier, model=compiled).predict_proba(check), of, gold)
        last = products, in_float, found
        if _within(found, runtime):
            break
    return last


def _within(found: Check, runtime: Exported) -> bool:
    allowed = TOLERANCE[runtime]
    close = found.agreement >= allowed.agreement and found.largest <= allowed.largest
    return close and abs(found.f1 or 0.0) <= allowed.f1


def _too_far(place: Path, runtime: Exported, found: Check) -> str:
    allowed = TOLERANCE[runtime]
    expected = f"labels alike in {allowed.agreement:.1%}, probabilities at most {allowed.largest} apart"
    got = f"{found.agreement:.1%} and {found.largest:.3f}"
    if found.f1 is not None:
        expected, got = f"{expected}, macro-F1 {allowed.f1}", f"{got}, macro-F1 {found.f1:+.4f}"
    got += f" on {found.texts} texts of {found.source}"
    return problem(place, expected, got, "Use another runtime; nothing was written.")


def _compare(wanted: FloatArray, got: FloatArray, of: str, gold: IntArray | None) -> Check:
    """What became of probabilities (n, k)."""
    apart = np.abs(wanted - got)
    before, after = wanted.argmax(axis=1), got.argmax(axis=1)
    return Check(
        source=of,
        texts=len(wanted),
        agreement=float(np.mean(before == after)),
        largest=float(apart.max()),
        mean=float(apart.mean()),
        f1=None if gold is None else macro_f1(after, gold) - macro_f1(before, gold),
    )


def _graphs(
    model: Transformer, folder: Path, runtime: Exported, calibration: Sequence[Query]
) -> Iterator[tuple[int, int]]:
    """Write the graphs of all members into `folder`, closer to torch each time; yield how many products are in float.

    What is yielded counts the products with weights, and those of them that are not quantised.
    """
    with tempfile.TemporaryDirectory() as scratch:
        made: list[tuple[Path, Path]] = []
        for number, network in enumerate(model.networks):
            whole = Path(scratch) / _onnx.graph_file(number)
            _write_graph(network, whole)
            made.append((whole, folder / whole.name))
        if runtime == "onnx":
            for whole, path in made:
                shutil.copyfile(whole, path)
            count = sum(len(_quantise.products(onnx.load(whole).graph)) for whole, _ in made)
            yield count, count
            return
        plans = [_plan(model, whole, calibration) for whole, _ in made]
        for share in _IN_FLOAT:
            kept = [round(share * len(plan)) for plan in plans]
            for (whole, path), plan, worst in zip(made, plans, kept, strict=True):
                _quantise.write(whole, path, plan[worst:])
            yield sum(map(len, plans)), sum(kept)


def _plan(model: Transformer, whole: Path, calibration: Sequence[Query]) -> list[_quantise.Product]:
    """The products of the graph `whole` in 8-bit numbers, those first that change the answers most."""
    tried = calibration[:: max(1, len(calibration) // _TRIED)][:_TRIED]

    def answer(graph: Path) -> FloatArray:
        session = _onnx.session(graph, model.tokens.max_tokens)
        return np.exp(_onnx.Compiled([session], model.tokens, model.mask, graph.parent).logits(tried))

    plan = _quantise.planned(whole, _quantise.watch(whole, _batches(model, calibration)))
    return _quantise.worst_first(whole, plan, answer)


def _batches(model: Transformer, queries: Sequence[Query]) -> Iterable[Arrays]:
    """Texts of one length together, as padding would count for what the network sees."""
    by_length: dict[int, list[Encoding]] = {}
    for encoding in model.tokens.encode(queries):
        by_length.setdefault(len(encoding.ids), []).append(encoding)
    for encodings in by_length.values():
        for at in range(0, len(encodings), _TOGETHER):
            yield model.tokens.arrays(encodings[at : at + _TOGETHER])


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
