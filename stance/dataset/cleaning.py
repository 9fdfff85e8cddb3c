"""What says the same twice goes, what nearly does stays together, and what contradicts itself is reported.

Likeness is the Jaccard index of the sets of five-character shingles of two texts (Broder 1997, "On the resemblance and
containment of documents"), over letters and digits alone. Candidates come from MinHash with locality-sensitive hashing
(library datasketch); every candidate is then measured exactly, so that hashing can miss a pair but never invent one.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final

from pydantic import Field, model_validator

from stance.config import Settings
from stance.schema import CONTRAST, Example

_SHINGLE: Final = 5
_PERMUTATIONS: Final = 128
_WIDEST: Final = 0.9
"""Bands of hashes cannot tell likenesses above this apart."""
_MISSES_COST: Final = (0.1, 0.9)
"""Weight of needless candidates and of missed pairs: a candidate costs a comparison, a missed pair may be a leak."""
_SEED: Final = 1
"""Of the hash functions: fixed, so that the same texts give the same pairs."""


class CleaningSettings(Settings):
    """How alike two texts must be, as a Jaccard index from 0 to 1."""

    duplicate: float = Field(
        0.9, gt=0, le=1, description="from here on the later of two like-labelled texts is removed"
    )
    cluster: float = Field(0.5, gt=0, le=1, description="from here on two texts stay in one split")

    @model_validator(mode="after")
    def _ordered(self) -> "CleaningSettings":
        if self.cluster > self.duplicate:
            raise ValueError("cluster must not be above duplicate: removed texts are alike, too")
        return self


@dataclass(frozen=True, slots=True)
class Pair:
    """Two examples (positions `first` < `second`) whose texts are alike by `likeness`, 0 to 1."""

    first: int
    second: int
    likeness: float


def similar_pairs(examples: Sequence[Example], threshold: float) -> list[Pair]:
    """Return all pairs of examples on the same target with a likeness of at least `threshold`, in order."""
    from datasketch import MinHash, MinHashLSH

    sets = [_shingles(example.text) for example in examples]
    index = MinHashLSH(min(threshold, _WIDEST), num_perm=_PERMUTATIONS, weights=_MISSES_COST)
    pairs = []
    shingles = [[shingle.encode() for shingle in sorted(set_)] for set_ in sets]
    hashes = MinHash.generator(shingles, num_perm=_PERMUTATIONS, seed=_SEED)
    for second, minhash in enumerate(hashes):
        for first in sorted(index.query(minhash)):
            likeness = _jaccard(sets[first], sets[second])
            if likeness >= threshold and examples[first].target == examples[second].target:
                pairs.append(Pair(first, second, likeness))
        index.insert(second, minhash)
    return pairs


def duplicates(
    examples: Sequence[Example], pairs: Sequence[Pair], threshold: float, protected: Set[str] = frozenset()
) -> dict[int, int]:
    """Return the positions to remove, each with the position of the text that it repeats: as a rule the earlier one.

    Only texts with the same label repeat each other; a contrast statement differs from its base on purpose and stays.
    Examples whose id is in `protected` are never removed, so that an official test set stays whole.
    """
    removed: dict[int, int] = {}
    for pair in pairs:
        first, second = examples[pair.first], examples[pair.second]
        meant = CONTRAST in (first.kind, second.kind) and _siblings(first, second)
        if pair.likeness < threshold or first.label != second.label or meant:
            continue
        gone, stays = (pair.second, pair.first) if second.id not in protected else (pair.first, pair.second)
        if examples[gone].id not in protected and stays not in removed:
            removed.setdefault(gone, stays)
    return removed


def contradictions(examples: Sequence[Example], pairs: Sequence[Pair], threshold: float) -> list[Pair]:
    """Return the pairs that say the same, by `threshold`, under different labels, other than contrast statements."""
    return [
        pair
        for pair in pairs
        if pair.likeness >= threshold
        and examples[pair.first].label != examples[pair.second].label
        and CONTRAST not in (examples[pair.first].kind, examples[pair.second].kind)
    ]


def _siblings(first: Example, second: Example) -> bool:
    """Whether two examples belong to one contrast set."""
    return (first.base or first.id) == (second.base or second.id)


def _shingles(text: str) -> frozenset[str]:
    plain = " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
    return frozenset(_windows(plain)) or frozenset({plain})


def _windows(text: str) -> Iterator[str]:
    for start in range(len(text) - _SHINGLE + 1):
        yield text[start : start + _SHINGLE]


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
