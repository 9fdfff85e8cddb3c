"""Measures the extraction on annotated articles: content overlap F1, source accuracy, with intervals over articles.

    python experiments/articles/evaluate.py --split dev
    python experiments/articles/evaluate.py --split test --errors

A predicted content matches an annotated one when at least 80 % of their words overlap (words in both / words in
either); pairs are one to one, the best first. Cue clauses that interrupt a content are not counted. Recall of a type is
over what is annotated so, precision over what is predicted so. Intervals are 95 % percentiles of 1,000 resamples of
whole articles (seed 0); with twelve articles or fewer they are rough, and rather too narrow.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stance.articles import Article, Quote, Span, extract_all

ROOT = Path(__file__).resolve().parents[2]
ANNOTATIONS = ROOT / "data/articles/annotations.jsonl"
SEEDS = ROOT / "data/annotations/seeds.jsonl"
KINDS = {
    "direct": ("direct",),
    "indirect": ("indirect",),
    "mixed": ("mixed",),
    "indirect or mixed": ("indirect", "mixed"),
    "all": ("direct", "indirect", "mixed"),
}
IGNORED = {"the", "a", "an", "s", "of", "his", "her", "their", "its"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A matched pair, or a miss (no quote), or a false alarm (no gold)."""

    gold: dict[str, Any] | None
    quote: Quote | None


def words(text: str, spans: Sequence[Span]) -> set[int]:
    """The positions at which the words of the spans begin."""
    return {span.start + m.start() for span in spans for m in re.finditer(r"\w+", span.of(text))}


def overlap(one: set[int], other: set[int]) -> float:
    """The share of words in both among those in either."""
    return len(one & other) / len(one | other) if one or other else 0.0


def name_words(name: str | None) -> set[str]:
    """The words of a name that count when names are compared."""
    return {w for w in re.findall(r"\w+", (name or "").lower().replace("’", "'")) if w not in IGNORED}


def same_source(gold: dict[str, Any], quote: Quote) -> bool:
    """Equal names, or one that says less than the other ("Reke" for "Tomas Reke"); none equals none only."""
    one, other = name_words(gold["source"]), name_words(quote.source)
    if not one or not other:
        return not one and not other
    return one <= other or other <= one


def match(text: str, gold: list[dict[str, Any]], quotes: list[Quote], least: float) -> list[Pair]:
    """Pair annotated and found contents, the best overlaps first."""
    gold_words = [words(text, [Span(*piece) for piece in g["pieces"]]) for g in gold]
    quote_words = [words(text, list(q.pieces) or [q.span]) for q in quotes]
    scores = sorted(
        ((overlap(a, b), i, j) for i, a in enumerate(gold_words) for j, b in enumerate(quote_words)), reverse=True
    )
    pairs, left, right = [], set(range(len(gold))), set(range(len(quotes)))
    for score, i, j in scores:
        if score >= least and i in left and j in right:
            pairs.append(Pair(gold[i], quotes[j]))
            left.remove(i)
            right.remove(j)
    return pairs + [Pair(gold[i], None) for i in sorted(left)] + [Pair(None, quotes[j]) for j in sorted(right)]


def scores(pairs: Sequence[Pair]) -> dict[str, float]:
    """Precision, recall, F1 and the share of right sources, by type."""
    result = {}
    for name, types in KINDS.items():
        gold = [p for p in pairs if p.gold and p.gold["type"] in types]
        found = [p for p in pairs if p.quote and p.quote.type in types]
        hits = sum(p.quote is not None for p in gold)
        recall = hits / len(gold) if gold else float("nan")
        precision = sum(p.gold is not None for p in found) / len(found) if found else float("nan")
        both = [p for p in gold if p.quote]
        result[f"{name}/P"], result[f"{name}/R"] = precision, recall
        result[f"{name}/F1"] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        result[f"{name}/source"] = (
            sum(same_source(p.gold, p.quote) for p in both if p.gold and p.quote) / len(both) if both else float("nan")
        )
    return result


