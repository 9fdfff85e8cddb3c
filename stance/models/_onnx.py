"""A fine-tuned encoder computed by ONNX Runtime: no torch, a quick start, and whole numbers where the graph has them.

Shapes: n texts, b of a batch, t tokens, k labels.
"""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as raised

from stance.errors import ModelError, problem
from stance.models import _tokens
from stance.schema import LABELS, Attribution, FloatArray, Query

if TYPE_CHECKING:
    from stance.models.transformer import Params

TOKENS_AT_ONCE: Final = 512
"""Padded tokens of a batch. 1024 are no faster, 4096 take half as long again (all-MiniLM-L6-v2 in 8-bit numbers, cores
with 2 MB of cache); and the smaller a batch, the fewer texts it takes to keep all processors busy."""

_SLOWER: Final = ("SkipLayerNormFusion", "BiasGeluFusion")
"""Fusions of ONNX Runtime that cost more than they save (1.32, MiniLM, 2,000 tokens, one core): skip and layer norm
take 56 ms fused and about 12 apart, bias and GELU 30 and about 20, of 177 ms for the whole 8-bit graph without them."""


_UNREADABLE: Final = (
    raised.EPFail,
    raised.Fail,
    raised.InvalidArgument,
    raised.InvalidGraph,
    raised.InvalidProtobuf,
    raised.NoModel,
    raised.NoSuchFile,
    raised.NotImplemented,
    raised.RuntimeException,
    RuntimeError,
    ValueError,
)
"""What ONNX Runtime raises for a graph; its own classes have no parent but Exception."""


class Compiled:
    """The graphs of a saved model, one a member, over one tokenizer."""

    def __init__(self, sessions: Sequence[Any], tokens: _tokens.Tokens, mask: str | None, folder: Path) -> None:
        """Take the `m` sessions, the token that stands for a hidden word, and the folder of the model."""
        self.sessions = list(sessions)
        self.tokens = tokens
        self.mask = mask
        self.folder = folder

    def logits(self, queries: Sequence[Query]) -> FloatArray:
        """Return the log-probabilities of `n` queries, shape (n, k), averaged over the members."""
        scores = np.empty((len(queries), len(LABELS)))
        encodings = self.tokens.encode(queries)
        batches = list(_tokens.by_length([len(encoding.ids) for encoding in encodings], TOKENS_AT_ONCE))

        def answer(positions: list[int]) -> None:
            arrays = self.tokens.arrays([encodings[at] for at in positions])
            scores[positions] = np.mean([_run(session, arrays) for session in self.sessions], axis=0)

        workers = min(threads(), len(batches))
        if workers < 2:
            for positions in batches:
                answer(positions)
        else:  # ONNX Runtime lets go of the interpreter while it computes
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(answer, batches))
        return scores

    def explain(self, query: Query, label: int) -> list[Attribution]:
        """Return what each word does, as the model in torch explains it."""
        from stance.models.transformer import hide_each_word

        return hide_each_word(self.logits, query, label, self.mask)

    def save(self, folder: Path) -> None:
        """Copy the files of the model itself; an export is made anew where it is wanted."""
        from stance.models import _folder

        for name in _folder.read_manifest(self.folder)["files"]:
            shutil.copyfile(self.folder / name, folder / name)


def load(folder: Path, params: "Params", graphs: Path) -> Compiled:
    """Return the model in `folder` with the checked graphs in `graphs`.

    Raises:
        ModelError: a file does not fit the others or the settings, or ONNX Runtime cannot read a graph.
    """
    facts = _tokens.read_facts(folder / _tokens.FACTS, params.members)
    tokenizer = _tokens.read_tokenizer(folder / _tokens.TOKENIZER, facts.vocabulary, facts.vocabulary)
    tokens = _tokens.Tokens(tokenizer, facts.pad_id, params.max_tokens, facts.pair)
    return Compiled(sessions(graphs, facts.members, params.max_tokens), tokens, facts.mask_token, folder)


def sessions(graphs: Path, members: int, max_tokens: int) -> list[Any]:
    """Return a session for each member whose graph stands in the folder `graphs`, see `session`."""
    return [session(graphs / graph_file(number), max_tokens) for number in range(members)]


def session(graph: Path, max_tokens: int) -> Any:
    """Return a session of the file `graph`, for texts of at most `max_tokens` tokens.

    It computes on the thread that calls it, and may be called by several at once: batches side by side leave no thread
    waiting, as the parts of one batch do.

    Raises:
        ModelError: ONNX Runtime cannot read the graph.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    # Memory kept for the next batch saves a tenth of the time, but what one long text takes must not stay taken.
    options.enable_cpu_mem_arena = max_tokens <= TOKENS_AT_ONCE
    try:
        return ort.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(_SLOWER)
        )
    except _UNREADABLE as error:
        todo = "Export it again with this version of ONNX Runtime: stance export --replace"
        raise ModelError(problem(graph, "a graph that ONNX Runtime reads", str(error), todo)) from error


def graph_file(number: int) -> str:
    """Return the name of the graph of the member `number`, counted from 0."""
    return f"member-{number}.onnx"


def threads() -> int:
    """Return the number of threads to compute with: `OMP_NUM_THREADS`, or the processors that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(session: Any, arrays: _tokens.Arrays) -> FloatArray:
    wanted = {given.name for given in session.get_inputs()}
    (scores,) = session.run(None, {name: array for name, array in arrays.items() if name in wanted})
    return np.asarray(scores, dtype=np.float64)
