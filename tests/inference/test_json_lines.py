"""JSON lines in files and on a stream: the bytes of a line stay, the new keys follow."""

import io
import json
import os
import select
import sys
import threading
from contextlib import ExitStack
from functools import partial

import pytest

from stance.errors import DataError
from stance.inference import jsonlines, predict_file

ANTI = "We will never hand over our guns."
PRO = "They must lay down their weapons."
NULLS = '"label": null, "p_anti": null, "p_neutral": null, "p_pro": null'


@pytest.fixture
def scored(rewritten):
    """A function of the bytes of a file: the bytes of the scored file and the summary."""
    return partial(rewritten, ".jsonl")


@pytest.fixture
def refused(tmp_path, predictor, monkeypatch):
    """A function of the bytes of a file that cannot be scored: the message."""
    monkeypatch.chdir(tmp_path)

    def run(lines, **options):
        (tmp_path / "in.jsonl").write_bytes(lines)
        with pytest.raises(DataError) as caught:
            predict_file("in.jsonl", "out.jsonl", predictor, **options)
        assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
        return str(caught.value)

    return run


def test_an_object_gets_four_members_behind_its_own(scored, members):
    lines = f'{{"id":  1.50, "text": "{ANTI}","x":{{"y":[1e400,{"9" * 5000}]}} }}\n{{"text":"{PRO}"}}\n'
    output, summary = scored(lines.encode())
    assert output.decode() == (
        f'{{"id":  1.50, "text": "{ANTI}","x":{{"y":[1e400,{"9" * 5000}]}} , {members(ANTI)}}}\n'
        f'{{"text":"{PRO}", {members(PRO)}}}\n'
    )
    assert (summary.rows, summary.scored, summary.missing, summary.cut) == (2, 2, {}, 0)
    assert summary.labels == {"anti": 1, "neutral": 0, "pro": 1}


def test_the_probabilities_are_numbers(scored, predictor):
    output, _ = scored(json.dumps({"text": ANTI}).encode(), ".ndjson")
    (prediction,) = predictor.predict([ANTI])
    record = json.loads(output)
    assert [record["p_anti"], record["p_neutral"], record["p_pro"]] == [round(p, 6) for p in prediction.probabilities]


def test_white_space_line_endings_and_a_byte_order_mark_stay(scored, members):
    lines = f'\ufeff {{"text":"{ANTI}"}} \t\r\n\r\n  \n{{"text":"{PRO}"}}'
    output, summary = scored(lines.encode())
    assert output.decode() == (
        f'\ufeff {{"text":"{ANTI}", {members(ANTI)}}} \t\r\n\r\n  \n{{"text":"{PRO}", {members(PRO)}}}'
    )
    assert summary.rows == 2


def test_rows_that_cannot_be_scored_stay_and_are_counted_by_reason(scored, members):
    kept = [b'{"text": null}', b"{}", b'{"text": " "}', b'{"text": "\\u0000"}', b'{"text": "\\ud83d"}']
    kept += [b'{"text": "caf\xe9"}', b'{"text": 7}', b'{"text": ["a"]}']
    output, summary = scored(b"\n".join([*kept, b'{"text": "' + ANTI.encode() + b'", "x": "\xff"}']))
    expected = [line[:-1] + (b", " if len(line) > 2 else b"") + NULLS.encode() + b"}" for line in kept]
    answered = b'{"text": "' + ANTI.encode() + b'", "x": "\xff", ' + members(ANTI).encode() + b"}"
    assert output == b"\n".join([*expected, answered])
    assert summary.missing == {
        "missing": 2,
        "blank": 1,
        "NUL byte": 1,
        "invalid UTF-8": 2,
        "not a string": 2,
    }
    assert (summary.rows, summary.scored) == (9, 1)


@pytest.mark.parametrize(
    "line, quoted",
    [
        (b'{"text": "a"', r'"{\"text\": \"a\""'),
        (b'["text"]', r'"[\"text\"]"'),
        (b"null", '"null"'),
        (b"  caf\xc3\xa9 \\", r'"  café \\"'),
        (b"caf\xe9", r'"caf\udce9"'),
        (b'{"text": "a"} {"text": "b"}', r'"{\"text\": \"a\"} {\"text\": \"b\"}"'),
        (b"[" * 100_000, f'"{"[" * 100_000}"'),
    ],
)
def test_a_line_that_is_no_object_is_kept_in_quotes(scored, line, quoted):
    output, summary = scored(line + b"\r\n")
    assert output.decode() == f'{{"_invalid": {quoted}, {NULLS}}}\r\n'
    assert (summary.rows, summary.missing) == (1, {"not a JSON object": 1})
    assert json.loads(output)["_invalid"].encode("utf-8", "surrogateescape") == line


def test_lines_longer_than_a_chunk_are_put_together(scored, members):
    text = "We will never hand over our guns, " * 70_000
    lines = f'{{"text": "{ANTI}"}}\n{{"text": "{text}"}}\n{{"text": "{PRO}"}}\n'
    output, summary = scored(lines.encode())
    assert output.decode() == (
        f'{{"text": "{ANTI}", {members(ANTI)}}}\n{{"text": "{text}", {members(text)}}}\n'
        f'{{"text": "{PRO}", {members(PRO)}}}\n'
    )
    assert (summary.rows, summary.cut) == (3, 1)


