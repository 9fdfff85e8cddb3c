"""The commands as a user types them: what they print where, and how they end."""

import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run as subprocess_run
from typing import Any

import mlflow
import pyarrow as pa
import pytest
from click import Command
from click.testing import CliRunner
from pyarrow import parquet

from stance.cli import main

Run = Callable[..., Any]
COMMANDS = sorted(main.commands)
INTERRUPTED = """
import os, signal
from stance.cli import main
from stance.inference import files, runs

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job is started without
runs.SAVE_SECONDS = 0
files.predict_file.__kwdefaults__["batch_rows"] = 2
calls = []
runs.Hooks.tell = lambda *told: calls.append(told) or len(calls) < 3 or os.kill(os.getpid(), signal.SIGINT)
main()
"""
"""The command line in small batches, interrupted from the keyboard after the third."""


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_text_ends_in_an_example_whose_options_exist(name: str) -> None:
    command: Command = main.commands[name]
    text = CliRunner().invoke(main, [name, "--help"]).output
    example = text.rstrip().splitlines()[-1].strip()
    assert example.startswith(f"stance {name}")
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<!\w)--[a-z-]+", example)) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_a_help_text(name: str) -> None:
    options = [p for p in main.commands[name].params if p.param_type_name == "option"]
    assert [option.name for option in options if not getattr(option, "help", None)] == []


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from stance.cli import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        "heavy = {'torch', 'transformers', 'sklearn', 'mlflow', 'datasets', 'numpy', 'pandas'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess_run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_wrong_option_is_a_usage_error(run: Run) -> None:
    done = run("score", "text", "--colour")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option" in done.stderr


def test_build_says_that_nothing_changed_when_nothing_changed(run: Run) -> None:
    done = run("build", "tiny.yaml")
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == ("Already up to date: data/build/tiny (card: data/build/tiny/README.md)")


def test_build_refuses_to_overwrite_other_data(run: Run) -> None:
    done = run("build", "tiny.yaml", "--set", "splits.seed=5")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: data/build/tiny: expected a folder that does not exist, got other data. "
        "Give --replace or another --out.\n"
    )


def test_train_refuses_to_overwrite_a_model_before_any_slow_work(run: Run) -> None:
    done = run("train", "tfidf.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: experiments/models/tfidf: expected a folder that does not exist, got one that does. "
        "Give --replace or another --out.\n"
    )


def test_train_names_the_nearest_key_for_an_unknown_one(run: Run) -> None:
    done = run("train", "tfidf.yaml", "--set", "model.params.class_weigth=null")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: tfidf.yaml: model.params: class_weigth: expected one of C, char_ngrams, class_weight, lowercase, "
        "min_df, soft_labels, sublinear_tf, target_features, word_ngrams, got an unknown key. Remove it. "
        "Did you mean 'class_weight'?\n"
    )


