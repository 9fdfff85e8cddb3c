"""What the models of this repository are worth: writes `REPORT.md` and two figures, from saved models and built data.

Run: python experiments/report.py [--measure] [--models DIR] [--data DIR] [--out FILE] [--answers DIR]

Scores, intervals and tests are those of `stance.evaluation` and `stance.comparison`. Predictions, speeds and training
times of each model are kept in `report/answers/`, so that a second call takes seconds, writes the same bytes and needs
no model; a model that is there and is another one is asked anew, and `--measure` times the models again. Other seeds
of a model are read where `stance train configs/NAME.yaml --seed 1 --out experiments/models/NAME-1` left them. Two files
beside the figures are written by hand: `causes.yaml`, why the model errs on a statement, and `next.md`, what follows
from it. A model of which nothing is there is left out, and a line says so.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import report_page as page
from report_figures import reliability_figure, risk_coverage_figure
from report_models import Saved, cost, logits, names_there, read_saved
from report_page import Measured, Mistake, Readings, Tested
from rich.console import Console
from rich.progress import Progress

from stance import dataset
from stance.comparison.paired import RESAMPLES, difference, holm, mcnemar, sampled
from stance.config import read_yaml, validate
from stance.errors import DataError, StanceError, problem
from stance.evaluation import Evaluation, Outcome, evaluate, read_suite, run_suite
from stance.models import softmax
from stance.schema import LABELS, Example, FloatArray, label_indices

NAMES = (
    "majority",
    "tfidf",
    "minilm-frozen",
    "minilm-plain",
    "minilm",
    "mpnet",
    "mpnet-taught",
    "mpnet-twice-taught",
    "ensemble",
)
"""From small to large; the last that is there is the one whose errors are read."""

BASELINE = "tfidf"
PAIRS = (
    ("minilm-plain", "minilm-frozen"),
    ("minilm", "minilm-plain"),
    ("mpnet", "minilm-plain"),
    ("mpnet-taught", "minilm"),
    ("mpnet-taught", "mpnet"),
    ("ensemble", "mpnet-taught"),
    ("mpnet-twice-taught", "ensemble"),
    ("mpnet-twice-taught", "minilm"),
    ("mpnet-twice-taught", "mpnet"),
)
SPLITS = ("test", "test_unseen")
SUITE = Path(__file__).parent.parent / "tests" / "behaviour"
SEED = 0
TIMED = 200
"""Statements of `test` that a speed is measured on."""
SHOWN = 20
"""Errors that are listed."""


class Asked:
    """A saved model and its probabilities of any texts, with the fitted temperature or, on request, without."""

    def __init__(self, saved: Saved) -> None:
        """Ask `saved`, or what is kept of it."""
        self.saved = saved

    def probabilities(self, texts: Sequence[str], calibrated: bool = True) -> FloatArray:
        """Return probabilities of `n` texts, shape (n, k)."""
        found = logits(self.saved, texts)
        return softmax(found / self.saved.temperature) if calibrated else softmax(found)

    def evaluation(
        self, examples: Sequence[Example], *facets: str, calibrated: bool = True, resamples: int = 1000
    ) -> Evaluation:
        """Return the evaluation on `n` examples, broken down by `facets`."""
        return evaluate(
            label_indices([example.label for example in examples]),
            self.probabilities([example.text for example in examples], calibrated),
            [example.group for example in examples],
            facets={facet: [getattr(one, facet) for one in examples] for facet in facets},
            majority=self.saved.majority,
            resamples=resamples,
            seed=SEED,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not known yet and write the report."""
    options = _options(arguments)
    try:
        _write(options)
    except StanceError as error:
        raise SystemExit(f"Error: {error}") from error


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    here = Path("experiments")
    parser = argparse.ArgumentParser(description="Measure the saved models and write the report.")
    parser.add_argument("--measure", action="store_true", help="time the models again")
    parser.add_argument("--models", type=Path, default=here / "models", help="the folder of saved models")
    parser.add_argument("--data", type=Path, default=Path("data/build/disarmament"), help="what stance build wrote")
    parser.add_argument("--out", type=Path, default=here / "REPORT.md", help="the page; figures go into report/ beside")
    parser.add_argument("--answers", type=Path, default=here / "report" / "answers", help="what is kept of each model")
    return parser.parse_args(arguments)


