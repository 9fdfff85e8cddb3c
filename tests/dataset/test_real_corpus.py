"""The corpus in this repository: it builds, nothing leaks, and the card says what is there."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from stance.dataset import Build, DataConfig
from stance.dataset.checks import check_leaks
from stance.dataset.teacher import teach
from stance.errors import DataError
from stance.models import _vectors
from stance.schema import LABELS, MADE_UP


def statements(real: Build) -> Counter[str]:
    """The number of statements that somebody made, by split."""
    splits = real.dataset.splits.items()
    return Counter({name: sum(e.kind not in MADE_UP for e in examples) for name, examples in splits})


def test_the_shares_of_the_splits_are_those_of_the_config(real: Build, real_config: DataConfig) -> None:
    counts = statements(real)
    seen = counts["train"] + counts["validation"] + counts["test"]
    assert list(real.dataset.splits) == ["train", "validation", "test", "test_unseen", "seeds"]
    assert counts["validation"] / seen == pytest.approx(real_config.splits.validation, abs=0.01)
    assert counts["test"] / seen == pytest.approx(real_config.splits.test, abs=0.01)


def test_unseen_theatres_hold_about_fifteen_percent_of_the_statements(real: Build, real_config: DataConfig) -> None:
    counts = statements(real)
    assert 0.13 <= counts["test_unseen"] / (counts.total() - counts["seeds"]) <= 0.17
    found = {example.theatre for example in real.dataset.split("test_unseen")}
    assert found == set(real_config.splits.unseen_theatres)


def test_every_split_has_every_label(real: Build) -> None:
    for examples in real.dataset.splits.values():
        assert {example.label for example in examples} == set(LABELS)


def test_the_labels_of_the_seen_splits_have_like_shares(real: Build) -> None:
    shares = [
        [Counter(e.label for e in real.dataset.split(split) if e.kind != "contrast")[label] for label in LABELS]
        for split in ("train", "validation", "test")
    ]
    for counts in shares[1:]:
        for ours, trains in zip(counts, shares[0], strict=True):
            assert ours / sum(counts) == pytest.approx(trains / sum(shares[0]), abs=0.04)


def test_nothing_leaks(real: Build, real_config: DataConfig) -> None:
    check_leaks(real.dataset.splits, real_config.splits)


def test_contrasts_are_in_train_only_and_never_far_from_their_base(real: Build) -> None:
    for name, examples in real.dataset.splits.items():
        contrasts = [example for example in examples if example.kind == "contrast"]
        assert bool(contrasts) == (name == "train")
        groups = {example.id: example.group for example in examples}
        assert all(groups[c.base] == c.group for c in contrasts if c.base in groups)


def test_the_teachers_speak_of_every_training_example(root: Path, real: Build) -> None:
    train = real.dataset.split("train")
    others = [example for split in ("test", "test_unseen") for example in real.dataset.split(split)]
    validation = real.dataset.split("validation")
    for name in ("mpnet.csv", "ensemble.csv"):
        assert len(teach(train, root / "data" / "teacher" / name, 1.0, validation + others)) == len(train)
    release = root / "data" / "teacher" / "release.csv"
    assert len(teach(train + others, release, 1.0, validation)) == len(train + others)
    with pytest.raises(DataError, match=f"answers on training examples alone, got {len(others)} on others"):
        teach(train, release, 1.0, others)
    vectors = _vectors.read(root / "data" / "teacher" / "ensemble-vectors.parquet", [example.id for example in train])
    assert vectors.shape == (len(train), 64)


def test_every_annotation_is_accounted_for(real: Build) -> None:
    facts = real.facts
    kept = sum(map(len, real.dataset.splits.values()))
    assert facts.annotations == kept + facts.without_majority + len(facts.duplicates) + sum(facts.held_back.values())


def test_the_seeds_stand_at_their_offsets(root: Path, real: Build) -> None:
    rows = [json.loads(line) for line in (root / "data/annotations/seeds.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        assert (root / row["document"]).read_text("utf-8")[row["start"] : row["end"]] == row["text"]
    assert sorted(example.id for example in real.dataset.split("seeds")) == sorted(row["id"] for row in rows)


def test_the_card_prints_the_agreement_and_adds_up(real: Build) -> None:
    text = (real.dataset.folder / "README.md").read_text("utf-8")
    (alpha,) = re.findall(r"alpha \(nominal\) \*\*(0\.\d+)\*\*", text)
    assert float(alpha) == pytest.approx(0.928, abs=0.001)
    front = yaml.safe_load(text.split("---\n")[1])
    assert [file["split"] for file in front["configs"][0]["data_files"]] == list(real.dataset.splits)
    total = sum(map(len, real.dataset.splits.values()))
    for facet in ("theatre", "actor type", "kind", "year"):
        table = text.partition(f"## By {facet}\n\n")[2].partition("\n\n")[0].splitlines()[2:]
        rows = [[int(cell.replace(",", "")) for cell in row.split(" | ")[1:-1]] for row in (r + " | " for r in table)]
        assert sum(row[0] for row in rows) == total
