import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from tokenizers import Tokenizer
from torch.distributions import Categorical, kl_divergence

from stance.models import _network
from stance.models._batches import Batches, loss_weights, macro_f1
from stance.models._encoder import Source
from stance.models._network import Network, Tokens, pooled
from stance.models._pretrained import pretrained
from stance.models._training_loop import contrastive, disagreement, foretelling, own_generators, weight_groups
from stance.models.transformer import Params
from stance.schema import LABELS, Example, Query

Toy = Callable[..., list[Example]]


@given(st.lists(st.integers(0, 8), min_size=1, max_size=80), st.integers(1, 20), st.integers(0, 3))
def test_each_example_comes_once_an_epoch_in_as_many_batches(units: list[int], size: int, seed: int) -> None:
    lengths = np.arange(1, len(units) + 1)
    batches = Batches(lengths, [str(unit) for unit in units], size, seed)
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches) == -(-len(units) // size)
        assert sorted(at for batch in epoch for at in batch) == list(range(len(units)))
        assert all(epoch)


def test_batches_have_the_size_asked_for_and_texts_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, size=320)
    batches = Batches(lengths, [str(at) for at in range(320)], 16, seed=0)
    epoch = list(batches)
    assert {len(batch) for batch in epoch} == {16}
    padded = sum(16 * lengths[batch].max() for batch in epoch)
    assert padded < 1.15 * lengths.sum()
    longest = [lengths[batch].max() for batch in epoch]
    assert abs(np.corrcoef(longest, np.arange(20))[0, 1]) < 0.6


def test_epochs_differ_and_a_seed_repeats_them() -> None:
    lengths, units = np.full(40, 9), [str(at) for at in range(40)]
    first, second, other = (Batches(lengths, units, 8, seed) for seed in (0, 0, 1))
    epochs = [list(first) for _ in range(3)]
    assert epochs == [list(second) for _ in range(3)]
    assert epochs[0] != epochs[1]
    assert epochs[0] != list(other)


def test_units_stay_in_one_batch() -> None:
    units = [str(at // 3) for at in range(90)]
    for batch in Batches(np.arange(1, 91), units, 16, seed=0):
        assert all(sum(units[at] == unit for at in batch) == 3 for unit in {units[at] for at in batch})


def test_loss_weights_hold_labels_smoothed_balanced_and_weighted(toy: Toy) -> None:
    examples = [*toy(3), replace(toy(3)[2], weight=0.5)]  # anti, neutral, pro, pro
    np.testing.assert_allclose(
        loss_weights(examples, smoothing=0.0, soft=False, balanced=False),
        np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0.5]]) * 4 / 3.5,
    )
    np.testing.assert_allclose(
        loss_weights(examples, smoothing=0.3, soft=False, balanced=False)[0], np.array([0.8, 0.1, 0.1]) * 4 / 3.5
    )
    np.testing.assert_allclose(
        loss_weights(examples, smoothing=0.0, soft=False, balanced=True),
        np.array([[4, 0, 0], [0, 4, 0], [0, 0, 2], [0, 0, 1]]) * 4 / 11,
    )
    np.testing.assert_allclose(
        loss_weights(toy(3), smoothing=0.0, soft=True, balanced=False),
        [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]],
    )


def test_macro_f1_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    for top in (3, 3, 2):
        predicted, gold = generator.integers(0, top, 30), generator.integers(0, 3, 30)
        expected = f1_score(gold, predicted, average="macro", labels=range(len(LABELS)), zero_division=0.0)
        assert macro_f1(predicted, gold) == pytest.approx(expected)


def test_disagreement_is_the_symmetric_divergence_of_two_passes() -> None:
    with own_generators(0):
        scores = torch.log_softmax(torch.randn(6, 3), dim=1)
    p, q = (Categorical(logits=half) for half in scores.chunk(2))
    weights = torch.tensor([1.0, 0.5, 0.0])
    expected = ((kl_divergence(p, q) + kl_divergence(q, p)) / 2 * weights).mean()
    torch.testing.assert_close(disagreement(scores, weights.repeat(2)), expected)
    assert disagreement(scores[:3].repeat(2, 1), torch.ones(6)) == 0


def test_the_contrastive_loss_is_that_of_the_paper() -> None:
    with own_generators(0):
        vectors = torch.randn(5, 4)
    labels = torch.tensor([0, 1, 0, 0, 2])
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    expected = 0.0
    for i in range(5):
        positives = [j for j in range(5) if j != i and labels[j] == labels[i]]
        total = sum(torch.exp(unit[i] @ unit[a] / 0.1) for a in range(5) if a != i)
        for p in positives:
            expected -= float(torch.log(torch.exp(unit[i] @ unit[p] / 0.1) / total)) / len(positives) / 5
    assert float(contrastive(vectors, labels, torch.ones(5))) == pytest.approx(expected, rel=1e-4)
    assert contrastive(vectors[:1], labels[:1], torch.ones(1)) == 0


@pytest.fixture
def tokens(encoders: dict[str, Path]) -> Tokens:
    tokenizer = Tokenizer.from_file(str(encoders["bert"] / "tokenizer.json"))
    return Tokens(tokenizer, pad=0, max_tokens=8, pair=True)


