"""How an encoder is fine-tuned: transformers' Trainer with our batches, our loss and our optimizer.

Shapes: n examples, b of them in a batch, h width of the encoder, k labels.
"""

import logging
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from tokenizers import Encoding
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments, get_scheduler

from stance.errors import ModelError, problem
from stance.models._batches import Batches, macro_f1
from stance.models._network import Inputs, Network, Tokens, log_probabilities
from stance.schema import FloatArray, IntArray

if TYPE_CHECKING:
    from stance.models.transformer import Params

epochs = logging.getLogger("stance.models.epochs")
"""What is told after each epoch; a tracked run takes the numbers that a record brings as `metrics`, at `step`."""

TEMPERATURE: Final = 0.1
"""Of the contrastive loss, as in Khosla et al. 2020."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """The training examples as a network takes them: tokens, labels (n,), loss weights (n, k).

    Examples of one of the `units` (n,) stay in one batch. `pooled` (n, h) holds the text vectors when the encoder is
    frozen: they are the same in each epoch. `vectors` (n, d) holds a teacher's text vectors where there is one, NaN
    in the rows of examples whose vectors are not known.
    """

    tokens: Tokens
    encodings: Sequence[Encoding]
    labels: IntArray
    weights: FloatArray
    units: Sequence[str]
    pooled: Tensor | None
    vectors: FloatArray | None

    def batch(self, positions: list[int]) -> Inputs:
        """Return the inputs of the network for the examples at `positions`, with `labels` (b,) and `weights` (b, k).

        A teacher's `vectors` (b, d) come along.
        """
        if self.pooled is not None:
            inputs = {"pooled": self.pooled[positions]}
        else:
            inputs = self.tokens.batch([self.encodings[at] for at in positions])
        weights = torch.tensor(self.weights[positions], dtype=torch.float32)
        if self.vectors is not None:
            inputs["vectors"] = torch.tensor(self.vectors[positions], dtype=torch.float32)
        return {**inputs, "labels": torch.tensor(self.labels[positions]), "weights": weights}


@dataclass(frozen=True, slots=True)
class Exam:
    """The validation examples that decide when to stop, as tokens with labels (n,)."""

    tokens: Tokens
    encodings: Sequence[Encoding]
    labels: IntArray

    def score(self, network: Network) -> float:
        """Return the macro-F1 of `network`."""
        return macro_f1(log_probabilities(network, self.tokens, self.encodings).argmax(axis=1), self.labels)


@contextmanager
def own_generators(seed: int) -> Iterator[None]:
    """Seed torch's generator; at the end, put it and those of Python and NumPy, which Trainer seeds, back."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def train(network: Network, lesson: Lesson, exam: Exam | None, params: "Params", seed: int) -> nn.Linear | None:
    """Fine-tune `network` in place; weights that require no gradient stay. Nothing is left on disk.

    Return what leads from its text vectors to a teacher's, whose work is done, or `None` if there is no such teacher.

    Raises:
        ModelError: the training diverged.
    """
    sizes = np.array([len(encoding.ids) for encoding in lesson.encodings])
    batches = Batches(sizes, lesson.units, params.batch_size, seed)
    steps = params.epochs * len(batches)
    groups = weight_groups(network, params)
    projection = None
    if lesson.vectors is not None:
        projection = projection_to(lesson.vectors.shape[1], network.head.in_features)
        groups.append({"params": list(projection.parameters()), "lr": params.head_learning_rate, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, fused=True)
    schedule = get_scheduler("linear", optimizer, round(params.warmup * steps), steps)
    with tempfile.TemporaryDirectory(prefix="stance-") as folder:
        # Trainer clears and clips the gradients of the module that it is given, and of no other.
        trainer = _Trainer(
            network if projection is None else nn.ModuleList([network, projection]),
            TrainingArguments(
                output_dir=folder,
                num_train_epochs=params.epochs,
                seed=seed,
                use_cpu=True,
                save_strategy="no",
                logging_strategy="epoch",
                report_to=[],
                disable_tqdm=not sys.stderr.isatty(),
            ),
            train_dataset=range(len(sizes)),
            optimizers=(optimizer, schedule),
            callbacks=[_Best(network, exam, params.patience)] if exam and params.patience else [],
        )
        trainer.prepare(network, lesson, batches, params, projection)
        trainer.train()
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        todo = "Lower model.params.learning_rate or raise model.params.warmup."
        raise ModelError(problem("the training", "finite weights", "a divergence", todo))
    return projection


def projection_to(width: int, own: int) -> nn.Linear:
    """Return a linear layer from text vectors of width `own` to a teacher's of `width`, used in training only."""
    projection = nn.Linear(own, width)
    nn.init.normal_(projection.weight, std=0.02)
    nn.init.zeros_(projection.bias)
    return projection


def foretelling(projected: Tensor, vectors: Tensor, weights: Tensor) -> Tensor:
    """Return the squared error of foretold vectors (b, d), summed over d, weighted by example (b,).

    An example whose vector is not known, NaN, counts nothing.
    """
    error = torch.where(vectors.isnan(), 0.0, projected - vectors)
    return ((error**2).sum(dim=1) * weights).mean()


def weight_groups(network: Network, params: "Params") -> list[dict[str, Any]]:
    """Return the optimizer's groups: one for each depth and for the head, without decay for vectors (biases, norms).

    The learning rate falls by `layer_decay` from each layer to the one below (Howard and Ruder 2018,
    https://arxiv.org/abs/1801.06146, section 3.2).
    """
    depths, top = network.depths()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if not weight.requires_grad:
            continue
        inside = name.startswith("encoder.")
        depth = depths[name.removeprefix("encoder.")] if inside else top
        rate = params.learning_rate * params.layer_decay ** (top - depth) if inside else params.head_learning_rate
        groups.setdefault((rate, params.weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    return [{"params": weights, "lr": rate, "weight_decay": decay} for (rate, decay), weights in groups.items()]


def contrastive(pooled: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the supervised contrastive loss of pooled vectors (b, h) with labels (b,), weighted by example (b,).

    It draws examples of one label together and pushes others apart (Khosla et al. 2020,
    https://arxiv.org/abs/2004.11362, equation 2). An example whose label no other has in the batch counts nothing.
    """
    unit = nn.functional.normalize(pooled, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool)
    similar = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -1e9)
    log_share = torch.log_softmax(similar, dim=1).masked_fill(itself, 0.0)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    count = positive.sum(dim=1)
    each = -(log_share * positive).sum(dim=1) / count.clamp(min=1)
    return (each * weights).sum() / len(unit)


def disagreement(scores: Tensor, weights: Tensor) -> Tensor:
    """Return the symmetric KL divergence between two passes, log-probabilities (2b, k), weighted by example (2b,).

    The first and the second half of the rows are the passes (Wu et al. 2021, https://arxiv.org/abs/2106.14448, eq. 2).
    """
    first, second = scores.chunk(2)
    both = ((first.exp() - second.exp()) * (first - second)).sum(dim=1)  # KL(p, q) + KL(q, p)
    return (both * weights[: len(both)]).mean() / 2


class _Trainer(Trainer):
    """Trainer with given batches, our loss, and logs that go to `logging` instead of stdout."""

    def prepare(
        self, network: Network, lesson: Lesson, batches: Batches, params: "Params", projection: nn.Linear | None
    ) -> None:
        """Take what to train on and how, and what leads to a teacher's vectors if there are any."""
        self._projection = projection
        self._network = network
        self._lesson = lesson
        self._batches = batches
        self._params = params

    def get_train_dataloader(self) -> "DataLoader[Any]":
        """Return batches of positions, made into tensors."""
        positions: Any = range(len(self._lesson.labels))
        return DataLoader(positions, batch_sampler=self._batches, collate_fn=self._lesson.batch)

    def compute_loss(
        self, model: nn.Module, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """Return the loss of a batch; with R-Drop every text goes in twice, under different dropout."""
        if self._params.r_drop:
            inputs = {key: torch.cat([value, value]) for key, value in inputs.items()}
        labels, weights = inputs["labels"], inputs["weights"]
        given = {key: value for key, value in inputs.items() if key not in ("labels", "weights", "vectors")}
        pooled = given["pooled"] if "pooled" in given else self._pool(given)
        scores = torch.log_softmax(self._network.classify(pooled), dim=1)
        loss = -(weights * scores).sum(dim=1).mean()
        if self._params.r_drop:
            loss = loss + self._params.r_drop * disagreement(scores, weights.sum(dim=1))
        if self._projection is not None:
            foretold = foretelling(self._projection(pooled), inputs["vectors"], weights.sum(dim=1))
            loss = loss + self._params.vector_loss * foretold
        if self._params.contrast_loss:
            loss = loss + self._params.contrast_loss * contrastive(pooled, labels, weights.sum(dim=1))
        return loss

    def _pool(self, inputs: Inputs) -> Tensor:
        """Return the pooled vectors (b, h) in single precision; the weights stay in it, too."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self._params.precision == "bfloat16"):
            return self._network.pool(inputs).float()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log what Trainer tells after an epoch; its own way would print to stdout, which is for data."""
        told = " ".join(f"{key}={value:.4g}" for key, value in logs.items())
        metrics = {f"training.{key}": logs[key] for key in ("loss", "learning_rate") if key in logs}
        epochs.info("%s", told, extra={"metrics": metrics, "step": round(self.state.epoch or 0)})


class _Best(TrainerCallback):
    """Early stopping: scores each epoch, keeps the best weights, stops after `patience` epochs without better."""

    def __init__(self, network: Network, exam: Exam, patience: int) -> None:
        self._network = network
        self._exam = exam
        self._patience = patience
        self._best = -np.inf
        self._weights: dict[str, Tensor] = {}
        self._worse = 0

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Score the epoch."""
        score = self._exam.score(self._network)
        metrics = {"training.validation_macro_f1": score}
        told = {"metrics": metrics, "step": round(state.epoch)}
        epochs.info("epoch=%.4g validation_macro_f1=%.4f", state.epoch, score, extra=told)
        if score > self._best:
            self._best, self._worse = score, 0
            self._weights = {name: weight.clone() for name, weight in self._network.state_dict().items()}
        else:
            self._worse += 1
        control.should_training_stop = self._worse >= self._patience

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Put the weights of the best epoch back."""
        self._network.load_state_dict(self._weights)
