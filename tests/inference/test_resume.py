"""A run that was interrupted goes on, and ends like one that was not."""

import json
import multiprocessing
import os
import random
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

import stance.inference
from stance.errors import ConfigError, DataError
from stance.inference import Predictor, cache, parquet, predict_file, runs
from stance.models import Classifier

SENTENCES = ("We will never hand over our guns", "They must lay down their weapons", "Talks go on", "")
ROWS = 36
CODE = str(Path(stance.inference.__file__).parent)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with three tables of rows that repeat, a state saved after every batch, and a cache of ten texts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "SAVE_SECONDS", 0)
    monkeypatch.setattr(cache, "GENERATION", 5)
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 8)
    generator = random.Random(0)
    texts = [f"{SENTENCES[n % 4]} {generator.randrange(20)}".strip() for n in range(ROWS)]
    Path("in.csv").write_text("id,text\n" + "".join(f'{n},"{text}\n"\n' for n, text in enumerate(texts)))
    Path("in.jsonl").write_text("\ufeff" + "".join(json.dumps({"text": text}) + "\n\n" for text in texts))
    pq.write_table(pa.table({"text": texts, "n": range(ROWS)}), "in.parquet", row_group_size=6)


def stop(rows):
    raise KeyboardInterrupt


def stop_at(count):
    """What to call with the rows of each batch, to be interrupted at the batch of that number."""
    batches = iter(range(1, count))
    return lambda rows: next(batches, None) or stop(rows)


def contents(path):
    path = Path(path)
    return {file.name: file.read_bytes() for file in path.iterdir()} if path.is_dir() else path.read_bytes()


def facts(summary):
    return replace(summary, seconds=0, before=0)


def lines_run(run, last=None, names=None):
    """Call `run`; count the lines of our code that it comes to, and be killed at the line of the number `last`.

    Only the lines of functions of the given `names` count, or all.
    """
    count = 0

    def local(frame, event, _):
        nonlocal count
        if event == "line" and (names is None or frame.f_code.co_name in names):
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, event, _: local if frame.f_code.co_filename.startswith(CODE) else None)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks and kills")
@pytest.mark.parametrize(
    "source, output, options",
    [
        ("in.csv", "out.csv", {"min_confidence": 0.4}),
        ("in.jsonl", "out.jsonl.gz", {"language": "en"}),
        ("in.parquet", "out.parquet", {"replace": True}),
        (["in.csv", "in.parquet", "in.jsonl"], "out", {"replace": True, "part_rows": 12}),
    ],
)
def test_twenty_runs_killed_at_any_line_lose_double_and_change_no_row(predictor, source, output, options):
    options = {"batch_rows": 4, **options}
    older = options.get("replace", False)
    if older:  # something stands there
        predict_file(["in.csv"] if output == "out" else source, output, predictor, part_rows=20)
    whole = f"whole{''.join(Path(output).suffixes)}"
    expected = facts(predict_file(source, whole, predictor, **options))
    lines = lines_run(partial(predict_file, source, "counted" + whole[5:], predictor, **options))
    generator = random.Random(output)
    resumed = 0
    for _ in range(5):
        process = multiprocessing.get_context("fork").Process(
            target=lines_run,
            args=(partial(predict_file, source, output, predictor, **options), generator.randrange(lines)),
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        begun = Path(f".{output}.partial/state.json").exists()
        way = {"resume": True, "replace": False} if begun or not older else {"replace": True}
        summary = predict_file(source, output, predictor, **options | way)
        assert facts(summary) == expected
        assert contents(output) == contents(whole)
        assert [path.name for path in Path().iterdir() if "partial" in path.name] == []
        resumed += summary.before > 0
        if not older:
            Path(output).unlink()
    assert resumed >= 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks and kills")
@pytest.mark.parametrize(
    "output, options",
    [("out.csv", {"batch_rows": 40}), ("out", {"batch_rows": 30, "part_rows": 30, "replace": True})],
)
def test_a_run_may_be_killed_at_each_line_that_puts_something_in_its_place(predictor, output, options):
    names = {"seal", "next_input", "publish", "set_aside", "close"}
    older = options.get("replace", False)
    run = partial(predict_file, "in.csv", output, predictor, **options)
    if older:
        predict_file("in.csv", output, predictor)
    lines = lines_run(run, names=names)
    expected = contents(output)
    if not older:
        Path(output).unlink()
    for last in range(1, lines + 1):
        process = multiprocessing.get_context("fork").Process(target=lines_run, args=(run, last, names))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        summary = predict_file("in.csv", output, predictor, **options | {"replace": False, "resume": True})
        assert summary.rows == ROWS
        assert contents(output) == expected
        assert [path.name for path in Path().iterdir() if "partial" in path.name] == []
        if not older:
            Path(output).unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="forks and kills")
