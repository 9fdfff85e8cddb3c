"""What a file of annotations may look like, and what is said about each way to get it wrong."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stance.config import validate
from stance.dataset import DataConfig, build
from stance.dataset.sources import annotations, table
from stance.errors import ConfigError, DataError
from stance.schema import Annotation, Vote

ROW = {"id": "1", "text": "Disarm.", "votes": [{"annotator": "a", "label": "pro"}]}
FIELDS = (
    "actor_type, affiliation, base, conflict, country, date, document, end, id, kind, rationale, source_url, speaker, "
    "start, target, text, theatre, votes"
)
VOTES = "expected votes with the fields annotator, conditional, confidence, label"
ACTORS = (
    "armed_group, state, foreign_state, international_org, political_party, judiciary, civil_society, expert, "
    "journalist, other"
)


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(*lines: object) -> list[Annotation]:
    """Read lines of annotations: JSON text or bytes as they are, everything else as JSON."""
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    Path("a.jsonl").write_bytes(b"".join(line + b"\n" for line in raw))
    return list(annotations.read(Path("a.jsonl"), annotations.Params()))


def settings(labels: dict[Any, str] | None = None, **changes: Any) -> table.Params:
    columns = {"text": "text", "label": "label"} | changes.pop("columns", {})
    labels = {"favour": "pro", "against": "anti"} if labels is None else labels
    return validate(table.Params, {"columns": columns, "labels": labels} | changes, "params")


def read_table(content: str | bytes, name: str = "a.csv", **changes: Any) -> list[Annotation]:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return list(table.read(Path(name), settings(**changes)))


def test_an_annotation_keeps_every_field() -> None:
    row = ROW | {
        "target": "the ceasefire",
        "speaker": "Jane Doe",
        "affiliation": "UN",
        "actor_type": "international_org",
        "theatre": "iraq",
        "conflict": "iraq-militias",
        "country": "IQ",
        "date": "2025-01-02",
        "document": "seeds/a.txt",
        "start": 0,
        "end": 7,
        "kind": "direct",
        "rationale": "says so",
        "votes": [{"annotator": "a", "label": "pro", "conditional": True, "confidence": 2}],
    }
    kept = {name: value for name, value in row.items() if name != "votes"}
    assert read(row) == [Annotation(**kept, votes=(Vote("a", "pro", True, 2),), where="a.jsonl:1")]


def test_null_means_the_default_of_a_field() -> None:
    assert read(ROW | {"target": None, "kind": None, "speaker": None}) == read(ROW)


def test_a_row_with_a_base_is_a_contrast_and_its_edit_is_passed_over() -> None:
    (found,) = read(ROW | {"base": "0", "edit": "not removed"})
    assert (found.base, found.kind) == ("0", "contrast")


def test_a_row_with_a_base_may_name_its_kind() -> None:
    (found,) = read(ROW | {"base": "0", "kind": "direct"})
    assert found.kind == "direct"


def test_blank_lines_are_passed_over_and_counted() -> None:
    Path("a.jsonl").write_text("\n" + json.dumps(ROW) + "\n  \n" + json.dumps(ROW | {"id": "2"}), encoding="utf-8")
    found = annotations.read(Path("a.jsonl"), annotations.Params())
    assert [annotation.where for annotation in found] == ["a.jsonl:2", "a.jsonl:4"]


def test_a_missing_file_of_annotations_is_refused() -> None:
    with pytest.raises(DataError) as error:
        list(annotations.read(Path("a.jsonl"), annotations.Params()))
    assert (
        str(error.value) == "a.jsonl: expected a JSON lines file, got no such file. Check sources in the data config."
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            b'{"id": 1',
            "expected one JSON object a line, got Expecting ',' delimiter: line 2 column 1 (char 9). Correct the line.",
        ),
        (
            b'{"id": "\xff"}',
            "expected one JSON object a line, got 'utf-8' codec can't decode byte 0xff in position 8: invalid start "
            "byte. Correct the line.",
        ),
        ([ROW], "expected a JSON object, got list. Correct the line."),
        (
            ROW | {"speeker": "x"},
            f"expected fields among {FIELDS}, got 'speeker'. Remove or rename it. Did you mean 'speaker'?",
        ),
        (ROW | {"zz": 1, "q": 1}, f"expected fields among {FIELDS}, got 'q'. Remove or rename it."),
        (ROW | {"text": 5}, "expected 'text' of type str, got int 5. Correct the line."),
        (ROW | {"start": "5"}, "expected 'start' of type int, got str '5'. Correct the line."),
        (ROW | {"start": True}, "expected 'start' of type int, got bool True. Correct the line."),
        (ROW | {"votes": {"a": "pro"}}, "expected 'votes' of type list, got dict {'a': 'pro'}. Correct the line."),
        ({"text": "x", "votes": []}, "expected a value for 'id', got None. Fill it in or remove the line."),
        (ROW | {"text": ""}, "expected a value for 'text', got ''. Fill it in or remove the line."),
        (ROW | {"votes": []}, "expected a value for 'votes', got []. Fill it in or remove the line."),
        (
            ROW | {"kind": "direkt"},
            "expected 'kind' among direct, indirect, narration, contrast, invented, got 'direkt'. Correct it. "
            "Did you mean 'direct'?",
        ),
        (
            ROW | {"actor_type": "states"},
            f"expected 'actor_type' among {ACTORS}, got 'states'. Correct it. Did you mean 'state'?",
        ),
        (
            ROW | {"votes": [{"annotator": "a", "label": "Pro"}]},
            "expected 'label' among anti, neutral, pro, got 'Pro'. Correct it. Did you mean 'pro'?",
        ),
        (
            ROW | {"votes": [{"annotator": "a", "label": 1}]},
            "expected 'label' among anti, neutral, pro, got '1'. Correct it.",
        ),
        (ROW | {"votes": ["pro"]}, f'{VOTES}, got "pro". Correct the votes.'),
        (ROW | {"votes": [{"label": "pro"}]}, f'{VOTES}, got {{"label": "pro"}}. Correct the votes.'),
        (
            ROW | {"votes": [{"annotator": "é", "label": "pro", "sure": 1}]},
            f'{VOTES}, got {{"annotator": "é", "label": "pro", "sure": 1}}. Correct the votes.',
        ),
        (
            ROW | {"votes": [{"annotator": 5, "label": "pro"}]},
            "expected an annotator's name, got 5. Correct the votes.",
        ),
        (
            ROW | {"votes": [{"annotator": "a", "label": "pro", "confidence": 4}]},
            'expected confidence 1, 2 or 3 and conditional true or false, got {"annotator": "a", "label": "pro", '
            '"confidence": 4}. Correct the votes.',
        ),
        (
            ROW | {"votes": [{"annotator": "a", "label": "pro", "conditional": "yes"}]},
            'expected confidence 1, 2 or 3 and conditional true or false, got {"annotator": "a", "label": "pro", '
            '"conditional": "yes"}. Correct the votes.',
        ),
    ],
)
def test_a_malformed_annotation_is_refused_with_its_line(line: object, message: str) -> None:
    with pytest.raises(DataError) as error:
        read(ROW, line)
    assert str(error.value) == f"a.jsonl:2: {message}"


def test_a_bottomless_line_is_refused_with_its_place() -> None:
    with pytest.raises(DataError, match=r"^a\.jsonl:1: expected one JSON object a line, got maximum recursion depth"):
        read(b"[" * 100_000)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'text,label\nDisarm.,favour\n"No, never.",against\n'),
        ("t.tsv", "text\tlabel\nDisarm.\tfavour\nNo, never.\tagainst\n"),
        ("t.txt", "text\tlabel\nDisarm.\tfavour\nNo, never.\tagainst\n"),
        ("t.jsonl", '{"text": "Disarm.", "label": "favour"}\n{"label": "against", "text": "No, never."}\n'),
    ],
)
def test_a_table_becomes_annotations_with_one_vote(name: str, content: str) -> None:
    first = 1 if name == "t.jsonl" else 2
    assert read_table(content, name) == [
        Annotation(f"t-{first}", "Disarm.", (Vote("gold", "pro"),), f"{name}:{first}"),
        Annotation(f"t-{first + 1}", "No, never.", (Vote("gold", "anti"),), f"{name}:{first + 1}"),
    ]


def test_a_parquet_table_takes_integer_labels_even_beside_missing_values() -> None:
    frame = pd.DataFrame({"text": ["A.", "B."], "label": [-1, 1], "id": [7.0, None]})
    frame.to_parquet("t.parquet")
    found = list(table.read(Path("t.parquet"), settings({-1: "anti", 1: "pro"}, columns={"id": "id"})))
    assert found == [
        Annotation("7", "A.", (Vote("gold", "anti"),), "t.parquet:1"),
        Annotation("t-2", "B.", (Vote("gold", "pro"),), "t.parquet:2"),
    ]


def test_integer_labels_and_long_ids_of_json_lines_stay_what_they_are() -> None:
    content = '{"text": "A.", "label": 0, "id": 123456789012345678901}\n{"text": "B.", "label": 1}\n'
    found = read_table(content, "t.jsonl", labels={0: "neutral", 1: "pro"}, columns={"id": "id"})
    assert [(a.id, a.votes[0].label) for a in found] == [("123456789012345678901", "neutral"), ("t-2", "pro")]


def test_every_column_finds_its_field() -> None:
    header = "text,label,no,about,who,org,where,when,page"
    columns = {"id": "no", "target": "about", "speaker": "who", "affiliation": "org", "theatre": "where"}
    columns |= {"date": "when", "group": "page"}
    found = read_table(f"{header}\nA.,favour,7,arms,Jane,UN,iraq,2020,p1\nB.,favour,8,,,,,,\n", columns=columns)
    vote = (Vote("gold", "pro"),)
    assert found == [
        Annotation("7", "A.", vote, "a.csv:2", "arms", "Jane", "UN", theatre="iraq", date="2020", source_url="p1"),
        Annotation("8", "B.", vote, "a.csv:3"),
    ]


def test_words_that_pandas_takes_for_missing_are_kept() -> None:
    (found,) = read_table("text,label\nNA,None\n", labels={"None": "neutral"})
    assert (found.text, found.votes[0].label) == ("NA", "neutral")


def test_a_table_like_semevals_is_one_config_away(tmp_path: Path) -> None:
    rows = [
        ("1", "Atheism", '"Arise, O God\u2026 @you #SemST', "AGAINST"),
        ("2", "Hillary Clinton", "Vote for her" + '"', "FAVOR"),
        ("3", "Hillary Clinton", "A day at the sea", "NONE"),
    ]
    lines = ["\t".join(("ID", "Target", "Tweet", "Stance")), *("\t".join(row) for row in rows)]
    Path("semeval.txt").write_text("\r\n".join(lines) + "\r\n", encoding="cp1252")
    params = {
        "columns": {"text": "Tweet", "label": "Stance", "target": "Target", "id": "ID"},
        "labels": {"AGAINST": "anti", "NONE": "neutral", "FAVOR": "pro"},
        "encoding": "cp1252",
        "quotes": False,
    }
    config = {
        "name": "semeval",
        "sources": [{"kind": "table", "path": "semeval.txt", "params": params}],
        "annotators": ["gold"],
        "splits": {"validation": 0, "test": 0},
    }
    made = build(validate(DataConfig, config, "config"), tmp_path / "built")
    assert [(e.id, e.target, e.text, e.label) for e in made.dataset.split("train")] == [
        ("1", "Atheism", '"Arise, O God... @you #SemST', "anti"),
        ("2", "Hillary Clinton", 'Vote for her"', "pro"),
        ("3", "Hillary Clinton", "A day at the sea", "neutral"),
    ]


NEWSMTSC = {
    "columns": {"text": "sentence", "label": "polarity", "target": "mention", "id": "id"},
    "labels": {-1: "anti", 0: "neutral", 1: "pro"},
}


def test_json_lines_like_newsmtscs_are_one_config_away() -> None:
    row = {"mention": "Cruz", "polarity": -1, "from": 4, "to": 8, "sentence": "Mr. Cruz lost.", "id": "allsides_1"}
    Path("rw.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    found = list(table.read(Path("rw.jsonl"), validate(table.Params, NEWSMTSC, "params")))
    assert found == [
        Annotation("allsides_1", "Mr. Cruz lost.", (Vote("gold", "anti"),), "rw.jsonl:1", target="Cruz"),
    ]


def test_the_real_newsmtsc_is_read_whole() -> None:
    folder = os.environ.get("STANCE_BENCHMARKS")
    if not folder or not (path := Path(folder) / "newsmtsc" / "rw-dev.jsonl").is_file():
        pytest.skip("needs public data: set STANCE_BENCHMARKS to a folder with newsmtsc/rw-dev.jsonl")
    found = list(table.read(path, validate(table.Params, NEWSMTSC, "params")))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    labels = {-1: "anti", 0: "neutral", 1: "pro"}
    assert len(found) == 343
    assert [(a.id, a.text, a.target, a.votes[0].label) for a in found] == [
        (row["id"], row["sentence"], row["mention"], labels[row["polarity"]]) for row in rows
    ]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            "text,lable\nA.,favour\n",
            "a.csv",
            "a.csv: expected the column 'label', got columns text, lable. Correct params.columns. "
            "Did you mean 'lable'?",
        ),
        ("", "a.jsonl", "a.jsonl: expected the column 'text', got an empty table. Correct params.columns."),
        (
            "text,label\nA.,favour\nB.,Favour\n",
            "a.csv",
            "a.csv:3: expected a label among favour, against, got 'Favour'. Add it to params.labels or correct the "
            "row.",
        ),
        (
            "text,label\nA.\n",
            "a.csv",
            "a.csv:2: expected a label among favour, against, got None. Add it to params.labels or correct the row.",
        ),
        (
            "text,label\nA.,favour,x\n",
            "a.csv",
            "a.csv: expected no more fields in a row than in the header, got more. Correct the rows, or put fields "
            "that hold the separator in quotation marks.",
        ),
        (
            "text,label\nA.,favour\nB.,favour,x\n",
            "a.csv",
            "a.csv: expected a readable table, got Error tokenizing data. C error: Expected 2 fields in line 3, saw 3. "
            "Check its format and encoding.",
        ),
        (
            "",
            "a.csv",
            "a.csv: expected a readable table, got No columns to parse from file. Check its format and encoding.",
        ),
        (
            b"text,label\n\xff,favour\n",
            "a.csv",
            "a.csv: expected a readable table, got 'utf-8' codec can't decode byte 0xff in position 0: invalid start "
            "byte. Check its format and encoding.",
        ),
        (
            '{"text": "A.", "label": "favour"}\n{"text": \n',
            "a.jsonl",
            "a.jsonl:2: expected one JSON object a line, got Expecting value: line 2 column 1 (char 10). Correct the "
            "line.",
        ),
        ("7\n", "a.jsonl", "a.jsonl:1: expected a JSON object, got int. Correct the line."),
        (
            '{"text": ["A."], "label": "favour"}\n',
            "a.jsonl",
            "a.jsonl:1: expected text or a number as 'text', got list. Correct the row or params.columns.",
        ),
        (
            "text,label\n",
            "a.xlsx",
            "a.xlsx: expected one of .csv .tsv .txt .jsonl .parquet, got '.xlsx'. Convert or rename the file.",
        ),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(content: str | bytes, name: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        read_table(content, name)
    assert str(error.value) == message


def test_a_damaged_parquet_table_is_refused() -> None:
    with pytest.raises(DataError, match=r"^t\.parquet: expected a readable table, got .*Check its format and encoding"):
        read_table("no parquet", "t.parquet")


def test_a_missing_table_is_refused() -> None:
    with pytest.raises(DataError) as error:
        list(table.read(Path("a.csv"), settings()))
    assert str(error.value) == "a.csv: expected a table, got no such file. Check sources in the data config."


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(DataError) as error:
        read_table("text,label\nA.,favour\n", encoding="utf-88")
    assert str(error.value) == (
        "a.csv: expected a readable table, got unknown encoding: utf-88. Check its format and encoding."
    )


def test_labels_that_yaml_reads_as_true_and_false_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        settings({True: "pro", False: "anti"})
    assert str(error.value) == (
        "params: labels: expected labels in quotation marks, as YAML reads yes, no, on and off as true and false, "
        "got {True: 'pro', False: 'anti'}. Change it."
    )


def test_a_label_map_to_something_else_than_our_labels_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        settings({"favour": "for"})
    assert str(error.value) == "params: labels.favour: expected 'anti', 'neutral' or 'pro', got 'for'. Change it."
