"""The linear baseline: what it learns from, what it explains and what it refuses."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from stance.config import validate
from stance.errors import ConfigError, DataError, ModelError
from stance.models import softmax, tfidf
from stance.schema import LABELS, Attribution, Example, Query

PRO = LABELS.index("pro")


def fit(examples: list[Example], **params: Any) -> tfidf.TfIdf:
    """A model with a C for twelve sentences, unless another is given."""
    return tfidf.fit(examples, [], tfidf.Params(**({"C": 5.0} | params)), seed=0)


def probabilities(model: tfidf.TfIdf, *texts: str, target: str | None = None) -> Any:
    return softmax(model.logits([Query(text) if target is None else Query(text, target) for text in texts]))


def test_words_of_a_label_bring_its_probability_up(labelled: list[Example]) -> None:
    found = probabilities(fit(labelled), "They keep their rifles.", "The committee met on Tuesday.", "Disarm now.")
    assert [LABELS[index] for index in found.argmax(axis=1)] == ["anti", "neutral", "pro"]


def test_a_text_of_unknown_words_gets_a_probability_too(labelled: list[Example]) -> None:
    found = probabilities(fit(labelled), "", "武装解除")
    assert found.shape == (2, 3)
    assert np.allclose(found[0], found[1])


def test_a_higher_c_makes_larger_weights(labelled: list[Example]) -> None:
    sizes = [float(np.abs(fit(labelled, C=C).weights).sum()) for C in (0.1, 1.0, 10.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2]


def test_settings_of_the_counts_decide_the_vocabulary(labelled: list[Example]) -> None:
    model = fit(labelled, word_ngrams=(1, 1), char_ngrams=None, min_df=3, lowercase=False)
    texts = Counter(word for e in labelled for word in set(re.findall(r"\w\w+", e.text)))
    expected = sorted(word for word, count in texts.items() if count >= 3)
    assert {"The", "the", "disarm", "rifles"} <= set(expected)
    assert model.vectorizers["word"].get_feature_names_out().tolist() == expected
    assert list(model.vectorizers) == ["word"]


def test_balanced_classes_lift_the_rare_label(labelled: list[Example]) -> None:
    few = labelled[3:]
    rare = [probabilities(fit(few, class_weight=weight), "Nothing known.")[0, 0] for weight in (None, "balanced")]
    assert rare[1] > rare[0]


def test_an_example_counts_by_its_weight(labelled: list[Example]) -> None:
    heavy = [replace(example, weight=5.0 if example.label == "pro" else 1.0) for example in labelled]
    params = {"class_weight": None}
    both = [probabilities(fit(examples, **params), "Nothing known.")[0, PRO] for examples in (labelled, heavy)]
    assert both[1] > both[0]


def test_an_example_of_weight_two_is_the_same_as_two_examples(labelled: list[Example]) -> None:
    params = {"class_weight": None, "word_ngrams": (1, 1), "char_ngrams": None}
    twice = [*labelled, labelled[-1]]
    heavy = [*labelled[:-1], replace(labelled[-1], weight=2.0)]
    model = fit(heavy, **params)
    # Only inverse document frequencies differ, which the vectorizers count by rows.
    assert np.sign(model.weights).tolist() == np.sign(fit(twice, **params).weights).tolist()


def test_soft_labels_make_a_disputed_word_undecided(labelled: list[Example]) -> None:
    disputed = [*labelled, Example("x", "We disband maybe.", "pro", "x", soft=(0.5, 0.0, 0.5))]
    hard, soft = (probabilities(fit(disputed, soft_labels=soft), "We disband maybe.")[0] for soft in (False, True))
    assert hard[PRO] > 0.5
    assert soft[PRO] == pytest.approx(soft[0], abs=0.15)
    assert soft[0] > hard[0]


def test_soft_labels_count_by_the_share_of_votes(labelled: list[Example]) -> None:
    found = []
    for anti in (0.1, 0.3, 0.5):
        disputed = [*labelled, Example("x", "We disband maybe.", "pro", "x", soft=(anti, 0.0, 1 - anti))]
        found.append(probabilities(fit(disputed, soft_labels=True), "We disband maybe.")[0, PRO])
    assert found[0] > found[1] + 0.05 > found[2] + 0.1


def test_soft_labels_of_whole_votes_are_hard_labels(labelled: list[Example]) -> None:
    assert np.allclose(fit(labelled, soft_labels=True).weights, fit(labelled).weights, atol=1e-4)


def test_soft_labels_without_a_vote_for_a_label_are_refused(labelled: list[Example]) -> None:
    tied = [replace(e, soft=(0.5, 0.0, 0.5)) if e.label == "neutral" else e for e in labelled]
    with pytest.raises(DataError) as error:
        fit(tied, soft_labels=True)
    assert str(error.value) == (
        "the training split: expected votes for every label, got none for one. Set model.params.soft_labels to false."
    )


@pytest.fixture
def targeted() -> list[Example]:
    """Sentences on two targets, in which the same words mean the opposite."""
    rows = [
        ("We keep them", "rifles", "anti"),
        ("We keep them", "peace", "pro"),
        ("We drop them", "rifles", "pro"),
        ("We drop them", "peace", "anti"),
        ("The sun shines", "rifles", "neutral"),
        ("The sun shines", "peace", "neutral"),
    ]
    return [
        Example(f"{n}", text, label, f"{n}", target=target)  # type: ignore[arg-type]
        for n, (text, target, label) in enumerate(rows * 2)
    ]


def test_target_features_tell_targets_apart_that_a_text_does_not_mention(targeted: list[Example]) -> None:
    queries = [example.query for example in targeted[:6]]
    gold = [example.label for example in targeted[:6]]
    with_target, without = (
        [LABELS[index] for index in fit(targeted, target_features=on, C=100).logits(queries).argmax(axis=1)]
        for on in (True, False)
    )
    assert with_target == gold
    assert without != gold


def test_target_features_are_the_words_around_a_mention_or_all_words_joined_with_the_target() -> None:
    text = "One two three four five six the ceasefire seven eight nine ten eleven twelve"
    tokens = tfidf._target_tokens
    assert list(tokens(Query(text, "the ceasefire"))) == [
        *("before:two", "before:three", "before:four", "before:five", "before:six"),
        *("after:seven", "after:eight", "after:nine", "after:ten", "after:eleven"),
    ]
    assert list(tokens(Query("No, a war", "the ceasefire"))) == ["the_ceasefire:No", "the_ceasefire:war"]


def test_target_features_without_several_targets_are_refused(labelled: list[Example]) -> None:
    with pytest.raises(ConfigError) as error:
        fit(labelled, target_features=True)
    assert str(error.value) == (
        "model.params.target_features: expected data with several targets, got data with one. "
        "Set model.params.target_features to false."
    )


def test_explaining_finds_the_decisive_word(labelled: list[Example]) -> None:
    text = "Tomorrow they disarm, perhaps."
    found = fit(labelled).explain(Query(text), PRO)
    assert [text[a.start : a.end] for a in found] == ["Tomorrow", "they", "disarm", "perhaps"]
    assert max(found, key=lambda a: a.weight) == found[2]
    assert found[2].weight > 0 > fit(labelled).explain(Query(text), LABELS.index("anti"))[2].weight


def test_a_text_without_words_has_no_explanation(labelled: list[Example]) -> None:
    assert fit(labelled).explain(Query("! - ?"), PRO) == []


def test_a_word_is_worth_what_the_score_loses_without_it(labelled: list[Example]) -> None:
    model = fit(labelled, char_ngrams=None, word_ngrams=(1, 1))
    (found,) = model.explain(Query("disarm"), PRO)
    scores = model.logits([Query("disarm"), Query("")])
    margins = scores[:, PRO] - np.log(np.exp(scores[:, :PRO]).sum(axis=1))
    assert found == Attribution(0, 6, pytest.approx(margins[0] - margins[1]))


def test_a_very_long_text_is_explained_in_part(labelled: list[Example]) -> None:
    assert len(fit(labelled, char_ngrams=None).explain(Query("word " * 600), PRO)) == 500


def test_a_training_split_without_a_label_is_refused(labelled: list[Example]) -> None:
    with pytest.raises(DataError) as error:
        fit(labelled[:8])
    assert str(error.value) == (
        "the training split: expected examples of anti, neutral, pro, got none of pro. "
        "Add examples, or train on another split."
    )


def test_soft_labels_without_votes_are_refused(labelled: list[Example]) -> None:
    for without in ({labelled[5].id}, {example.id for example in labelled}):
        train = [replace(example, soft=()) if example.id in without else example for example in labelled]
        with pytest.raises(DataError) as error:
            fit(train, soft_labels=True)
        first = next(example.id for example in train if example.id in without)
        assert str(error.value) == (
            f"the training split: expected 3 shares of votes, got 0 in {first}. "
            "Build the dataset with votes, or set model.params.soft_labels to false."
        )


def test_no_training_examples_are_refused() -> None:
    with pytest.raises(DataError, match="got none of anti, neutral, pro"):
        fit([])


def test_a_min_df_that_leaves_nothing_is_refused(labelled: list[Example]) -> None:
    with pytest.raises(ConfigError, match=r"^model\.params\.min_df 13: expected n-grams in so many texts, got no word"):
        fit(labelled, min_df=13)
    with pytest.raises(ConfigError, match=r"^model\.params\.min_df 11: .*Lower it\.$"):
        fit(labelled, min_df=11)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"word_ngrams": None, "char_ngrams": None},
            "p: the settings: expected settings that fit together, got word_ngrams or char_ngrams must be given. "
            "Change one of them.",
        ),
        (
            {"word_ngrams": [2, 1]},
            "p: the settings: expected settings that fit together, got the shortest n-gram must not be longer than "
            "the longest: [2, 1]. Change one of them.",
        ),
        ({"C": 0}, "p: C: expected greater than 0, got 0. Change it."),
        ({"class_weight": "balance"}, "p: class_weight: expected 'balanced', got 'balance'. Change it."),
        ({"char_ngrams": [0, 9]}, "p: char_ngrams.0: expected greater than or equal to 1, got 0. Change it."),
    ],
)
def test_settings_that_cannot_be_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        validate(tfidf.Params, params, "p")
    assert str(error.value) == message


Spoil = Callable[[dict[str, Any], dict[str, Any]], object]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v, a: v.pop("char"), "expected a TF-IDF model, got KeyError: 'char'."),
        (lambda v, a: a.pop("idf.word"), "expected a TF-IDF model, got KeyError: 'idf.word'."),
        (lambda v, a: a.pop("weights"), "expected a TF-IDF model, got KeyError: 'weights'."),
        (lambda v, a: v["word"].append("new"), "expected a TF-IDF model, got ValueError: idf length = "),
        (lambda v, a: v["word"].append(v["word"][0]), "expected a TF-IDF model, got ValueError: Vocabulary"),
        (lambda v, a: v.update(word=5), "expected a TF-IDF model, got TypeError: 'int' object is not iterable."),
        (lambda v, a: v.update(more=5), "expected a TF-IDF model, got TypeError: 'int' object is not iterable."),
        (
            lambda v, a: v["word"].__setitem__(0, 5),
            "expected a TF-IDF model, got TypeError: an n-gram that is no text.",
        ),
        (lambda v, a: v["char"].__setitem__(0, None), "expected a TF-IDF model, got TypeError: an n-gram that is no"),
        (lambda v, a: a.update({"idf.char": a["idf.char"] * np.nan}), "expected finite weights, got others."),
        (lambda v, a: v.update(more=["x"]), "expected weights ("),
        (lambda v, a: a.update(weights=a["weights"][:, :2].copy()), "expected weights ("),
        (lambda v, a: a.update(weights=a["weights"] * np.nan), "expected finite weights, got others."),
        (lambda v, a: a.update(intercepts=np.zeros(2)), "expected weights ("),
    ],
)
def test_a_damaged_model_is_refused(labelled: list[Example], tmp_path: Path, spoil: Spoil, message: str) -> None:
    fit(labelled).save(tmp_path)
    vocabulary = json.loads((tmp_path / "vocabulary.json").read_text())
    arrays = load_file(tmp_path / "weights.safetensors")
    spoil(vocabulary, arrays)
    (tmp_path / "vocabulary.json").write_text(json.dumps(vocabulary))
    save_file(arrays, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError) as error:
        tfidf.load(tmp_path, tfidf.Params())
    assert str(error.value).startswith(f"{tmp_path}: {message}")
    assert str(error.value).endswith(" Train it again.")


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("[" * 100_000, "RecursionError: maximum recursion depth exceeded"),
        ("[]", "AttributeError: 'list' object has no"),
    ],
)
def test_a_vocabulary_that_is_none_is_refused(labelled: list[Example], tmp_path: Path, content: str, got: str) -> None:
    fit(labelled).save(tmp_path)
    (tmp_path / "vocabulary.json").write_text(content)
    with pytest.raises(ModelError) as error:
        tfidf.load(tmp_path, tfidf.Params())
    assert str(error.value).startswith(f"{tmp_path}: expected a TF-IDF model, got {got}")
    assert str(error.value).endswith(" Train it again.")
    assert "\n" not in str(error.value)


def test_weights_that_are_no_safetensors_are_refused(labelled: list[Example], tmp_path: Path) -> None:
    fit(labelled).save(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"pickle")
    with pytest.raises(ModelError, match=r"expected a TF-IDF model, got SafetensorError: .* Train it again\."):
        tfidf.load(tmp_path, tfidf.Params())


@pytest.mark.parametrize("sublinear", [True, False])
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("ngrams", [(1, 1), (1, 2), (2, 3)])
def test_features_are_those_of_the_vectorizers(sublinear: bool, lowercase: bool, ngrams: tuple[int, int]) -> None:
    odd = ["", " ", "ß İ ſ", "a", "ab ab ab", "Weapons\u00a0stay.", "x" * 200, "won't—give… up", "ŒUVRE œuvre"]
    train = [Example(str(n), text, LABELS[n % 3], str(n)) for n, text in enumerate([*odd, "We keep our weapons"])]
    params = tfidf.Params(sublinear_tf=sublinear, lowercase=lowercase, word_ngrams=ngrams)
    model = tfidf.fit(train, [], params, 0)
    texts = [*odd, "our Weapons won't stay: keep our weapons, our weapons", "unseen words: zyzzyva"]
    for _ in range(2):  # the second time from the cache
        for family, vectorizer in model.vectorizers.items():
            found, expected = model._features(family, vectorizer, texts), vectorizer.transform(texts)
            assert expected.nnz
            assert abs(found - expected).max() < 1e-12
