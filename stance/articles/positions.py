"""Scored statements -> the positions of the actors who made them, for the page and as JSON and CSV.

Intervals stay wide where little was said. An actor is a speaker, or a body spoken for: a statement counts for its
source and for the source's affiliation, so a spokesperson's words are the spokesperson's and the body's; of "A and B"
it counts for A and for B. Names are
compared without case, accents, apostrophes and articles; nothing else is merged ("Sudani" in one article and "Mohammed
Shia al-Sudani" in another stay two actors), and a description in small letters ("officials") is another actor in each
article.
"""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from scipy.special import betaincinv

from stance.articles.keys import actor_keys, keys, named
from stance.articles.records import Article, Quote, QuoteType
from stance.errors import DataError, problem
from stance.schema import LABELS, Label, Prediction
from stance.text import normalise

UNCERTAIN: Final = 0.5
"""A statement is uncertain if its likeliest label has less than this probability: then "another label" is likelier."""

LEVEL: Final = 0.95
"""The share of the posterior inside an interval."""

PRIOR: Final = 1 / 3
"""What each label counts before anything was said, in statements: one statement's worth over three labels (Perks 1947,
"Some observations on inverse probability", J. Inst. Actuaries 73:285; Berger, Bernardo and Sun 2015, "Overall objective
priors", Bayesian Analysis 10:189, recommend it for shares)."""

WITHIN_ARTICLE: Final = 0.27
"""How alike one speaker's statements in the same article are, beyond what is the speaker's: the intra-class
correlation of the annotators' labels (-1, 0, 1) over 771 statements of 124 speakers, as
experiments/articles/within_article.py finds it by a nested analysis of variance."""

Reading: TypeAlias = Literal["anti", "neutral", "pro", "uncertain", "not scored"]
READINGS: Final[tuple[Reading, ...]] = (*LABELS, "uncertain", "not scored")

Verdict: TypeAlias = Literal["anti", "leans anti", "neutral", "leans pro", "pro", "unclear"]
Kind: TypeAlias = Literal["speaker", "body"]
TYPES: Final[tuple[QuoteType, ...]] = ("direct", "indirect", "mixed")

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

