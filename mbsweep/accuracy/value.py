"""Accuracy: what one variant is worth, with all that a reader must know of the number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAN = math.nan
IMAGENET = "ImageNet, validation part"
UNRELIABLE = "its ranking is not to be relied on"  # how it is said of a supernet


def source_words(kind: str, source: str) -> str:
    """`published, tf-slim-2018-08-02`; sources of other kinds say theirs: `trained on digits-1234, ...`."""
    return f"{kind}, {source}" if kind == "published" else source


@dataclass(frozen=True)
class Accuracy:
    """What one variant is worth on the test part of a data set. NaN with a reason where it is not known."""

    top1_pct: float
    top5_pct: float
    kind: str  # "published", "trained", "supernet" or "predicted"
    source: str  # a table of the literature; a data set and a recipe; what a model was fitted on
    dataset: str  # of trained ones with a hash of its content
    top1_low_pct: float = NAN  # 95 % interval: the noise of the test set and of the seeds
    top1_high_pct: float = NAN
    top1_sd_pct: float = NAN  # over the seeds
    seeds: str = ""  # "0, 1"
    epochs: float = NAN  # that it was trained for
    note: str = ""  # what a reader must know of a known accuracy
    reason: str = ""  # why it is not known
    shared_note: str = ""  # what is to be known of all that were obtained in the same way
    marks: str = ""  # what code must know, see `mbsweep.storage.marks`

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Accuracy:
        """From what a run keeps, by the names of its columns; NaN where a number is NULL there."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            value = row[field.name if field.name in row else field.name.removeprefix("top1_")]
            found[field.name] = NAN if value is None else value
        return cls(**found)

    @property
    def row(self) -> tuple[Any, ...]:
        """All fields, in their order, as a run keeps them."""
        values: tuple[Any, ...] = _VALUES(self)
        return values


_VALUES = attrgetter(*(field.name for field in fields(Accuracy)))


@dataclass(frozen=True)
class Accuracies:
    """What each variant of a space is worth at one precision, in the space's order."""

    top1_pct: NDArray[np.float64]  # (variants,); NaN: unknown
    at: Callable[[int], Accuracy]  # place in the space -> all that is known of that variant

    @classmethod
    def shared(cls, kinds: Sequence[Accuracy], which: NDArray[np.int64]) -> Accuracies:
        """Of variants that share a few accuracies. which: (variants,), the place in `kinds` of each."""
        top1_pct = np.array([accuracy.top1_pct for accuracy in kinds])
        return cls(top1_pct[which], lambda place: kinds[which[place]])

    def __len__(self) -> int:
        return len(self.top1_pct)

    def __iter__(self) -> Iterator[Accuracy]:
        return map(self.at, range(len(self)))

    @property
    def known(self) -> int:
        """Of how many variants it is known."""
        return int((~np.isnan(self.top1_pct)).sum())
