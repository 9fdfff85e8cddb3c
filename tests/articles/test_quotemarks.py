"""Marks alone: which passages stand in them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.articles.quotemarks import marked, paragraphs


def passages(text: str) -> list[str]:
    return [passage.span.of(text) for passage in marked(text, paragraphs(text))]


@pytest.mark.parametrize(
    "text, expected",
    [
        ('He said: "Go." Then "stay" again.', ['"Go."', '"stay"']),
        ("“Go,” he said, “and stay.”", ["“Go,”", "“and stay.”"]),
        ("«Go», he said.", ["«Go»"]),
        ("‘Go,’ she said.", ["‘Go,’"]),
        ("'Go,' she said.", ["'Go,'"]),
        ("“He said ‘oiled and stacked’ and nobody listened,” she told us.",
         ["“He said ‘oiled and stacked’ and nobody listened,”"]),
        ('"He said \'never\' twice," she told us.', ['"He said \'never\' twice,"']),
        ("Iraq's guns aren't the fathers' guns, the '90s boys' say.", []),
        ("‘the war of our fathers’ sons is over’, it said.", ["‘the war of our fathers’ sons is over’"]),
        ('A 5" pipe and a 6" pipe.', []),
        ("No marks at all.", []),
    ],
)  # fmt: skip
def test_each_kind_of_mark_is_found_and_an_apostrophe_is_none(text: str, expected: list[str]) -> None:
    assert passages(text) == expected


def test_a_mark_that_is_never_closed_ends_with_its_paragraph() -> None:
    text = "“Go and never come back.\nHe left."
    (passage,) = marked(text, paragraphs(text))
    assert (passage.span.of(text), passage.closed, passage.continued) == ("“Go and never come back.", False, False)


def test_an_open_mark_before_a_paragraph_that_opens_one_is_a_speech_that_goes_on() -> None:
    text = "“First.\n\n“Second,” he said."
    first, second = marked(text, paragraphs(text))
    assert (first.closed, first.continued) == (False, True)
    assert second.closed


@given(st.text(alphabet="ab s.,\n\"'“”‘’«»", max_size=80))
def test_whatever_the_marks_passages_lie_in_order_inside_paragraphs(text: str) -> None:
    within = paragraphs(text)
    found = marked(text, within)
    for passage in found:
        assert any(paragraph.holds(passage.span) for paragraph in within)
        assert passage.span.start < passage.span.end
    for left, right in pairwise(found):
        assert left.span.end <= right.span.start