_CSV_FIELDS: Final = (
    "actor", "kind", "actor_affiliation", "position", "verdict", "mean", "low", "high", "counted", "document", "date",
    "type", "source", "affiliation", "cue", "text", "content_start", "content_end", "reading", "label", "p_anti",
    "p_neutral", "p_pro",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoredQuote:
    """A quote with what the model says of it (None if it could not be scored).

    `text` is what its source says, without an interrupting cue clause; `date` is the article's, as it gives it.
    """

    quote: Quote
    prediction: Prediction | None
    text: str
    date: str | None = None

    @property
    def balance(self) -> float:
        """The probability of `pro` minus that of `anti`; 0 if there are none."""
        return self.prediction.probabilities[2] - self.prediction.probabilities[0] if self.prediction else 0.0

    def reading(self, threshold: float = UNCERTAIN) -> Reading:
        """Return the label, or why there is none to rely on."""
        if self.prediction is None:
            return "not scored"
        return self.prediction.label if max(self.prediction.probabilities) >= threshold else "uncertain"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of pro minus anti, from -1 to 1, with its interval.

    `statements` counts distinct ones; `effective` is what they are worth once those that share an article are seen to
    be alike.
    """

    mean: float
    low: float
    high: float
    statements: int
    effective: float

    @property
    def side(self) -> Literal["anti", "pro"] | None:
        """The side on which the whole interval lies, None if it includes 0."""
        return "pro" if self.low > 0 else "anti" if self.high < 0 else None


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or some body, and where their statements place them.

    `statements` are all that count for the actor, by date; `voices` the keys of the others who made some of them.
    `position` is the best guess, `verdict` what may honestly be said. `shares` are the mean probabilities in the order
    of `LABELS`; they and `estimate` are empty and None where nothing could be scored.
    """

    key: str
    name: str
    kind: Kind
    affiliation: str | None
    statements: tuple[ScoredQuote, ...]
    voices: tuple[str, ...]
    estimate: Estimate | None
    position: Label
    verdict: Verdict
    shares: tuple[float, ...]
    readings: dict[Reading, int]
    types: dict[QuoteType, int]


def scored_quotes(
    article: Article, quotes: Sequence[Quote], predictions: Sequence[Prediction | None]
) -> list[ScoredQuote]:
    """Return the `n` quotes of `article` with their predictions, in the same order."""
    return [
        ScoredQuote(quote, prediction, quote.statement(article.text), article.date)
        for quote, prediction in zip(quotes, predictions, strict=True)
    ]


def positions(
    scored: Sequence[ScoredQuote], threshold: float = UNCERTAIN, level: Literal["all", "group"] = "all"
) -> list[Actor]:
    """Return the actors behind `scored`, those with most statements first.

    Statements without source and affiliation have no actor.

    Args:
        scored: the statements of any number of articles.
        threshold: the least probability of a label that is relied on.
        level: `group` merges by affiliation: speakers are left out where their body stands for them.

    Raises:
        DataError: `threshold` is not between 0 and 1.
    """
    if not 0 <= threshold <= 1:
        raise DataError(problem("threshold", "a probability from 0 to 1", str(threshold), "Give 0.5, for example."))
    said: defaultdict[str, list[ScoredQuote]] = defaultdict(list)
    spelled: defaultdict[str, Counter[str]] = defaultdict(Counter)
    homes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in sorted(scored, key=_order):
        speakers, body = keys(one.quote)
        for key, name in [*zip(speakers, named(one.quote), strict=True), (body, one.quote.affiliation)]:
            if key and name:
                spelled[key][normalise(name)] += 1
        for key in actor_keys(one.quote):
            said[key].append(one)
        for speaker in speakers:
            if body and speaker != body:
                homes[speaker][body] += 1
    bodies = {body for counts in homes.values() for body in counts} | {keys(one.quote)[1] for one in scored}
    names = {key: counts.most_common(1)[0][0] for key, counts in spelled.items()}
    actors = []
    for key, statements in said.items():
        home = homes[key].most_common(1)[0][0] if homes[key] else None
        if level == "group" and home and key not in bodies:
            continue
        kind: Kind = "body" if key in bodies else "speaker"
        actors.append(_actor(key, names[key], kind, names[home] if home else None, statements, threshold))
    return sorted(actors, key=lambda actor: (-len(actor.statements), actor.name))


def distinct(statements: Sequence[ScoredQuote]) -> list[ScoredQuote]:
    """Return the scored statements, each text once and at its earliest: what many papers repeat was said once."""
    found: dict[str, ScoredQuote] = {}
    for one in sorted(statements, key=_order):
        if one.prediction is not None:
            found.setdefault(normalise(one.text).casefold().strip("\"'., "), one)
    return list(found.values())


def estimate(statements: Sequence[ScoredQuote], level: float = LEVEL) -> Estimate | None:
    """Return the mean of pro minus anti over the distinct scored statements, with its interval; None if there are none.

    The interval is for what the actor would be read to say in further statements of the kind. Each statement's label is
    a draw from its calibrated probabilities (so an uncertain one counts little: multiple imputation, Rubin 1987), the
    actor's shares of the labels have a Dirichlet posterior under the prior `PRIOR`, and pro minus anti has the mean and
    variance written below. The interval is that of the Beta distribution with this mean and variance on -1 to 1. Beside
    simulation of the posterior, its end nearest to 0 is within 0.04 from two statements of one side on; for one to
    three neutral statements it is up to 0.13 too short, which changes no verdict. One or two statements never exclude
    0, however sure the model is.

    Statements that share an article are worth fewer: n / (1 + (m - 1) r) of them, with m the mean number that a
    statement's article holds and r `WITHIN_ARTICLE` (Kish 1965, "Survey sampling", section 5.4; Rao and Scott 1992,
    Biometrics 48:577, for reducing counts so). That the model errs in the same way on like statements is not allowed
    for.
    """
    return estimate_distinct(distinct(statements), level)


def estimate_distinct(counted: Sequence[ScoredQuote], level: float = LEVEL) -> Estimate | None:
    """Return what `estimate` does for statements that are known to be scored and distinct."""
    if not counted:
        return None
    probabilities = np.array([one.prediction.probabilities for one in counted if one.prediction])
    score = probabilities[:, 2] - probabilities[:, 0]
    decided = probabilities[:, 2] + probabilities[:, 0]
    n = len(counted)
    together = sum(size**2 for size in Counter(one.quote.document for one in counted).values()) / n
    worth = 1 / (1 + (together - 1) * WITHIN_ARTICLE)
    total = len(LABELS) * PRIOR + n * worth
    centre = worth * score.sum() / total
    of_labels = worth * (decided - score**2).sum() / total**2
    of_shares = ((2 * PRIOR + worth * decided.sum()) / total - centre**2 - of_labels) / (total + 1)
    share = (centre + 1) / 2
    strength = share * (1 - share) / ((of_labels + of_shares) / 4) - 1
    tail = (1 - level) / 2
    low, high = 2 * betaincinv(share * strength, (1 - share) * strength, np.array([tail, 1 - tail])) - 1
    mean = float(score.mean())
    # The prior draws the interval towards 0; it should still hold the mean that is drawn beside it.
    return Estimate(mean, min(float(low), mean), max(float(high), mean), n, n * worth)


def actor_record(actor: Actor) -> dict[str, Any]:
    """Return what JSON can hold of `actor`, without the statements."""
    found = actor.estimate
    return {
        "name": actor.name,
        "affiliation": actor.affiliation,
        "kind": actor.kind,
        "position": actor.position,
        "verdict": actor.verdict,
        "mean": round(found.mean, 4) if found else None,
        "interval": [round(found.low, 4), round(found.high, 4)] if found else None,
        "counted": found.statements if found else 0,
        "types": actor.types,
        "readings": actor.readings,
        "shares": {label: round(share, 4) for label, share in zip(LABELS, actor.shares, strict=False)},
    }


def statement_record(one: ScoredQuote, threshold: float = UNCERTAIN) -> dict[str, Any]:
    """Return what JSON can hold of a statement: the fields of the quote, and what the model says."""
    probabilities = one.prediction.probabilities if one.prediction else [None] * len(LABELS)
    return one.quote.as_dict() | {
        "text": one.text,
        "date": one.date,
        "reading": one.reading(threshold),
        "label": one.prediction.label if one.prediction else None,
        **{f"p_{label}": p if p is None else round(p, 6) for label, p in zip(LABELS, probabilities, strict=True)},
    }


def as_json(scored: Sequence[ScoredQuote], threshold: float = UNCERTAIN) -> str:
    """Return the actors with their positions and statements as JSON, and the statements that have no actor.

    `position` is the best guess; `verdict` says how far it can be relied on, and `interval` why.
    """
    # Changes are found with the estimates of this module, which that one therefore imports.
    from stance.articles.timeline import find_change

    actors = []
    for actor in positions(scored, threshold):
        change = find_change(actor.statements)
        days = {"last": str(change.last), "first": str(change.first)} if change else None
        statements = [statement_record(one, threshold) for one in actor.statements]
        actors.append(actor_record(actor) | {"change": days, "statements": statements})
    unattributed = [statement_record(one, threshold) for one in scored if not actor_keys(one.quote)]
    return _whole(json.dumps({"actors": actors, "unattributed": unattributed}, ensure_ascii=False, indent=1) + "\n")


def as_csv(scored: Sequence[ScoredQuote], threshold: float = UNCERTAIN) -> str:
    """Return one row a statement and actor that it counts for (none: an empty actor) as CSV.

    A text that begins with = + - @, a tab or a carriage return gets an apostrophe in front, as a spreadsheet would run
    it as a formula (OWASP, "CSV injection"); offsets are those of the article and do not count it.
    """
    out = io.StringIO()
    # All texts in quotes: the csv module leaves a bare carriage return open where lines end otherwise.
    writer = csv.DictWriter(out, _CSV_FIELDS, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    rows: list[tuple[dict[str, Any], ScoredQuote]] = []
    for actor in positions(scored, threshold):
        record = actor_record(actor)
        low, high = record["interval"] or (None, None)
        about = record | {"actor": actor.name, "actor_affiliation": actor.affiliation, "low": low, "high": high}
        rows += [(about, one) for one in actor.statements]
    rows += [({}, one) for one in scored if not actor_keys(one.quote)]
    for about, one in rows:
        row = about | statement_record(one, threshold)
        writer.writerow({field: _cell(row.get(field)) for field in _CSV_FIELDS})
    return _whole(out.getvalue())


def _whole(text: str) -> str:
    """Replace what UTF-8 cannot hold: the halves of characters that a JSON line may bring in a title or a name."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _order(one: ScoredQuote) -> tuple[str, str, int, int, str]:
    return one.date or "~", one.quote.document, one.quote.span.start, one.quote.span.end, one.text


def _actor(
    key: str, name: str, kind: Kind, affiliation: str | None, statements: Sequence[ScoredQuote], threshold: float
) -> Actor:
    readings = Counter(one.reading(threshold) for one in statements)
    types = Counter(one.quote.type for one in statements)
    counted = distinct(statements)
    probabilities = [one.prediction.probabilities for one in counted if one.prediction]
    found = estimate_distinct(counted)
    position, verdict = _verdict(counted, found, threshold)
    voices = dict.fromkeys(speaker for one in statements if key not in (said := keys(one.quote)[0]) for speaker in said)
    return Actor(
        key=key,
        name=name,
        kind=kind,
        affiliation=affiliation,
        statements=tuple(statements),
        voices=tuple(voices),
        estimate=found,
        position=position,
        verdict=verdict,
        shares=tuple(np.mean(probabilities, axis=0).tolist()) if probabilities else (),
        readings={reading: readings[reading] for reading in READINGS},
        types={kind_of: types[kind_of] for kind_of in TYPES},
    )


def _verdict(counted: Sequence[ScoredQuote], found: Estimate | None, threshold: float) -> tuple[Label, Verdict]:
    """Return the best guess and what may be said.

    Neutral statements say nothing about disarmament, so they do not outvote those that take a stand: the side is where
    the latter weigh more (probability of pro minus anti, summed). Uncertain ones are asked only where no certain one
    takes a stand, and are not heard against more certain neutral ones.
    """
    read = [(one, one.reading(threshold)) for one in counted]
    neutral = sum(reading == "neutral" for _, reading in read)
    stands = [one.balance for one, reading in read if reading in ("anti", "pro")]
    guesses = [one.balance for one, reading in read if reading == "uncertain" and one.balance]
    leaning = round(sum(stands) if stands else sum(guesses) if len(guesses) >= max(neutral, 1) else 0.0, 6)
    side: Literal["anti", "pro"] | None = "pro" if leaning > 0 else "anti" if leaning < 0 else None
    if side is None:
        return "neutral", "neutral" if not stands and neutral > len(counted) / 2 else "unclear"
    if not stands or found is None:
        return side, "unclear"
    if found.side == side:
        return side, side
    # Where the neutral statements' own leanings put the mean on the other side, one word for both would mislead.
    if found.mean * leaning <= 0:
        return side, "unclear"
    return side, "leans anti" if side == "anti" else "leans pro"
