"""Gold labels and probabilities go in, scores come out. The stage knows no model and no file of examples.

`evaluate` is the whole of it: every metric with its interval, the majority baseline, calibration, selective prediction
and the breakdown by facet. `table` and `write_plots` show the result; `fit_temperature` makes probabilities trustworthy
before they come here. Gold labels are positions in `stance.schema.LABELS`, and the predicted label is the most probable
one (the first of them where several are equally probable). scipy and matplotlib are imported only when they are needed.
"""

from stance.evaluation.abstention import Decided, decided
from stance.evaluation.behaviour import Outcome, behaviour_table, read_suite, run_suite
from stance.evaluation.calibration import Bin, expected_calibration_error, fit_temperature, reliability
from stance.evaluation.intervals import Estimate, Interval, bootstrap, resampled_rows
from stance.evaluation.metrics import LOWER_IS_BETTER, confusion, scores
from stance.evaluation.plots import write_plots
from stance.evaluation.report import Evaluation, Majority, Slice, evaluate
from stance.evaluation.selective import Point, accuracy_at_coverage, aurc, coverage_at_accuracy, risk_coverage
from stance.evaluation.tables import decided_table, table

__all__ = [
    "LOWER_IS_BETTER",
    "Bin",
    "Decided",
    "Estimate",
    "Evaluation",
    "Interval",
    "Majority",
    "Outcome",
    "Point",
    "Slice",
    "accuracy_at_coverage",
    "aurc",
    "behaviour_table",
    "bootstrap",
    "confusion",
    "coverage_at_accuracy",
    "decided",
    "decided_table",
    "evaluate",
    "expected_calibration_error",
    "fit_temperature",
    "read_suite",
    "reliability",
    "resampled_rows",
    "risk_coverage",
    "run_suite",
    "scores",
    "table",
    "write_plots",
]