def intervals(by_article: Sequence[Sequence[Pair]], resamples: int = 1000) -> dict[str, tuple[float, float]]:
    """95 % intervals of `scores` over articles."""
    generator = np.random.default_rng(0)
    drawn = defaultdict(list)
    for _ in range(resamples):
        chosen = generator.integers(len(by_article), size=len(by_article))
        for name, value in scores([p for i in chosen for p in by_article[i]]).items():
            drawn[name].append(value)
    return {name: tuple(np.nanpercentile(values, [2.5, 97.5])) for name, values in drawn.items()}


def load(split: str) -> dict[str, list[dict[str, Any]]]:
    """The annotations of a split by article."""
    gold = defaultdict(list)
    for line in ANNOTATIONS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if split in ("all", row["split"]):
            gold[row["document"]].append(row)
    return gold


def run(split: str, least: float) -> tuple[dict[str, str], list[list[Pair]]]:
    """The texts of a split and their pairs, in the same order."""
    gold = load(split)
    articles = [Article(name, (ROOT / name).read_text(encoding="utf-8")) for name in sorted(gold)]
    by_article = [match(article.text, gold[article.id], quotes, least) for article, quotes in extract_all(articles)]
    return {article.id: article.text for article in articles}, by_article


def table(by_article: Sequence[Sequence[Pair]]) -> str:
    """A Markdown table of the scores."""
    pairs = [p for one in by_article for p in one]
    point, around = scores(pairs), intervals(by_article)
    lines = ["| type | annotated | found | P | R | F1 (95 %) | source right (95 %) |", "|---|---|---|---|---|---|---|"]
    for name, types in KINDS.items():
        gold = sum(bool(p.gold) and p.gold["type"] in types for p in pairs)
        found = sum(bool(p.quote) and p.quote.type in types for p in pairs)
        cells = [f"{point[f'{name}/P']:.3f}", f"{point[f'{name}/R']:.3f}"]
        cells += [
            "{:.3f} ({:.3f}-{:.3f})".format(point[f"{name}/{k}"], *around[f"{name}/{k}"]) for k in ("F1", "source")
        ]
        lines.append(f"| {name} | {gold} | {found} | {' | '.join(cells)} |")
    return "\n".join(lines)


def seeds() -> None:
    """Print for every direct quote of the two seed articles whether it is found, and its source."""
    rows = [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]
    names = sorted({row["document"] for row in rows})
    articles = [Article(name, (ROOT / name).read_text(encoding="utf-8")) for name in names]
    for article, quotes in extract_all(articles):
        for row in (r for r in rows if r["document"] == article.id and r["kind"] == "direct"):
            gold = {"pieces": [[row["start"], row["end"]]], "source": row["speaker"]}
            pair = match(article.text, [gold], quotes, 0.8)[0]
            right = pair.quote is not None and same_source(gold, pair.quote)
            found = pair.quote.source if pair.quote else None
            print(f"{'right' if right else 'WRONG'}  {row['id']}  {row['speaker']!r} <- {found!r}")


def errors(texts: dict[str, str], by_article: Sequence[Sequence[Pair]]) -> None:
    """List what went wrong, by article."""
    for name, pairs in zip(texts, by_article, strict=True):
        print(f"\n== {name}")
        for p in pairs:
            if p.gold and p.quote and not same_source(p.gold, p.quote):
                print(f"SOURCE {p.gold['source']!r} <- {p.quote.source!r}: {p.gold['content'][:80]}")
            elif p.gold and not p.quote:
                print(f"MISSED [{p.gold['source']}] ({p.gold['cue']}) {p.gold['content'][:140]}")
            elif p.quote and not p.gold:
                print(f"FALSE  [{p.quote.source}] ({p.quote.cue}) {p.quote.confidence} {p.quote.content[:140]}")


def main() -> None:
    """Read the options and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--split", choices=("dev", "test", "all", "seeds"), default="dev")
    options.add_argument("--least", type=float, default=0.8, help="overlap of a match")
    options.add_argument("--errors", action="store_true", help="list what was missed or found wrongly")
    chosen = options.parse_args()
    if chosen.split == "seeds":
        seeds()
        return
    texts, by_article = run(chosen.split, chosen.least)
    print(table(by_article))
    if chosen.errors:
        errors(texts, by_article)


if __name__ == "__main__":
    main()
