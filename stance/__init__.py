"""Stance towards disarmament: a quote goes in, `anti`, `neutral` or `pro` with a probability comes out.

A folder is a stage, a file is a tool: `dataset` -> `models` -> `evaluation` -> `inference`; `training` is the page
where they meet. Importing the package loads no stage and no heavy library.
"""

__version__ = "0.1.0"
