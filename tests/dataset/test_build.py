"""From annotations to a folder: what is written, when it is written, and what a reader finds in it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stance.config import validate
from stance.dataset import DataConfig, build, load, read_config, read_examples
from stance.errors import ConfigError, DataError
from stance.schema import LABELS, Example

Tiny = Callable[..., DataConfig]
Rows = list[dict[str, Any]]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ids(examples: list[Example]) -> list[str]:
    return [example.id for example in examples]


def vote(label: str, annotator: str = "a") -> dict[str, str]:
    return {"annotator": annotator, "label": label}


def all_in(folder: Path) -> list[Example]:
    return [example for examples in load(folder).splits.values() for example in examples]


def test_the_same_input_gives_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    first, second = (build(tiny(), tmp_path / name) for name in ("one", "two"))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert first.dataset.fingerprint == second.dataset.fingerprint
    assert sorted(contents(tmp_path / "one")) == [
        "README.md",
        "build.json",
        "test.parquet",
        "test_unseen.parquet",
        "train.parquet",
        "validation.parquet",
    ]


def test_another_process_with_other_hashes_of_strings_gives_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny()
    build(config, tmp_path / "one")
    code = (
        "import sys; from pathlib import Path; from stance.dataset import DataConfig, build;"
        "build(DataConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]))"
    )
    arguments = [sys.executable, "-c", code, config.model_dump_json(), str(tmp_path / "two")]
    done = subprocess.run(
        arguments, env=os.environ | {"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_order_of_the_rows_makes_no_difference_without_duplicates(
    tiny: Tiny, tiny_rows: Rows, tmp_path: Path
) -> None:
    build(tiny(), tmp_path / "one")
    build(tiny(rows=Random(3).sample(tiny_rows, len(tiny_rows))), tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_is_loaded_is_what_was_read(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    tiny_rows[0]["votes"] = [vote("anti"), vote("anti", "b")]
    tiny_rows[0] |= {"text": "  “They keep   them.” ", "affiliation": "UN", "conflict": "c", "country": "IQ"}
    made = build(tiny(rows=tiny_rows), tmp_path / "built")
    assert {name: ids(examples) for name, examples in made.dataset.splits.items()} == {
        name: ids(examples) for name, examples in load(tmp_path / "built").splits.items()
    }
    (found,) = [example for example in all_in(tmp_path / "built") if example.id == "p00-0"]
    assert found == Example(
        id="p00-0",
        text='"They keep them."',
        label="anti",
        group="p00-0",
        soft=(1.0, 0.0, 0.0),
        speaker="Speaker 0",
        affiliation="UN",
        actor_type="armed_group",
        theatre="iraq",
        conflict="c",
        country="IQ",
        date="2010-05",
        source_url="https://example.org/0",
        kind="direct",
    )


def test_every_statement_is_in_one_split_and_pages_are_whole(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    made = build(tiny(), tmp_path / "built")
    assert sorted(ids(all_in(tmp_path / "built"))) == sorted(row["id"] for row in tiny_rows)
    assert {name: len(examples) for name, examples in made.dataset.splits.items()} == {
        "train": 12,
        "validation": 6,
        "test": 6,
        "test_unseen": 8,
    }
    assert {example.theatre for example in made.dataset.split("test_unseen")} == {"nepal"}
    for examples in made.dataset.splits.values():
        assert ids(examples) == sorted(ids(examples))


def test_the_hub_library_loads_the_folder_with_the_splits_of_the_card(tiny: Tiny, tmp_path: Path) -> None:
    import datasets

    made = build(tiny(), tmp_path / "built")
    found = datasets.load_dataset(str(tmp_path / "built"), cache_dir=str(tmp_path / "cache"))
    assert {name: split["id"][:] for name, split in found.items()} == {
        name: ids(examples) for name, examples in made.dataset.splits.items()
    }
    assert found["train"].features["label"].names == list(LABELS)
    labels = found["train"].features["label"].int2str(found["train"]["label"][:])
    assert labels == [example.label for example in made.dataset.split("train")]


def test_a_build_says_nothing_on_its_own(tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(tiny(), tmp_path / "built")
    assert capfd.readouterr() == ("", "")


def test_a_second_build_changes_nothing(tiny: Tiny, tmp_path: Path) -> None:
    assert build(tiny(), tmp_path / "built").changed
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "built").iterdir()}
    assert not build(tiny(), tmp_path / "built").changed
    assert not build(tiny(), tmp_path / "built", replace=True).changed
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "built").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built", "tiny.jsonl"]


def test_other_data_is_replaced_on_request_only(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    build(tiny(), folder)
    before = contents(folder)
    with pytest.raises(DataError) as error:
        build(tiny("splits.seed=1"), folder)
    assert str(error.value) == (
        f"{folder}: expected a folder that does not exist, got other data. Give --replace or another --out."
    )
    assert contents(folder) == before
    assert build(tiny("splits.seed=1"), folder, replace=True).changed
    assert contents(folder) != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built", "tiny.jsonl"]


@pytest.mark.parametrize("manifest", [None, '{"scripts": {}}', "[]", "not JSON"])
def test_a_folder_of_something_else_is_never_destroyed(tiny: Tiny, tmp_path: Path, manifest: str | None) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "novel.txt").write_text("Call me Ishmael.")
    if manifest is not None:
        (folder / "build.json").write_text(manifest)
    before = contents(folder)
    with pytest.raises(DataError) as error:
        build(tiny(), folder, replace=True)
    assert str(error.value) == (
        f"{folder}: expected a data set to replace (build.json), got something else. Choose another --out."
    )
    assert contents(folder) == before


def test_a_file_in_the_place_of_the_folder_is_never_destroyed(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("Call me Ishmael.")
    with pytest.raises(DataError) as error:
        build(tiny(), tmp_path / "mine", replace=True)
    assert str(error.value) == (
        f"{tmp_path / 'mine'}: expected a data set to replace (build.json), got something else. Choose another --out."
    )
    assert (tmp_path / "mine").read_text() == "Call me Ishmael."


def test_an_empty_folder_is_filled(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    assert build(tiny(), tmp_path / "built").changed


def test_a_folder_that_cannot_be_made_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"file/built: expected a folder that can be written, got .*Choose another --out"
    ):
        build(tiny(), tmp_path / "file" / "built")


def test_a_damaged_split_is_refused_and_built_again(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    build(tiny(), folder)
    whole = contents(folder)
    (folder / "test.parquet").write_bytes(whole["test.parquet"][:-1] + b"x")
    with pytest.raises(DataError) as error:
        load(folder)
    assert str(error.value) == (
        f"{folder}/test.parquet: expected the file that stance build wrote, got another or none. "
        "Build the data again with --replace."
    )
    assert build(tiny(), folder, replace=True).changed
    assert contents(folder) == whole


def test_a_missing_split_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    build(tiny(), tmp_path / "built")
    (tmp_path / "built" / "train.parquet").unlink()
    with pytest.raises(DataError) as error:
        load(tmp_path / "built")
    assert str(error.value) == (
        f"{tmp_path}/built/train.parquet: expected the file that stance build wrote, got another or none. "
        "Build the data again with --replace."
    )


@pytest.mark.parametrize(
    ("manifest", "got"),
    [
        ("{", "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "TypeError: list indices must be integers or slices, not str"),
        ("{}", "KeyError: 'name'"),
        ('{"name": "x", "labels": [], "splits": 5, "files": {}}', "TypeError: 'int' object is not iterable"),
        pytest.param(
            "[" * 10**5,
            "RecursionError: maximum recursion depth exceeded while decoding a JSON array from a unicode string",
            id="brackets",
        ),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, manifest: str, got: str) -> None:
    (tmp_path / "build.json").write_text(manifest)
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/build.json: expected a manifest of stance build, got {got}. Build the data again with --replace."
    )


def test_data_made_for_other_labels_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    build(tiny(), tmp_path / "built")
    path = tmp_path / "built" / "build.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"labels": ["pro", "neutral", "anti"]}))
    with pytest.raises(DataError) as error:
        load(tmp_path / "built")
    assert str(error.value) == (
        f"{path}: expected the labels ['anti', 'neutral', 'pro'], got ['pro', 'neutral', 'anti']. "
        "Build the data again with --replace."
    )


@pytest.mark.parametrize(("name", "got"), [("nowhere", "no such folder"), (".", "no build.json there")])
def test_a_folder_without_data_is_refused(tmp_path: Path, name: str, got: str) -> None:
    with chdir(tmp_path), pytest.raises(DataError) as error:
        load(Path(name))
    assert str(error.value) == (
        f"{name}: expected a data set, got {got}. Build it: stance build configs/data/disarmament.yaml"
    )


def test_an_unknown_split_is_refused_with_the_nearest_known_one(tiny: Tiny, tmp_path: Path) -> None:
    made = build(tiny(), tmp_path / "built")
    with pytest.raises(DataError) as error:
        made.dataset.split("validaton")
    assert str(error.value) == (
        f"{tmp_path}/built: expected a split among train, validation, test, test_unseen, got 'validaton'. "
        "Change it. Did you mean 'validation'?"
    )


def test_nothing_is_left_behind_when_a_check_fails(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    tiny_rows[3]["votes"] = [vote("pro", "z")]
    with pytest.raises(DataError, match=r"tiny\.jsonl:4: expected annotators a, b, got 'z'"):
        build(tiny(rows=tiny_rows), tmp_path / "built")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.jsonl"]


def test_no_annotations_at_all_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        build(tiny(rows=[]), tmp_path / "built")
    assert str(error.value) == (
        f"sources: expected annotations, got none in {tmp_path}/tiny.jsonl. Add statements or correct the paths."
    )


def test_statements_without_a_majority_are_left_out_and_counted(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    tiny_rows[5]["votes"] = [vote("pro"), vote("anti", "b")]
    made = build(tiny(rows=tiny_rows), tmp_path / "built")
    assert (made.facts.annotations, made.facts.without_majority) == (32, 1)
    assert "p02-1" not in ids(all_in(tmp_path / "built"))


def test_soft_labels_stay_beside_the_hard_one(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    tiny_rows[5]["votes"] = [vote("pro"), vote("anti", "b")]
    build(tiny("votes.without_majority=neutral", rows=tiny_rows), tmp_path / "built")
    (found,) = [example for example in all_in(tmp_path / "built") if example.id == "p02-1"]
    assert (found.label, found.soft) == ("neutral", (0.5, 0.0, 0.5))


def test_duplicates_are_removed_and_contradictions_named(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    twin = tiny_rows[4] | {"id": "twin", "source_url": "https://example.org/elsewhere"}
    enemy = twin | {"id": "enemy", "text": tiny_rows[6]["text"]}
    enemy["votes"] = [vote({"pro": "anti"}.get(tiny_rows[6]["votes"][0]["label"], "pro"))]
    made = build(tiny(rows=[*tiny_rows, twin, enemy]), tmp_path / "built")
    assert made.facts.duplicates == [("twin", "p02-0")]
    assert made.facts.contradictions == [("p03-0", "enemy")]
    split_of = {example.id: name for name, examples in made.dataset.splits.items() for example in examples}
    assert "twin" not in split_of
    assert split_of["enemy"] == split_of["p03-0"]


def test_near_duplicates_on_different_pages_stay_in_one_split(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    near = [
        row
        | {"id": f"{row['id']}-near", "text": f"{row['text']} Perhaps so.", "source_url": f"https://example.org/n{n}"}
        for n, row in enumerate(tiny_rows)
    ]
    made = build(tiny(rows=tiny_rows + near), tmp_path / "built")
    split_of = {example.id: name for name, examples in made.dataset.splits.items() for example in examples}
    assert len(split_of) == 64
    assert all(split_of[row["id"]] == split_of[f"{row['id']}-near"] for row in tiny_rows)


def test_contrasts_go_to_train_with_their_base_or_nowhere(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    contrasts = [
        {"id": f"{row['id']}~x", "base": row["id"], "text": f"Not so: {row['text']}", "votes": [vote("neutral")]}
        for row in tiny_rows
    ]
    made = build(tiny(rows=tiny_rows + contrasts), tmp_path / "built")
    bases = ids([example for example in made.dataset.split("train") if example.kind == "direct"])
    kept = ids([example for example in all_in(tmp_path / "built") if example.kind == "contrast"])
    assert kept == [f"{base}~x" for base in bases]
    assert made.facts.held_back == {"contrast": 32 - len(bases)}


def test_a_source_may_fix_its_split_which_near_duplicates_in_train_cannot_spoil(
    tiny: Tiny, tiny_rows: Rows, tmp_path: Path
) -> None:
    official = [{"id": "o1", "text": tiny_rows[0]["text"], "votes": [vote(tiny_rows[0]["votes"][0]["label"])]}]
    path = tmp_path / "official.jsonl"
    path.write_text(json.dumps(official[0]) + "\n", encoding="utf-8")
    config = tiny()
    tree = config.model_dump(mode="json")
    tree["sources"] += [{"path": str(path), "split": "official"}]
    made = build(validate(DataConfig, tree, "config"), tmp_path / "built")
    assert ids(made.dataset.split("official")) == ["o1"]
    assert made.facts.duplicates == [("p00-0", "o1")]
    assert made.facts.held_back == {"direct": 1}
    assert list(made.dataset.splits) == ["train", "validation", "test", "test_unseen", "official"]


def test_masking_hides_the_speaker_on_request(tiny: Tiny, tiny_rows: Rows, tmp_path: Path) -> None:
    tiny_rows[0] |= {"speaker": "Jane Smith", "text": "Smith keeps the arms."}
    build(tiny("mask=speaker", rows=tiny_rows), tmp_path / "built")
    (found,) = [example for example in all_in(tmp_path / "built") if example.id == "p00-0"]
    assert found.text == "the speaker keeps the arms."


def test_a_config_names_the_source_whose_settings_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("name: x\nannotators: [a]\nsources:\n  - path: a.jsonl\n  - {kind: tabel, path: b.csv}\n")
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert str(error.value) == (
        f"{path}: sources.1.kind: expected one of annotations, table, got 'tabel'. Change it. Did you mean 'table'?"
    )
    with pytest.raises(ConfigError) as error:
        read_config(path, ["sources=[{path: a.jsonl, params: {separator: x}}]"])
    assert str(error.value) == (
        f"{path}: sources.0.params: separator: expected no settings here, got an unknown key. Remove it."
    )


def test_a_labelled_table_is_read_with_its_groups(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("quote,stance,page\nA.,pro,p\nB.,anti,\n")
    found = read_examples(tmp_path / "t.csv", {"text": "quote", "label": "stance", "group": "page"})
    assert [(example.id, example.text, example.label, example.group) for example in found] == [
        ("t-2", "A.", "pro", "p"),
        ("t-3", "B.", "anti", "t-3"),
    ]


def test_a_labelled_file_of_annotations_is_read_by_its_votes(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": "1", "text": "A.", "votes": [{"annotator": "x", "label": "pro"}]}\n')
    found = read_examples(tmp_path / "t.jsonl", {"text": "text", "label": "label"})
    assert [(example.id, example.text, example.label, example.group) for example in found] == [("1", "A.", "pro", "1")]


def test_a_labelled_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_examples(tmp_path / "t.jsonl", {"text": "text", "label": "label"})
    assert str(error.value) == (
        f"{tmp_path}/t.jsonl: expected a table, got no such file. Check sources in the data config."
    )
