"""What `make demo` ends with: every annotated sentence of the two seed articles, scored, as a table and as a page.

Run: python experiments/demo.py. It reads data/annotations/seeds.jsonl and the models in experiments/models, and writes
experiments/demo/seeds.html. No model is trained on these articles.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stance.dataset import read_examples
from stance.inference import Predictor
from stance.schema import LABELS, Example, Prediction

SEEDS = Path("data/annotations/seeds.jsonl")
MODELS = Path("experiments/models")
PAGE = Path("experiments/demo/seeds.html")
SHOWN = ("minilm", "tfidf")
"""The models in the order of their columns; the first is the one drawn on the page."""
COLOURS = {"anti": "red", "neutral": "bright_black", "pro": "green"}


def main() -> None:
    """Score, print and write."""
    examples = read_examples(SEEDS, {})
    predictors = {name: Predictor.load(MODELS / name) for name in SHOWN}
    answers = {name: p.predict([example.text for example in examples]) for name, p in predictors.items()}
    console = Console()
    console.print(_table(examples, answers))
    for name, predictions in answers.items():
        right = sum(p is not None and p.label == e.label for p, e in zip(predictions, examples, strict=True))
        console.print(f"{name}: {right} of {len(examples)} as annotated.")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(_page(examples, answers), encoding="utf-8")
    console.print(f"The same as a page to look at: {PAGE}", soft_wrap=True)


def _table(examples: Sequence[Example], answers: Mapping[str, Sequence[Prediction | None]]) -> Table:
    table = Table(title="The two seed articles", caption="p: probability of the label given", show_lines=True)
    table.add_column("who: what", ratio=1)
    table.add_column("annotated")
    for name in answers:
        table.add_column(f"{name}\nlabel   p")
    for number, example in enumerate(examples):
        cells = [_cell(predictions[number]) for predictions in answers.values()]
        annotated = f"[{COLOURS[example.label]}]{example.label}[/]"
        said = f"[bold]{example.speaker or 'nobody named'}:[/] " + example.text.replace("[", r"\[")
        table.add_row(said, annotated, *cells)
    return table


def _cell(prediction: Prediction | None) -> str:
    if prediction is None:
        return "-"
    return f"[{COLOURS[prediction.label]}]{prediction.label:<7}[/] {max(prediction.probabilities):.2f}"


def _page(examples: Sequence[Example], answers: Mapping[str, Sequence[Prediction | None]]) -> str:
    heads = "".join(f"<th scope=col>{escape(name)}</th>" for name in answers)
    rows = []
    for number, example in enumerate(examples):
        bars = "".join(f'<td data-label="{escape(name)}">{_bar(p[number])}</td>' for name, p in answers.items())
        rows.append(
            f"<tr><td>{escape(example.speaker or '')}<small>{escape(example.kind or '')}</small></td>"
            f"<td class=quote>{escape(example.text)}</td>"
            f"<td data-label=annotated><b class={example.label}>{example.label}</b></td>{bars}</tr>"
        )
    return _TEMPLATE.format(heads=heads, rows="\n".join(rows))


def _bar(prediction: Prediction | None) -> str:
    if prediction is None:
        return "-"
    named = list(zip(LABELS, prediction.probabilities, strict=True))
    parts = "".join(f'<i class={label} style="width:{p:.1%}"></i>' for label, p in named)
    words = ", ".join(f"{label} {p:.2f}" for label, p in named)
    best = f"<b class={prediction.label}>{prediction.label}</b> {max(prediction.probabilities):.2f}"
    return f'{best}<span class=bar role=img aria-label="{words}" title="{words}">{parts}</span>'


_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>The seed articles, scored</title>
<style>
:root {{ color-scheme: light dark; --anti: #c0392b; --neutral: #7f8c8d; --pro: #1e8449; --line: #8884; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .5rem .6rem; border-bottom: 1px solid var(--line); }}
td:first-child {{ min-width: 8rem; }} small {{ display: block; opacity: .7; }} .quote {{ min-width: 16rem; }}
b.anti {{ color: var(--anti); }} b.neutral {{ color: var(--neutral); }} b.pro {{ color: var(--pro); }}
.bar {{ display: flex; height: .5rem; min-width: 8rem; margin-top: .3rem; border-radius: .25rem; overflow: hidden; }}
i.anti {{ background: var(--anti); }} i.neutral {{ background: var(--neutral); }} i.pro {{ background: var(--pro); }}
@media (prefers-color-scheme: dark) {{ :root {{ --anti: #ff7f70; --neutral: #aab4b5; --pro: #58d68d; }} }}
@media (max-width: 40rem) {{ thead {{ display: none; }} tr, td {{ display: block; border: 0; }}
  tr {{ border-bottom: 1px solid var(--line); padding: .5rem 0; }} td {{ padding: .1rem 0; }}
  td[data-label]::before {{ content: attr(data-label) ": "; opacity: .7; }} }}
</style></head><body>
<h1>What the two articles say about disarmament</h1>
<p>Every sentence of the two articles in <code>seeds/</code>, which no model was trained on: who says it, the label
given by the annotators, and what each model says. Bars show the probabilities of <b class=anti>anti</b>,
<b class=neutral>neutral</b> and <b class=pro>pro</b>.</p>
<table><thead><tr><th scope=col>speaker</th><th scope=col>quote</th><th scope=col>annotated</th>{heads}</tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""

if __name__ == "__main__":
    main()
