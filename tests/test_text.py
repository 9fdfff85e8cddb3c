"""One spelling for builder and models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.text import normalise


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("“We ‘never’ disarm”", "\"We 'never' disarm\""),
        ("«Jamais» „nie‟", '"Jamais" "nie"'),
        ("it’s five ′ and ″", "it's five ' and \""),
        ("wait…", "wait..."),
        ("dis\u00adarm\u200b \u202aleft\u202c\ufeff", "disarm left"),
        ("a\u00a0b\u2003c\t\r\nd\x00e\x85f", "a b c d e f"),
        ("  trimmed  ", "trimmed"),
        ("cafe\u0301", "café"),
        ("\u1fef\u1ffd", "''"),
        ("", ""),
        (" \u200b ", ""),
        ("He said: 5-6 %!", "He said: 5-6 %!"),
    ],
)
def test_a_text_is_normalised(text: str, result: str) -> None:
    assert normalise(text) == result


def test_every_character_is_normalised_in_one_pass() -> None:
    characters = (chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000)
    changed = {once for c in characters if (once := normalise(c)) != c}
    assert [once for once in changed if normalise(once) != once] == []


marks = st.sampled_from("“’…\u00ad\u200b\u0301\u1fef \x00\u00a0e=<")


@given(st.lists(st.one_of(marks, st.characters(exclude_categories=["Cs"]))).map("".join))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.lists(st.one_of(marks, st.characters(exclude_categories=["Cs"]))).map("".join))
def test_a_text_of_printable_characters_takes_no_other_way_than_any(text: str) -> None:
    assert normalise(text + "\0") == normalise(text)


def test_every_character_is_spelled_alike_with_one_beside_it_that_cannot_be_printed() -> None:
    characters = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    assert [c for c in characters if normalise(f"a {c}b\0") != normalise(f"a {c}b")] == []


@given(st.text())
def test_spaces_are_single_and_inside(text: str) -> None:
    found = normalise(text)
    assert "  " not in found
    assert found == found.strip()
    assert not set("\n\t\r\x00\u00a0“”‘’") & set(found)
