"""What Ray's workers write is what this process would have written, even when one of them dies."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stance.errors import ConfigError, DataError, ModelError
from stance.inference import Predictor, predict_file, runs
from stance.inference.distributed import ATTEMPTS, Job, Ray, Worker
from stance.inference.runs import Options

SENTENCES = (
    "We will never hand over our guns",
    "They must lay down their weapons, he said, and all of us should have done so",
    "Talks go on",
    "Nous ne rendrons jamais nos armes, a déclaré le chef du mouvement devant la foule réunie hier soir sur la grande "
    "place de la ville, où ses partisans étaient venus nombreux",
)
OPTIONS = {"language": "en", "min_confidence": 0.45, "part_rows": 40, "batch_rows": 16}
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray, the extra ray")


@pytest.fixture(scope="module")
def cluster():
    """A Ray of this machine with two processors, which the runs below use."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of tables with what cannot be scored, types and metadata to keep, and one without rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "SAVE_SECONDS", 0)
    Path("in/deep").mkdir(parents=True)
    for name, rows in (("a", 150), ("deep/b", 97), ("c", 0)):
        texts = [None if n % 11 == 3 else " " if n % 13 == 5 else f"{SENTENCES[n % 4]} {n // 9}." for n in range(rows)]
        table = pa.table(
            {
                "small": pa.array([n % 100 for n in range(rows)], pa.int8()),
                "text": pa.array(texts, pa.string()).dictionary_encode()
                if name == "a"
                else pa.array(texts, pa.string()),
                "tree": pa.array([[{"x": n / 2}] for n in range(rows)], pa.list_(pa.struct([("x", pa.float32())]))),
            }
        ).replace_schema_metadata({"who": "me"})
        pq.write_table(table, f"in/{name}.parquet", row_group_size=35)
    Path("in/deep/b.parquet").rename("in/deep/.blob")
    Path("in/deep/b.parquet").symlink_to(".blob")


@pytest.fixture
def ray_of(model_folder):
    return Ray(model_folder, workers=2)


def whole(output, parts):
    """The rows of each input in their order, with the schema of its parts. (How many parts depends on its batches.)"""
    rows = {}
    assert sorted(part["file"] for part in parts) == sorted(name for name in os.listdir(output) if name[0] == "p")
    for part in parts:
        table = pq.read_table(f"{output}/{part['file']}")
        assert part["rows"] == table.num_rows
        known, schema = rows.setdefault(part["input"], ([], table.schema))
        assert schema.equals(table.schema, check_metadata=True)
        known += table.to_pylist()
    return {name: (known, schema.to_string(), schema.metadata) for name, (known, schema) in rows.items()}


@pytest.fixture
def alike(predictor):
    """A function of an output: whether it is that of a run without Ray, but for what only one process can count."""

    def run(output, source="in"):
        summary = predict_file(source, "expected", predictor, replace=True, **OPTIONS)
        found, expected = (json.loads(Path(p, "manifest.json").read_text("utf-8")) for p in (output, "expected"))
        assert found["settings"].pop("engine") == "ray"
        assert 0 < found["counts"].pop("repeated") < expected["counts"].pop("repeated")
        ours, theirs = (whole(output, found.pop("parts")), whole("expected", expected.pop("parts")))
        assert found == expected
        assert ours == theirs
        return summary

    return run


@needs_ray
def test_each_row_and_column_is_that_of_a_run_without_ray(cluster, predictor, ray_of, alike):
    told, shares = [], []
    summary = predict_file("in", "out", predictor, engine=ray_of, progress=told.append, share=shares.append, **OPTIONS)
    expected = alike("out")
    assert replace(summary, seconds=0, repeated=0) == replace(expected, seconds=0, repeated=0)
    assert summary.abstained > 0
    assert summary.languages
    assert set(summary.missing) == {"missing", "blank"}
    assert (sum(told), shares[-1], summary.parts) == (247, 1.0, 8)
    assert sorted(os.listdir()) == ["expected", "in", "out"]


