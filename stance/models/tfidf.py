"""The linear baseline: TF-IDF of word and character n-grams, logistic regression over three labels.

It reads words, not sentences, and says so by its score; every later model is measured against it. Saved as a
vocabulary in JSON and arrays in safetensors, and rebuilt from these, so that loading runs no code of the file's.
"""

import json
import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from stance.config import Settings
from stance.errors import ConfigError, DataError, ModelError, problem
from stance.models._examples import check_labels, check_votes
from stance.schema import LABELS, Attribution, Example, FloatArray, Query, label_indices

NgramRange = tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]]

_WORD = re.compile(r"(?u)\b\w\w+\b")
_WINDOW = 5
"""Words on either side of a mention of the target that count as near it."""
_MAX_CACHED = 100_000
"""Words whose character n-grams are kept, some 30 MB: most of any text is made of far fewer."""
_MAX_CACHED_WORD = 50
"""Characters of the longest word that is kept; a longer one is an address or debris, and does not come again."""
_MAX_EXPLAINED = 500
"""Words of a text that are explained, each at the cost of one more scoring; no statement is as long."""


class Params(Settings):
    """Settings of the TF-IDF model; the defaults are those found by cross-validation over theatres."""

    word_ngrams: NgramRange | None = Field((1, 2), description="shortest and longest word n-gram; null for none")
    char_ngrams: NgramRange | None = Field((2, 5), description="the same for character n-grams inside words")
    min_df: int = Field(1, ge=1, description="drop n-grams that occur in fewer texts")
    sublinear_tf: bool = Field(True, description="1 + log of a count instead of the count")
    lowercase: bool = Field(True, description="fold case before counting")
    C: float = Field(0.5, gt=0, description="inverse strength of the L2 penalty")
    class_weight: Literal["balanced"] | None = Field("balanced", description="weigh labels by inverse frequency")
    soft_labels: bool = Field(False, description="learn from the shares of the votes instead of the majority label")
    target_features: bool = Field(False, description="join words with the target; only for data with several targets")

    @model_validator(mode="after")
    def _something_to_count(self) -> "Params":
        if self.word_ngrams is None and self.char_ngrams is None:
            raise ValueError("word_ngrams or char_ngrams must be given")
        for ngrams in (self.word_ngrams, self.char_ngrams):
            if ngrams is not None and ngrams[0] > ngrams[1]:
                raise ValueError(f"the shortest n-gram must not be longer than the longest: {list(ngrams)}")
        return self


class _CharacterColumns(dict[str, bytes]):
    """The columns of a word's character n-grams, as int32, found once a word.

    The n-grams of `char_wb` never cross a word's border, so those of a text are those of its words: counting by word is
    four times as fast as by text, and gives the same counts.
    """

    def __init__(self, vectorizer: TfidfVectorizer) -> None:
        self._analyze = vectorizer.build_analyzer()
        self._vocabulary: dict[str, int] = vectorizer.vocabulary_

    def row(self, document: str) -> bytes:
        """Return the columns of the n-grams of `document`, one an occurrence; case is folded already."""
        return b"".join(map(self.__getitem__, document.split()))

    def __missing__(self, word: str) -> bytes:
        if len(self) >= _MAX_CACHED:
            self.clear()
        known = [self._vocabulary[ngram] for ngram in self._analyze(word) if ngram in self._vocabulary]
        columns = np.array(known, dtype=np.int32).tobytes()
        if len(word) <= _MAX_CACHED_WORD:
            self[word] = columns
        return columns


class _WordColumns:
    """The columns of a text's word n-grams, as int32: looked up as tuples of words, with no string for each."""

    def __init__(self, vectorizer: TfidfVectorizer) -> None:
        self._words = vectorizer.build_tokenizer()
        self._lengths = range(vectorizer.ngram_range[0], vectorizer.ngram_range[1] + 1)
        self._vocabulary: dict[tuple[str, ...], int] = {
            tuple(ngram.split(" ")): column for ngram, column in vectorizer.vocabulary_.items()
        }

    def row(self, document: str) -> bytes:
        """Return the columns of the n-grams of `document`, one an occurrence; case is folded already."""
        words = self._words(document)
        found = [
            column
            for length in self._lengths
            for column in map(self._vocabulary.get, zip(*(words[at:] for at in range(length)), strict=False))
            if column is not None
        ]
        return array("i", found).tobytes()


