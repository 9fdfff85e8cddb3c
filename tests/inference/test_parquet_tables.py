"""Parquet: the other columns keep their types, their values and the metadata."""

import datetime
import decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stance.errors import DataError
from stance.inference import parquet, predict_file
from stance.inference.inputs import find
from stance.inference.rows import Columns, Position

ANTI = "We will never hand over our guns."
PRO = "They must lay down their weapons."
ADDED = [
    pa.field("label", pa.string()),
    *(pa.field(name, pa.float32()) for name in ("p_anti", "p_neutral", "p_pro")),
]


@pytest.fixture
def scored(tmp_path, predictor):
    """A function of a table: the scored table and the summary."""

    def run(table, **options):
        pq.write_table(table, tmp_path / "in.parquet", row_group_size=options.pop("row_group_size", None))
        summary = predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", predictor, replace=True, **options)
        return pq.read_table(tmp_path / "out.parquet"), summary

    return run


@pytest.fixture
def refused(tmp_path, predictor, monkeypatch):
    """A function of a table, or of bytes, that cannot be scored: the message."""
    monkeypatch.chdir(tmp_path)

    def run(table):
        if isinstance(table, bytes):
            (tmp_path / "in.parquet").write_bytes(table)
        else:
            pq.write_table(table, "in.parquet")
        with pytest.raises(DataError) as caught:
            predict_file("in.parquet", "out.parquet", predictor)
        assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
        return str(caught.value)

    return run


def columns(predictor, texts):
    answers = predictor.predict(texts)
    labels = pa.array([a.label if a else None for a in answers], pa.string())
    return [
        labels,
        *(pa.array([a.probabilities[k] if a else None for a in answers], pa.float32()) for k in range(3)),
    ]


def extended(table, predictor, texts):
    """What the scored table should be."""
    schema = pa.schema([*table.schema, *ADDED], metadata=table.schema.metadata)
    return pa.table([*table.columns, *columns(predictor, texts)], schema=schema)


def test_types_values_and_metadata_of_other_columns_stay(scored, predictor):
    texts = [ANTI, None, " ", PRO]
    table = pa.table(
        {
            "when": pa.array(
                [datetime.datetime(2025, 1, day) for day in range(1, 5)], pa.timestamp("ns", "Asia/Tokyo")
            ),
            "price": pa.array([decimal.Decimal("1.50")] * 4, pa.decimal128(9, 2)),
            "text": texts,
            "small": pa.array([1, None, 3, 4], pa.int8()),
            "kind": pa.array(["a", "b", None, "a"]).dictionary_encode(),
            "tree": pa.array([[{"x": 1.5}], [], None, [{"x": None}]], pa.list_(pa.struct([("x", pa.float32())]))),
            "raw": pa.array([b"\xff", b"", None, b"\0"], pa.large_binary()),
            "day": pa.array([1, 2, 3, None], pa.date32()),
            "nothing": pa.nulls(4),
        }
    ).replace_schema_metadata({"who": "me"})
    field = table.schema.field("small").with_metadata({"unit": "m"}).with_nullable(True)
    table = table.cast(table.schema.set(3, field))
    result, summary = scored(table)
    expected = extended(table, predictor, texts)
    assert result.schema.metadata == {b"who": b"me"}
    assert result.schema.field("small").metadata[b"unit"] == b"m"
    assert result.schema.equals(expected.schema)
    assert result.equals(expected)
    assert (summary.rows, summary.scored, summary.missing) == (4, 2, {"missing": 1, "blank": 1})