@needs_ray
@pytest.mark.skipif(sys.platform != "linux", reason="finds a process by the name that Ray gives it")
def test_a_worker_that_is_killed_loses_doubles_and_changes_no_row(cluster, predictor, ray_of, alike):
    killed = []

    def kill_one(rows):
        if not killed:
            workers = [one for one in psutil.Process().children(recursive=True) if _is_worker(one)]
            assert len(workers) == 2
            workers[0].send_signal(signal.SIGKILL)
            killed.append(workers[0])

    summary = predict_file("in", "out", predictor, engine=ray_of, progress=kill_one, **OPTIONS)
    assert [one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in killed] == [False]
    alike("out")
    assert summary.rows == 247


def _is_worker(process):
    try:
        return " ".join(process.cmdline()).startswith("ray::MapWorker")
    except psutil.Error:  # it has just ended
        return False


@needs_ray
def test_an_interrupted_run_leaves_no_output_and_goes_on_with_the_parts_that_are_left(
    cluster, predictor, ray_of, alike
):
    done = []

    def stop(rows):
        done.append(rows)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_file("in", "out", predictor, engine=ray_of, progress=stop, **OPTIONS)
    assert sorted(os.listdir()) == [".out.partial", "in"]
    assert len(list(Path(".out.partial/parts").iterdir())) == 3

    def refused(**options):
        with pytest.raises(DataError) as caught:
            predict_file("in", "out", predictor, **OPTIONS | options)
        return str(caught.value)

    assert refused(engine=ray_of) == (
        f"out: expected no interrupted run, got one of {sum(done[:2]):,} rows. "
        "Give --resume to go on with it, or --replace to start anew."
    )
    assert refused(resume=True) == (
        'out: expected settings engine "ray" as in the interrupted run, got null. '
        "Give the same again, or --replace to start anew."
    )
    summary = predict_file("in", "out", predictor, engine=replace(ray_of, workers=1), resume=True, **OPTIONS)
    assert summary.before == sum(done[:2])
    alike("out")
    assert sorted(os.listdir()) == ["expected", "in", "out"]


@needs_ray
def test_what_a_worker_cannot_read_is_the_message_of_the_run(cluster, predictor, ray_of):
    data = bytearray(Path("in/a.parquet").read_bytes())
    data[4:3000] = bytes(2996)
    Path("in/a.parquet").write_bytes(data)
    with pytest.raises(DataError) as caught:
        predict_file("in", "out", predictor, engine=ray_of, **OPTIONS)
    assert str(caught.value).startswith(f"{Path('in/a.parquet').resolve()}: expected a file that can be read, got ")
    assert not Path("out").exists()


@pytest.fixture
def part(model_folder):
    """A function of what is changed in a job: what a worker says of a part."""

    def run(**changes):
        Path("desk").mkdir(exist_ok=True)
        predictor = Predictor.load(model_folder)
        facts = {"model": runs.model_facts(predictor), "versions": runs.versions()} | changes.pop("facts", {})
        job = Job(
            model_folder, "torch", predictor.target, Options("text", "", "any", None, 16, 40), Path("desk"), facts
        )
        path = str(Path("in/a.parquet").resolve())
        described = {"file": "part-00000.parquet", "input": "in/a.parquet", "path": path, "start": 40, "stop": 75}
        return Worker(replace(job, **changes))(described)

    return run


def test_a_part_has_the_rows_it_is_asked_for(part):
    said = part()
    assert (said["file"], said["rows"], said["message"]) == ("part-00000.parquet", 35, "")
    assert pq.read_table(f"desk/{said['made']}")["small"].to_pylist() == list(range(40, 75))
    assert os.listdir("desk") == [said["made"]]


def test_a_part_on_which_workers_died_again_and_again_is_given_up(part):
    for number in range(ATTEMPTS):
        Path("desk").mkdir(exist_ok=True)
        Path(f"desk/part-00000.parquet-{number}.rows").touch()
    said = part()
    assert (said["kind"], said["message"]) == (
        "DataError",
        f"{Path('in/a.parquet').resolve()}: expected rows 40 to 75 scored, got the end of 4 workers. "
        "Give less --part-rows, or look for the cause.",
    )