def test_what_was_to_be_replaced_is_replaced_though_nothing_had_been_saved(predictor):
    Path("out.csv").write_text("older")
    run = partial(predict_file, "in.csv", "out.csv", predictor, batch_rows=4, replace=True)
    process = multiprocessing.get_context("fork").Process(target=lines_run, args=(run, 1, {"add"}))
    process.start()
    process.join()
    assert predict_file("in.csv", "out.csv", predictor, batch_rows=4, resume=True).before == 0
    assert Path("out.csv").read_text().startswith("id,text,label,")


def test_a_run_may_be_interrupted_again_and_again(predictor):
    predict_file("in.csv", "whole.csv", predictor, batch_rows=4)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            predict_file("in.csv", "out.csv", predictor, batch_rows=4, resume=True, progress=stop_at(3))
    assert predict_file("in.csv", "out.csv", predictor, batch_rows=4, resume=True).before == 24
    assert contents("out.csv") == contents("whole.csv")


def test_to_resume_what_was_never_begun_is_to_begin(predictor):
    assert predict_file("in.csv", "out.csv", predictor, resume=True).before == 0
    assert sorted(os.listdir()) == ["in.csv", "in.jsonl", "in.parquet", "out.csv"]


def test_to_resume_what_is_finished_is_refused(predictor):
    predict_file("in.csv", "out.csv", predictor)
    with pytest.raises(DataError) as caught:
        predict_file("in.csv", "out.csv", predictor, resume=True)
    assert str(caught.value) == (
        "out.csv: expected a file that does not exist, got one that does. Give --replace or another --output."
    )


@pytest.fixture
def interrupted(predictor):
    """An output `out.csv` of which eight rows are done."""
    with pytest.raises(KeyboardInterrupt):
        predict_file("in.csv", "out.csv", predictor, batch_rows=4, progress=stop_at(3))


@pytest.fixture
def refused(interrupted, predictor):
    """A function of other settings with which the run is to go on: the message."""

    def run(source="in.csv", other=predictor, **options):
        before = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.name != "lock"}
        with pytest.raises((DataError, ConfigError)) as caught:
            predict_file(source, "out.csv", other, **{"batch_rows": 4, "resume": True, **options})
        assert {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.name != "lock"} == before
        return str(caught.value)

    return run


def test_an_interrupted_run_is_not_thrown_away_by_mistake(refused, predictor):
    assert refused(resume=False) == (
        "out.csv: expected no interrupted run, got one of 8 rows. "
        "Give --resume to go on with it, or --replace to start anew."
    )
    assert predict_file("in.csv", "out.csv", predictor, replace=True).before == 0


@pytest.mark.parametrize(
    "options, expected, got",
    [
        ({"min_confidence": 0.5}, "settings min_confidence null", "0.5"),
        ({"text_column": "id"}, 'settings text_column "text"', '"id"'),
        ({"prefix": "x_"}, 'settings prefix ""', '"x_"'),
        ({"language": "en"}, 'settings language "any"', '"en"'),
        ({"batch_rows": 5}, "settings batch_rows 4", "5"),
        ({"part_rows": 5}, "settings part_rows 1048576", "5"),
    ],
)
def test_another_setting_is_refused(refused, options, expected, got):
    assert refused(**options) == (
        f"out.csv: expected {expected} as in the interrupted run, got {got}. "
        "Give the same again, or --replace to start anew."
    )


def test_another_input_is_refused(refused):
    Path("other.csv").write_bytes(Path("in.csv").read_bytes())
    assert refused("other.csv") == (
        'out.csv: expected inputs 1 name "in.csv" as in the interrupted run, got "other.csv". '
        "Give the same again, or --replace to start anew."
    )


