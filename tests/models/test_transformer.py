import logging
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from stance.config import validate
from stance.errors import ConfigError, DataError, ModelError
from stance.models import _training_loop, _vectors, softmax, transformer
from stance.models._batches import macro_f1
from stance.models._encoder import Source
from stance.models._pretrained import pretrained
from stance.models.transformer import Params, Transformer
from stance.schema import LABELS, Example, FloatArray, Query, label_indices

Toy = Callable[..., list[Example]]
Quick = Callable[..., Params]
LEARNED = tuple[Transformer, Params]


def weights(model: Transformer, member: int = 0) -> dict[str, torch.Tensor]:
    return model.networks[member].state_dict()


def differ(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    assert one.keys() == other.keys()
    return {name for name in one if not torch.equal(one[name], other[name])}


def accuracy(model: Transformer, examples: list[Example]) -> float:
    found = model.logits([example.query for example in examples]).argmax(axis=1)
    return float(np.mean(found == label_indices([example.label for example in examples])))


def test_a_small_encoder_learns_the_toy_task(learned: LEARNED, toy: Toy) -> None:
    assert accuracy(learned[0], toy(60, seed=1)) > 0.9


@pytest.mark.parametrize("kind", ["mpnet", "deberta-v2"])
def test_other_architectures_train_and_come_back_from_disk(
    kind: str, encoders: dict[str, Path], toy: Toy, quick: Quick, tmp_path: Path
) -> None:
    params = quick(encoder=str(encoders[kind]), epochs=1)
    model = transformer.fit(toy(24, targets=2), [], params, seed=0)
    source, _ = pretrained(Source(str(encoders[kind])))
    before = {f"encoder.{name}": weight for name, weight in source.state_dict().items() if "pooler" not in name}
    after = weights(model)
    assert differ(before, {name: after[name] for name in before}) == {
        name for name, weight in before.items() if weight.dtype == torch.float32
    }
    model.save(tmp_path)
    queries = [example.query for example in toy(6, seed=1, targets=2)]
    np.testing.assert_array_equal(transformer.load(tmp_path, params).logits(queries), model.logits(queries))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(toy: Toy, quick: Quick) -> None:
    first, second, other = (transformer.fit(toy(24), [], quick(r_drop=1.0), seed) for seed in (3, 3, 4))
    assert differ(weights(first), weights(second)) == set()
    assert "head.weight" in differ(weights(first), weights(other))


def test_training_leaves_the_global_generators_and_the_disk_alone(
    toy: Toy, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    model = transformer.fit(toy(24), [], quick(), seed=0)
    model.logits([Query("they refuse")])
    assert random.getstate() == state[0]
    assert all(np.array_equal(now, then) for now, then in zip(np.random.get_state(), state[1], strict=True))
    assert torch.equal(torch.get_rng_state(), state[2])
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


CHANGES: list[dict[str, Any]] = [
    {"max_tokens": 8},
    {"pooling": "cls"},
    {"pooling": "max"},
    {"dropout": 0.5},
    {"encoder_dropout": 0.0},
    {"frozen_layers": 1},
    {"frozen_layers": "all"},
    {"epochs": 3},
    {"patience": 1},
    {"batch_size": 4},
    {"learning_rate": 2e-4},
    {"head_learning_rate": 2e-3},
    {"layer_decay": 0.5},
    {"warmup": 0.5},
    {"weight_decay": 0.5},
    {"label_smoothing": 0.3},
    {"soft_labels": True},
    {"class_weight": "balanced"},
    {"r_drop": 1.0},
    {"contrast_loss": 1.0},
    {"precision": "bfloat16"},
]


@pytest.fixture(scope="module")
def uneven(toy: Toy) -> list[Example]:
    """Labels of unequal number, so that class weights matter."""
    return [example for number, example in enumerate(toy(40)) if example.label != "anti" or number % 2]


@pytest.fixture(scope="module")
def plain(uneven: list[Example], quick: Quick) -> dict[str, torch.Tensor]:
    return weights(transformer.fit(uneven, [], quick(), seed=0))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_each_setting_has_an_effect(
    change: dict[str, Any], uneven: list[Example], plain: dict[str, torch.Tensor], quick: Quick
) -> None:
    # Validation with the labels turned round: the first epoch is the best, and patience has something to give back.
    turned = [replace(example, label=LABELS[label_indices([example.label])[0] - 1]) for example in uneven]
    model = transformer.fit(uneven, turned, quick(**change), seed=0)
    assert "head.weight" in differ(weights(model), plain)


@pytest.mark.parametrize("name", ["r_drop", "contrast_loss"])
def test_the_weight_of_an_extra_loss_matters(name: str, uneven: list[Example], quick: Quick) -> None:
    little, much = (transformer.fit(uneven, [], quick(**{name: weight}), seed=0) for weight in (0.1, 5.0))
    assert "head.weight" in differ(weights(little), weights(much))


def test_bfloat16_rounds_what_is_computed_and_not_what_is_kept(
    uneven: list[Example], plain: dict[str, torch.Tensor], quick: Quick
) -> None:
    model = transformer.fit(uneven, [], quick(precision="bfloat16"), seed=0)
    found = weights(model)
    assert {weight.dtype for weight in found.values()} == {torch.float32}
    assert max(float((found[name] - plain[name]).abs().max()) for name in plain) < 0.01
    again = transformer.fit(uneven, [], quick(precision="bfloat16"), seed=0)
    assert not differ(weights(again), found)
    kept = Params().model_dump()
    assert "precision" not in kept  # so that models of before keep their fingerprint


def test_every_setting_is_tried() -> None:
    tried = {name for change in CHANGES for name in change}
    elsewhere = {"encoder", "revision", "members", "teacher_vectors", "vector_loss", "partial_vectors"}
    assert tried | elsewhere == set(Params.model_fields)


def written(path: Path, ids: list[str], vectors: FloatArray) -> Path:
    """A file of a teacher's vectors as `experiments/recipe/vectors.py` writes it."""
    half = pa.array(vectors.astype(np.float16).ravel())
    parquet.write_table(
        pa.table({"id": ids, "vector": pa.FixedSizeListArray.from_arrays(half, vectors.shape[1])}), path
    )
    return path


def test_a_teachers_vectors_change_what_is_learnt_and_leave_nothing_else_behind(
    toy: Toy, quick: Quick, tmp_path: Path
) -> None:
    examples = toy(60)
    drawn = np.random.default_rng(0).normal(size=(len(examples), 3))
    path = written(tmp_path / "vectors.parquet", [example.id for example in examples], drawn)
    plain = transformer.fit(examples, [], quick(), seed=0)
    little, much = (
        transformer.fit(examples, [], quick(teacher_vectors=path, vector_loss=weight), seed=0) for weight in (0.1, 5.0)
    )
    for one, other in ((plain, little), (little, much)):
        assert any(name.startswith("encoder.") for name in differ(weights(one), weights(other)))


def test_examples_without_a_vector_are_let_pass_where_that_is_asked_for(toy: Toy, quick: Quick, tmp_path: Path) -> None:
    examples = toy(60)
    ids, path = [example.id for example in examples], tmp_path / "vectors.parquet"
    written(path, ids[:30], np.ones((30, 2)))
    vectors = _vectors.read(path, ids, partial=True)
    assert np.isnan(vectors).all(axis=1).tolist() == [False] * 30 + [True] * 30
    model = transformer.fit(examples, [], quick(teacher_vectors=path, partial_vectors=True), seed=0)
    assert np.isfinite(model.logits([example.query for example in examples])).all()
    written(path, ["another"], np.ones((1, 2)))
    with pytest.raises(DataError, match=f"got none for {len(ids)} of {len(ids)}"):
        _vectors.read(path, ids, partial=True)


def test_gradients_of_what_foretells_the_vectors_do_not_pile_up(
    toy: Toy, quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = toy(30)
    path = written(tmp_path / "vectors.parquet", [example.id for example in examples], np.ones((len(examples), 2)))
    made = []
    train = _training_loop.train
    monkeypatch.setattr(_training_loop, "train", lambda *given: made.append(train(*given)))
    transformer.fit(examples, [], quick(teacher_vectors=path), seed=0)
    (projection,) = made
    assert projection is not None
    assert [weight.grad for weight in projection.parameters()] == [None, None]  # cleared after the last step


def test_vectors_that_do_not_fit_are_refused_before_the_training(toy: Toy, quick: Quick, tmp_path: Path) -> None:
    examples = toy(60)
    ids = [example.id for example in examples]
    path, again = tmp_path / "vectors.parquet", "Make the file again: data/teacher/README.md."
    params = quick(teacher_vectors=path)

    def refusal() -> str:
        with pytest.raises(DataError) as caught:
            transformer.fit(examples, [], params, seed=0)
        return str(caught.value)

    assert refusal() == f"{path}: expected a Parquet file of a teacher's text vectors, got no such file. {again}"
    path.write_text("id,vector\n")
    assert refusal().startswith(f"{path}: expected a Parquet file, got ")
    parquet.write_table(pa.table({"id": ids}), path)
    assert refusal() == f"{path}: expected the columns id and vector, got only id. {again}"
    written(path, ids[1:], np.ones((len(ids) - 1, 2)))
    assert refusal() == (
        f"{path}: expected a vector of every training example, got none for 1 of {len(ids)}, such as {ids[0]!r}. "
        f"{again}"
    )
    written(path, [*ids, ids[0]], np.ones((len(ids) + 1, 2)))
    assert refusal() == f"{path}: expected each id once, got 1 more than once. {again}"
    written(path, ids, np.full((len(ids), 2), np.nan))
    assert refusal() == (
        f"{path}: expected vectors of numbers, all of one length, got numbers that are not finite. {again}"
    )
    parquet.write_table(pa.table({"id": ids, "vector": [[1.0] * (1 + at % 2) for at in range(len(ids))]}), path)
    assert refusal().startswith(f"{path}: expected vectors of numbers, all of one length, got ")


def test_the_weight_of_an_example_scales_its_share_of_the_loss(
    uneven: list[Example], plain: dict[str, torch.Tensor], quick: Quick
) -> None:
    doubled = [replace(example, weight=2.0) for example in uneven]
    assert differ(weights(transformer.fit(doubled, [], quick(), seed=0)), plain) == set()
    uneven = [replace(example, weight=0.1 if example.label == "pro" else 1.0) for example in uneven]
    model = transformer.fit(uneven, [], quick(epochs=4, frozen_layers="all", head_learning_rate=0.05), seed=0)
    scores = softmax(model.logits([example.query for example in uneven])).mean(axis=0)
    assert scores[LABELS.index("pro")] < 0.2


@pytest.mark.parametrize(
    "layers, kept",
    [(0, set()), (1, {"embeddings", "layer.0"}), (2, {"embeddings", "layer"}), ("all", {"embeddings", "layer"})],
)
def test_frozen_layers_stay_as_pretrained_and_the_others_do_not(
    layers: int | str, kept: set[str], encoders: dict[str, Path], toy: Toy, quick: Quick
) -> None:
    source, _ = pretrained(Source(str(encoders["bert"])))
    before = {f"encoder.{name}": weight for name, weight in source.state_dict().items() if "pooler" not in name}
    after = weights(transformer.fit(toy(24), [], quick(frozen_layers=layers), seed=0))
    changed = differ(before, {name: after[name] for name in before})
    assert changed == {name for name in before if not any(part in name for part in kept)}


def test_early_stopping_gives_back_the_best_epoch(toy: Toy, quick: Quick, caplog: pytest.LogCaptureFixture) -> None:
    validation = [replace(example, label="neutral" if example.label == "pro" else "pro") for example in toy(60, seed=1)]
    params = quick(epochs=12, patience=3, learning_rate=2e-3)
    with caplog.at_level(logging.INFO, logger="stance.models"):
        model = transformer.fit(toy(120), validation, params, seed=0)
    scores = [float(line.rpartition("validation_macro_f1=")[2]) for line in caplog.messages if "macro_f1" in line]
    found = model.logits([example.query for example in validation]).argmax(axis=1)
    best = macro_f1(found, label_indices([example.label for example in validation]))
    assert len(scores) == scores.index(max(scores)) + 1 + 3 < 12
    assert best == pytest.approx(max(scores), abs=1e-4)
    assert max(scores) > scores[-1] + 0.05


def test_an_ensemble_is_the_mean_of_its_members_log_probabilities(learned: LEARNED, toy: Toy) -> None:
    model, _ = learned
    queries = [example.query for example in toy(9, seed=2)]
    alone = [Transformer([network], model.tokens, model.mask).logits(queries) for network in model.networks]
    assert differ(weights(model, 0), weights(model, 1)) != set()
    np.testing.assert_allclose(np.exp(alone[0]).sum(axis=1), 1)
    np.testing.assert_allclose(model.logits(queries), (alone[0] + alone[1]) / 2, atol=1e-12)


def test_the_first_member_of_an_ensemble_is_the_model_without_one(toy: Toy, quick: Quick) -> None:
    two, one = (transformer.fit(toy(24), [], quick(members=members), seed=5) for members in (2, 1))
    assert differ(weights(two), weights(one)) == set()


def test_the_target_is_a_second_segment_when_there_are_several(toy: Toy, quick: Quick) -> None:
    one, two = (transformer.fit(toy(24, targets=targets), [], quick(), seed=0) for targets in (1, 2))
    queries = [Query("they refuse", "disarmament"), Query("they refuse", "ceasefire")]
    assert [encoding.tokens for encoding in one.tokens.encode(queries)] == [["[CLS]", "they", "refuse", "[SEP]"]] * 2
    pair = two.tokens.encode(queries)[1]
    assert pair.tokens == ["[CLS]", "they", "refuse", "[SEP]", "ceasefire", "[SEP]"]
    assert pair.type_ids == [0, 0, 0, 0, 1, 1]
    assert np.ptp(one.logits(queries), axis=0).max() < 1e-6
    assert np.ptp(two.logits(queries), axis=0).max() > 1e-4


def test_a_score_does_not_depend_on_the_texts_beside_it(learned: LEARNED, toy: Toy) -> None:
    model, _ = learned
    queries = [example.query for example in toy(40, seed=3)] + [Query("guns " * 40), Query("")]
    together = model.logits(queries)
    alone = np.concatenate([model.logits([query]) for query in queries])
    assert (together.shape, together.dtype) == ((42, len(LABELS)), np.float64)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.ptp(together, axis=0).min() > 1
    assert model.logits([]).shape == (0, len(LABELS))


def test_batches_of_inference_keep_to_the_token_budget(
    learned: LEARNED, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stance.models import _network

    model, _ = learned
    queries = [example.query for example in toy(30, seed=4)]
    whole: FloatArray = model.logits(queries)
    monkeypatch.setattr(_network, "TOKENS_AT_ONCE", 20)
    np.testing.assert_allclose(model.logits(queries), whole, atol=1e-5)


def test_an_explanation_finds_the_decisive_word(learned: LEARNED) -> None:
    text = "The army said: they will SURRENDER guns"
    found = learned[0].explain(Query(text), LABELS.index("pro"))
    assert [text[a.start : a.end] for a in found] == ["The", "army", "said", "they", "will", "SURRENDER", "guns"]
    assert max(found, key=lambda a: a.weight) == found[5]
    against = learned[0].explain(Query(text), LABELS.index("anti"))
    assert against[5].weight < 0 < found[5].weight
    assert learned[0].explain(Query("..."), 0) == []
    scores = softmax(learned[0].logits([Query(text), Query(text.replace("army", "[MASK]"))]))[:, LABELS.index("pro")]
    odds = np.log(scores / (1 - scores))
    assert found[1].weight == pytest.approx(odds[0] - odds[1], abs=1e-4)


def test_an_explanation_stops_at_200_words_and_works_without_a_mask_token(learned: LEARNED) -> None:
    model, _ = learned
    maskless = Transformer(model.networks, model.tokens, None)
    assert len(maskless.explain(Query("guns " * 300), 0)) == 200
    found = maskless.explain(Query("they surrender guns"), LABELS.index("pro"))
    assert max(found, key=lambda a: a.weight) == found[1]


def test_a_training_that_diverges_is_refused(toy: Toy, quick: Quick) -> None:
    broken = [replace(example, weight=float("nan")) for example in toy(24)]
    with pytest.raises(ModelError) as caught:
        transformer.fit(broken, [], quick(), seed=0)
    assert str(caught.value) == (
        "the training: expected finite weights, got a divergence. "
        "Lower model.params.learning_rate or raise model.params.warmup."
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"frozen_layers": -1}, "frozen_layers -1, below 0"),
        ({"revision": "abc"}, "revision, which has no effect on a package: its weights are known by hash"),
        ({"patience": 2, "epochs": 1}, "patience, which has no effect with one epoch"),
        ({"contrast_loss": 0.5, "batch_size": 1}, "contrast_loss, which has no effect in batches of one"),
        ({"frozen_layers": "all", "learning_rate": 0.01}, "learning_rate, which has no effect with frozen_layers all"),
        ({"frozen_layers": "all", "layer_decay": 0.5}, "layer_decay, which has no effect with frozen_layers all"),
        ({"frozen_layers": "all", "contrast_loss": 1.0}, "contrast_loss, which has no effect with frozen_layers all"),
        ({"frozen_layers": "all", "encoder_dropout": 0}, "encoder_dropout, which has no effect with frozen_layers all"),
        ({"frozen_layers": "all", "precision": "bfloat16"}, "precision, which has no effect with frozen_layers all"),
        ({"r_drop": 1.0, "dropout": 0, "encoder_dropout": 0}, "r_drop, which has no effect without dropout"),
        ({"vector_loss": 2.0}, "vector_loss, which has no effect without teacher_vectors"),
        ({"partial_vectors": True}, "partial_vectors, which has no effect without teacher_vectors"),
        (
            {"frozen_layers": "all", "teacher_vectors": "x.parquet"},
            "teacher_vectors, which has no effect with frozen_layers all",
        ),
        (
            {"frozen_layers": "all", "r_drop": 1.0, "dropout": 0},
            "r_drop, which has no effect with frozen_layers all and no dropout",
        ),
    ],
)
def test_a_setting_without_effect_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Params, settings, "x.yaml")
    assert str(caught.value) == (
        f"x.yaml: the settings: expected settings that fit together, got {message}. Change one of them."
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {"frozen_layers": 3},
            "model.params.frozen_layers: expected at most 2, the encoder's layers, got 3. "
            'Lower it; "all" freezes the whole encoder.',
        ),
        ({"max_tokens": 35}, "model.params.max_tokens: expected at most 34, the encoder's, got 35. Lower it."),
    ],
)
def test_a_setting_that_the_architecture_cannot_meet_is_refused(
    settings: dict[str, Any], message: str, toy: Toy, quick: Quick
) -> None:
    with pytest.raises(ConfigError) as caught:
        transformer.fit(toy(24), [], quick(**settings), seed=0)
    assert str(caught.value) == message


