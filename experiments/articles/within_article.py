"""How alike the statements of one speaker in one article are, beyond what is the speaker's own.

Run: python experiments/articles/within_article.py

A nested analysis of variance (Searle, Casella and McCulloch 1992, "Variance Components", section 3.6) of the majority
labels (-1, 0, 1) in data/annotations/statements.jsonl: speaker, page within speaker, statement within page. Printed is
the share of the page in the variance inside a speaker; `stance.articles.positions.WITHIN_ARTICLE` keeps it.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

STATEMENTS = Path("data/annotations/statements.jsonl")
VALUES = {"anti": -1.0, "neutral": 0.0, "pro": 1.0}


def main() -> None:
    """Print the share and what it was computed from."""
    pages: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in STATEMENTS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        label = Counter(vote["label"] for vote in row["votes"]).most_common(1)[0][0]
        if row["speaker"]:
            pages[row["speaker"]][row["source_url"]].append(VALUES[label])
    kept = [list(by_page.values()) for by_page in pages.values() if len(by_page) > 1]
    kept = [groups for groups in kept if any(len(group) > 1 for group in groups)]
    statements = sum(len(group) for groups in kept for group in groups)
    n_pages = sum(len(groups) for groups in kept)
    within = sum(float(((np.array(g) - np.mean(g)) ** 2).sum()) for groups in kept for g in groups)
    between = sum(len(g) * (np.mean(g) - np.mean(np.concatenate(groups))) ** 2 for groups in kept for g in groups)
    mean_within = within / (statements - n_pages)
    mean_between = between / (n_pages - len(kept))
    squares = sum(sum(len(g) ** 2 for g in groups) / sum(len(g) for g in groups) for groups in kept)
    size = (statements - squares) / (n_pages - len(kept))
    page = (mean_between - mean_within) / size
    share = page / (page + mean_within)
    print(f"{share:.2f}: {statements} statements of {len(kept)} speakers on {n_pages} pages")


if __name__ == "__main__":
    main()