def test_an_input_that_has_changed_is_refused(refused):
    content = Path("in.csv").read_bytes()
    Path("in.csv").write_bytes(content[:-3] + b"X" + content[-2:])
    message = refused()
    assert message.startswith('out.csv: expected inputs 1 sha256 "')
    Path("in.csv").write_bytes(content + b"\n")
    assert refused() == (
        f"out.csv: expected inputs 1 bytes {len(content)} as in the interrupted run, got {len(content) + 1}. "
        "Give the same again, or --replace to start anew."
    )


def test_another_model_or_target_is_refused(refused, predictor):
    other = Predictor(replace(predictor.classifier, fingerprint="0123"))
    assert refused(other=other) == (
        f'out.csv: expected model fingerprint "{predictor.classifier.fingerprint}" as in the interrupted run, '
        'got "0123". Give the same again, or --replace to start anew.'
    )
    assert 'expected model target "the disarmament of ' in refused(other=Predictor(predictor.classifier, "peace"))


def test_a_state_that_is_none_is_refused(refused):
    Path(".out.csv.partial/state.json").write_text("{}")
    state = Path(".out.csv.partial/state.json").resolve()
    told = "{}: expected the state of an interrupted run, got another file ({}). Give --replace to start anew."
    assert refused() == told.format(state, "KeyError")
    state.write_text("[" * 10**5)
    assert refused() == told.format(state, "RecursionError")


def test_resume_beside_replace_is_refused(refused):
    assert refused(replace=True) == "--resume: expected no --replace beside it, got both. Go on, or start anew."


def test_a_stream_is_not_resumed(refused):
    assert refused("-") == "--resume: expected input files, got a stream, which cannot be read again. Leave it out."


def test_an_output_that_another_process_writes_is_refused(refused, predictor):
    message = "out.csv: expected an output that nobody else is writing, got one that another process is. Wait for it."
    with FileLock(".out.csv.partial/lock"):
        assert refused() == refused(resume=False) == refused(resume=False, replace=True) == message
    assert predict_file("in.csv", "out.csv", predictor, batch_rows=4, resume=True).before == 8


def test_one_of_two_runs_is_refused_while_the_other_goes_on(predictor):
    messages = []

    def second(rows):
        with pytest.raises(DataError) as caught:
            predict_file("in.csv", "out.csv", predictor, replace=True)
        messages.append(str(caught.value))

    assert predict_file("in.csv", "out.csv", predictor, progress=second).rows == ROWS
    assert messages == [
        "out.csv: expected an output that nobody else is writing, got one that another process is. Wait for it."
    ]


def test_a_table_that_turns_out_damaged_costs_nothing_that_was_done(predictor):
    with Path("in.csv").open("a") as file:
        file.write('99,"open')
    with pytest.raises(DataError) as caught:
        predict_file("in.csv", "out.csv", predictor, batch_rows=4)
    assert str(caught.value).startswith(
        f"in.csv:{2 * ROWS + 2}: expected a closing quotation mark, got the end of the file."
    )
    with pytest.raises(DataError) as again:
        predict_file("in.csv", "out.csv", predictor, batch_rows=4, resume=True)
    assert str(again.value) == str(caught.value)


def test_the_line_of_an_error_is_that_of_the_file_after_a_resume(predictor):
    with Path("in.jsonl").open("a") as file:
        file.write('{"text": "a", "label": 1}')
    messages = []
    for resume in (False, True):
        with pytest.raises(DataError) as caught:
            predict_file("in.jsonl", "out.jsonl", predictor, batch_rows=4, resume=resume)
        messages.append(str(caught.value))
    assert messages == [f"in.jsonl:{2 * ROWS + 1}: expected no column 'label' yet, got one. Give --prefix pred_"] * 2


def test_a_model_that_was_never_saved_can_be_resumed_with_itself(interrupted, predictor):
    unsaved = Predictor(Classifier("tfidf", predictor.classifier.params, predictor.classifier.model))
    assert unsaved.classifier.fingerprint is None
    with pytest.raises(KeyboardInterrupt):
        predict_file("in.csv", "new.csv", unsaved, batch_rows=4, progress=stop_at(3))
    assert predict_file("in.csv", "new.csv", unsaved, batch_rows=4, resume=True).before == 8