def test_small_batches_give_the_same_lines_and_report_each(scored):
    lines = "".join(json.dumps({"text": f"{ANTI} {number}"}) + "\n" for number in range(10)).encode()
    whole, _ = scored(lines)
    seen = []
    assert scored(lines, batch_rows=4, progress=seen.append)[0] == whole
    assert seen == [4, 4, 2]


def test_the_prefix_goes_in_front_of_the_new_keys(scored, members):
    output, _ = scored(f'{{"label": 1, "text": "{ANTI}"}}'.encode(), prefix='"ü')
    answer = members(ANTI).replace('"label', '"\\"\\u00fclabel').replace('"p_', '"\\"\\u00fcp_')
    assert output.decode() == f'{{"label": 1, "text": "{ANTI}", {answer}}}'


def test_a_new_key_that_is_there_is_refused(refused):
    lines = b'{"text": "a"}\n\n{"text": "b", "label": "pro"}\n'
    expected = "in.jsonl:3: expected no column 'label' yet, got one. Give --prefix pred_"
    assert refused(lines) == refused(lines, batch_rows=1) == expected


def test_a_file_without_the_column_is_refused(refused):
    assert refused(b'[]\n{"id": 1, "Text": "a"}\n') == (
        "in.jsonl: expected a column 'text', got the columns 'id', 'Text'. "
        "Name one with --text-column. Did you mean 'Text'?"
    )


def test_an_empty_file_is_refused(refused):
    assert refused(b"") == "in.jsonl: expected a table or lines of text, got an empty file. Check what wrote it."


def test_a_line_without_end_is_refused(refused, monkeypatch):
    monkeypatch.setattr(jsonlines, "MAX_LINE", 1000)
    assert refused(b"a" * 1001) == (
        "in.jsonl: expected a line break, got 1,000 bytes without. Is it a text file? Break its lines."
    )


def test_a_file_may_be_longer_than_its_longest_line(scored, monkeypatch):
    lines = b'{"text": "a", "n": "a line that is cut between two chunks"}\n' * 50
    whole, _ = scored(lines)
    monkeypatch.setattr(jsonlines, "_CHUNK_BYTES", 70)
    monkeypatch.setattr(jsonlines, "MAX_LINE", 200)
    assert scored(lines)[0] == whole


@pytest.fixture
def streams(monkeypatch):
    """A function that puts pipes in the place of standard input and output: what to write to and to read from.

    A function, because pytest puts its own streams in place once more between the fixtures and the test.
    """
    with ExitStack() as stack:

        def connect():
            (read_in, write_in), (read_out, write_out) = os.pipe(), os.pipe()
            monkeypatch.setattr(sys, "stdin", stack.enter_context(open(read_in)))
            monkeypatch.setattr(sys, "stdout", stack.enter_context(open(write_out, "w")))
            sender = stack.enter_context(open(write_in, "wb", buffering=0))
            return sender, stack.enter_context(open(read_out, "rb", buffering=0))

        yield connect


def test_a_line_on_a_stream_is_answered_before_the_next_is_sent(streams, predictor, members):
    sender, receiver = streams()
    summaries = []
    run = threading.Thread(target=lambda: summaries.append(predict_file("-", "-", predictor)), daemon=True)
    run.start()
    for line, answer in [
        ('{"id": 2}', f'{{"id": 2, {NULLS}}}'),
        (f'{{"text": "{ANTI}"}}', f'{{"text": "{ANTI}", {members(ANTI)}}}'),
        ("what?", f'{{"_invalid": "what?", {NULLS}}}'),
    ]:
        sender.write(line.encode() + b'\n{"te')
        # The limit is for a code that never answers: it fails, and does not hang.
        assert select.select([receiver], [], [], 10)[0]
        assert receiver.read(65536).decode() == answer + "\n"
        sender.write(b'xt": null}\n')
        assert select.select([receiver], [], [], 10)[0]
        assert receiver.read(65536).decode() == f'{{"text": null, {NULLS}}}\n'
    sender.close()
    run.join(10)
    sys.stdout.close()
    (summary,) = summaries
    assert (summary.rows, summary.scored, summary.missing) == (6, 1, {"missing": 4, "not a JSON object": 1})


def test_a_stream_may_be_empty(predictor, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert predict_file("-", tmp_path / "out.jsonl", predictor).rows == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_a_file_can_go_to_a_stream_and_a_stream_to_a_file(predictor, monkeypatch, tmp_path, members):
    line, answer = f'{{"text": "{ANTI}"}}\n'.encode(), f'{{"text": "{ANTI}", {members(ANTI)}}}\n'.encode()
    (tmp_path / "in.jsonl").write_bytes(line)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))
    predict_file(tmp_path / "in.jsonl", "-", predictor)
    assert written.getvalue() == answer
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
    predict_file("-", tmp_path / "out.jsonl", predictor)
    assert (tmp_path / "out.jsonl").read_bytes() == answer


def test_messages_about_a_stream_name_it(predictor, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a", "label": 1}')))
    with pytest.raises(DataError) as caught:
        predict_file("-", "-", predictor)
    assert str(caught.value) == "standard input:1: expected no column 'label' yet, got one. Give --prefix pred_"


def test_a_reader_that_had_enough_is_no_error_of_the_data(streams, predictor):
    sender, receiver = streams()
    receiver.close()
    sender.write(b'{"text": "a"}\n')
    sender.close()
    with pytest.raises(BrokenPipeError):
        predict_file("-", "-", predictor)
    with pytest.raises(BrokenPipeError):
        sys.stdout.close()  # what could not be written is tried again
