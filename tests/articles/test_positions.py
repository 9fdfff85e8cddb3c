"""Positions: computed by hand, wide where little was said, and never surer than the model."""

import csv
import io
import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from stance.articles.keys import name_key
from stance.articles.positions import (
    PRIOR,
    WITHIN_ARTICLE,
    Actor,
    ScoredQuote,
    as_csv,
    as_json,
    distinct,
    estimate,
    positions,
    scored_quotes,
)
from stance.articles.records import Article, Quote, Span
from stance.articles.timeline import day_of, find_change, moments, signed
from stance.errors import DataError
from stance.schema import LABELS, Prediction

ANTI, NEUTRAL, PRO = (0.9, 0.08, 0.02), (0.05, 0.9, 0.05), (0.02, 0.08, 0.9)
UNSURE = (0.45, 0.35, 0.2)


def said(
    text: str,
    probabilities: tuple[float, ...] | None,
    source: str | None = "Ana Rukh",
    affiliation: str | None = None,
    document: str | None = None,
    day: str | None = None,
) -> ScoredQuote:
    """A statement in an article of its own unless `document` says otherwise."""
    quote = Quote(
        document or text, "direct", text, Span(0, len(text)), source, None, None, None, 0.9, affiliation=affiliation
    )
    prediction = probabilities and Prediction(LABELS[int(np.argmax(probabilities))], probabilities)
    return ScoredQuote(quote, prediction or None, text, day)


def several(probabilities: tuple[float, ...], count: int, **details: str) -> list[ScoredQuote]:
    return [said(f"{probabilities} {number}", probabilities, **details) for number in range(count)]


def only(scored: list[ScoredQuote]) -> Actor:
    (actor,) = positions(scored)
    return actor


def test_one_sure_statement_has_the_interval_that_one_computes_by_hand() -> None:
    # Shares ~ Dirichlet(4/3, 1/3, 1/3), so pro minus anti has mean -1/2 and variance (5/6 - 1/4) / 3 = 7/36; on the
    # scale from 0 to 1 that is 1/4 and 7/144, which is Beta(5/7, 15/7).
    found = estimate([said("No.", (1.0, 0.0, 0.0))])
    assert found is not None
    assert (found.mean, found.low, found.statements, found.effective) == (-1.0, -1.0, 1, 1.0)
    assert found.high == pytest.approx(2 * beta(5 / 7, 15 / 7).ppf(0.975) - 1)


def test_two_unsure_statements_have_the_interval_that_one_computes_by_hand() -> None:
    found = estimate([said("One.", (0.6, 0.3, 0.1)), said("Two.", (0.2, 0.5, 0.3))])
    assert found is not None
    assert found.mean == pytest.approx((-0.5 + 0.1) / 2)
    centre = -0.4 / 3
    labels = (0.7 - 0.25 + 0.5 - 0.01) / 9
    shares = ((2 / 3 + 1.2) / 3 - centre**2 - labels) / 4
    share, variance = (centre + 1) / 2, (labels + shares) / 4
    strength = share * (1 - share) / variance - 1
    assert (found.low, found.high) == pytest.approx(
        tuple(2 * beta(share * strength, (1 - share) * strength).ppf([0.025, 0.975]) - 1)
    )


@pytest.mark.parametrize("probabilities", [(1.0, 0.0, 0.0), ANTI, (0.7, 0.2, 0.1)])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_end_that_decides_is_near_that_of_the_simulated_posterior(
    probabilities: tuple[float, ...], count: int
) -> None:
    generator = np.random.default_rng(1)
    labels = generator.multinomial(count, probabilities, size=40_000)
    weights = generator.gamma(labels + PRIOR)
    balance = (weights[:, 2] - weights[:, 0]) / weights.sum(axis=1)
    found = estimate(several(probabilities, count))
    assert found is not None
    assert found.high == pytest.approx(np.quantile(balance, 0.975), abs=0.04)


def test_statements_of_one_article_are_worth_fewer() -> None:
    together = estimate(several((1.0, 0.0, 0.0), 4, document="a.txt"))
    apart = estimate(several((1.0, 0.0, 0.0), 4))
    assert together is not None
    assert apart is not None
    assert together.effective == pytest.approx(4 / (1 + 3 * WITHIN_ARTICLE))
    assert (together.side, apart.side) == (None, "anti")


@given(st.lists(st.integers(0, 2), min_size=1, max_size=2))
def test_one_or_two_statements_never_exclude_0(labels: list[int]) -> None:
    sure = [said(str(number), tuple(float(k == label) for k in range(3))) for number, label in enumerate(labels)]
    found = estimate(sure)
    assert found is not None
    assert found.side is None


