"""Which files are meant by what a user names, packed ones, and folders of parts."""

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stance.errors import ConfigError, DataError
from stance.inference import predict_file

ANTI = "We will never hand over our guns."
PRO = "They must lay down their weapons."
NEW = "label,p_anti,p_neutral,p_pro"
CSV = f"id,text\n1,{ANTI}\n2,{PRO}\n"


def packed(data, name):
    """Write `data` to the file `name`, packed as its suffix says."""
    kind = {".gz": "gzip", ".zst": "zstd"}[Path(name).suffix]
    with pa.CompressedOutputStream(pa.OSFile(str(name), "wb"), kind) as file:
        file.write(data.encode())


def unpacked(name):
    kind = {".gz": "gzip", ".zst": "zstd"}[Path(name).suffix]
    return pa.CompressedInputStream(pa.OSFile(str(name)), kind).read().decode()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(predictor):
    """A function of names that cannot be scored: the message. Nothing may be left behind."""

    def run(source, output, **options):
        before = sorted(Path().rglob("*"))
        with pytest.raises((DataError, ConfigError)) as caught:
            predict_file(source, output, predictor, **options)
        assert sorted(Path().rglob("*")) == before
        return str(caught.value)

    return run


def manifest(folder):
    return json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", ["in.csv.gz", "in.csv.zst"])
@pytest.mark.parametrize("output", ["out.csv.gz", "out.csv.zst"])
def test_a_packed_table_is_scored_like_the_table(predictor, fields, source, output):
    packed(CSV, source)
    predict_file(source, output, predictor, batch_rows=1)
    assert unpacked(output) == f"id,text,{NEW}\n1,{ANTI},{fields(ANTI)}\n2,{PRO},{fields(PRO)}\n"


def test_a_packed_file_of_several_members_is_read_to_its_end(predictor):
    Path("in.jsonl.gz").write_bytes(
        b"".join(gzip.compress(json.dumps({"text": t}).encode() + b"\n") for t in (ANTI, PRO))
    )
    assert predict_file("in.jsonl.gz", "out.jsonl", predictor).rows == 2


@pytest.mark.parametrize(
    "suffix, got", [(".gz", "Truncated compressed stream"), (".zst", "Truncated compressed stream")]
)
def test_a_packed_file_that_was_cut_off_is_refused(refused, suffix, got):
    packed(CSV, f"in.csv{suffix}")
    whole = Path(f"in.csv{suffix}").read_bytes()
    Path(f"in.csv{suffix}").write_bytes(whole[: len(whole) // 2])
    assert refused(f"in.csv{suffix}", "out.csv") == (
        f"in.csv{suffix}: expected a file that can be read, got {got}. Check or copy the file again."
    )


def test_a_table_under_the_name_of_a_packed_one_is_refused(refused):
    Path("in.csv.gz").write_text(CSV)
    message = refused("in.csv.gz", "out.csv")
    assert message.startswith("in.csv.gz: expected a file that can be read, got zlib inflate failed: ")


def test_several_files_become_parts_in_their_order(predictor, fields):
    Path("b.csv").write_text(CSV)
    packed(json.dumps({"text": PRO}) + "\n", "a.jsonl.gz")
    pq.write_table(pa.table({"text": [ANTI]}), "c.parquet")
    summary = predict_file(["b.csv", "a.jsonl.gz", "c.parquet"], "out", predictor)
    assert (summary.rows, summary.parts, summary.repeated) == (4, 3, 2)
    assert sorted(os.listdir("out")) == ["manifest.json", "part-00000.csv", "part-00001.jsonl.gz", "part-00002.parquet"]
    assert Path("out/part-00000.csv").read_text() == f"id,text,{NEW}\n1,{ANTI},{fields(ANTI)}\n2,{PRO},{fields(PRO)}\n"
    assert json.loads(unpacked("out/part-00001.jsonl.gz"))["label"] == "pro"
    assert pq.read_table("out/part-00002.parquet")["label"].to_pylist() == ["anti"]


def test_parts_have_so_many_rows_and_a_header_each(predictor, fields):
    rows = [f"{number},{ANTI} {number}\n" for number in range(10)]
    Path("in.csv").write_text("id,text\n" + "".join(rows))
    predict_file("in.csv", "out/", predictor, batch_rows=2, part_rows=4)
    parts = [Path(f"out/part-0000{number}.csv").read_text().splitlines() for number in range(3)]
    assert [len(part) - 1 for part in parts] == [4, 4, 2]
    assert {part[0] for part in parts} == {f"id,text,{NEW}"}
    lines = [f"{row.rstrip()},{fields(row.rstrip().partition(',')[2])}" for row in rows]
    assert [line for part in parts for line in part[1:]] == lines


def test_the_last_part_may_be_full_and_a_table_without_rows_is_a_part(predictor):
    Path("a.csv").write_text(CSV)
    Path("b.csv").write_text("text\n")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), "c.parquet")
    assert predict_file(["a.csv", "b.csv", "c.parquet"], "out", predictor, part_rows=2).parts == 3
    assert Path("out/part-00001.csv").read_text() == f"text,{NEW}\n"
    assert pq.read_table("out/part-00002.parquet").num_rows == 0