class TfIdf:
    """A fitted model: one vectorizer a family of n-grams, weights (f, k) over all their features, intercepts (k,)."""

    def __init__(self, vectorizers: dict[str, TfidfVectorizer], weights: FloatArray, intercepts: FloatArray) -> None:
        """Take fitted vectorizers in the order of the rows of `weights`."""
        self.vectorizers = vectorizers
        self.weights = weights
        self.intercepts = intercepts
        self._columns: dict[str, _WordColumns | _CharacterColumns] = {}
        if "word" in vectorizers:
            self._columns["word"] = _WordColumns(vectorizers["word"])
        if "char" in vectorizers:
            self._columns["char"] = _CharacterColumns(vectorizers["char"])

    def logits(self, queries: Sequence[Query]) -> FloatArray:
        """Return the linear scores of `n` queries, shape (n, k)."""
        if not queries:
            return np.empty((0, len(LABELS)))
        scores = self.intercepts + np.zeros((len(queries), 1))
        start = 0
        for family, vectorizer in self.vectorizers.items():
            features = self._features(family, vectorizer, _documents(family, queries))
            scores += features @ self.weights[start : start + features.shape[1]]
            start += features.shape[1]
        return scores

    def _features(self, family: str, vectorizer: TfidfVectorizer, documents: Sequence[str]) -> Any:
        """Return what `vectorizer.transform` does, sparse, shape (n, f)."""
        if family not in self._columns:
            return vectorizer.transform(documents)
        fold = str.lower if vectorizer.lowercase else str
        row = self._columns[family].row
        rows = [row(fold(document)) for document in documents]
        columns = np.frombuffer(b"".join(rows), dtype=np.int32)
        ends = np.cumsum([0, *(len(row) // columns.itemsize for row in rows)])
        # By columns, as transposing puts the entries in order in linear time, and sorting each row does not.
        counts = sp.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(rows), len(vectorizer.idf_))).tocsc()
        counts.sum_duplicates()
        if vectorizer.sublinear_tf:
            counts.data = 1 + np.log(counts.data)
        counts.data *= np.repeat(vectorizer.idf_, np.diff(counts.indptr))
        norms = np.sqrt(np.bincount(counts.indices, counts.data**2, minlength=len(rows)))
        counts.data /= norms[counts.indices]
        return counts

    def explain(self, query: Query, label: int) -> list[Attribution]:
        """Return what each word does: the log-odds of `label` against the others that go when the word is left out."""
        words = list(islice(_WORD.finditer(query.text), _MAX_EXPLAINED))
        without = [Query(query.text[: word.start()] + " " + query.text[word.end() :], query.target) for word in words]
        scores = self.logits([query, *without])
        margin = scores[:, label] - np.logaddexp.reduce(np.delete(scores, label, axis=1), axis=1)
        return [Attribution(w.start(), w.end(), float(margin[0] - m)) for w, m in zip(words, margin[1:], strict=True)]

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json` (n-grams in the order of their columns) and `weights.safetensors`."""
        vocabulary = {
            family: vectorizer.get_feature_names_out().tolist() for family, vectorizer in self.vectorizers.items()
        }
        (folder / "vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")
        arrays = {f"idf.{family}": vectorizer.idf_ for family, vectorizer in self.vectorizers.items()}
        save_file({**arrays, "weights": self.weights, "intercepts": self.intercepts}, folder / "weights.safetensors")


def fit(train: Sequence[Example], validation: Sequence[Example], params: Params, seed: int) -> TfIdf:
    """Fit on `train`; `validation` and `seed` play no part, as the solver is deterministic.

    Raises:
        ConfigError: `target_features` is on, but the data has one target only, or `min_df` leaves no n-gram.
        DataError: `train` is empty, or lacks a label or votes.
    """
    _check(train, params)
    queries = [example.query for example in train]
    vectorizers = _vectorizers(params)
    features = sp.hstack([_count(family, vectorizer, queries) for family, vectorizer in vectorizers.items()]).tocsr()
    rows, labels, weights = _targets(train, params.soft_labels)
    if len(np.unique(labels)) < len(LABELS):
        todo = "Set model.params.soft_labels to false."
        raise DataError(problem("the training split", "votes for every label", "none for one", todo))
    classifier = LogisticRegression(C=params.C, class_weight=params.class_weight, max_iter=1000)
    classifier.fit(features[rows], labels, sample_weight=weights)
    return TfIdf(vectorizers, np.ascontiguousarray(classifier.coef_.T), classifier.intercept_)


def load(folder: Path, params: Params) -> TfIdf:
    """Rebuild a saved model.

    Raises:
        ModelError: vocabulary and arrays are missing, unreadable or do not fit each other or `params`.
    """
    try:
        vocabulary: dict[str, list[str]] = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        if not all(isinstance(ngram, str) for ngrams in vocabulary.values() for ngram in ngrams):
            raise TypeError("an n-gram that is no text")
        arrays: dict[str, Any] = load_file(folder / "weights.safetensors")
        vectorizers = _vectorizers(params)
        for family, vectorizer in vectorizers.items():
            vectorizer.vocabulary = {ngram: column for column, ngram in enumerate(vocabulary[family])}
            vectorizer.idf_ = arrays[f"idf.{family}"]
        model = TfIdf(vectorizers, arrays["weights"], arrays["intercepts"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise ModelError(
            problem(folder, "a TF-IDF model", f"{type(error).__name__}: {error}", "Train it again.")
        ) from error
    rows = sum(len(ngrams) for ngrams in vocabulary.values())
    idf = [vectorizer.idf_ for vectorizer in vectorizers.values()]
    if not all(np.isfinite(array).all() for array in (model.weights, model.intercepts, *idf)):
        raise ModelError(problem(folder, "finite weights", "others", "Train it again."))
    if model.weights.shape != (rows, len(LABELS)) or model.intercepts.shape != (len(LABELS),):
        got = f"weights {model.weights.shape} and intercepts {model.intercepts.shape}"
        raise ModelError(problem(folder, f"weights ({rows}, {len(LABELS)})", got, "Train it again."))
    return model


def _check(train: Sequence[Example], params: Params) -> None:
    check_labels(train)
    if params.soft_labels:
        check_votes(train)
    if params.target_features and len({example.target for example in train}) == 1:
        todo = "Set model.params.target_features to false."
        raise ConfigError(problem("model.params.target_features", "data with several targets", "data with one", todo))


def _vectorizers(params: Params) -> dict[str, TfidfVectorizer]:
    """One unfitted vectorizer for each family of n-grams that `params` asks for."""
    shared = {"min_df": params.min_df, "sublinear_tf": params.sublinear_tf, "lowercase": params.lowercase}
    vectorizers = {}
    if params.word_ngrams is not None:
        vectorizers["word"] = TfidfVectorizer(ngram_range=params.word_ngrams, **shared)
    if params.char_ngrams is not None:
        vectorizers["char"] = TfidfVectorizer(analyzer="char_wb", ngram_range=params.char_ngrams, **shared)
    if params.target_features:
        vectorizers["target"] = TfidfVectorizer(analyzer=str.split, **shared)
    return vectorizers


def _count(family: str, vectorizer: TfidfVectorizer, queries: Sequence[Query]) -> Any:
    """Learn the n-grams of a family; return those of `n` queries, sparse, shape (n, f)."""
    try:
        return vectorizer.fit_transform(_documents(family, queries))
    except ValueError as error:
        where = f"model.params.min_df {vectorizer.min_df}"
        got = f"no {family} n-gram in {len(queries):,} ({error})".replace(".)", ")")
        raise ConfigError(problem(where, "n-grams in so many texts", got, "Lower it.")) from error


def _documents(family: str, queries: Sequence[Query]) -> list[str]:
    if family == "target":
        return [" ".join(_target_tokens(query)) for query in queries]
    return [query.text for query in queries]


def _target_tokens(query: Query) -> Iterator[str]:
    """Words near a mention of the target; where the text never names it, every word joined with the target."""
    mention = query.text.find(query.target)
    if mention < 0:
        name = "_".join(query.target.split())
        yield from (f"{name}:{word}" for word in _WORD.findall(query.text))
        return
    before = _WORD.findall(query.text[:mention])[-_WINDOW:]
    after = _WORD.findall(query.text[mention + len(query.target) :])[:_WINDOW]
    yield from (f"before:{word}" for word in before)
    yield from (f"after:{word}" for word in after)


def _targets(train: Sequence[Example], soft: bool) -> tuple[Any, Any, FloatArray]:
    """Return row numbers, labels and weights; a soft label becomes one weighted row for each label with a share."""
    weights = np.array([example.weight for example in train])
    if not soft:
        return np.arange(len(train)), label_indices([example.label for example in train]), weights
    shares = np.array([example.soft for example in train])
    rows, labels = np.nonzero(shares)
    return rows, labels, shares[rows, labels] * weights[rows]