@given(st.lists(st.tuples(*[st.floats(0.001, 1)] * 3), min_size=1, max_size=30), st.integers(1, 4))
def test_an_interval_holds_its_mean_and_stays_on_the_axis(rows: list[tuple[float, ...]], articles: int) -> None:
    scored = [
        said(f"{number}", tuple(p / sum(row) for p in row), document=str(number % articles))
        for number, row in enumerate(rows)
    ]
    found = estimate(scored)
    assert found is not None
    assert -1 <= found.low <= found.mean <= found.high <= 1
    assert estimate(scored[::-1]) == found


def test_what_several_articles_repeat_counts_once_and_at_its_earliest() -> None:
    repeats = [
        said("“We stay armed.”", ANTI, document="b", day="2025-02-01"),
        said('"We stay  armed,"', ANTI, document="a", day="2025-01-01"),
        said("We go.", PRO, document="c"),
    ]
    assert [one.quote.document for one in distinct(repeats)] == ["a", "c"]
    assert only(repeats).estimate == estimate(repeats[1:])
    assert len(only(repeats).statements) == 3


def test_a_spokesperson_speaks_for_the_person_and_for_the_body() -> None:
    scored = [
        said("Never.", ANTI, "Abu Ali", "Fire Front"),
        said("We keep them.", ANTI, "the Fire Front", None),
        said("Amen.", NEUTRAL, None, "Fire Front"),
    ]
    actors = {actor.name: actor for actor in positions(scored)}
    assert {name: [one.text for one in actor.statements] for name, actor in actors.items()} == {
        "Fire Front": ["Amen.", "Never.", "We keep them."],
        "Abu Ali": ["Never."],
    }
    assert (actors["Abu Ali"].kind, actors["Abu Ali"].affiliation) == ("speaker", "Fire Front")
    assert (actors["Fire Front"].kind, actors["Fire Front"].voices) == ("body", ("abu ali",))
    assert [actor.name for actor in positions(scored, level="group")] == ["Fire Front"]


def test_names_are_one_for_all_their_spellings() -> None:
    assert {
        name_key(name) for name in ("Mohammed Shia’ al-Sudani", "MOHAMMED SHIA AL-SUDANI", "Mohámmed Shia' al Sudani")
    } == {"mohammed shia al sudani"}
    assert name_key("The Front") == name_key("front")
    assert name_key("The") == "the"
    assert name_key("—") == "—"


def test_a_description_is_another_actor_in_each_article() -> None:
    scored = [said("No.", ANTI, "officials"), said("Yes.", PRO, "officials"), said("Hm.", NEUTRAL, " ")]
    assert [(actor.name, actor.position) for actor in positions(scored)] == [
        ("officials", "anti"),
        ("officials", "pro"),
    ]


def test_half_characters_are_replaced_in_what_is_written() -> None:
    scored = [said("No.", ANTI, "Ana\ud800", document="a\udfff.txt")]
    assert (as_json(scored) + as_csv(scored)).encode().count("\ufffd".encode()) > 2


def test_a_statement_without_source_and_affiliation_has_no_actor() -> None:
    assert positions([said("Guns stay.", ANTI, None)]) == []
    assert [row["text"] for row in json.loads(as_json([said("Guns stay.", ANTI, None)]))["unattributed"]] == [
        "Guns stay."
    ]


@pytest.mark.parametrize(
    "scored, position, verdict",
    [
        (several(ANTI, 6), "anti", "anti"),
        (several(PRO, 6), "pro", "pro"),
        (several(ANTI, 1), "anti", "leans anti"),
        (several(PRO, 1), "pro", "leans pro"),
        (several(NEUTRAL, 3), "neutral", "neutral"),
        ([*several(NEUTRAL, 5), *several(ANTI, 1)], "anti", "leans anti"),
        ([*several(ANTI, 1), *several(PRO, 1)], "neutral", "unclear"),
        (several(UNSURE, 1), "anti", "unclear"),
        ([*several(NEUTRAL, 2), *several(UNSURE, 1)], "neutral", "neutral"),
        ([*several(NEUTRAL, 1), *several(UNSURE, 1)], "anti", "unclear"),
        ([*several(ANTI, 1), *several((0.05, 0.55, 0.4), 9)], "anti", "unclear"),
        ([said("?", None)], "neutral", "unclear"),
    ],
)
def test_a_position_is_a_guess_and_a_verdict_says_how_good(
    scored: list[ScoredQuote], position: str, verdict: str
) -> None:
    actor = only(scored)
    assert (actor.position, actor.verdict) == (position, verdict)


def test_statements_are_counted_by_type_and_reading() -> None:
    actor = only([*several(ANTI, 2), *several(UNSURE, 1), said("?", None)])
    assert actor.readings == {"anti": 2, "neutral": 0, "pro": 0, "uncertain": 1, "not scored": 1}
    assert actor.types == {"direct": 4, "indirect": 0, "mixed": 0}
    assert actor.shares == pytest.approx((0.75, 0.17, 0.08))


def test_a_threshold_that_is_no_probability_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        positions([], 50)
    assert str(caught.value) == ("threshold: expected a probability from 0 to 1, got 50. Give 0.5, for example.")


