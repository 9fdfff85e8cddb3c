"""What the builder refuses, each with its place and a remedy."""

from pathlib import Path
from typing import Any

import pytest

from stance.dataset.checks import check_annotations, check_ids, check_leaks, check_offsets
from stance.dataset.splits import SplitSettings
from stance.errors import DataError
from stance.schema import Annotation, Example, Vote

ARTICLE = "He said: “We disarm.” Then he left."


def annotation(id: str = "1", text: str = "We disarm.", votes: str = "a", line: int = 1, **more: Any) -> Annotation:
    return Annotation(id, text, tuple(Vote(name, "pro") for name in votes), f"a.jsonl:{line}", **more)


def example(id: str, **more: Any) -> Example:
    return Example(id, more.pop("text", f"Text {id}."), more.pop("label", "pro"), more.pop("group", id), **more)


def placed(**more: Any) -> Annotation:
    return annotation(**({"document": "seeds/a.txt", "start": 10, "end": 20} | more))


@pytest.fixture
def articles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `root` with an article in `seeds`, and a file beside it that nobody may read; the path is relative."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root" / "seeds").mkdir(parents=True)
    (tmp_path / "root" / "seeds" / "a.txt").write_text(ARTICLE, encoding="utf-8")
    (tmp_path / "secret.txt").write_text(ARTICLE, encoding="utf-8")
    (tmp_path / "root" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return Path("root")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (annotation(text=" \u200b\n"), "expected a text, got an empty one. Fill it in or remove the line."),
        (
            annotation(text="x" * 1_001),
            "expected at most 1,000 characters, got 1,001. Cut it to the statement, or raise max_characters in the "
            "data config.",
        ),
        (annotation(votes=""), "expected a vote, got none. Add a vote or remove the line."),
        (annotation(votes="aba"), "expected one vote an annotator, got a, b, a. Remove one."),
    ],
)
def test_a_wrong_annotation_is_refused(wrong: Annotation, message: str) -> None:
    with pytest.raises(DataError) as error:
        check_annotations([annotation("0", line=7), wrong], ["a", "b", "author"], 1_000)
    assert str(error.value) == f"a.jsonl:1: {message}"


def test_an_unknown_annotator_is_refused_with_the_nearest_known_one() -> None:
    wrong = Annotation("1", "Text.", (Vote("autor", "pro"),), "a.jsonl:1")
    with pytest.raises(DataError) as error:
        check_annotations([wrong], ["a", "b", "author"], 1_000)
    assert str(error.value) == (
        "a.jsonl:1: expected annotators a, b, author, got 'autor'. Correct the vote or add to annotators in the data "
        "config. Did you mean 'author'?"
    )


def test_a_text_of_the_greatest_length_is_taken() -> None:
    check_annotations([annotation(text="x" * 1_000 + "  ")], ["a"], 1_000)


def test_an_id_that_stands_twice_is_refused_with_both_places() -> None:
    with pytest.raises(DataError) as error:
        check_ids([annotation("1", line=3), annotation("2", line=4), annotation("1", line=9)])
    assert str(error.value) == (
        "a.jsonl:9: expected an id of its own, got '1' again, first at a.jsonl:3. Rename or remove one."
    )


def test_a_contrast_without_its_base_is_refused() -> None:
    with pytest.raises(DataError) as error:
        check_ids([annotation("peace-1"), annotation("peace-2~a", base="peace-2", line=2)])
    assert str(error.value) == (
        "a.jsonl:2: expected a base among the ids, got 'peace-2'. Correct it or add the base's file to sources. "
        "Did you mean 'peace-2~a'?"
    )


def test_a_base_may_stand_behind_its_contrast() -> None:
    check_ids([annotation("1~a", base="1"), annotation("1")])


