"""The card: front matter that the Hub reads, and every number a count of what stands in the splits."""

from typing import Any

import pytest
import yaml

from stance.dataset.card import CardSettings, Facts, card
from stance.dataset.votes import Agreement
from stance.schema import Example

WHOLE = """\
---
pretty_name: Three statements
license: cc-by-4.0
language:
- en
task_categories:
- text-classification
tags:
- stance-detection
- three
size_categories:
- n<1K
configs:
- config_name: default
  data_files:
  - split: train
    path: train.parquet
  - split: test
    path: test.parquet
---

# Three statements

## Where it comes from

From nowhere.

## Splits

| split | statements | groups | theatres | anti | neutral | pro | most frequent label |
|---|---|---|---|---|---|---|---|
| train | 2 | 1 | 1 | 1 | 0 | 1 | 50.0% |
| test | 1 | 1 | 0 | 0 | 0 | 1 | 100.0% |

## Labels and agreement

On 2 real statements with two or more votes: Krippendorff's alpha (nominal) **0.500**, all votes equal in 50.0%.

- Two annotators agree: a and b 50.0%.
- A vote is repeated by another on the same statement: anti 0.0%; pro 66.7%.

`label` is the label of most votes; `soft` keeps the share of each label.

## What was left out

- 1,007 annotations were read.
- Without a majority: 1.
- Duplicates removed: 1 (`x` like `1`).
- Contradictions (the same text under two labels; kept, in one split): 0.
- Held back, as their group belongs to another split: 1,001 contrast; 1 direct.

## Speakers seen in training

| split | statements with a named speaker | speaker also in train | share |
|---|---|---|---|
| test | 1 | 1 | 100.0% |

## By theatre

|  | all | train | test | anti | neutral | pro |
|---|---|---|---|---|---|---|
| iraq | 2 | 2 | 0 | 1 | 0 | 1 |
| unknown | 1 | 0 | 1 | 0 | 0 | 1 |

## By actor type

|  | all | train | test | anti | neutral | pro |
|---|---|---|---|---|---|---|
| state | 2 | 1 | 1 | 0 | 0 | 2 |
| unknown | 1 | 1 | 0 | 1 | 0 | 0 |

## By kind

|  | all | train | test | anti | neutral | pro |
|---|---|---|---|---|---|---|
| direct | 3 | 2 | 1 | 1 | 0 | 2 |

## By year

|  | all | train | test | anti | neutral | pro |
|---|---|---|---|---|---|---|
| 2024 | 2 | 1 | 1 | 1 | 0 | 1 |
| 2023 | 1 | 1 | 0 | 0 | 0 | 1 |

## Limits

None known.

## Licence

cc-by-4.0
"""

SETTINGS = CardSettings(title="Three statements", licence="cc-by-4.0", origin="From nowhere.\n", limits="None known.\n")
AGREEMENT = Agreement(2, 0.5, 0.5, {"a and b": 0.5}, {"anti": 0.0, "pro": 2 / 3})


def example(id: str, label: Any, **more: Any) -> Example:
    return Example(id, f"Text {id}.", label, more.pop("group", id), kind="direct", **more)


def facts(**changes: Any) -> Facts:
    counted = {
        "annotations": 1_007,
        "without_majority": 1,
        "duplicates": [("x", "1")],
        "contradictions": [],
        "held_back": {"direct": 1, "contrast": 1_001},
        "agreement": AGREEMENT,
    }
    return Facts(**(counted | changes))


def splits() -> dict[str, list[Example]]:
    same: dict[str, Any] = {"group": "g", "theatre": "iraq", "speaker": "Jane"}
    return {
        "train": [
            example("1", "pro", actor_type="state", date="2023", **same),
            example("2", "anti", date="2024-05", **same),
        ],
        "test": [example("3", "pro", actor_type="state", date="2024-01-02", speaker="Jane")],
    }


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n\n")[2].partition("\n\n## ")[0]


def test_the_card_of_three_statements() -> None:
    assert card("three", splits(), facts(), SETTINGS) == WHOLE


@pytest.mark.parametrize(
    ("n", "size"), [(999, "n<1K"), (1_000, "1K<n<10K"), (10_000, "10K<n<100K"), (100_000, "100K<n<1M")]
)
def test_the_size_category_is_the_hubs(n: int, size: str) -> None:
    text = card("many", {"train": [example("1", "pro")] * n}, facts(), SETTINGS)
    assert yaml.safe_load(text.split("---\n")[1])["size_categories"] == [size]


def test_front_matter_survives_a_title_with_colon_and_quotes() -> None:
    text = card("x", splits(), facts(), SETTINGS.model_copy(update={"title": 'A: "b" #c'}))
    assert yaml.safe_load(text.split("---\n")[1])["pretty_name"] == 'A: "b" #c'


def test_single_votes_cannot_agree() -> None:
    text = card("x", splits(), facts(agreement=Agreement(0, None, None, {}, {})), SETTINGS)
    assert section(text, "Labels and agreement") == (
        "Every statement has one vote only, so that agreement cannot be measured."
    )


def test_one_label_in_use_has_no_alpha_but_agreement() -> None:
    text = card("x", splits(), facts(agreement=Agreement(2, None, 1.0, {"a and b": 1.0}, {"pro": 1.0})), SETTINGS)
    assert section(text, "Labels and agreement").splitlines()[0] == (
        "On 2 real statements with two or more votes: Krippendorff's alpha (nominal) not defined, "
        "as one label only is in use, all votes equal in 100.0%."
    )


def test_many_duplicates_are_counted_and_the_first_twenty_named() -> None:
    text = card("x", splits(), facts(duplicates=[(f"d{n}", "1") for n in range(23)]), SETTINGS)
    (line,) = [line for line in text.splitlines() if line.startswith("- Duplicates removed")]
    assert line.startswith("- Duplicates removed: 23 (`d0` like `1`, `d1` like `1`, ")
    assert line.endswith(", `d19` like `1` and 3 more).")


def test_nothing_held_back_is_said_so() -> None:
    assert "belongs to another split: none." in card("x", splits(), facts(held_back={}), SETTINGS)


def test_unnamed_speakers_are_said_so() -> None:
    text = card("x", {"train": [example("1", "pro")], "test": [example("2", "pro")]}, facts(), SETTINGS)
    assert section(text, "Speakers seen in training") == "Speakers are not named."