def test_what_pandas_noted_in_the_file_stays(scored):
    table = pa.Table.from_pandas(pa.table({"text": [ANTI], "i": [7]}).to_pandas().set_index("i"))
    result, _ = scored(table)
    assert result.to_pandas().index.name == "i"
    assert result.to_pandas()["label"].tolist() == ["anti"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_text_may_be_of_any_string_type(scored, predictor, kind):
    texts = [ANTI, PRO, None, ANTI]
    table = pa.table({"text": pa.array(texts).cast(kind)})
    result, _ = scored(table, batch_rows=3, row_group_size=2)
    assert result.schema.field("text").type == kind
    assert result.combine_chunks().equals(extended(table, predictor, texts).combine_chunks())


def test_a_table_without_rows_gets_the_new_columns(scored, predictor):
    table = pa.table({"text": pa.array([], pa.string())})
    result, summary = scored(table)
    assert result.equals(extended(table, predictor, []))
    assert (summary.rows, summary.missing) == (0, {})


def test_bytes_that_are_no_utf_8_stay_and_are_counted(scored):
    raw = pa.array([b"caf\xe9", ANTI.encode(), None], pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers(), raw.null_count)
    result, summary = scored(pa.table({"text": text}))
    assert result["text"].cast(pa.binary()).combine_chunks().to_pylist() == raw.to_pylist()
    assert result["label"].to_pylist() == [None, "anti", None]
    assert summary.missing == {"invalid UTF-8": 1, "missing": 1}


def test_small_batches_are_written_in_few_row_groups(scored, predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 8)
    texts = [f"{ANTI} {number}" for number in range(20)]
    seen = []
    table = pa.table({"text": texts, "n": range(20)})
    result, _ = scored(table, batch_rows=4, progress=seen.append)
    assert seen == [4, 4, 4, 4, 4]
    metadata = pq.read_metadata(tmp_path / "out.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [8, 8, 4]
    assert result.equals(extended(table, predictor, texts))


def test_wide_rows_make_small_batches(scored, monkeypatch):
    monkeypatch.setattr(parquet, "_BATCH_BYTES", 250_000)
    seen = []
    scored(pa.table({"text": [f"{i} " + "x" * 100_000 for i in range(5)]}), progress=seen.append)
    assert seen == [2, 2, 1]


def test_the_prefix_goes_in_front_of_the_new_names(scored):
    result, _ = scored(pa.table({"label": [1], "text": [ANTI]}), prefix="pred_")
    assert result.column_names == ["label", "text", "pred_label", "pred_p_anti", "pred_p_neutral", "pred_p_pro"]


def test_the_language_is_a_string_or_null_on_request(scored):
    result, summary = scored(
        pa.table({"text": ["They said that the men would not disarm.", "Hola", None]}), language="en"
    )
    assert result.column_names == ["text", "label", "p_anti", "p_neutral", "p_pro", "language"]
    assert result["language"].to_pylist() == ["en", None, None]
    assert (summary.scored, summary.languages) == (2, {})


def test_reading_from_any_row_gives_the_same_batches(tmp_path):
    pq.write_table(pa.table({"text": [str(number) for number in range(50)]}), tmp_path / "in.parquet", row_group_size=6)
    table = find([str(tmp_path / "in.parquet")])[0].table(Columns("text", ""), 4)
    batches = [(batch.cells, batch.end) for batch in table.batches(Position())]
    assert [cell for cells, _ in batches for cell in cells] == [str(number) for number in range(50)]
    for number, (_, end) in enumerate(batches, start=1):
        assert [(batch.cells, batch.end) for batch in table.batches(end)] == batches[number:]


@pytest.mark.parametrize("kind, name", [(pa.int64(), "int64"), (pa.binary(), "binary")])
def test_a_column_that_holds_no_text_is_refused(refused, kind, name):
    assert refused(pa.table({"text": pa.nulls(1).cast(kind)})) == (
        f"in.parquet: expected text in the column 'text', got {name}. "
        "Cast it to string, or name another with --text-column."
    )


def test_a_missing_column_is_named_beside_those_that_are_there(refused):
    assert refused(pa.table({"quote": ["a"], "txt": ["b"]})) == (
        "in.parquet: expected a column 'text', got the columns 'quote', 'txt'. "
        "Name one with --text-column. Did you mean 'txt'?"
    )


def test_a_new_column_that_is_there_is_refused(refused):
    assert refused(pa.table({"text": ["a"], "p_anti": [0.5]})) == (
        "in.parquet: expected no column 'p_anti' yet, got one. Give --prefix pred_"
    )


def test_a_file_that_is_no_parquet_is_refused(refused):
    message = refused(b"text\nThis is a table of another format.\n")
    assert message.startswith("in.parquet: expected a Parquet file, got Parquet magic bytes not found in footer.")
    assert message.endswith(" Check or copy the file again.")


def test_a_file_that_is_damaged_in_the_middle_is_refused(refused, tmp_path):
    pq.write_table(pa.table({"text": [f"{number} {ANTI}" for number in range(1000)]}), tmp_path / "whole.parquet")
    content = bytearray((tmp_path / "whole.parquet").read_bytes())
    (tmp_path / "whole.parquet").unlink()
    content[4:400] = b"\xff" * 396
    message = refused(bytes(content))
    assert message.startswith("in.parquet: expected a file that can be read, got ")
    assert message.endswith(" Check or copy the file again.")


def test_an_empty_file_is_refused(refused):
    assert refused(b"") == "in.parquet: expected a table or lines of text, got an empty file. Check what wrote it."
