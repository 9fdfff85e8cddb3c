"""A graph beside a saved model: the same answers as torch, and never used when it is damaged or of other weights."""

import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from stance.cli import main
from stance.errors import ConfigError, ModelError
from stance.models import Classifier, _export, _onnx, _runtime, load, majority, transformer
from stance.models._folder import save
from stance.models._probes import probes
from stance.models._runtime import Check
from stance.models.transformer import Params, Transformer
from stance.schema import LABELS, Example, Query

Toy = Callable[..., list[Example]]


def queries(examples: list[Example]) -> list[Query]:
    return [example.query for example in examples]


@pytest.fixture(scope="module")
def exported(learned: tuple[Transformer, Params], toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble of two tiny networks with both exports."""
    model, params = learned
    folder = tmp_path_factory.mktemp("exported") / "model"
    save(Classifier("transformer", params, model, temperature=1.5), folder)
    for runtime in ("onnx", "onnx-int8"):
        _export.export(load(folder), folder, runtime, queries(toy(48, seed=5)), queries(toy(60, seed=6)), "toys")
    return folder


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(exported, tmp_path / "model")


def test_the_graph_answers_as_torch_at_any_number_and_length_of_texts(exported: Path, toy: Toy) -> None:
    wanted, found = load(exported), load(exported, "onnx")
    assert isinstance(found.model, _onnx.Compiled)
    for asked in (
        queries(toy(50, seed=7)),
        [Query("x")],
        [Query("")],
        [Query("guns " * 100), Query("they report")],
        [],
    ):
        np.testing.assert_allclose(found.predict_proba(asked), wanted.predict_proba(asked), atol=1e-5)


def test_in_whole_numbers_the_answers_are_close(exported: Path, toy: Toy) -> None:
    asked = queries(toy(90, seed=8))
    wanted, found = load(exported).predict_proba(asked), load(exported, "onnx-int8").predict_proba(asked)
    assert np.mean(wanted.argmax(axis=1) == found.argmax(axis=1)) > 0.95
    assert 0 < np.abs(wanted - found).max() < 0.2


@pytest.mark.parametrize("runtime", ["onnx", "onnx-int8"])
def test_an_exported_model_answers_alike_in_whatever_company(exported: Path, toy: Toy, runtime: Any) -> None:
    model = load(exported, runtime).model
    asked = [*queries(toy(20, seed=9)), Query("guns " * 40)]
    alone = np.concatenate([model.logits([query]) for query in asked])
    np.testing.assert_allclose(model.logits(asked), alone, atol=1e-5)


def test_an_exported_model_answers_alike_on_any_number_of_threads(
    exported: Path, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = load(exported, "onnx-int8").model, queries(toy(90, seed=9))
    monkeypatch.setattr(_onnx, "TOKENS_AT_ONCE", 64)
    answers = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        answers.append(model.logits(asked))
    np.testing.assert_array_equal(*answers)


def test_the_record_says_what_the_export_changes(exported: Path) -> None:
    record = _runtime.verify(exported, "onnx", load(exported).fingerprint or "")
    assert (record.check.source, record.check.texts, record.check.agreement) == ("toys", 60, 1.0)
    assert record.check.mean <= record.check.largest < 1e-4
    assert (record.products, record.in_float) == (24, 24)  # two members of two layers of six products
    assert set(record.files) == {"member-0.onnx", "member-1.onnx"}
    assert {path.name for path in (exported / "runtime").iterdir()} == {"onnx", "onnx-int8"}


def test_auto_takes_the_fastest_export_that_is_there(folder: Path) -> None:
    for runtime in ("onnx-int8", "onnx"):
        found = load(folder, "auto")
        assert found.fingerprint == load(folder, runtime).fingerprint
        shutil.rmtree(folder / "runtime" / runtime)
    assert isinstance(load(folder, "auto").model, Transformer)


def test_a_runtime_has_a_fingerprint_of_its_own(exported: Path) -> None:
    assert len({load(exported, runtime).fingerprint for runtime in ("torch", "onnx", "onnx-int8")}) == 3


def test_an_exported_model_explains_as_torch_does(exported: Path) -> None:
    query = Query("The army said: they will SURRENDER guns")
    wanted = load(exported).model.explain(query, LABELS.index("pro"))
    found = load(exported, "onnx").model.explain(query, LABELS.index("pro"))
    assert [(a.start, a.end) for a in found] == [(a.start, a.end) for a in wanted]
    np.testing.assert_allclose([a.weight for a in found], [a.weight for a in wanted], atol=1e-3)


def test_what_lies_beside_a_model_is_not_saved_with_it(folder: Path, tmp_path: Path) -> None:
    (folder / "README.md").write_bytes(b"not of the model")
    save(load(folder, "onnx"), tmp_path / "copy")
    names = {path.name for path in folder.iterdir() if path.is_file()} - {"README.md"}
    assert {path.name for path in (tmp_path / "copy").iterdir()} == names


def test_a_model_loaded_from_an_export_is_saved_as_the_model_that_it_is(exported: Path, tmp_path: Path) -> None:
    save(load(exported, "onnx"), tmp_path / "copy")
    assert load(tmp_path / "copy").fingerprint == load(exported).fingerprint


def test_an_export_is_loaded_without_torch(exported: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stance.models import load; from stance.schema import Query\n"
        f"print(load(Path({str(exported)!r}), 'auto').predict_proba([Query('they refuse')]).shape)\n"
        "print(sorted({'torch', 'transformers', 'onnx', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "(1, 3)\n[]\n")


def spoil_graph(folder: Path) -> None:
    path = folder / "runtime/onnx/member-1.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def lose_graph(folder: Path) -> None:
    (folder / "runtime/onnx/member-0.onnx").unlink()


def link_graph(folder: Path) -> None:
    path = folder / "runtime/onnx/member-0.onnx"
    path.rename(folder / "elsewhere.onnx")
    path.symlink_to(folder / "elsewhere.onnx")


def list_no_graph(folder: Path) -> None:
    change(folder, files={})


def add_a_file(folder: Path) -> None:
    (folder / "runtime/onnx/member-1.onnx.data").write_bytes(b"")


def name_a_file_outside(folder: Path) -> None:
    change(folder, files={"../../model.json": {"bytes": 1, "sha256": "0"}})


def change(folder: Path, **changes: Any) -> None:
    path = folder / "runtime/onnx/runtime.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    "spoil, where, expected, got",
    [
        (spoil_graph, "/member-1.onnx", "the size and SHA-256 in runtime.json", "others"),
        (lose_graph, "/member-0.onnx", "the size and SHA-256 in runtime.json", "others"),
        (link_graph, "/member-0.onnx", "the size and SHA-256 in runtime.json", "others"),
        (list_no_graph, "/member-0.onnx", "only files that runtime.json lists", "another"),
        (add_a_file, "/member-1.onnx.data", "only files that runtime.json lists", "another"),
        (name_a_file_outside, "/../../model.json", "the size and SHA-256 in runtime.json", "others"),
        (
            lambda f: change(f, model="0" * 64),
            "/runtime.json",
            "an export of the model beside it",
            "one of other weights",
        ),
        (
            lambda f: change(f, runtime="onnx-int8"),
            "/runtime.json",
            "an export of the model beside it",
            "one of other weights",
        ),
        (
            lambda f: change(f, format_version=2),
            "/runtime.json",
            "the record of an export",
            "another or a damaged file",
        ),
        (lambda f: change(f, more=1), "/runtime.json", "the record of an export", "another or a damaged file"),
        (lambda f: shutil.rmtree(f / "runtime/onnx"), "", "an exported model (runtime.json)", "none"),
    ],
)
def test_an_export_that_is_not_the_checked_one_is_refused(
    folder: Path, spoil: Callable[[Path], None], where: str, expected: str, got: str
) -> None:
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        load(folder, "onnx")
    todo = f"Export it again: stance export {folder} --runtime onnx"
    assert str(caught.value) == f"{folder}/runtime/onnx{where}: expected {expected}, got {got}. {todo}"


def test_auto_passes_over_a_damaged_export_and_says_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(folder / "runtime/onnx-int8")
    spoil_graph(folder)
    with caplog.at_level(logging.WARNING):
        assert isinstance(load(folder, "auto").model, Transformer)
    assert caplog.messages == [
        f"{folder}/runtime/onnx/member-1.onnx: expected the size and SHA-256 in runtime.json, got others. "
        f"Export it again: stance export {folder} --runtime onnx Until then it is passed over."
    ]


def unknown_operator(graph: Any) -> None:
    graph.graph.node[0].op_type, graph.graph.node[0].domain = "Unheard", "com.microsoft"
    graph.opset_import.add(domain="com.microsoft", version=1)


def foreign_opset(graph: Any) -> None:
    graph.opset_import[0].version = 99


def foreign_version(graph: Any) -> None:
    graph.ir_version = 99


def nothing(graph: Any) -> None:
    graph.Clear()


def rewrite(folder: Path, runtime: str, spoil: Callable[[Any], None]) -> Path:
    """Change a graph and list it as it is then: as made by another version of the programs."""
    path = folder / "runtime" / runtime / "member-1.onnx"
    graph = onnx.load(path)
    spoil(graph)
    onnx.save(graph, path)
    record = path.with_name("runtime.json")
    listed = json.loads(record.read_text(encoding="utf-8"))
    listed["files"][path.name] = _runtime.describe(path).model_dump()
    record.write_text(json.dumps(listed), encoding="utf-8")
    return path


@pytest.mark.parametrize("spoil", [unknown_operator, foreign_opset, foreign_version, nothing])
def test_a_graph_that_onnx_runtime_cannot_read_is_refused_by_name_and_passed_over_by_auto(
    folder: Path, spoil: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(folder / "runtime/onnx-int8")
    path = rewrite(folder, "onnx", spoil)
    with pytest.raises(ModelError) as caught:
        load(folder, "onnx")
    message = str(caught.value)
    assert message.startswith(f"{path}: expected a graph that ONNX Runtime reads, got [ONNXRuntimeError] : ")
    assert message.endswith(" Export it again with this version of ONNX Runtime: stance export --replace")
    assert "\n" not in message
    found = load(folder, "auto")
    assert isinstance(found.model, Transformer)
    assert found.fingerprint == load(folder).fingerprint
    assert caplog.messages == [f"{message} Until then it is passed over."]


def test_auto_takes_the_next_export_where_the_fastest_cannot_be_read(folder: Path) -> None:
    rewrite(folder, "onnx-int8", foreign_version)
    assert load(folder, "auto").fingerprint == load(folder, "onnx").fingerprint


def test_an_export_of_a_model_that_was_trained_again_is_stale(
    folder: Path, learned: tuple[Transformer, Params], tmp_path: Path
) -> None:
    model, params = learned
    save(Classifier("transformer", params, model, temperature=1.6), tmp_path / "again")
    shutil.copytree(folder / "runtime", tmp_path / "again/runtime")
    with pytest.raises(ModelError, match="expected an export of the model beside it, got one of other weights"):
        load(tmp_path / "again", "onnx")


def test_a_kind_of_model_that_is_not_exported_knows_no_runtime(labelled: list[Example], tmp_path: Path) -> None:
    params = majority.Params()
    save(Classifier("majority", params, majority.fit(labelled, [], params, 0)), tmp_path / "model")
    assert load(tmp_path / "model", "auto").kind == load(tmp_path / "model", "torch").kind == "majority"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "model", "onnx")
    assert str(caught.value) == (
        f"--runtime onnx: expected a model of kind transformer, got {tmp_path}/model. Leave --runtime out."
    )


def test_an_export_too_far_from_torch_is_refused_and_leaves_nothing(
    exported: Path, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(exported, tmp_path / "model", ignore=shutil.ignore_patterns("runtime"))
    monkeypatch.setitem(_export.TOLERANCE, "onnx", _export.Tolerance(1.0, 0.0, 0.0))
    with pytest.raises(ModelError) as caught:
        _export.export(load(folder), folder, "onnx", queries(toy(6)), queries(toy(30)), "toys")
    start = (
        f"{folder}/runtime/onnx: expected labels alike in 100.0%, probabilities at most 0.0 apart, got 100.0% and 0.000"
    )
    assert str(caught.value) == f"{start} on 30 texts of toys. Use another runtime; nothing was written."
    assert list((folder / "runtime").iterdir()) == []


def test_an_export_that_loses_macro_f1_is_refused(
    exported: Path, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(exported, tmp_path / "model", ignore=shutil.ignore_patterns("runtime"))
    monkeypatch.setattr(
        _export, "_compare", lambda *_: Check(source="toys", texts=9, agreement=1, largest=0, mean=0, f1=-0.006)
    )
    asked = queries(toy(9))
    with pytest.raises(ModelError) as caught:
        _export.export(load(folder), folder, "onnx", asked, asked, "toys", np.zeros(9, dtype=np.int64))
    assert str(caught.value) == (
        f"{folder}/runtime/onnx: expected labels alike in 99.9%, probabilities at most 0.001 apart, macro-F1 0.005, "
        "got 100.0% and 0.000, macro-F1 -0.0060 on 9 texts of toys. Use another runtime; nothing was written."
    )


def test_the_check_tells_what_macro_f1_gains_where_the_labels_are_known() -> None:
    before, after = np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 1, 2, 1]]
    check = _export._compare(before, after, "toys", np.array([0, 1, 2, 1]))
    assert (check.agreement, check.largest) == (0.75, 1.0)
    assert check.f1 == pytest.approx(1 - (2 / 3 + 2 / 3 + 1) / 3)
    assert _export._compare(before, after, "toys", None).f1 is None


def test_products_go_back_to_float_until_the_answers_are_close(
    exported: Path, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(exported, tmp_path / "model", ignore=shutil.ignore_patterns("runtime"))
    asked = [0.9, 0.96, 0.99]
    monkeypatch.setattr(
        _export, "_compare", lambda *_: Check(source="", texts=1, agreement=asked.pop(0), largest=0, mean=0)
    )
    record = _export.export(load(folder), folder, "onnx-int8", queries(toy(24)), queries(toy(9)), "toys")
    assert (record.check.agreement, record.products, record.in_float) == (0.99, 24, 8)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["mpnet", "deberta-v2"])
def test_other_architectures_are_exported(
    architecture: str, encoders: dict[str, Path], toy: Toy, tmp_path: Path
) -> None:
    params = Params(encoder=str(encoders[architecture]), max_tokens=32, epochs=1, pooling="cls")
    model = transformer.fit(toy(24, targets=2), [], params, seed=0)
    save(Classifier("transformer", params, model), tmp_path / "model")
    asked = queries(toy(20, seed=2, targets=2))
    record = _export.export(load(tmp_path / "model"), tmp_path / "model", "onnx", asked, asked, "toys")
    assert record.check.largest < 1e-4


@pytest.mark.parametrize("value, threads", [("3", 3), ("1", 1)])
def test_threads_are_those_that_the_user_allows(value: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert _onnx.threads() == threads


@pytest.mark.parametrize("value", ["", "0", "many", "2,1"])
def test_threads_are_the_processors_where_nothing_sensible_is_said(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert _onnx.threads() == len(os.sched_getaffinity(0))


def test_made_up_statements_are_many_and_differ() -> None:
    found = probes("peace")
    assert len({query.text for query in found}) == len(found) == 192
    assert {query.target for query in found} == {"peace"}


def stance(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_exports_once_and_the_other_commands_take_it(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "model", ignore=shutil.ignore_patterns("runtime"))
    code, told, said = stance("export", folder, "--runtime", "onnx")
    assert code == 0
    assert re.fullmatch(
        r"onnx: 100.0% of the labels as by torch, probabilities apart by 0.0000 on average and 0.0000 at most "
        r"\(96 texts, made-up statements\)\n",
        told,
    )
    assert said.endswith(f"Wrote {folder}/runtime/onnx\n")
    assert stance("export", folder, "--runtime", "onnx") == (0, told, f"Already up to date: {folder}/runtime/onnx\n")
    scores = [stance("score", "they refuse", "--model", folder, *more)[1] for more in ((), ("--runtime", "torch"))]
    assert scores[0] == scores[1] != ""


def test_the_command_names_what_it_cannot_export(labelled: list[Example], tmp_path: Path) -> None:
    params = majority.Params()
    save(Classifier("majority", params, majority.fit(labelled, [], params, 0)), tmp_path / "model")
    assert stance("export", tmp_path / "model") == (
        1,
        "",
        f"Error: {tmp_path}/model: expected a model of kind transformer, got majority. There is nothing to export: "
        "other models are fast as they are.\n",
    )
    assert stance("score", "x", "--model", tmp_path / "model", "--runtime", "onnx")[2] == (
        f"Error: --runtime onnx: expected a model of kind transformer, got {tmp_path}/model. Leave --runtime out.\n"
    )
