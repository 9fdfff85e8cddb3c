"""A tracked model is promoted, described and published; nothing here trains or changes one.

`promoting` gives the model of a run an alias in MLflow's registry, unless it is shown to be worse than the model that
has it; `pointer` is the local copy of the champion, by which a command finds it without asking MLflow; `card` says what
a reader must know before using a model; `publishing` writes a folder for transformers and the Hub.
"""