def _write(options: argparse.Namespace) -> None:
    data = dataset.load(options.data)
    splits = {name: data.split(name) for name in SPLITS}
    there = [name for name in NAMES if names_there(name, options.models, options.answers)]
    if not there:
        expected = f"a model among {', '.join(NAMES)}"
        raise DataError(problem(options.models, expected, "none", "Train one: stance train configs/tfidf.yaml"))
    asked = {name: Asked(read_saved(name, options.models, options.answers)) for name in there}
    with Progress(console=Console(stderr=True)) as bar:
        models = [_measure(one, splits, options) for one in bar.track(list(asked.values()), description="Measuring")]
    beside = options.out.parent / "report"
    _figures(models, beside)
    seeds = {name: {one.saved.seed: one} | _other_seeds(name, options) for name, one in asked.items()}
    lines = [*_head(models, data.fingerprint), *_scores(models), *_seeds(seeds, splits)]
    lines += [*_pairs(asked, splits), *_calibration(models)]
    lines += [*_theatres(asked, splits[SPLITS[1]]), *_errors(asked, splits, beside), *_next(beside)]
    options.out.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _other_seeds(name: str, options: argparse.Namespace) -> dict[int, Asked]:
    """Return by seed the models that differ from `name` in their seed alone; one that differs in more is no seed of it.

    Raises:
        DataError: a folder holds another model than its name says.
    """
    first = read_saved(name, options.models, options.answers)
    found = {}
    for one in names_there(f"{name}-[0-9]*", options.models, options.answers):
        other = read_saved(one, options.models, options.answers)
        same = (other.config, other.data_fingerprint) == (first.config, first.data_fingerprint)
        if one != f"{name}-{other.seed}" or other.seed == first.seed or not same:
            todo = (
                f"Train it again: stance train configs/{name}.yaml --seed N --out {options.models / name}-N --replace"
            )
            raise DataError(
                problem(
                    options.models / one, f"{name} with another seed, the one it is named by", "another model", todo
                )
            )
        found[other.seed] = Asked(other)
    return found


def _figures(models: Sequence[Measured], beside: Path) -> None:
    # The majority has one confidence for all: a point and a flat line.
    models = [one for one in models if one.saved.name != "majority"] or models
    risk_coverage_figure(
        {split: {one.saved.name: one.after[split] for one in models} for split in SPLITS}, beside / "risk_coverage.png"
    )
    unseen = models[0].after[SPLITS[1]]
    reliability_figure(
        {m.saved.name: (m.before[SPLITS[1]].reliability, m.after[SPLITS[1]].reliability) for m in models},
        f"{SPLITS[1]}, n = {unseen.n} in {unseen.groups} groups",
        beside / "reliability.png",
    )


def _measure(one: Asked, splits: Mapping[str, Sequence[Example]], options: argparse.Namespace) -> Measured:
    after = {name: one.evaluation(examples) for name, examples in splits.items()}
    texts = [example.text for example in splits[SPLITS[0]][:TIMED]]
    log_losses = {name: found.metrics["log_loss"].value for name, found in after.items()}
    return Measured(
        saved=one.saved,
        before={name: one.evaluation(examples, calibrated=False, resamples=0) for name, examples in splits.items()},
        after=after,
        behaviour=_behaviour(one),
        cost=cost(one.saved, texts, log_losses, options.measure),
    )


def _behaviour(one: Asked) -> list[Outcome]:
    return run_suite(read_suite(SUITE), one.probabilities)


def _head(models: Sequence[Measured], data_fingerprint: str) -> Iterator[str]:
    yield "# The models, measured"
    yield ""
    sizes = [f"`{split}` (n = {one.n}, {one.groups} groups)" for split, one in models[0].after.items()]
    yield (
        f"Written by `python experiments/report.py`. The splits are {' and '.join(sizes)}: unseen pages of known "
        f"conflicts, and whole conflicts that no model has seen. Intervals: 95 %, bootstrap over groups, "
        f"{models[0].after['test'].resamples:,} resamples, seed {SEED}. Each model is one training run of seed "
        f"{', '.join(sorted({str(one.saved.seed) for one in models}))}, an ensemble the vote of several; what "
        "other seeds give is not in the intervals but stands below the scores where it was tried. These scores had "
        "been seen before some choices were made: "
        "what was chosen how is told in [`README.md`](README.md)."
    )
    yield ""
    yield "| model | fingerprint | made by |"
    yield "|---|---|---|"
    for one in models:
        yield f"| `{one.saved.name}` | `{one.saved.fingerprint[:12]}` | `stance train configs/{one.saved.name}.yaml` |"
    yield ""
    missing = [f"`{name}`" for name in NAMES if name not in {one.saved.name for one in models}]
    if missing:
        yield f"Left out, since they are not trained here: {', '.join(missing)}."
        yield ""
    other = [f"`{one.saved.name}`" for one in models if one.saved.data_fingerprint != data_fingerprint]
    if other:
        yield f"Trained on an earlier build of the data: {', '.join(other)}."
        yield ""