def test_an_interrupted_quote_is_scored_without_the_interruption() -> None:
    text = '"Peace," she said, "is near."'
    quote = Quote("a", "direct", text, Span(0, 29), "She", None, None, None, 1.0, pieces=(Span(0, 8), Span(19, 29)))
    (one,) = scored_quotes(Article("a", text, date="2025-01-02"), [quote], [None])
    assert (one.text, one.date) == ('"Peace," "is near."', "2025-01-02")


@pytest.mark.parametrize(
    "text, day",
    [("2025-12-22", date(2025, 12, 22)), ("2025-12-22T08:00", date(2025, 12, 22))]
    + [(bad, None) for bad in (None, "", "2025", "2025-12", "22 May", "2025-13-01", "2025-02-30", "2025-12-221")],
)
def test_only_a_full_date_is_a_day(text: str | None, day: date | None) -> None:
    assert day_of(text) == day


def flip(count: int, first: tuple[float, ...] = ANTI, second: tuple[float, ...] = PRO) -> list[ScoredQuote]:
    halves = zip((first, second), (1, 2), strict=True)
    return [
        said(f"{half} {number}", probabilities, day=f"2025-0{half}-{number + 1:02d}")
        for probabilities, half in halves
        for number in range(count)
    ]


def test_a_change_of_side_is_found_where_it_was() -> None:
    change = find_change(flip(7))
    assert change is not None
    assert (change.last, change.first) == (date(2025, 1, 7), date(2025, 2, 1))
    assert (change.before.side, change.after.side) == ("anti", "pro")
    assert change.before.mean == pytest.approx(-0.88)


@pytest.mark.parametrize("scored", [flip(2), flip(7, ANTI, NEUTRAL), flip(7, ANTI, ANTI), flip(0)])
def test_little_said_or_no_other_side_is_no_change(scored: list[ScoredQuote]) -> None:
    assert find_change(scored) is None


def test_moments_are_the_days_on_which_something_new_was_said() -> None:
    scored = [said("A.", ANTI, day="2025-01-02"), said("B.", PRO, document="x", day="2025-01-02")]
    scored += [said("A.", ANTI, document="y", day="2025-01-05"), said("C.", ANTI, day="2025")]
    (moment,) = moments(scored)
    assert (moment.day, len(moment.statements), moment.mean) == (date(2025, 1, 2), 2, pytest.approx(0))


@pytest.mark.parametrize("number, shown", [(-0.5, "−0.50"), (0.5, "+0.50"), (0.0, "0.00"), (-0.001, "0.00")])
def test_numbers_are_signed(number: float, shown: str) -> None:
    assert signed(number) == shown


def test_json_has_the_pinned_fields() -> None:
    record = json.loads(as_json([*flip(7), said("?", None, "Clerk")]))
    rukh, clerk = record["actors"]
    assert list(rukh)[:2] == ["name", "affiliation"]
    assert (rukh["name"], rukh["affiliation"], rukh["position"], rukh["verdict"]) == (
        "Ana Rukh",
        None,
        "neutral",
        "unclear",
    )
    assert rukh["mean"] == 0
    assert rukh["interval"][0] == pytest.approx(-rukh["interval"][1])
    assert rukh["change"] == {"last": "2025-01-07", "first": "2025-02-01"}
    assert len(rukh["statements"]) == 14
    assert {"document", "type", "source", "cue", "content", "content_start", "label", "p_anti"} <= set(
        rukh["statements"][0]
    )
    assert (clerk["mean"], clerk["interval"], clerk["statements"][0]["label"]) == (None, None, None)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cells_are_no_formulas(start: str) -> None:
    scored = [said(f"{start}cmd|' /C calc'!A0", ANTI, f"{start}SUM(A1)", "Fire Front"), said("Hm.", ANTI, None)]
    rows = list(csv.DictReader(io.StringIO(as_csv(scored), newline="")))
    assert len(rows) == 3
    assert not any(
        value.startswith(start) for row in rows for key, value in row.items() if key not in ("mean", "low", "high")
    )
    assert rows[0]["text"].startswith(f"'{start}cmd")
    assert [row["actor"] for row in rows].count("") == 1
    assert float(rows[0]["mean"]) == pytest.approx(-0.88)


def test_what_two_say_together_counts_for_each_and_merges_with_what_each_says_alone() -> None:
    alone = said("We will not disarm.", ANTI, "Kataib Hezbollah")
    joint = said("the calls", ANTI, "Kataib Hezbollah and Harakat al-Nujaba")
    both = ScoredQuote(
        replace(joint.quote, speakers=("Kataib Hezbollah", "Harakat al-Nujaba")), joint.prediction, joint.text
    )
    assert [(actor.name, len(actor.statements), actor.voices) for actor in positions([alone, both])] == [
        ("Kataib Hezbollah", 2, ()),
        ("Harakat al-Nujaba", 1, ()),
    ]
