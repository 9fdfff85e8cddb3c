"""Files, folders and streams become articles; what cannot be read is told and stops nothing."""

import io
import json
from pathlib import Path

import pytest

from stance.articles import Article, Unreadable, only_articles, read
from stance.articles.reading import MAX_CHARACTERS
from stance.errors import DataError

ENGLISH = (
    "The minister said that all groups had to hand over their arms before the end of the year or face the army, and "
    "that nobody should doubt it. The front answered that it would keep its rifles."
)
FRENCH = (
    "Le ministre a déclaré que tous les groupes devaient remettre leurs armes avant la fin de l'année, et que personne "
    "ne devait en douter. Le front a répondu qu'il garderait ses fusils."
)
PAGE = f"""<html><head><title>Old - Site</title><meta property="article:published_time" content="2025-05-03T10:00:00Z">
</head><body><nav><a href="#">Home</a> <a href="#">Sport</a></nav><article><h1>Front rejects call</h1>
<p>{ENGLISH}</p><p>“We will never disarm,” its chief Tomas Reke told reporters &amp; others in Sarna on Tuesday.</p>
<p>{ENGLISH}</p></article><footer>All rights reserved</footer><script>var x = "he said";</script></body></html>"""


def test_a_folder_is_read_by_name_and_other_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text(ENGLISH)
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"id": "x", "text": ENGLISH, "date": "2025-05-03", "title": "T"})
        + "\n\n"
        + json.dumps({"text": ENGLISH})
    )
    (tmp_path / "c.png").write_bytes(b"\x89PNG")
    name = (tmp_path / "a.jsonl").as_posix()
    assert list(read([str(tmp_path)])) == [
        Article("x", ENGLISH, "T", "2025-05-03"),
        Article(f"{name}:3", ENGLISH),
        Article((tmp_path / "b.txt").as_posix(), ENGLISH),
    ]


def test_line_breaks_of_a_file_stay_so_that_offsets_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes((ENGLISH + "\r\n" + ENGLISH).encode())
    (article,) = read([str(tmp_path / "a.txt")])
    assert isinstance(article, Article)
    assert article.text == ENGLISH + "\r\n" + ENGLISH


def test_a_page_gives_its_main_text_its_title_and_its_date(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(PAGE)
    (article,) = read([str(tmp_path / "a.html")])
    assert isinstance(article, Article)
    assert (article.title, article.date) == ("Front rejects call", "2025-05-03")
    assert "“We will never disarm,” its chief Tomas Reke told reporters & others" in article.text
    assert "Sport" not in article.text
    assert "he said" not in article.text


@pytest.mark.parametrize(
    "data, expected",
    [
        (ENGLISH.encode(), [Article("-", ENGLISH)]),
        (json.dumps({"id": 7, "text": ENGLISH}).encode(), [Article("7", ENGLISH)]),
        (b"\xef\xbb\xbf" + ENGLISH.encode(), [Article("-", ENGLISH)]),
    ],
)
def test_standard_input_may_be_a_text_or_json_lines(data: bytes, expected: list[Article]) -> None:
    assert list(read(["-"], io.BytesIO(data))) == expected


def test_standard_input_may_be_a_page() -> None:
    (article,) = read(["-"], io.BytesIO(PAGE.encode()))
    assert isinstance(article, Article)
    assert article.title == "Front rejects call"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "a.txt: expected an article, got an empty text. Check where it comes from."),
        (" \n ", "a.txt: expected an article, got an empty text. Check where it comes from."),
        ("12 34 - 56", "a.txt: expected an article, got hardly a word. Check where it comes from."),
        (FRENCH, "a.txt: expected English, got what looks like 'fr'. Translate it first."),
        ("a\0b c d", "a.txt: expected a text, got NUL or half characters in it. Convert it to UTF-8."),
        ("word " * (MAX_CHARACTERS // 5 + 1),
         "a.txt: expected at most 200,000 characters, got 200,005. Is it one article? Split it."),
    ],
)  # fmt: skip
def test_what_is_no_english_article_gets_a_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(text)
    assert list(read(["a.txt"])) == [Unreadable("a.txt", message)]


def test_a_file_that_is_no_utf8_and_a_page_without_text_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_bytes(b"caf\xe9 au lait")
    Path("b.html").write_text("<html><body></body></html>")
    assert [item.reason for item in read(["a.txt", "b.html"]) if isinstance(item, Unreadable)] == [
        "a.txt: expected UTF-8, got byte 0xe9 at 3. Convert the file.",
        "b.html: expected a page with an article, got no main text. Is it a page of links, or built by scripts?",
    ]


def test_one_broken_line_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        "{",
        "[1]",
        '{"no": 1}',
        '{"text": 5}',
        json.dumps({"id": "good", "text": ENGLISH}),
        '{"text": "\\ud800 a b c"}',
    ]
    Path("a.jsonl").write_text("\n".join(lines))
    told: list[Unreadable] = []
    assert list(only_articles(read(["a.jsonl"]), told.append)) == [Article("good", ENGLISH)]
    todo = 'Write {"id": ..., "text": ...}, one object a line.'
    assert [item.reason for item in told] == [
        f"a.jsonl:1: expected a JSON object, got something else. {todo}",
        f"a.jsonl:2: expected a JSON object, got list. {todo}",
        f'a.jsonl:3: expected a string under "text", got nothing. {todo}',
        f'a.jsonl:4: expected a string under "text", got int. {todo}',
        "a.jsonl:6: expected a text, got NUL or half characters in it. Convert it to UTF-8.",
    ]


def test_an_input_that_is_not_there_is_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(
        DataError, match=r"^b\.txt: expected a file, a folder or -, got nothing there\. Check the path\.$"
    ):
        read(["b.txt"])
    with pytest.raises(
        DataError, match=r"^empty: expected files ending in \.txt, .*, got none\. Give another folder\.$"
    ):
        read(["empty"])