def test_a_batch_holds_padded_pairs_with_segments_and_mask(tokens: Tokens) -> None:
    queries = [Query("they refuse", "disarmament"), Query("they will never surrender the guns", "disarmament")]
    encodings = tokens.encode(queries)
    assert encodings[1].tokens == ["[CLS]", "they", "will", "never", "surrender", "[SEP]", "disarmament", "[SEP]"]
    batch = {key: value.tolist() for key, value in tokens.batch(encodings).items()}
    assert batch == {
        "input_ids": [[2, 8, 5, 3, 21, 3, 0, 0], [2, 8, 9, 14, 7, 3, 21, 3]],
        "token_type_ids": [[0, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1, 1]],
        "attention_mask": [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1]],
    }


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_padding_does_not_reach_the_text_vector(pooling: str, encoders: dict[str, Path], tokens: Tokens) -> None:
    encoder, _ = pretrained(Source(str(encoders["bert"])))
    network = Network(encoder, pooling, 0.0).train()
    encodings = tokens.encode([Query("they", "guns"), Query("they will never surrender the guns", "guns")])
    assert [len(encoding) for encoding in encodings] == [5, 8]
    together = pooled(network, tokens, encodings)
    assert network.training
    torch.testing.assert_close(together[:1], pooled(network, tokens, encodings[:1]))
    hidden = encoder.eval()(**tokens.batch(encodings[:1])).last_hidden_state[0]
    expected = {"mean": hidden.mean(dim=0), "cls": hidden[0], "max": hidden.amax(dim=0)}[pooling]
    torch.testing.assert_close(together[0], expected)


def test_batches_side_by_side_give_what_they_give_one_after_the_other(
    encoders: dict[str, Path], tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_network, "TOKENS_AT_ONCE", 20)
    encoder, _ = pretrained(Source(str(encoders["bert"])))
    network = Network(encoder, "mean", 0.0).train()
    encodings = tokens.encode([Query("they will never surrender the guns " * (at % 4), "guns") for at in range(40)])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = pooled(network, tokens, encodings)
        torch.set_num_threads(3)
        together = pooled(network, tokens, encodings)
        assert torch.get_num_threads() == 3
        assert network.training
        torch.testing.assert_close(alone, together)
        monkeypatch.setattr(network, "pool", lambda inputs: torch.ones(7, 7))
        with pytest.raises(RuntimeError, match="shape"):
            pooled(network, tokens, encodings)
        assert torch.get_num_threads() == 3
        assert network.training
    finally:
        torch.set_num_threads(before)


def test_outside_the_main_thread_the_number_of_threads_stays(
    encoders: dict[str, Path], tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_network, "TOKENS_AT_ONCE", 20)
    encoder, _ = pretrained(Source(str(encoders["bert"])))
    network = Network(encoder, "mean", 0.0)
    encodings = tokens.encode([Query("they will never surrender the guns", "guns")] * 40)
    seen = set()
    pool = network.pool
    monkeypatch.setattr(network, "pool", lambda inputs: seen.add(torch.get_num_threads()) or pool(inputs))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(3,)) as other:
            other.submit(pooled, network, tokens, encodings).result()
        assert seen == {3}
        pooled(network, tokens, encodings)
        assert seen == {3, 1}
    finally:
        torch.set_num_threads(before)


def test_the_learning_rate_falls_from_layer_to_layer(encoders: dict[str, Path]) -> None:
    encoder, _ = pretrained(Source(str(encoders["deberta-v2"])))
    network = Network(encoder, "mean", 0.0)
    network.freeze(0)
    params = Params(learning_rate=1e-2, head_learning_rate=0.5, layer_decay=0.5, weight_decay=0.1)
    rates = {}
    for group in weight_groups(network, params):
        for weight in group["params"]:
            name = next(name for name, other in network.named_parameters() if other is weight)
            rates[name] = group["lr"]
            assert group["weight_decay"] == (0.1 if weight.ndim > 1 else 0.0)
    assert rates.keys() == dict(network.named_parameters()).keys()
    for part, rate in {
        "encoder.embeddings.word_embeddings.weight": 0.0025,
        "encoder.encoder.rel_embeddings.weight": 0.0025,
        "encoder.encoder.layer.0.output.dense.weight": 0.005,
        "encoder.encoder.layer.1.output.dense.weight": 0.01,
        "head.weight": 0.5,
    }.items():
        assert rates[part] == pytest.approx(rate)


def test_foretelling_is_the_weighted_squared_error() -> None:
    foretold, vectors = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert float(foretelling(foretold, vectors, torch.tensor([1.0, 0.5]))) == pytest.approx((1 * 5 + 0.5 * 4) / 2)


def test_a_vector_that_is_not_known_counts_nothing_and_moves_nothing() -> None:
    foretold = torch.tensor([[1.0, 2.0], [7.0, 7.0]], requires_grad=True)
    error = foretelling(foretold, torch.tensor([[0.0, 0.0], [math.nan, math.nan]]), torch.ones(2))
    assert error.item() == pytest.approx(5 / 2)
    error.backward()
    assert foretold.grad is not None
    assert foretold.grad.tolist() == [[1.0, 2.0], [0.0, 0.0]]