def test_a_text_at_its_offsets_is_taken(articles: Path) -> None:
    check_offsets([placed(), annotation("2")], articles)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            placed(start=9),
            "a.jsonl:1: seeds/a.txt[9:20]: expected 'We disarm.', got '“We disarm.'. Correct start and end.",
        ),
        (
            placed(start=-25, end=-15),
            "a.jsonl:1: seeds/a.txt[-25:-15]: expected 'We disarm.', got ''. Correct start and end.",
        ),
        (
            placed(end=None),
            "a.jsonl:1: expected document, start and end, got only document, start. Give all three or none.",
        ),
        (
            placed(document=None),
            "a.jsonl:1: expected document, start and end, got only start, end. Give all three or none.",
        ),
        (
            placed(document="seeds/b.txt"),
            "a.jsonl:1: expected an article below root, got 'seeds/b.txt'. Correct document.",
        ),
        (
            placed(document="../secret.txt"),
            "a.jsonl:1: expected an article below root, got '../secret.txt'. Correct document.",
        ),
        (
            placed(document="link.txt"),
            "a.jsonl:1: expected an article below root, got 'link.txt'. Correct document.",
        ),
        (placed(document="seeds"), "a.jsonl:1: expected an article below root, got 'seeds'. Correct document."),
    ],
)
def test_a_text_that_does_not_stand_in_its_article_is_refused(articles: Path, wrong: Annotation, message: str) -> None:
    with pytest.raises(DataError) as error:
        check_offsets([wrong], articles)
    assert str(error.value) == message


def test_an_absolute_path_to_an_article_is_refused(articles: Path) -> None:
    outside = str((articles / ".." / "secret.txt").resolve())
    with pytest.raises(DataError) as error:
        check_offsets([placed(document=outside)], articles)
    assert str(error.value) == f"a.jsonl:1: expected an article below root, got {outside!r}. Correct document."


def test_an_article_that_is_no_utf_8_is_refused(articles: Path) -> None:
    (articles / "seeds" / "a.txt").write_bytes(b"\xff")
    with pytest.raises(DataError) as error:
        check_offsets([placed()], articles)
    assert str(error.value) == (
        "root/seeds/a.txt: expected an article in UTF-8, got 'utf-8' codec can't decode byte 0xff in position 0: "
        "invalid start byte. Convert the file."
    )


def test_splits_without_leaks_are_taken() -> None:
    check_leaks(
        {
            "train": [example("1", source_url="p"), example("2", source_url="p"), example("2~a", base="2")],
            "test": [example("3", source_url="q", theatre="iraq")],
            "test_unseen": [example("4", theatre="nepal"), example("5")],
        },
        SplitSettings(unseen_theatres=("nepal",)),
    )


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (
            example("1", group="g"),
            example("2", group="g"),
            "splits: expected no group in two splits, got '1' in train and '2' in test with the same group. "
            "Add the tie to splits.group_by.",
        ),
        (
            example("1", text="We DISARM."),
            example("2", text="we disarm."),
            "splits: expected no text in two splits, got '1' in train and '2' in test with the same text. "
            "Add the tie to splits.group_by.",
        ),
        (
            example("1", source_url="p"),
            example("2", source_url="p"),
            "splits: expected no page in two splits, got '1' in train and '2' in test with the same page. "
            "Add the tie to splits.group_by.",
        ),
        (
            example("1~a", base="1"),
            example("1"),
            "splits: expected no contrast set in two splits, got '1~a' in train and '1' in test with the same contrast "
            "set. Add the tie to splits.group_by.",
        ),
        (
            example("1~a", base="0"),
            example("1~b", base="0"),
            "splits: expected no contrast set in two splits, got '1~a' in train and '1~b' in test with the same "
            "contrast set. Add the tie to splits.group_by.",
        ),
        (
            example("1"),
            example("2", kind="contrast"),
            "splits: expected contrast statements in train only, got '2' in test. Give their source `split: train`.",
        ),
        (
            example("1"),
            example("2", theatre="nepal"),
            "splits: expected unseen theatres in test_unseen only, got '2' of 'nepal' in test. Take the theatre from "
            "splits.unseen_theatres, or the split from its source.",
        ),
        (
            example("1", theatre="nepal"),
            example("2"),
            "splits: expected unseen theatres in test_unseen only, got '1' of 'nepal' in train. Take the theatre from "
            "splits.unseen_theatres, or the split from its source.",
        ),
    ],
)
def test_a_leak_is_refused(train: Example, test: Example, message: str) -> None:
    with pytest.raises(DataError) as error:
        check_leaks({"train": [train], "test": [test]}, SplitSettings(unseen_theatres=("nepal",)))
    assert str(error.value) == message


def test_the_same_text_on_another_target_is_no_leak() -> None:
    same = {"train": [example("1", text="Yes.")], "test": [example("2", text="Yes.", target="the ceasefire")]}
    check_leaks(same, SplitSettings())


def test_pages_and_contrast_sets_may_be_split_where_the_settings_do_not_tie_them() -> None:
    check_leaks(
        {"train": [example("1~a", base="1", source_url="p")], "test": [example("1", source_url="p")]},
        SplitSettings(group_by=()),
    )