def test_the_manifest_says_what_the_parts_were_made_of(predictor, model_folder):
    Path("in.csv").write_text(CSV)
    predict_file("in.csv", "out", predictor, min_confidence=0.34)
    tree = manifest("out")
    part = Path("out/part-00000.csv")
    assert set(tree) == {"format", "format_version", "inputs", "model", "settings", "versions", "counts", "parts"}
    assert [(file["name"], file["bytes"]) for file in tree["inputs"]] == [("in.csv", len(CSV))]
    assert tree["model"]["kind"] == "tfidf"
    assert tree["model"]["fingerprint"] == predictor.classifier.fingerprint
    assert tree["settings"]["min_confidence"] == 0.34
    assert (tree["counts"]["rows"], tree["counts"]["labels"]) == (2, {"anti": 1, "neutral": 0, "pro": 1})
    (entry,) = tree["parts"]
    assert (entry["file"], entry["input"], entry["rows"]) == ("part-00000.csv", "in.csv", 2)
    assert entry["bytes"] == part.stat().st_size


def test_a_folder_is_read_in_the_order_of_names_without_what_is_hidden(predictor, caplog):
    for name in ("in/b/2.csv", "in/a.csv", "in/.x/3.csv", "in/_log/4.csv", "in/notes.txt", "in/manifest.json"):
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).write_text(CSV)
    predict_file("in", "out", predictor)
    assert [part["input"] for part in manifest("out")["parts"]] == ["in/a.csv", "in/b/2.csv"]
    assert caplog.messages == ["in: of other formats and left out: 1, such as notes.txt"]


def test_a_pattern_means_the_files_of_such_names(predictor):
    for name in ("q2.csv", "q1.csv", "r1.csv"):
        Path(name).write_text(CSV)
    predict_file("q*.csv", "out", predictor)
    assert [part["input"] for part in manifest("out")["parts"]] == ["q1.csv", "q2.csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(predictor):
    Path("q[1].csv").write_text(CSV)
    assert predict_file("q[1].csv", "out.csv", predictor).rows == 2


def test_a_pattern_that_nothing_matches_is_refused(refused):
    assert refused("q*.csv", "out") == "q*.csv: expected files of such names, got none. Check the pattern."


def test_a_file_that_is_named_twice_is_refused(refused):
    Path("a.csv").write_text(CSV)
    assert refused(["a.csv", "./a*.csv"], "out") == (
        "./a.csv: expected each input once, got the same file twice. Name it once."
    )


def test_the_stream_beside_a_file_is_refused(refused):
    Path("a.csv").write_text(CSV)
    assert (
        refused(["a.csv", "-"], "out") == "-: expected no other input beside the stream, got 1. Name one or the other."
    )


def test_a_file_for_several_inputs_is_refused(refused):
    Path("a.csv").write_text(CSV)
    Path("b.csv").write_text(CSV)
    assert refused(["a.csv", "b.csv"], "out.csv") == (
        "out.csv: expected a folder for the parts of several inputs, got a CSV file. "
        "Put / at the end of the name, or leave out the suffix."
    )


def test_the_last_of_many_inputs_is_looked_at_before_the_first_is_scored(refused):
    Path("a.csv").write_text(CSV)
    Path("b.csv").write_text("quote\na\n")
    scored = []
    assert refused(["a.csv", "b.csv"], "out", progress=scored.append) == (
        "b.csv: expected a column 'text', got the columns 'quote'. Name one with --text-column."
    )
    assert scored == []


def test_an_output_inside_of_the_input_folder_is_refused(refused):
    Path("in").mkdir()
    Path("in/a.csv").write_text(CSV)
    assert refused("in", "in/out") == "in/out: expected an output outside of in, got one in it. Name another output."
    assert (
        refused("in", "in", replace=True) == "in: expected an output outside of in, got one in it. Name another output."
    )


def test_a_folder_that_exists_is_replaced_on_request_if_it_holds_predictions(predictor, refused):
    Path("in.csv").write_text(CSV)
    Path("other").mkdir()
    Path("other/precious").touch()
    predict_file("in.csv", "out", predictor, part_rows=1, batch_rows=1)
    assert refused("in.csv", "out") == (
        "out: expected a folder that does not exist, got one that does. Give --replace or another --output."
    )
    assert refused("in.csv", "other", replace=True) == (
        "other: expected a folder of predictions to replace (manifest.json), got another. Name another output."
    )
    predict_file("in.csv", "out", predictor, replace=True)
    assert sorted(os.listdir("out")) == ["manifest.json", "part-00000.csv"]
    assert sorted(os.listdir()) == ["in.csv", "other", "out"]


def test_a_file_in_the_place_of_the_folder_is_refused(refused):
    Path("in.csv").write_text(CSV)
    Path("out").touch()
    assert refused("in.csv", "out", replace=True) == "out: expected a folder to write, got a file. Name another output."


def test_the_share_of_the_input_rises_to_one(predictor):
    for name in ("a.csv", "b.csv"):
        Path(name).write_text("text\n" + f"{ANTI}\n" * 10)
    shares = []
    predict_file(["a.csv", "b.csv"], "out", predictor, batch_rows=5, share=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] <= 0.5
    assert shares[-1] == 1.0