@pytest.mark.parametrize("what, name", [("model", "fingerprint"), ("versions", "numpy")])
def test_a_worker_with_another_model_or_version_scores_nothing(part, what, name):
    said = part(facts={what: {name: "mine"}})
    ours = {"model": "fingerprint", "versions": "numpy"}[what]
    assert said["kind"] == ModelError.__name__
    assert said["message"].startswith(f"a worker of Ray: {what} {ours}: expected mine, got ")
    assert said["message"].endswith(". Install and copy the same on all machines.")
    assert os.listdir("desk") == []


def test_a_worker_that_finds_no_model_says_so(part):
    said = part(model=Path("none"))
    assert (said["kind"], said["message"]) == (
        "ModelError",
        "none: expected a model folder, got no such folder. Train one: stance train configs/tfidf.yaml",
    )


def test_a_full_disk_is_a_message(part):
    said = part(desk=Path("no/desk"))
    assert said["kind"] == "DataError"
    assert said["message"].startswith("part-00000.parquet: expected a file that can be written, got [Errno 2] No such ")


@pytest.fixture
def refused(predictor, model_folder):
    """A function of a source and an output that Ray cannot have: the message; nothing may be left behind."""

    def run(source, output, kind=DataError, **settings):
        before = sorted(Path().rglob("*"))
        with pytest.raises(kind) as caught:
            predict_file(source, output, predictor, engine=Ray(model_folder, **settings))
        assert sorted(Path().rglob("*")) == before
        return str(caught.value)

    return run


def test_without_ray_the_message_says_how_to_get_it(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refused("in", "out", ConfigError) == (
        "--engine ray: expected Ray, got none. Install it: pip install -e '.[ray]' in the project's folder."
    )


@needs_ray
@pytest.mark.parametrize("name, form", [("t.csv", "CSV"), ("t.jsonl.gz", "JSON lines"), ("-", "JSON lines")])
def test_other_formats_than_parquet_are_refused(refused, name, form):
    if name != "-":
        Path(name).write_bytes(b"text\nTalks go on.\n")
    assert refused(name, "out") == (
        f"{name}: expected Parquet, which --engine ray reads, got {form}. Convert it, or leave out --engine ray."
    )


@needs_ray
@pytest.mark.parametrize("name, got", [("out.parquet", "a file"), ("-", "standard output")])
def test_another_output_than_a_folder_is_refused(refused, name, got):
    assert refused("in/a.parquet", name) == (
        f"{name}: expected a folder, which --engine ray writes, got {got}. "
        "Put / at the end of the name, or leave out the suffix."
    )


@needs_ray
def test_a_run_without_workers_is_refused(refused):
    assert refused("in", "out", ConfigError, workers=0) == "--workers: expected a positive number, got 0. Raise it."


def stance(*arguments, **environment):
    command = [sys.executable, "-m", "stance", "predict", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)


@needs_ray
@pytest.mark.slow
def test_the_command_starts_a_ray_of_its_own_prints_one_line_and_leaves_no_process(model_folder, alike):
    done = stance(
        *("in/*.parquet", "in/deep", "-o", "out", "--model", str(model_folder), "--engine", "ray", "--workers", "1"),
        *("--min-confidence", "0.45", "--part-rows", "40"),
        RAY_ADDRESS="",
    )
    assert (done.returncode, done.stdout) == (0, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("247 rows: ")
    assert line.endswith(" Wrote out (3 parts)")
    assert [one for one in psutil.Process().children(recursive=True) if _is_worker(one)] == []


def test_the_number_of_workers_needs_the_engine(model_folder):
    done = stance("in", "-o", "out", "--model", str(model_folder), "--workers", "2")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: --workers: expected --engine ray beside it, got --engine local. Leave it out.\n",
    )


@needs_ray
def test_what_ray_cannot_do_is_refused_before_the_model_is_looked_at():
    done = stance("in", "-o", "out.parquet", "--model", "none", "--engine", "ray")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: out.parquet: expected a folder, which --engine ray writes, got a file. "
        "Put / at the end of the name, or leave out the suffix.\n",
    )
