"""What holds for every format: the paths are checked first, and the output appears whole or not at all."""

import os
import resource
import stat
import sys
from pathlib import Path

import pytest

from stance.errors import ConfigError, DataError
from stance.inference import predict_file

TABLE = b"text\n" + b"We will never hand over our guns.\n" * 20


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a table, and an older output."""
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_bytes(TABLE)
    Path("old.csv").write_bytes(b"old\n")


@pytest.fixture
def refused(predictor):
    """A function of the names of files that cannot be scored: the message. Nothing may be left behind, nor scored."""

    def run(source, output, **options):
        before = sorted(Path().rglob("*"))
        scored = []
        with pytest.raises(DataError) as caught:
            predict_file(source, output, predictor, progress=scored.append, **options)
        assert sorted(Path().rglob("*")) == before
        assert scored == []
        return str(caught.value)

    return run


def stop(rows):
    raise KeyboardInterrupt


def test_a_source_that_is_not_there_is_refused(refused):
    assert refused("no.csv", "out.csv") == "no.csv: expected a file, got no such file. Check the path."


def test_a_folder_without_tables_as_source_is_refused(refused):
    Path("folder.csv").mkdir()
    Path("folder.csv/notes.txt").touch()
    assert refused("folder.csv", "out.csv") == (
        "folder.csv: expected a file in .csv, .tsv, .jsonl, .ndjson, .parquet below the folder, got none. "
        "Name another folder, or a file."
    )


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails")
def test_a_source_that_cannot_be_read_is_refused(refused):
    Path("mem.csv").symlink_to("/proc/self/mem")
    assert refused("mem.csv", "out.csv") == (
        "mem.csv: expected a file that can be read, got [Errno 5] Input/output error. Check or copy the file again."
    )


@pytest.mark.parametrize(
    "name, got",
    [("in.xlsx", "'.xlsx'"), ("in.xlsx.gz", "'.xlsx.gz'"), ("in.parquet.gz", "'.parquet.gz'"), ("in.gz", "'.gz'")],
)
def test_an_unknown_suffix_is_refused(refused, name, got):
    known = ".csv, .tsv, .jsonl, .ndjson, .parquet, all but the last with or without .gz or .zst, or -"
    message = f"{name}: expected a name in {known}, got {got}. Convert or rename the file."
    assert refused(name, "out.csv") == refused("in.csv", name) == message


def test_a_source_without_a_suffix_is_refused(refused):
    known = ".csv, .tsv, .jsonl, .ndjson, .parquet, all but the last with or without .gz or .zst, or -"
    assert refused("in", "out.csv") == f"in: expected a name in {known}, got no suffix. Convert or rename the file."


@pytest.mark.parametrize(
    "output, got", [("out.parquet", "Parquet (out.parquet)"), ("out.tsv", "TSV (out.tsv)"), ("-", "JSON lines (-)")]
)
def test_another_format_is_refused(refused, output, got):
    assert refused("in.csv", output) == (
        f"in.csv: expected an output of the same format, CSV, got {got}. Convert before or after, with another program."
    )


def test_suffixes_may_be_in_capitals(predictor):
    Path("in.csv").rename("IN.CSV")
    assert predict_file("IN.CSV", "out.csv", predictor).rows == 20


def test_an_output_that_exists_is_refused(refused):
    assert refused("in.csv", "old.csv") == (
        "old.csv: expected a file that does not exist, got one that does. Give --replace or another --output."
    )
    assert Path("old.csv").read_bytes() == b"old\n"


def test_an_output_that_exists_is_replaced_on_request(predictor):
    predict_file("in.csv", "old.csv", predictor, replace=True)
    assert Path("old.csv").read_bytes().startswith(b"text,label,")


@pytest.mark.parametrize("output", ["in.csv", "./in.csv", "link.csv", "hard.csv"])
def test_the_input_as_output_is_refused(refused, output):
    Path("link.csv").symlink_to("in.csv")
    os.link("in.csv", "hard.csv")
    assert refused("in.csv", output, replace=True) == (
        f"{Path(output)}: expected another file than the input, got the same. Name another output."
    )
    assert Path("in.csv").read_bytes() == TABLE


def test_a_missing_output_folder_is_refused(refused):
    assert refused("in.csv", "no/out.csv") == "no/out.csv: expected a folder no, got none. Make it, or name another."


def test_a_folder_as_output_is_refused(refused):
    Path("folder.csv").mkdir()
    assert refused("in.csv", "folder.csv", replace=True) == (
        "folder.csv: expected a file to write, got a folder or a device. Name another output."
    )


def test_an_output_that_cannot_be_made_is_refused_before_anything_is_scored(refused):
    name = "x" * 250 + ".csv"
    message = refused("in.csv", name)
    assert message.startswith(f"{name}: expected a file that can be written, got [Errno 36] File name too long: ")
    assert message.endswith(" Check the folder, its permissions and the space left.")


@pytest.fixture
def not_as_root():
    """Root may write everywhere, so that it acts as nobody for the time of a test."""
    if os.geteuid() != 0:
        yield
        return
    Path().chmod(0o777)
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_an_output_folder_that_cannot_be_written_is_refused(refused, not_as_root):
    Path("closed").mkdir(mode=0o555)
    message = refused("in.csv", "closed/out.csv")
    assert message.startswith("closed/out.csv: expected a file that can be written, got [Errno 13] Permission denied: ")


def test_files_in_a_folder_that_cannot_be_entered_are_refused(refused, not_as_root):
    Path("closed").mkdir()
    Path("closed/in.csv").write_bytes(Path("in.csv").read_bytes())
    Path("closed").chmod(0o000)
    assert refused("closed/in.csv", "out.csv") == (
        "closed/in.csv: expected a file that can be read, got [Errno 13] Permission denied: 'closed/in.csv'. "
        "Check its permissions."
    )
    assert refused("in.csv", "closed/out.csv").startswith(
        "closed/out.csv: expected a file that can be written, got [Err"
    )
    Path("closed").chmod(0o755)


def test_a_batch_without_rows_is_refused(predictor):
    with pytest.raises(ConfigError) as caught:
        predict_file("in.csv", "out.csv", predictor, batch_rows=0)
    assert str(caught.value) == "batch_rows: expected a positive number, got 0. Raise it."


def test_an_interrupted_run_leaves_the_old_output_and_nothing_else(predictor):
    with pytest.raises(KeyboardInterrupt):
        predict_file("in.csv", "old.csv", predictor, replace=True, batch_rows=5, progress=stop)
    assert Path("old.csv").read_bytes() == b"old\n"
    assert sorted(os.listdir()) == ["in.csv", "old.csv"]


def test_an_interrupted_run_makes_no_output(predictor):
    with pytest.raises(KeyboardInterrupt):
        predict_file("in.csv", "out.csv", predictor, progress=stop)
    assert sorted(os.listdir()) == ["in.csv", "old.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
@pytest.mark.parametrize("limit", [100, 700])
def test_a_full_disk_ends_the_run_with_a_message_and_the_old_output(predictor, limit):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(DataError) as caught:
            predict_file("in.csv", "old.csv", predictor, replace=True, batch_rows=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == (
        "old.csv: expected a file that can be written, got [Errno 27] File too large. "
        "Check the folder, its permissions and the space left."
    )
    assert Path("old.csv").read_bytes() == b"old\n"
    assert sorted(os.listdir()) == ["in.csv", "old.csv"]


def test_an_output_that_appears_meanwhile_is_not_overwritten_and_nothing_is_lost(predictor):
    with pytest.raises(DataError) as caught:
        predict_file("in.csv", "out.csv", predictor, progress=lambda rows: Path("out.csv").write_bytes(b"other\n"))
    assert str(caught.value) == (
        f"{Path('out.csv').resolve()}: expected a file that does not exist, got one that appeared meanwhile. "
        "Another run may have made it: move it away and give --resume."
    )
    assert Path("out.csv").read_bytes() == b"other\n"
    Path("out.csv").unlink()
    assert predict_file("in.csv", "out.csv", predictor, resume=True).before == 20
    assert sorted(os.listdir()) == ["in.csv", "old.csv", "out.csv"]


def test_the_output_has_the_permissions_of_any_new_file(predictor):
    Path("plain").touch()
    predict_file("in.csv", "out.csv", predictor)
    assert stat.S_IMODE(Path("out.csv").stat().st_mode) == stat.S_IMODE(Path("plain").stat().st_mode)


def test_a_link_to_the_output_stays_a_link(predictor):
    Path("link.csv").symlink_to("old.csv")
    predict_file("in.csv", "link.csv", predictor, replace=True)
    assert Path("link.csv").is_symlink()
    assert Path("old.csv").read_bytes().startswith(b"text,label,")
