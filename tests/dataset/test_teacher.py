"""A teacher's probabilities as part of what examples teach."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from stance.dataset.teacher import teach
from stance.errors import DataError
from stance.schema import Example

EXAMPLES = [Example("a", "Never.", "anti", "a"), Example("b", "We disarm.", "pro", "b", soft=(0.0, 0.5, 0.5))]
AGAIN = (
    "Score the train split with the teacher: stance predict .../train.parquet --output said.parquet --prefix teacher_ "
    "--model TEACHER."
)
HEADER = "id,text,p_anti,p_neutral,p_pro"


def said(folder: Path, *lines: str) -> Path:
    path = folder / "said.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        teach(EXAMPLES, path, 0.5)
    return str(caught.value)


def test_the_teacher_and_the_own_label_share_what_an_example_teaches(tmp_path: Path) -> None:
    path = said(tmp_path, HEADER, "b,x,0.2,0.2,0.6", "a,x,0.5,0.3,0.2", "other,x,1,0,0")
    taught = teach(EXAMPLES, path, 0.75)
    assert [e.soft for e in taught] == [pytest.approx((0.625, 0.225, 0.15)), pytest.approx((0.15, 0.15, 0.7))]
    assert [(e.id, e.label, e.text) for e in taught] == [(e.id, e.label, e.text) for e in EXAMPLES]


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "said.parquet"
    parquet.write_table(
        pa.table({"id": ["a", "b"], "p_anti": [1.0, 0.0], "p_neutral": [0.0, 1.0], "p_pro": [0.0, 0.0]}), path
    )
    assert [e.soft for e in teach(EXAMPLES, path, 1.0)] == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]


def test_a_file_that_cannot_teach_is_refused_in_one_line(tmp_path: Path) -> None:
    absent = tmp_path / "absent.csv"
    assert refusal(absent) == (
        f"{absent}: expected a CSV or Parquet file with a teacher's probabilities, got no such file. {AGAIN}"
    )
    path = said(tmp_path, HEADER, "a,x,1,0,0")
    assert refusal(path) == (
        f"{path}: expected the teacher's probabilities of every training example, got none for 1 of 2, such as 'b'. "
        f"{AGAIN}"
    )
    path = said(tmp_path, "id,p_anti,p_pro", "a,1,0", "b,1,0")
    assert refusal(path) == f"{path}: expected the columns id, p_anti, p_neutral, p_pro, got no p_neutral. {AGAIN}"
    path = said(tmp_path, HEADER, "a,x,1,0,0", "b,x,0.9,0.9,0")
    assert refusal(path) == (f"{path}: expected probabilities that sum to 1, got [0.9, 0.9, 0.0] in row 2. {AGAIN}")
    path = said(tmp_path, HEADER, "a,x,1,0,0", "b,x,yes,0,0")
    assert refusal(path).startswith(f"{path}: expected numbers in the columns of probabilities, got ")
    path = said(tmp_path, HEADER, "a,x")
    assert refusal(path).startswith(f"{path}: expected a CSV or Parquet file, got ")


def test_the_columns_are_there_once_and_all_with_the_prefix_or_none(tmp_path: Path) -> None:
    path = said(tmp_path, "text,teacher_p_anti,teacher_p_neutral,teacher_p_pro", "x,1,0,0")
    prefixed = "the columns id, teacher_p_anti, teacher_p_neutral, teacher_p_pro"
    assert refusal(path) == f"{path}: expected {prefixed}, got no id. {AGAIN}"
    path = said(tmp_path, "id,teacher_p_anti,teacher_p_neutral", "a,1,0")
    assert refusal(path) == f"{path}: expected {prefixed}, got no teacher_p_pro. {AGAIN}"
    path = said(tmp_path, "id,teacher_p_neutral,teacher_p_pro", "a,1,0")
    assert refusal(path) == f"{path}: expected {prefixed}, got no teacher_p_anti. {AGAIN}"
    path = said(tmp_path, "id,p_anti,p_neutral,p_pro,p_pro", "a,1,0,0,0", "b,1,0,0,0")
    once = "each of the columns id, p_anti, p_neutral, p_pro once"
    assert refusal(path) == f"{path}: expected {once}, got p_pro more than once. {AGAIN}"
    path = tmp_path / "said.parquet"
    zero = pa.array([0.0, 0.0])
    columns = [pa.array(["a", "b"]), pa.array(["a", "b"]), pa.array([1.0, 1.0]), zero, zero]
    parquet.write_table(pa.Table.from_arrays(columns, ["id", "id", "p_anti", "p_neutral", "p_pro"]), path)
    assert refusal(path) == f"{path}: expected {once}, got id more than once. {AGAIN}"


def test_columns_that_are_not_asked_for_may_stand_twice(tmp_path: Path) -> None:
    path = said(tmp_path, "id,note,note,p_anti,p_neutral,p_pro", "a,x,y,1,0,0", "b,x,y,0,1,0")
    assert [e.soft for e in teach(EXAMPLES, path, 1.0)] == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]


def test_a_damaged_parquet_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "said.parquet"
    rows = {"id": [f"{n}" for n in range(1000)], "p_anti": [1.0] * 1000}
    parquet.write_table(pa.table(rows | {"p_neutral": [0.0] * 1000, "p_pro": [0.0] * 1000}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 300 + whole[304:])
    assert refusal(path).startswith(f"{path}: expected a CSV or Parquet file, got ")
    path.write_bytes(whole[:100])
    assert refusal(path).startswith(f"{path}: expected a CSV or Parquet file, got ")
    parquet.write_table(pa.table({"id": ["a"], "p_anti": [None], "p_neutral": ["x"], "p_pro": [[1]]}), path)
    assert refusal(path).startswith(f"{path}: expected numbers in the columns of probabilities, got ")


def test_a_teacher_that_speaks_of_held_out_examples_is_refused(tmp_path: Path) -> None:
    path = said(tmp_path, HEADER, "b,x,0,0,1", "a,x,1,0,0", "other,x,1,0,0")
    with pytest.raises(DataError) as caught:
        teach(EXAMPLES[:1], path, 0.5, held_out=EXAMPLES[1:])
    assert str(caught.value) == (
        f"{path}: expected answers on training examples alone, got 1 on others, such as 'b'. Who has learnt from these "
        "gives them away. Leave their rows out, or learn from them, too (data.extra_train_splits)."
    )
    other = Example("c", "We keep them.", "anti", "c")
    assert teach(EXAMPLES, path, 0.5, held_out=[other]) == teach(EXAMPLES, path, 0.5)


def test_ids_in_csv_are_text_even_where_they_look_like_numbers(tmp_path: Path) -> None:
    examples = [Example(name, "Never.", "anti", name) for name in ("007", "1e3", "NA")]
    path = said(tmp_path, "id,p_anti,p_neutral,p_pro", "007,1,0,0", "1e3,0,1,0", "NA,0,0,1")
    assert [e.soft for e in teach(examples, path, 1.0)] == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    path = said(tmp_path, "id,p_anti,p_neutral,p_pro", "007,1,0,0")
    assert [e.soft for e in teach(examples[:1], path, 1.0)] == [(1.0, 0.0, 0.0)]


def test_texts_of_several_lines_in_a_large_csv_are_no_rows(tmp_path: Path) -> None:
    text = "a line,\n" * 50
    rows = [f'x{n},"{text}",1,0,0' for n in range(9_000)]
    path = said(tmp_path, HEADER, *rows, "a,x,0,0,1", "b,x,0,1,0")
    assert [e.soft for e in teach(EXAMPLES, path, 1.0)] == [(0.0, 0.0, 1.0), (0.0, 1.0, 0.0)]


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = said(tmp_path, HEADER, "a,x,1,0,0", "b,x,1,0,0", "a,x,0,1,0")
    assert refusal(path) == f"{path}: expected each id once, got 'a' in rows 1 and 3. {AGAIN}"