def test_positions_behind_the_padding_token_are_not_counted(encoders: dict[str, Path], toy: Toy, quick: Quick) -> None:
    with pytest.raises(ConfigError, match="at most 32, the encoder's, got 34"):
        transformer.fit(toy(24), [], quick(encoder=str(encoders["mpnet"]), max_tokens=34), seed=0)


def test_data_that_does_not_fit_the_settings_is_refused(toy: Toy, quick: Quick) -> None:
    def message(train: list[Example], **settings: Any) -> str:
        with pytest.raises(DataError) as caught:
            transformer.fit(train, [], quick(**settings), seed=0)
        return str(caught.value)

    assert message([example for example in toy(9) if example.label != "pro"]) == (
        "the training split: expected examples of anti, neutral, pro, got none of pro. "
        "Add examples, or train on another split."
    )
    assert message(toy(9), patience=1) == (
        "the validation split: expected examples, as patience is set, got none. "
        "Set model.params.patience to null, or make a validation split."
    )
    assert message([replace(example, soft=()) for example in toy(9)], soft_labels=True) == (
        "the training split: expected 3 shares of votes, got 0 in 0-0. "
        "Build the dataset with votes, or set model.params.soft_labels to false."
    )


def test_settings_are_checked_without_torch() -> None:
    code = "import sys, stance.models.transformer; sys.exit(bool({'torch', 'transformers'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
