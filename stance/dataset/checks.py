"""What the builder refuses: each function raises `DataError` for the first offender, with its file and line."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from stance.dataset.splits import TEST_UNSEEN, TRAIN, SplitSettings
from stance.errors import DataError, problem
from stance.plugins import nearest
from stance.schema import MADE_UP, Annotation, Example
from stance.text import normalise

_INVENTIONS: Final = "Give their source `split: train`."


def check_annotations(annotations: Sequence[Annotation], annotators: Sequence[str], max_characters: int) -> None:
    """Refuse empty or over-long texts, missing votes, votes from an unknown annotator and a vote cast twice."""
    for annotation in annotations:
        length = len(normalise(annotation.text))
        if length == 0:
            raise DataError(problem(annotation.where, "a text", "an empty one", "Fill it in or remove the line."))
        if length > max_characters:
            todo = "Cut it to the statement, or raise max_characters in the data config."
            raise DataError(problem(annotation.where, f"at most {max_characters:,} characters", f"{length:,}", todo))
        names = [vote.annotator for vote in annotation.votes]
        if not names:
            raise DataError(problem(annotation.where, "a vote", "none", "Add a vote or remove the line."))
        for name in names:
            if name not in annotators:
                todo = f"Correct the vote or add to annotators in the data config.{nearest(name, list(annotators))}"
                raise DataError(problem(annotation.where, f"annotators {', '.join(annotators)}", repr(name), todo))
        if len(set(names)) < len(names):
            raise DataError(problem(annotation.where, "one vote an annotator", ", ".join(names), "Remove one."))


def check_ids(annotations: Iterable[Annotation]) -> None:
    """Refuse two annotations with one id, and a contrast statement whose base is not there."""
    seen: dict[str, str] = {}
    annotations = list(annotations)
    for annotation in annotations:
        if annotation.id in seen:
            got = f"{annotation.id!r} again, first at {seen[annotation.id]}"
            raise DataError(problem(annotation.where, "an id of its own", got, "Rename or remove one."))
        seen[annotation.id] = annotation.where
    for annotation in annotations:
        if annotation.base is not None and annotation.base not in seen:
            todo = f"Correct it or add the base's file to sources.{nearest(annotation.base, list(seen))}"
            raise DataError(problem(annotation.where, "a base among the ids", repr(annotation.base), todo))


def check_offsets(annotations: Iterable[Annotation], root: Path) -> None:
    """Refuse an annotation whose text does not stand at its offsets in its article, a path below `root`."""
    articles: dict[str, str] = {}
    for annotation in annotations:
        given = [name for name in ("document", "start", "end") if getattr(annotation, name) is not None]
        if not given:
            continue
        if annotation.document is None or annotation.start is None or annotation.end is None:
            todo = "Give all three or none."
            raise DataError(problem(annotation.where, "document, start and end", f"only {', '.join(given)}", todo))
        if annotation.document not in articles:
            articles[annotation.document] = _article(root, annotation)
        found = articles[annotation.document][max(annotation.start, 0) : max(annotation.end, 0)]
        if found != annotation.text:
            where = f"{annotation.where}: {annotation.document}[{annotation.start}:{annotation.end}]"
            raise DataError(problem(where, repr(annotation.text), repr(found), "Correct start and end."))


def check_leaks(splits: Mapping[str, Sequence[Example]], settings: SplitSettings) -> None:
    """Refuse splits that share a group, a page, a contrast set or a text, or show an unseen theatre to training.

    This trusts nothing that made the splits: it looks at the finished ones.
    """
    ties: dict[str, Callable[[Example], str | None]] = {"group": lambda e: e.group, "text": lambda e: _key(e)}
    if "page" in settings.group_by:
        ties["page"] = lambda e: e.source_url
    if "base" in settings.group_by:
        ties["contrast set"] = lambda e: e.base or e.id
    for what, value in ties.items():
        _check_disjoint(splits, what, value)
    for name, examples in splits.items():
        for example in examples:
            if example.kind in MADE_UP and name != TRAIN:
                got = f"{example.id!r} in {name}"
                raise DataError(problem("splits", f"{example.kind} statements in train only", got, _INVENTIONS))
            if name in (TRAIN, "validation", "test") and example.theatre in settings.unseen_theatres:
                got = f"{example.id!r} of {example.theatre!r} in {name}"
                todo = "Take the theatre from splits.unseen_theatres, or the split from its source."
                raise DataError(problem("splits", f"unseen theatres in {TEST_UNSEEN} only", got, todo))


def _check_disjoint(splits: Mapping[str, Sequence[Example]], what: str, value: Callable[[Example], str | None]) -> None:
    home: dict[str, tuple[str, str]] = {}
    for name, examples in splits.items():
        for example in examples:
            if (tie := value(example)) is None:
                continue
            other_split, other_id = home.setdefault(tie, (name, example.id))
            if other_split != name:
                got = f"{other_id!r} in {other_split} and {example.id!r} in {name} with the same {what}"
                raise DataError(problem("splits", f"no {what} in two splits", got, "Add the tie to splits.group_by."))


def _key(example: Example) -> str:
    return f"{example.target}\n{example.text.casefold()}"


def _article(root: Path, annotation: Annotation) -> str:
    path = root / str(annotation.document)
    if root.resolve() not in path.resolve().parents or not path.is_file():
        got = repr(annotation.document)
        raise DataError(problem(annotation.where, f"an article below {root}", got, "Correct document."))
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(problem(path, "an article in UTF-8", str(error), "Convert the file.")) from error