def test_training_twice_gives_the_same_bytes(run: Run, project: Path, tmp_path: Path) -> None:
    done = run("train", "tfidf.yaml", "--out", str(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    first = project / "experiments/models/tfidf"
    for name in ("weights.safetensors", "vocabulary.json"):
        assert (first / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_model_learns_from_the_file_that_predict_wrote_with_its_teacher(
    run: Run, project: Path, tmp_path: Path
) -> None:
    said, out = str(tmp_path / "said.parquet"), tmp_path / "student"
    done = run("predict", "data/build/tiny/train.parquet", "--output", said, "--prefix", "teacher_")
    assert done.returncode == 0, done.stderr
    taught = ["--set", "model.params.soft_labels=true", "--set", f"data.teacher={said}", "--set", "experiment=aside"]
    done = run("train", "tfidf.yaml", *taught, "--out", str(out))
    assert done.returncode == 0, done.stderr
    origin = json.loads((out / "model.json").read_text())["origin"]
    sha256 = hashlib.sha256(Path(said).read_bytes()).hexdigest()
    assert origin["teacher_sha256"] == sha256
    uri = f"sqlite:///{project}/experiments/mlflow.db"
    (logged,) = mlflow.MlflowClient(uri, uri).search_runs(
        [one.experiment_id for one in mlflow.MlflowClient(uri, uri).search_experiments()],
        f"params.`data.teacher_sha256` = '{sha256}'",
    )
    assert logged.data.params["data.teacher"] == said
    alone = Path("experiments/models/tfidf/weights.safetensors")
    assert (out / "weights.safetensors").read_bytes() != (project / alone).read_bytes()


def test_what_a_teacher_says_of_the_test_split_is_refused_where_that_is_held_out(run: Run, tmp_path: Path) -> None:
    said, out = str(tmp_path / "said.parquet"), str(tmp_path / "student")
    both = ("data/build/tiny/train.parquet", "data/build/tiny/test.parquet")
    parts = tmp_path / "parts"
    done = run("predict", *both, "--output", str(parts), "--prefix", "teacher_")
    assert done.returncode == 0, done.stderr
    parquet.write_table(pa.concat_tables(parquet.read_table(part) for part in sorted(parts.glob("*.parquet"))), said)
    taught = ["--set", "model.params.soft_labels=true", "--set", f"data.teacher={said}", "--set", "experiment=aside"]
    done = run("train", "tfidf.yaml", *taught, "--out", out)
    assert (done.returncode, done.stdout, Path(out).exists()) == (1, "", False)
    assert f"Error: {said}: expected answers on training examples alone, got " in done.stderr
    done = run("train", "tfidf.yaml", *taught, *MORE, "--out", out)
    assert done.returncode == 0, done.stderr


def test_a_teacher_without_soft_labels_is_refused(run: Run) -> None:
    done = run("train", "tfidf.yaml", "--set", "data.teacher=said.csv", "--replace")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: tfidf.yaml: data.teacher: expected a model that learns from soft labels, got model.params.soft_labels "
        "off. Set model.params.soft_labels to true, or take data.teacher out.\n"
    )
    done = run("train", "majority.yaml", "--set", "data.teacher=said.csv", "--replace")
    assert done.stderr.startswith(
        "Error: majority.yaml: data.teacher: expected a model that learns from soft labels, got model.kind majority."
    )


def test_an_ensemble_of_models_trained_on_the_same_data_is_trained_and_one_of_others_refused(
    run: Run, project: Path, tmp_path: Path
) -> None:
    parts = ["experiments/models/tfidf", "experiments/models/majority"]
    tree = "name: both\nexperiment: aside\ndata:\n  path: data/build/tiny\nmodel:\n  kind: ensemble\n  params:\n"
    tree += f"    models: {parts}\n"
    (tmp_path / "both.yaml").write_text(tree)
    done = run("train", str(tmp_path / "both.yaml"), "--out", str(tmp_path / "both"))
    assert done.returncode == 0, done.stderr
    assert run("build", "tiny.yaml", "--set", "name=other", "--set", "splits.seed=1").returncode == 0
    changed = ["--set", "data.path=data/build/other"]
    done = run("train", str(tmp_path / "both.yaml"), *changed, "--out", str(tmp_path / "others"))
    assert done.returncode == 1
    assert done.stderr == (
        "Error: model.params: saved model 1: expected a model trained on data/build/other, got tfidf trained on tiny, "
        "other or changed data. Train it again.\n"
    )


def test_score_prints_a_line_a_text_in_order(run: Run) -> None:
    done = run("score", "We will never give up our rifles", " ", "Arms belong to the state alone")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "label    p_anti  p_neutral  p_pro  text"
    assert [line.split()[0] for line in lines[1:]] == ["anti", "-", "pro"]
    assert lines[2].endswith("' ' (no text to score)")


def test_score_explains_by_words_of_the_text(run: Run) -> None:
    done = run("score", "We will never give up our “rifles”", "--explain", "--json")
    row = json.loads(done.stdout)
    assert row["label"] == "anti"
    assert row["normalised"] == 'We will never give up our "rifles"'
    assert all(row["normalised"][word["start"] : word["end"]] == word["word"] for word in row["words"])
    best = max(row["words"], key=lambda word: word["weight"])
    assert best["word"] in {"never", "our", "up", "give", "We"}


def test_a_model_comes_from_the_environment(run: Run) -> None:
    done = run("score", "anything", STANCE_MODEL="nowhere")
    assert done.stderr == (
        "Error: nowhere: expected a model folder, got no such folder. Train one: stance train configs/tfidf.yaml\n"
    )


def test_predict_writes_every_column_and_says_what_it_did(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "quotes.csv"
    source.write_text("id,quote\n1,We refuse to disarm\n2,\n", encoding="utf-8")
    done = run("predict", str(source), "--output", str(tmp_path / "out.csv"), "--text-column", "quote")
    assert done.returncode == 0, done.stderr
    header, first, second = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert header == "id,quote,label,p_anti,p_neutral,p_pro,language"
    assert first.startswith("1,We refuse to disarm,anti,")
    assert second == "2,,,,,,"
    assert re.fullmatch(
        r"2 rows: 1 anti, 0 neutral, 0 pro; 1 not scored \(\w+\); [\d,]+ rows a second\. Wrote .*out\.csv\n",
        done.stderr,
    )


def test_predict_writes_a_folder_of_parts_and_counts_what_it_met(run: Run, tmp_path: Path) -> None:
    german = "Die Miliz wird ihre Waffen nicht abgeben, solange die Regierung ihre Gefangenen nicht freilasse. " * 2
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f'text\nWe refuse to disarm\n"{german}"\n', encoding="utf-8")
    out = tmp_path / "out"
    files = (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    done = run("predict", *files, "--output", str(out), "--min-confidence", "1", "--part-rows", "9")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"4 rows: 0 anti, 0 neutral, 0 pro, 4 abstain; 2 not in English \(de 2\); 2 repeat a text; "
        r"[\d,]+ rows a second\. Wrote .*out \(2 parts\)\n",
        done.stderr,
    )
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "part-00000.csv", "part-00001.csv"]
    row = (out / "part-00000.csv").read_text(encoding="utf-8").splitlines()[1]
    assert row.startswith("We refuse to disarm,abstain,")


def test_predict_leaves_the_language_out_on_request(run: Run) -> None:
    done = run("predict", "-", "--output", "-", "--language", "any", stdin='{"text": "We refuse to disarm"}\n')
    assert list(json.loads(done.stdout)) == ["text", "label", "p_anti", "p_neutral", "p_pro"]


def test_predict_says_how_to_go_on_after_an_interruption_and_does(project: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\n" + "".join(f"We refuse to disarm {number}\n" for number in range(8)), encoding="utf-8")
    command = [sys.executable, "-c", INTERRUPTED, "predict", str(source), "--output", str(output), "--resume"]
    first = subprocess_run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stdout) == (1, "")
    assert first.stderr == "Interrupted: give the same command with --resume to go on.\n\nAborted!\n"
    second = subprocess_run(command, cwd=project, capture_output=True, text=True, check=False)
    assert re.match(r"8 rows, 4 of them before: 8 anti", second.stderr), second.stderr


def test_predict_streams_json_lines(run: Run) -> None:
    done = run(
        "predict",
        "-",
        "--output",
        "-",
        stdin='{"text": "We refuse to disarm"}\n{"text": "Arms belong to the state alone"}\n',
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["anti", "pro"]


def test_a_reader_who_leaves_early_gets_no_traceback(project: Path) -> None:
    many = '{"text": "We refuse to disarm"}\n' * 20_000
    command = f"{sys.executable} -m stance predict - --output - | head -1"
    done = subprocess_run(["bash", "-c", command], cwd=project, input=many, capture_output=True, text=True, check=False)
    assert done.stdout.startswith('{"text": "We refuse to disarm"')
    assert "Traceback" not in done.stderr


def test_evaluate_prints_scores_with_intervals_and_the_majority(run: Run) -> None:
    done = run("evaluate", "experiments/models/tfidf")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^macro_f1 +\d\.\d{3} \[\d\.\d\d, \d\.\d\d\]", done.stdout, re.MULTILINE)
    assert "test_unseen by theatre" in done.stdout


def test_evaluate_prints_json(run: Run) -> None:
    done = run("evaluate", "experiments/models/tfidf", "--split", "test_unseen", "--json")
    evaluations = json.loads(done.stdout)
    assert list(evaluations) == ["test_unseen"]
    assert evaluations["test_unseen"]["n"] == 9


def test_evaluate_shows_what_is_decided_at_a_confidence(run: Run) -> None:
    command = ("evaluate", "experiments/models/majority", "--split", "test", "--min-confidence")
    lines = run(*command, "0.3").stdout.splitlines()
    assert lines[-3] == "statements of a confidence of 0.3 or more"
    assert re.match(r"test +(\d+) +1\.000 +0\.\d{3}", lines[-1])
    nothing = json.loads(run(*command, "0.9", "--json").stdout)["test"]["decided"]
    assert (nothing["n"], nothing["coverage"], nothing["accuracy"]["value"]) == (0, 0.0, None)


def test_evaluate_names_the_splits_there_are(run: Run) -> None:
    done = run("evaluate", "experiments/models/tfidf", "--split", "tests")
    assert done.stderr == (
        "Error: data/build/tiny: expected a split among train, validation, test, test_unseen, got 'tests'. "
        "Change it. Did you mean 'test'?\n"
    )


def test_evaluate_warns_about_data_that_the_model_was_not_trained_on(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "other"
    assert run("build", "tiny.yaml", "--set", "splits.seed=3", "--out", str(other)).returncode == 0
    run("evaluate", "experiments/models/tfidf", "--split", "test", "--dataset", str(other))
    assert caplog.messages == [
        f"{other} is not the data that the model was trained on: it may have seen these statements"
    ]


MORE = ["data.extra_train_splits=[test]", "evaluate=[validation, test_unseen]", "experiment=aside"]
MORE = [part for setting in MORE for part in ("--set", setting)]


def test_a_model_for_use_learns_from_more_splits_and_is_not_judged_on_these(
    run: Run, project: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "release")
    done = run("train", "tfidf.yaml", *MORE, "--out", out)
    assert done.returncode == 0, done.stderr
    alone = json.loads((project / "experiments/models/tfidf/model.json").read_text())
    both = json.loads((tmp_path / "release" / "model.json").read_text())
    counts = [sum(manifest["origin"]["train_labels"].values()) for manifest in (alone, both)]
    n_test = json.loads(run("evaluate", "experiments/models/tfidf", "--split", "test", "--json").stdout)["test"]["n"]
    assert counts[1] == counts[0] + n_test
    assert "extra_train_splits" not in alone["origin"]["config"]["data"]
    for options in ([], ["--split", "test"]):
        done = run("evaluate", out, *options)
        assert (done.returncode, done.stderr) == (
            1,
            "Error: --split: expected splits that the model has not learnt from, got test, which it has learnt from "
            "(data.extra_train_splits). Take --split validation or --data FILE, or train it without.\n",
        )
    done = run("evaluate", out, "--split", "test_unseen", "--json")
    assert list(json.loads(done.stdout)) == ["test_unseen"]


def test_a_split_to_learn_from_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    done = run("train", "tfidf.yaml", "--set", "data.extra_train_splits=[tests]", "--out", str(tmp_path / "no"))
    assert done.stderr == (
        "Error: data/build/tiny: expected a split among train, validation, test, test_unseen, got 'tests'. "
        "Change it. Did you mean 'test'?\n"
    )
    assert not (tmp_path / "no").exists()


def test_a_model_made_of_one_that_has_learnt_from_a_test_split_is_refused(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "release"
    assert run("train", "tfidf.yaml", *MORE, "--out", str(out)).returncode == 0
    vote = tmp_path / "vote.yaml"
    vote.write_text(
        "name: vote\nexperiment: aside\ndata: {path: data/build/tiny}\nmodel: {kind: ensemble, params: {models: "
        f"[experiments/models/tfidf, {out}]}}}}\n"
    )
    done = run("train", str(vote), "--out", str(tmp_path / "vote"))
    assert done.stderr == (
        "Error: model.params: saved model 2: expected a model that has learnt from the same splits, got tfidf, which "
        "has learnt from test as well. Take another, or name these in data.extra_train_splits and leave them out of "
        "evaluate.\n"
    )
    done = run("train", str(vote), *MORE, "--out", str(tmp_path / "vote"))
    assert done.returncode == 0, done.stderr


def test_evaluate_reads_a_labelled_table_and_the_projects_own_format(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "gold.tsv"
    table.write_text(
        "quote\tstance\nWe refuse to disarm\tanti\nArms belong to the state alone\tpro\n", encoding="utf-8"
    )
    columns = ("--text-column", "quote", "--label-column", "stance")
    done = run("evaluate", "experiments/models/tfidf", "--data", str(table), *columns, "--json")
    assert json.loads(done.stdout)["gold.tsv"]["metrics"]["accuracy"]["value"] == 1.0
    done = run("evaluate", "experiments/models/tfidf", "--data", "tiny.jsonl", "--json")
    assert json.loads(done.stdout)["tiny.jsonl"]["n"] == 90


def test_evaluate_refuses_a_file_beside_a_split(run: Run) -> None:
    done = run("evaluate", "experiments/models/tfidf", "--data", "tiny.jsonl", "--split", "test")
    assert done.stderr == "Error: --data: expected no --split and no --dataset beside it, got both. Give one of them.\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--behaviour", "--plots", "p"], "--behaviour: expected no --plots beside it, got both. Give one of them."),
        (["--behaviour", "--split", "test"], "--behaviour: expected no --split beside it, got both. Give one of them."),
        (["--suite", "s"], "--suite: expected --behaviour beside it, got none. Add --behaviour."),
        (["--label-column", "l"], "--label-column: expected --data beside it, got none. Add --data FILE."),
    ],
)
def test_evaluate_refuses_an_option_that_would_have_no_effect(run: Run, options: list[str], error: str) -> None:
    done = run("evaluate", "experiments/models/majority", *options)
    assert (done.returncode, done.stderr) == (1, f"Error: {error}\n")


def test_evaluate_writes_plots(run: Run, tmp_path: Path) -> None:
    done = run("evaluate", "experiments/models/tfidf", "--split", "test", "--plots", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "test").iterdir()} == {
        "confusion.png",
        "reliability.png",
        "risk_coverage.png",
        "by_theatre.png",
        "by_actor_type.png",
    }


def test_evaluate_runs_the_behaviour_suite(run: Run) -> None:
    suite = Path(__file__).parent.parent / "behaviour"
    done = run("evaluate", "experiments/models/majority", "--behaviour", "--suite", str(suite), "--json")
    rates = {outcome["capability"]: outcome["rate"] for outcome in json.loads(done.stdout)}
    assert rates["direction on minimal pairs"] == 1.0
    assert rates["invariance to the speaker"] == 0.0
    done = run("evaluate", "experiments/models/majority", "--behaviour", "--suite", str(suite))
    assert re.search(r"^all +136 +\d+ +\d+%$", done.stdout, re.MULTILINE)


def test_score_explains_in_text_with_the_strongest_words_first(run: Run) -> None:
    done = run("score", "We will never give up our rifles", "--explain")
    lines = done.stdout.splitlines()
    assert lines[1].startswith("anti ")
    weights = [abs(float(line.split()[0])) for line in lines[2:]]
    assert 1 < len(weights) <= 8
    assert weights == sorted(weights, reverse=True)


def test_an_argument_that_is_no_utf_8_is_not_scored_and_stops_nothing(run: Run) -> None:
    done = run("score", "We refuse \udcff", "We refuse to disarm", "--json")
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == [None, "anti"]
