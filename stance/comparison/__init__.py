"""Several tracked runs go in; scores, settings that differ and paired tests on the same statements come out.

`find` reads runs from MLflow, `compare` groups the seeds of a config and tests each pair, and `text`, `markdown`,
`as_csv` and, with the `detail` of each run, `page` show what came out. The statistics are in `paired`.
"""

from stance.comparison.details import Curves, Details, detail, learning_curves
from stance.comparison.page import page
from stance.comparison.paired import METRICS, Metric
from stance.comparison.runs import EXPERIMENT, Found, Read, Run, find
from stance.comparison.systems import Changed, Comparison, Pair, System, compare
from stance.comparison.tables import as_csv, markdown, text

__all__ = [
    "EXPERIMENT",
    "METRICS",
    "Changed",
    "Comparison",
    "Curves",
    "Details",
    "Found",
    "Metric",
    "Pair",
    "Read",
    "Run",
    "System",
    "as_csv",
    "compare",
    "detail",
    "find",
    "learning_curves",
    "markdown",
    "page",
    "text",
]
