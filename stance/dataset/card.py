"""The dataset card: what a reader must know before using the data, with the front matter that the Hub reads."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml
from pydantic import Field

from stance.config import Settings
from stance.dataset.votes import Agreement
from stance.schema import LABELS, Example

_FACETS: Final[tuple[tuple[str, Callable[[Example], str | None]], ...]] = (
    ("theatre", lambda example: example.theatre),
    ("actor type", lambda example: example.actor_type),
    ("kind", lambda example: example.kind),
    ("year", lambda example: example.date[:4] if example.date else None),
)


class CardSettings(Settings):
    """What only a person can say about the data; Markdown."""

    title: str = "A stance data set"
    licence: str = Field("unknown", description="an identifier of the Hub, such as cc-by-4.0")
    origin: str = Field("Not described.", description="where the statements and labels come from")
    limits: str = Field("Not described.", description="what the data must not be used for")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a build counted; pairs of ids name what went or clashed first."""

    annotations: int
    without_majority: int
    duplicates: list[tuple[str, str]]
    contradictions: list[tuple[str, str]]
    held_back: dict[str, int]
    agreement: Agreement


def card(name: str, splits: Mapping[str, Sequence[Example]], facts: Facts, settings: CardSettings) -> str:
    """Return the card of a data set as Markdown; the same input gives the same text."""
    sections = [
        f"---\n{yaml.safe_dump(_front_matter(name, splits, settings), sort_keys=False)}---",
        f"# {settings.title}",
        f"## Where it comes from\n\n{settings.origin.strip()}",
        f"## Splits\n\n{_split_table(splits)}",
        f"## Labels and agreement\n\n{_agreement(facts.agreement)}",
        f"## What was left out\n\n{_left_out(facts)}",
        f"## Speakers seen in training\n\n{_speakers(splits)}",
        *(f"## By {title}\n\n{_facet_table(splits, value)}" for title, value in _FACETS),
        f"## Limits\n\n{settings.limits.strip()}",
        f"## Licence\n\n{settings.licence}",
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(name: str, splits: Mapping[str, Sequence[Example]], settings: CardSettings) -> dict[str, object]:
    n = sum(map(len, splits.values()))
    size = next(
        (label for limit, label in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")) if n < limit),
        "100K<n<1M",
    )
    files = [{"split": split, "path": f"{split}.parquet"} for split in splits]
    return {
        "pretty_name": settings.title,
        "license": settings.licence,
        "language": ["en"],
        "task_categories": ["text-classification"],
        "tags": ["stance-detection", name],
        "size_categories": [size],
        "configs": [{"config_name": "default", "data_files": files}],
    }


def _split_table(splits: Mapping[str, Sequence[Example]]) -> str:
    rows = []
    for name, examples in splits.items():
        counts = Counter(example.label for example in examples)
        groups = len({example.group for example in examples})
        theatres = len({example.theatre for example in examples if example.theatre})
        most = max(counts.values(), default=0) / max(len(examples), 1)
        cells = [name, len(examples), groups, theatres, *(counts[label] for label in LABELS), f"{most:.1%}"]
        rows.append(cells)
    return _table(["split", "statements", "groups", "theatres", *LABELS, "most frequent label"], rows)


def _agreement(agreement: Agreement) -> str:
    if not agreement.statements:
        return "Every statement has one vote only, so that agreement cannot be measured."
    alpha = "not defined, as one label only is in use" if agreement.alpha is None else f"**{agreement.alpha:.3f}**"
    pairs = "; ".join(f"{pair} {share:.1%}" for pair, share in agreement.pairs.items())
    labels = "; ".join(f"{label} {share:.1%}" for label, share in agreement.labels.items())
    return (
        f"On {agreement.statements:,} real statements with two or more votes: Krippendorff's alpha "
        f"(nominal) {alpha}, all votes equal in {agreement.unanimous:.1%}.\n\n"
        f"- Two annotators agree: {pairs}.\n"
        f"- A vote is repeated by another on the same statement: {labels}.\n\n"
        "`label` is the label of most votes; `soft` keeps the share of each label."
    )


def _left_out(facts: Facts) -> str:
    held = "; ".join(f"{count:,} {kind}" for kind, count in sorted(facts.held_back.items())) or "none"
    rows = [
        f"{facts.annotations:,} annotations were read.",
        f"Without a majority: {facts.without_majority:,}.",
        f"Duplicates removed: {_pairs(facts.duplicates)}.",
        f"Contradictions (the same text under two labels; kept, in one split): {_pairs(facts.contradictions)}.",
        f"Held back, as their group belongs to another split: {held}.",
    ]
    return "\n".join(f"- {row}" for row in rows)


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    shown = ", ".join(f"`{one}` like `{other}`" for one, other in pairs[:20])
    more = f" and {len(pairs) - 20:,} more" if len(pairs) > 20 else ""
    return f"{len(pairs):,}" + (f" ({shown}{more})" if pairs else "")


def _speakers(splits: Mapping[str, Sequence[Example]]) -> str:
    known = {example.speaker for example in splits.get("train", ()) if example.speaker}
    rows = []
    for name, examples in splits.items():
        named = [example.speaker for example in examples if example.speaker]
        if name != "train" and named:
            seen = sum(speaker in known for speaker in named)
            rows.append([name, len(named), seen, f"{seen / len(named):.1%}"])
    if not rows:
        return "Speakers are not named."
    return _table(["split", "statements with a named speaker", "speaker also in train", "share"], rows)


def _facet_table(splits: Mapping[str, Sequence[Example]], value: Callable[[Example], str | None]) -> str:
    totals: Counter[str] = Counter()
    cells: Counter[tuple[str, str]] = Counter()
    for name, examples in splits.items():
        for example in examples:
            what = value(example) or "unknown"
            totals[what] += 1
            cells[what, name] += 1
            cells[what, example.label] += 1
    names = sorted(totals, key=lambda what: (-totals[what], what))
    columns = [*splits, *LABELS]
    return _table(["", "all", *columns], [[what, totals[what], *(cells[what, c] for c in columns)] for what in names])


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells) + " |"

    return "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)])
