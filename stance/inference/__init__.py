"""A saved model and new texts go in, predictions come out: one text or a hundred million rows.

`Predictor` answers for texts in memory, `predict_file` for files, folders of them and streams, which it reads and
writes batch by batch and, for files, from where an interrupted run stopped: the formats are `delimited`, `jsonlines`
and `parquet`; `runs` leads from `inputs` by the `scorer` to the `output`, which is `unfinished` until it is whole.
`stance.inference.pyfunc` is how MLflow loads the same predictor. Importing this page loads no model and no heavy
library.
"""

from stance.inference.files import Summary, predict_file
from stance.inference.inputs import FORMATS
from stance.inference.predictor import MAX_CHARACTERS, MissingReason, Predictor, missing_reason
from stance.inference.runs import PART_ROWS

__all__ = [
    "FORMATS",
    "MAX_CHARACTERS",
    "PART_ROWS",
    "MissingReason",
    "Predictor",
    "Summary",
    "missing_reason",
    "predict_file",
]
