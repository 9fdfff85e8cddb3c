"""Does a model read a quote better with its surroundings? Stance scores by what of the text it is given.

    python experiments/articles/context.py [--model experiments/models/tfidf]

The statements are those of the two seed articles and of the invented articles about armed groups (both halves: nothing
is tuned on them). No model is trained: a saved one reads each of them as

    content                 what is said, as extracted
    clause                  with source and cue: from the start of these three to their end
    sentence                the whole sentence or sentences
    before + sentence       with the sentence before
    source: content         "Highland Front said: ..."

Macro F1 with 95 % intervals from 1,000 resamples of whole articles (seed 0), and the difference to `content` with its
interval: the same resamples, so that a difference is told apart even where the intervals overlap.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from stance.articles.parsing import parser
from stance.inference import Predictor
from stance.schema import LABELS

ROOT = Path(__file__).resolve().parents[2]
Window = Callable[[dict[str, Any], str, list[tuple[int, int]]], str]


def sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of a text; a line break ends one."""
    found, start = [], 0
    for line in text.split("\n"):
        doc = parser()(line)
        found += [(start + s.start_char, start + s.end_char) for s in doc.sents]
        start += len(line) + 1
    return found


def around(row: dict[str, Any], bounds: list[tuple[int, int]], before: int) -> tuple[int, int]:
    """From the sentence where the content begins (`before` sentences earlier) to the one where it ends."""
    touched = [i for i, (a, b) in enumerate(bounds) if a < row["end"] and row["start"] < b]
    return bounds[max(0, touched[0] - before)][0], bounds[touched[-1]][1]


def clause(row: dict[str, Any], text: str, bounds: list[tuple[int, int]]) -> str:
    """From the first to the last of source, cue and content, within the sentences of the content."""
    low, high = around(row, bounds, 0)
    marks = [m for m in row["marks"] if m is not None and low <= m <= high]
    return text[min([row["start"], *marks]) : max([row["end"], *marks])]


WINDOWS: dict[str, Window] = {
    "content": lambda row, text, bounds: text[row["start"] : row["end"]],
    "clause": clause,
    "sentence": lambda row, text, bounds: text[slice(*around(row, bounds, 0))],
    "before + sentence": lambda row, text, bounds: text[slice(*around(row, bounds, 1))],
    "source: content": lambda row, text, bounds: (
        f"{row['source'] or 'Somebody'} said: {text[row['start'] : row['end']]}"
    ),
}


def statements() -> list[dict[str, Any]]:
    """The labelled statements of both sets, with the same keys."""
    rows = []
    for line in (ROOT / "data/annotations/seeds.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        keys = {key: row[key] for key in ("document", "start", "end")}
        rows.append(keys | {"source": row["speaker"], "label": row["votes"][0]["label"], "marks": [], "set": "seeds"})
    for line in (ROOT / "data/articles/annotations.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["stance"] is not None:
            marks = [row[key] for key in ("source_start", "source_end", "cue_start", "cue_end")]
            keys = {"document": row["document"], "start": row["content_start"], "end": row["content_end"]}
            rows.append(keys | {"source": row["source"], "label": row["stance"], "marks": marks, "set": "articles"})
    return rows


def macro(gold: list[str], predicted: list[str]) -> float:
    """The mean F1 of the three labels."""
    return float(f1_score(gold, predicted, labels=list(LABELS), average="macro", zero_division=0))


def report(rows: list[dict[str, Any]], predicted: dict[str, list[str]], name: str) -> None:
    """Print a Markdown table of one set."""
    gold = [row["label"] for row in rows]
    documents = sorted({row["document"] for row in rows})
    where = {d: [i for i, row in enumerate(rows) if row["document"] == d] for d in documents}
    generator = np.random.default_rng(0)
    draws = [[i for d in generator.choice(documents, len(documents)) for i in where[d]] for _ in range(1000)]
    counts = ", ".join(f"{gold.count(label)} {label}" for label in LABELS)
    print(f"\n{name}: n = {len(rows)} statements ({counts}) in {len(documents)} articles\n")
    print("| the model reads | macro F1 (95 %) | accuracy | against content (95 %) |\n|---|---|---|---|")
    base = [macro([gold[i] for i in d], [predicted["content"][i] for i in d]) for d in draws]
    for window, labels in predicted.items():
        drawn = [macro([gold[i] for i in d], [labels[i] for i in d]) for d in draws]
        low, high = np.percentile(drawn, [2.5, 97.5])
        less, more = np.percentile(np.subtract(drawn, base), [2.5, 97.5])
        right = np.mean([a == b for a, b in zip(gold, labels, strict=True)])
        change = macro(gold, labels) - macro(gold, predicted["content"])
        against = "" if window == "content" else f"{change:+.3f} ({less:+.3f} to {more:+.3f})"
        print(f"| {window} | {macro(gold, labels):.3f} ({low:.3f}-{high:.3f}) | {right:.3f} | {against} |")


def main() -> None:
    """Read the options, ask the model, print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", type=Path, default=ROOT / "experiments/models/tfidf")
    predictor = Predictor.load(options.parse_args().model)
    rows = statements()
    texts = {d: (ROOT / d).read_text(encoding="utf-8") for d in {row["document"] for row in rows}}
    bounds = {d: sentences(text) for d, text in texts.items()}
    predicted = {}
    for name, window in WINDOWS.items():
        given = [window(row, texts[row["document"]], bounds[row["document"]]) for row in rows]
        predicted[name] = [p.label if p else "neutral" for p in predictor.predict(given)]
    for part in ("all", "seeds", "articles"):
        chosen = [i for i, row in enumerate(rows) if part in ("all", row["set"])]
        report([rows[i] for i in chosen], {n: [labels[i] for i in chosen] for n, labels in predicted.items()}, part)


if __name__ == "__main__":
    main()
