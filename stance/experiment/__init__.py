"""A grid of configs, variants, seeds and protocols goes in; one MLflow experiment comes out, which `compare` reads.

`read_definition` reads the grid from YAML, `plan` says what of it is done and how long the rest will take, `run` does
the rest. What is done is known from the runs in MLflow alone, so that an interrupted grid goes on where it stopped.
"""

from stance.experiment.definition import Cell, Definition, cells, read_definition
from stance.experiment.planning import Plan, Task, plan
from stance.experiment.running import Event, Outcome, run

__all__ = [
    "Cell",
    "Definition",
    "Event",
    "Outcome",
    "Plan",
    "Task",
    "cells",
    "plan",
    "read_definition",
    "run",
]
