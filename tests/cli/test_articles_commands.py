"""`stance quotes` and `stance report` as a user types them."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ARTICLE = (
    "LUMA (Trade Wire) - The Redhill Front refused on Monday to hand over its rifles.\n"
    "“We refuse to disarm,” said Orlan Vesk, a spokesman for the front.\n"
    "Interior Minister Dana Holt said that arms belong to the state alone and urged the front to give them up.\n"
)


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "article.txt"
    path.write_text(ARTICLE, encoding="utf-8")
    return path


def test_quotes_prints_a_json_line_a_quote_with_offsets_into_the_article(run: Run, article: Path) -> None:
    done = run("quotes", str(article))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(ARTICLE[row["content_start"] : row["content_end"]] == row["content"] for row in rows)
    assert ("Orlan Vesk", "“We refuse to disarm,”", "direct") in [(r["source"], r["content"], r["type"]) for r in rows]
    assert done.stderr == f"{len(rows)} quotes in 1 article\n"


def test_quotes_reads_standard_input_and_writes_csv(run: Run) -> None:
    done = run("quotes", "-", "--format", "csv", stdin=ARTICLE)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert "Dana Holt" in " ".join(row["source"] for row in rows), done.stderr


def test_one_unreadable_article_stops_nothing(run: Run, article: Path) -> None:
    (article.parent / "empty.txt").write_text("", encoding="utf-8")
    done = run("quotes", str(article.parent))
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr.startswith("Warning: ")


def test_nothing_readable_at_all_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    done = run("quotes", str(tmp_path / "empty.txt"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: ARTICLE: expected an article that can be read, got none. See the warnings above."
    )


def test_report_writes_one_page_with_the_actors(run: Run, article: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = run("report", str(article), "--output", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "Orlan Vesk" in text
    assert "https://" not in text.replace("https://example.org", "")
    assert done.stderr.endswith(f"Wrote {page}\n")


def test_report_gives_numbers_as_json(run: Run, article: Path) -> None:
    done = run("report", str(article), "--format", "json", "--output", "-")
    assert json.loads(done.stdout), done.stderr


def test_report_refuses_to_overwrite_before_any_work(run: Run, article: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine", encoding="utf-8")
    done = run("report", str(article), "--output", str(tmp_path / "report.html"))
    assert done.stderr == (
        f"Error: {tmp_path / 'report.html'}: expected a file that does not exist, got one that does. Give --replace.\n"
    )
    done = run("report", str(article), "--output", str(tmp_path / "nowhere" / "report.html"))
    assert done.stderr == (
        f"Error: {tmp_path / 'nowhere' / 'report.html'}: expected a folder that exists, got {tmp_path / 'nowhere'}. "
        "Make it or choose another.\n"
    )
