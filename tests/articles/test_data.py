"""The annotated articles: offsets, sizes, and that the extraction keeps to what was measured on them."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from stance.articles import Quote
from stance.schema import LABELS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data/articles"
ROWS = [json.loads(line) for line in (FOLDER / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
TEXTS = {f"data/articles/{file.name}": file.read_text(encoding="utf-8") for file in FOLDER.glob("*.txt")}
SEEDS = [json.loads(line) for line in (ROOT / "data/annotations/seeds.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_annotation_stands_where_it_says() -> None:
    for row in ROWS:
        text = TEXTS[row["document"]]
        assert text[row["content_start"] : row["content_end"]] == row["content"]
        assert row["pieces"][0][0] == row["content_start"]
        assert row["pieces"][-1][1] == row["content_end"]
        assert (row["source"] is None) == (row["source_start"] is None)
        if row["cue"] is not None:
            assert text[row["cue_start"] : row["cue_end"]] == row["cue"]


def test_there_are_enough_articles_of_each_kind_and_none_is_in_both_halves() -> None:
    kinds = {row["document"]: (row["split"], row["topic"]) for row in ROWS}
    assert set(kinds) == set(TEXTS)
    assert all((row["split"], row["topic"]) == kinds[row["document"]] for row in ROWS)
    assert Counter(kinds.values()) >= Counter({("dev", "conflict"): 4, ("test", "conflict"): 8, ("test", "general"): 4})


def test_every_stance_and_every_type_is_annotated() -> None:
    assert {row["stance"] for row in ROWS if row["topic"] == "conflict"} == set(LABELS)
    assert {row["stance"] for row in ROWS if row["topic"] == "general"} == {None}
    assert {row["type"] for row in ROWS} == {"direct", "indirect", "mixed"}


@pytest.mark.parametrize("document", sorted({row["document"] for row in SEEDS}))
def test_every_direct_quote_of_the_seed_articles_is_found_with_its_source(
    quotes_of: Callable[[str], list[Quote]], document: str
) -> None:
    quotes = quotes_of((ROOT / document).read_text(encoding="utf-8"))
    found = {(quote.span.start, quote.span.end): quote.source for quote in quotes}
    for row in SEEDS:
        if row["document"] != document or row["kind"] != "direct":
            continue
        near = [source for (start, end), source in found.items() if (start, end) == (row["start"], row["end"])]
        assert [source.replace("'", "") for source in near if source] == [row["speaker"]]


def test_contents_on_the_dev_half_stay_above_what_was_promised(quotes_of: Callable[[str], list[Quote]]) -> None:
    gold: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for row in ROWS:
        if row["split"] == "dev":
            gold[row["document"]].append((row["type"], row["content_start"], row["content_end"]))
    hits: Counter[str] = Counter()
    for document, spans in gold.items():
        found = quotes_of(TEXTS[document])
        for kind, start, end in spans:
            hits[kind] += any(
                min(end, q.span.end) - max(start, q.span.start)
                >= 0.8 * (max(end, q.span.end) - min(start, q.span.start))
                for q in found
            )
    annotated = Counter(kind for spans in gold.values() for kind, _, _ in spans)
    assert {kind: hits[kind] / annotated[kind] > 0.85 for kind in annotated} == dict.fromkeys(annotated, True)