def _scores(models: Sequence[Measured]) -> Iterator[str]:
    yield "## Scores"
    for split in SPLITS:
        one = models[0].after[split]
        yield ""
        yield f"**`{split}`**, n = {one.n} in {one.groups} groups: `stance evaluate MODEL --split {split}`"
        yield ""
        yield from page.score_table(models, split)
    yield ""
    yield (
        "ECE is the expected calibration error (15 bins; resampling shifts it upwards, so that its interval can lie "
        "above it). 'Decidable at 90 %' is the largest share of statements, most confident first, that is decided at "
        "an accuracy of 0.90: the threshold is the best one for these statements, no promise for others."
    )
    yield ""
    yield "**Behaviour and cost**: `stance evaluate MODEL --behaviour`"
    yield ""
    yield from page.cost_table(models)
    yield ""
    yield (
        f"Speed: the first {TIMED} statements of `test`, one thread, median of three, a second being one of the "
        "processor's time. Training: on two cores, of MLflow's run with the same log losses, as a clock on a machine "
        "with other work shows it; a star marks the whole run, with evaluation and logging. An ensemble's training is "
        "the reading of its parts."
    )
    yield ""


def _seeds(seeds: Mapping[str, Mapping[int, Asked]], splits: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    scores = {
        name: {
            split: {
                seed: one.evaluation(examples, resamples=0).metrics["macro_f1"].value for seed, one in by_seed.items()
            }
            for split, examples in splits.items()
        }
        for name, by_seed in seeds.items()
        if len(by_seed) > 1
    }
    if scores:
        yield "**Other seeds**, macro-F1: `stance train configs/MODEL.yaml --seed 1 --out experiments/models/MODEL-1`"
        yield ""
        yield from page.seed_table(scores, SPLITS)
        yield ""


def _pairs(asked: Mapping[str, Asked], splits: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    pairs = [(name, BASELINE) for name in NAMES if name not in ("majority", BASELINE)] + list(PAIRS)
    pairs = [pair for pair in pairs if set(pair) <= asked.keys()]
    yield "## Differences"
    yield ""
    yield (
        f"Macro-F1, paired bootstrap over groups ({RESAMPLES:,} resamples, seed {SEED}), and McNemar's exact test on "
        f"the statements that only one of the two has right; p-values adjusted by Holm for the {len(pairs)} pairs of a "
        "split. `stance compare` gives the same for tracked runs."
    )
    for split, examples in splits.items():
        groups = {example.group for example in examples}
        yield ""
        yield f"**`{split}`**, n = {len(examples)} in {len(groups)} groups"
        yield ""
        yield from page.test_table(_tested(pairs, asked, examples))
    yield ""


def _tested(pairs: Sequence[tuple[str, str]], asked: Mapping[str, Asked], examples: Sequence[Example]) -> list[Tested]:
    texts, groups = [example.text for example in examples], [example.group for example in examples]
    gold = label_indices([example.label for example in examples])
    labels = {name: asked[name].probabilities(texts).argmax(axis=1) for pair in pairs for name in pair}
    scores = {name: sampled(gold, found[None], groups, "macro_f1", RESAMPLES, SEED) for name, found in labels.items()}
    found = []
    for one, other in pairs:
        shift = difference(scores[one], scores[other])
        won = int(((labels[one] == gold) & (labels[other] != gold)).sum())
        lost = int(((labels[one] != gold) & (labels[other] == gold)).sum())
        found.append((one, other, shift, won, lost))
    adjusted = zip(
        found, holm([row[2].p for row in found]), holm([mcnemar(row[3], row[4]) for row in found]), strict=True
    )
    return [
        Tested(one, other, shift.value, shift.low, shift.high, p, won, lost, p_mcnemar)
        for (one, other, shift, won, lost), p, p_mcnemar in adjusted
    ]


def _calibration(models: Sequence[Measured]) -> Iterator[str]:
    yield "## Calibration and abstention"
    yield ""
    yield (
        "With temperature 1 → with the temperature fitted on validation, saved with the model. The parts of an "
        "ensemble are calibrated before they vote, so that its own temperature has less to do."
    )
    yield ""
    yield from page.calibration_table(models, SPLITS)
    yield ""
    yield "![Accuracy against confidence for each model, before and after temperature scaling](report/reliability.png)"
    yield ""
    yield "![Error rate against the share of statements decided, for each model and split](report/risk_coverage.png)"
    yield ""


def _theatres(asked: Mapping[str, Asked], examples: Sequence[Example]) -> Iterator[str]:
    wanted = dict.fromkeys(name for name in (BASELINE, "minilm", _best(asked)) if name in asked)
    shown = [(name, asked[name].evaluation(examples, "theatre")) for name in wanted]
    last = shown[-1][1]
    yield "## By conflict"
    yield ""
    yield (
        f"`{SPLITS[1]}`, n = {last.n} in {last.groups} groups; accuracy, of `{shown[-1][0]}` with its interval from 30 "
        "statements on, and macro-F1, which is over all three labels even where gold lacks one."
    )
    yield ""
    yield from page.facet_table(shown, "theatre")
    yield ""


def _errors(asked: Mapping[str, Asked], splits: Mapping[str, Sequence[Example]], beside: Path) -> Iterator[str]:
    name = _best(asked)
    mistakes = [one for split, examples in splits.items() for one in _mistakes(asked[name], split, examples)]
    mistakes.sort(key=lambda one: (-one.probability, one.id))
    both = [example for examples in splits.values() for example in examples]
    evaluation = asked[name].evaluation(both, "actor_type")
    read = _readings(beside / "causes.yaml")
    yield "## Errors"
    yield ""
    yield (
        f"Of `{name}` (the largest model here) on both splits together, n = "
        f"{evaluation.n} in {evaluation.groups} groups: {len(mistakes)} errors."
    )
    yield ""
    yield from page.direction_table(evaluation)
    yield ""
    yield from page.facet_table([(name, evaluation)], "actor_type")
    yield ""
    yield f"**The {SHOWN} most confident errors.** " + page.causes(mistakes[:SHOWN], read.readings)
    yield (
        "The causes are a reading under the [codebook](../data/CODEBOOK.md), by an AI system as the labels are, and "
        "checked by no person. They stand in [`report/causes.yaml`](report/causes.yaml); the errors read are those of "
        f"`{read.model}` (`{read.fingerprint}`)."
    )
    yield ""
    yield from page.mistake_table(mistakes[:SHOWN], read.readings)
    yield ""


def _best(there: Mapping[str, object]) -> str:
    """The largest model that is there; a fixed order, so that no score has a say."""
    ordered = (
        "ensemble",
        "mpnet-twice-taught",
        "mpnet-taught",
        "mpnet",
        "minilm",
        "minilm-plain",
        "minilm-frozen",
        BASELINE,
        "majority",
    )
    return next(name for name in ordered if name in there)


def _mistakes(one: Asked, split: str, examples: Sequence[Example]) -> Iterator[Mistake]:
    for example, row in zip(examples, one.probabilities([example.text for example in examples]), strict=True):
        predicted = LABELS[int(np.argmax(row))]
        if predicted != example.label:
            where, who = example.theatre or "no theatre", (example.actor_type or "unknown").replace("_", " ")
            agreed = max(example.soft, default=1.0)
            shown = (example.text, where, who, example.label, agreed, predicted)
            yield Mistake(example.id, split, *shown, float(row.max()))


def _readings(path: Path) -> Readings:
    if not path.is_file():
        return Readings(model="none", fingerprint="none", readings={})
    return validate(Readings, read_yaml(path), str(path))


def _next(beside: Path) -> Iterator[str]:
    path = beside / "next.md"
    yield "## What to annotate next"
    yield ""
    if not path.is_file():
        yield "Nobody has read the errors yet."
        return
    yield "This section is a reading of the errors above, kept in [`report/next.md`](report/next.md), and not computed."
    yield ""
    yield path.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    main()
