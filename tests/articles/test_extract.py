"""Shapes of attribution, each in a text as short as it can be."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stance.articles import QUOTE_FIELDS, Article, Quote, extract_all

Extract = Callable[[str], list[Quote]]


def short(quotes: list[Quote]) -> list[tuple[str, str | None, str | None, str]]:
    return [(quote.type, quote.source, quote.cue, quote.content) for quote in quotes]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("“We will never disarm,” Tomas Reke said.", ("direct", "Tomas Reke", "said", "“We will never disarm,”")),
        ("“We will never disarm,” said Tomas Reke.", ("direct", "Tomas Reke", "said", "“We will never disarm,”")),
        ('Tomas Reke told reporters: "We will never disarm."',
         ("direct", "Tomas Reke", "told", '"We will never disarm."')),
        ("‘We will never disarm,’ Tomas Reke told reporters on Friday.",
         ("direct", "Tomas Reke", "told", "‘We will never disarm,’")),
        ("Tomas Reke said that the front would keep its weapons.",
         ("indirect", "Tomas Reke", "said", "that the front would keep its weapons")),
        ("The front would keep its weapons, Tomas Reke said.",
         ("indirect", "Tomas Reke", "said", "The front would keep its weapons")),
        ("According to the interior ministry, some 1,400 rifles have been registered.",
         ("indirect", "interior ministry", "According to", "some 1,400 rifles have been registered")),
        ("Some 1,400 rifles have been registered, according to the interior ministry.",
         ("indirect", "interior ministry", "according to", "Some 1,400 rifles have been registered")),
        ("Washington has repeatedly called on Oskar to disarm the factions.",
         ("indirect", "Washington", "called", "Oskar to disarm the factions")),
        ("The bishop urged both sides to lower their voices.",
         ("indirect", "bishop", "urged", "both sides to lower their voices")),
        ("The brigade vowed to keep its rifles.", ("indirect", "brigade", "vowed", "to keep its rifles")),
        ("The brigade rejected the proposal.", ("indirect", "brigade", "rejected", "the proposal")),
        ("Traders fear that prices will rise.", ("indirect", "Traders", "fear", "that prices will rise")),
        ("Opposition leaders accused the cabinet of rejecting peace.",
         ("indirect", "Opposition leaders", "accused", "the cabinet of rejecting peace")),
        ("Reke said the valley held “full guardianship” over the river.",
         ("mixed", "Reke", "said", "the valley held “full guardianship” over the river")),
        ("Reke stressed that “there is no place in our lexicon for surrender.”",
         ("direct", "Reke", "stressed", "“there is no place in our lexicon for surrender.”")),
        ("A statement read that the coalition supported the state.",
         ("indirect", "statement", "read", "that the coalition supported the state")),
        ("It is understood that six families are preparing claims.",
         ("indirect", None, "It is understood", "that six families are preparing claims")),
        ("In their view, most of the weapons are rusty.",
         ("indirect", "their", "view", "most of the weapons are rusty")),
    ],
)  # fmt: skip
def test_a_shape_of_attribution_is_found(
    quotes_of: Extract, text: str, expected: tuple[str, str | None, str | None, str]
) -> None:
    assert short(quotes_of(text)) == [expected]


def test_one_sentence_cut_in_two_by_its_cue_is_one_quote_with_two_pieces(quotes_of: Extract) -> None:
    text = "“Savers,” Hans Brock said, “are being rewarded at the expense of others.”"
    (quote,) = quotes_of(text)
    assert quote.content == text
    assert [piece.of(text) for piece in quote.pieces] == ["“Savers,”", "“are being rewarded at the expense of others.”"]
    assert quote.statement(text) == "“Savers,” “are being rewarded at the expense of others.”"


def test_a_clause_is_the_content_with_what_stands_beside_it(quotes_of: Extract) -> None:
    text = "On Friday Tomas Reke said that the front was ready. “We wait,” the bishop replied. “And pray.”"
    assert [quote.clause(text) for quote in quotes_of(text)] == [
        "Tomas Reke said that the front was ready",
        "“We wait,” the bishop replied",
        "“And pray.”",
    ]


def test_two_sentences_around_a_cue_are_two_quotes_of_one_source(quotes_of: Extract) -> None:
    assert short(quotes_of("“We are waiting,” Hans Brock said. “Nobody came.”")) == [
        ("direct", "Hans Brock", "said", "“We are waiting,”"),
        ("direct", "Hans Brock", None, "“Nobody came.”"),
    ]


def test_a_speech_over_paragraphs_is_one_quote(quotes_of: Extract) -> None:
    text = "“I have heard that we are asked to disarm.\n\n“I answer: before whom?” Tomas Reke said."
    assert short(quotes_of(text)) == [
        ("direct", "Tomas Reke", "said", "“I have heard that we are asked to disarm.\n\n“I answer: before whom?”")
    ]


def test_a_mark_that_is_never_closed_is_told_and_breaks_nothing(
    quotes_of: Extract, caplog: pytest.LogCaptureFixture
) -> None:
    (quote,) = quotes_of("Tomas Reke said: “We will never disarm.\nThe army withdrew.")
    assert (quote.source, quote.content) == ("Tomas Reke", "“We will never disarm.")
    assert caplog.messages == ["a.txt: the quotation mark at character 17 is never closed"]


def test_scare_quotes_are_no_quotes(quotes_of: Extract) -> None:
    assert quotes_of("The so-called “liberators” burned two villages.") == []


def test_what_is_said_inside_a_content_belongs_to_its_source_only(quotes_of: Extract) -> None:
    assert short(quotes_of("The envoy said that the group refuses to disarm.")) == [
        ("indirect", "envoy", "said", "that the group refuses to disarm")
    ]


def test_two_cues_in_a_sentence_are_two_quotes(quotes_of: Extract) -> None:
    text = (
        "Tomas Reke insisted that the front wanted peace but warned that any attack would fail, adding that it was "
        "ready."
    )
    assert short(quotes_of(text)) == [
        ("indirect", "Tomas Reke", "insisted", "that the front wanted peace"),
        ("indirect", "Tomas Reke", "warned", "that any attack would fail"),
        ("indirect", "Tomas Reke", "adding", "that it was ready"),
    ]


def test_a_headline_may_attribute_with_a_colon(quotes_of: Extract) -> None:
    text = "Mediator: talks on arms must wait\n\nThe delegations met on Friday."
    assert short(quotes_of(text)) == [("indirect", "Mediator", None, "talks on arms must wait")]


def test_pronouns_titles_and_documents_stand_for_the_names_in_the_article(quotes_of: Extract) -> None:
    text = (
        "Prime Minister Celia Onart said that the offer was late.\n"
        "“I have read many letters,” the premier told parliament. “We will see,” she added.\n"
        "Jonas Abeli, spokesperson for the Reed League, sent a letter to the cabinet on Friday.\n"
        "“We are ready,” the letter said. “We have always been,” the spokesperson told a radio station."
    )
    assert [(quote.source, quote.role, quote.affiliation) for quote in quotes_of(text)] == [
        ("Celia Onart", "Prime Minister", None),
        ("Celia Onart", "Prime Minister", None),
        ("Celia Onart", "Prime Minister", None),
        ("Jonas Abeli", "spokesperson", "Reed League"),
        ("Jonas Abeli", "spokesperson", "Reed League"),
    ]


def test_a_quote_becomes_json_with_the_pinned_keys_first(quotes_of: Extract) -> None:
    (quote,) = quotes_of("“We will never disarm,” Tomas Reke said.")
    row = quote.as_dict()
    assert tuple(row) == QUOTE_FIELDS
    assert row == {
        "document": "a.txt",
        "type": "direct",
        "source": "Tomas Reke",
        "source_start": 24,
        "source_end": 34,
        "cue": "said",
        "content": "“We will never disarm,”",
        "content_start": 0,
        "content_end": 23,
        "confidence": 0.95,
        "affiliation": None,
        "role": None,
        "cue_start": 35,
        "cue_end": 39,
        "pieces": [],
        "speakers": [],
    }


_WORDS = st.sampled_from(
    [
        "He",
        "said",
        "that",
        "according",
        "to",
        "Mr.",
        "Reke,",
        "the",
        "“",
        "”",
        "‘",
        "’",
        '"',
        "'",
        "(",
        ")",
        "—",
        "…",
        ":",
        ";",
        ".",
        "!",
        "?",
        "\n",
        "\n\n",
        "\t",
        "\xa0",
        "\u200b",
        "é",
        "🙂",
        "🇫🇷",
        "told",
        "urged",
        "her",
        "army",
        "to",
        "go:",
        "disarm",
        "President",
        "al-Sudani",
        "U.S.",
        "In",
        "their",
        "view",
        "who",
        "refused",
        ",”",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_WORDS, max_size=40), st.sampled_from([" ", ""]))
def test_whatever_the_text_offsets_are_those_of_the_original(quotes_of: Extract, words: list[str], gap: str) -> None:
    text = gap.join(words)
    for quote in quotes_of(text):
        assert text[quote.span.start : quote.span.end] == quote.content
        assert quote.content.strip()
        if quote.cue_span:
            assert quote.cue_span.of(text) == quote.cue
        if quote.source_span:
            assert quote.source_span.of(text).strip()
        assert (quote.source is None) == (quote.source_span is None)
        assert all(quote.span.holds(piece) for piece in quote.pieces)


def test_many_articles_give_what_each_gives_alone_whatever_the_batch_and_the_processes(quotes_of: Extract) -> None:
    articles = [Article(f"{n}", f"The mayor said that street {n} was closed.") for n in range(7)]
    expected = [[f"that street {n} was closed"] for n in range(7)]
    for batch, jobs in ((1, 1), (3, 1), (100, 1), (2, 2)):
        found = list(extract_all(iter(articles), batch=batch, jobs=jobs))
        assert [article for article, _ in found] == articles
        assert [[quote.content for quote in quotes] for _, quotes in found] == expected


@pytest.mark.parametrize(
    "text, together",
    [
        ("Kataib Hezbollah and Harakat al-Nujaba rejected the plan.", ["Kataib Hezbollah", "Harakat al-Nujaba"]),
        ("Fatah, Hamas and the Popular Front rejected the plan.", ["Fatah", "Hamas", "Popular Front"]),
        ("The Ministry of Defence and the Ministry of Finance rejected the plan.",
         ["Ministry of Defence", "Ministry of Finance"]),
        ("Sen. Paula Kemp, R-Ohio, and Rep. Luis Ortega, D-N.M., rejected the plan.", ["Paula Kemp", "Luis Ortega"]),
        ("The Ministry of Defence and Armed Forces Logistics rejected the plan.", []),
        ("Trinidad and Tobago rejected the plan.", []),
        ("The Food and Drug Administration rejected the plan.", []),
        ("The Department of Health and Human Services rejected the plan.", []),
        ("Doctors and nurses rejected the plan.", []),
    ],
)  # fmt: skip
def test_names_put_together_speak_for_themselves_unless_they_are_one_name(
    quotes_of: Extract, text: str, together: list[str]
) -> None:
    (quote,) = quotes_of(text)
    assert list(quote.speakers) == together
    if together:
        assert quote.source == f"{', '.join(together[:-1])} and {together[-1]}"
    else:
        assert quote.source == text.removesuffix(" rejected the plan.").removeprefix("The ")


def test_they_are_those_who_spoke_together(quotes_of: Extract) -> None:
    text = "Sen. Paula Kemp and Rep. Luis Ortega said that the bill was dead. “We tried,” they said."
    assert [quote.speakers for quote in quotes_of(text)] == [("Paula Kemp", "Luis Ortega")] * 2


@pytest.mark.parametrize(
    "text, sources",
    [
        ("Sen. Paula Kemp said the bill was dead. “It is late,” the Ohio Republican added.", ["Paula Kemp"] * 2),
        ("Sen. Paula Kemp (R-Ohio) and Sen. Mark Dole (D-Vt.) met. “It is a start,” the Vermont Democrat said.",
         ["Mark Dole"]),
        ("The commander of the Coast Brigade said that it was late. “Too late,” Commander Ilan Deso told a crowd.",
         ["Ilan Deso"] * 2),
        ("Faris Ode shrugged off the demand. “Let him come,” the Lock Keepers’ chief joked.", ["Faris Ode"] * 2),
        ("Rep. Luis Ortega, the committee’s chairman, left early. “We are stonewalled,” the chairman said.",
         ["Luis Ortega"]),
        ("“Will you resign?” a reporter asked.\n“No,” Hale replied.\n“Why not?” the reporter asked.\n"
         "“Because I won,” she said.", ["reporter", "Hale", "reporter", "Hale"]),
        ("Darnell had another view. “It is great,” he said.", ["Darnell"]),
        ("“It is booming,” the president boasted at a rally in Erie, Pa., on Tuesday.", ["president"]),
    ],
)  # fmt: skip
def test_a_description_stands_for_whom_the_article_names(quotes_of: Extract, text: str, sources: list[str]) -> None:
    assert [quote.source for quote in quotes_of(text)] == sources


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Per two people briefed on the call, Darnell shouted.", ("two people", "Darnell shouted")),
        ("Judge Ellen Marsh wrote in her 40-page opinion that the policy “plainly violates” the law.",
         ("Ellen Marsh", "that the policy “plainly violates” the law")),
        ("President Ray Darnell on Friday called Sen. Paula Kemp “a disaster for Ohio,” escalating a feud.",
         ("Ray Darnell", "Sen. Paula Kemp “a disaster for Ohio,”")),
        ("The league joins the Iron Front, which rejected it, saying it was late.", ("Iron Front", "it was late")),
    ],
)  # fmt: skip
def test_a_content_is_whole_and_its_sources_own(quotes_of: Extract, text: str, expected: tuple[str, str]) -> None:
    assert expected in [(quote.source, quote.content) for quote in quotes_of(text)]


def test_a_body_named_in_short_is_the_one_named_in_full(quotes_of: Extract) -> None:
    text = "The US State Department met partners. “We will go on,” a State Department official said."
    assert [(quote.source, quote.affiliation) for quote in quotes_of(text)] == [
        ("State Department official", "US State Department")
    ]
