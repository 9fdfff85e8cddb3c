"""A saved model and new texts go in, predictions come out: one text or a hundred million rows.

`Predictor` answers for texts in memory, `predict_file` for files and streams, which it reads and writes row by row;
`stance.inference.pyfunc` is how MLflow loads the same predictor. Importing this page loads no model and no heavy
library.
"""

from stance.inference.files import FORMATS, Summary, predict_file
from stance.inference.predictor import MAX_CHARACTERS, MissingReason, Predictor, missing_reason

__all__ = ["FORMATS", "MAX_CHARACTERS", "MissingReason", "Predictor", "Summary", "missing_reason", "predict_file"]
