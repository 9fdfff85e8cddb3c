"""Annotated sentences go in, labelled examples in splits that cannot leak come out.

`read_config` and `build` make a data set, `load` reads one that was built, `read_examples` a labelled file.
"""

from stance.dataset.builder import Build, DataConfig, build, read_config, read_examples
from stance.dataset.storage import Dataset, load

__all__ = ["Build", "DataConfig", "Dataset", "build", "load", "read_config", "read_examples"]
