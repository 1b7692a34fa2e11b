"""What the surrogate of accuracy looks at: of each variant that may be evaluated, some numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mbsweep.search.axes import Axis, axes_of
from mbsweep.search.problem import Places, Problem
from mbsweep.space.counting import UNKNOWN

Singles = NDArray[np.float32]  # half the memory: there may be millions


@dataclass(frozen=True, eq=False)
class Terms:
    """Of some places, shapes (places, columns).

    linear: in which the logit of top-1 is linear: the logarithm of the mult-adds, then of each axis its
    value, and where it has three values or more a bend. kinds: of each column, which of KINDS it is.
    coordinates: where the place lies, each axis from 0 to 1; of an axis without numbers one for each of its
    values. fields: of each coordinate, the number of its field: how fast accuracy varies is alike in all
    stages.
    """

    linear: Singles
    kinds: NDArray[np.int64]
    coordinates: Singles
    fields: NDArray[np.int64]

    @classmethod
    def of(cls, problem: Problem, axes: Sequence[Axis], places: Places) -> Terms:
        """Those of some places of a problem, on its axes."""
        space = problem.space
        linear: list[NDArray[np.floating]] = []
        kinds: list[int] = []
        open_macs = space.macs[problem.open]
        if len(open_macs) and (open_macs != UNKNOWN).all() and (space.macs[places] != UNKNOWN).all():
            logs = np.log(np.maximum(open_macs, 1))
            size = (np.log(np.maximum(space.macs[places], 1)) - logs.mean()) / max(float(logs.std()), TINY)
            linear, kinds = [size, BEND * (np.square(np.clip(size / FAR, -1, 1)) - 0.5)], [SIZE, SIZE_BEND]
        coordinates, fields = [], []
        names = list(dict.fromkeys(axis.field for axis in axes))
        for axis in axes:
            codes = axis.codes[places]
            for values in _along(axis):
                coordinates.append(values[codes])
                fields.append(names.index(axis.field))
                linear.append((2 * values - 1)[codes])
                kinds.append(VALUE)
                if len(np.unique(values)) > 2:
                    linear.append((BEND * (np.square(2 * values - 1) - 0.5))[codes])
                    kinds.append(VALUE_BEND)
        return cls(
            _stacked(linear, len(places)),
            np.array(kinds, np.int64),
            _stacked(coordinates, len(places)),
            np.array(fields, np.int64),
        )

    def __getitem__(self, places: Places | slice) -> Terms:
        """Those of some of the places, counted through."""
        return Terms(self.linear[places], self.kinds, self.coordinates[places], self.fields)

    def __len__(self) -> int:
        return len(self.linear)

    def and_then(self, more: Terms) -> Terms:
        """With those of more places behind."""
        both = np.vstack([self.linear, more.linear]), np.vstack([self.coordinates, more.coordinates])
        return Terms(both[0], self.kinds, both[1], self.fields)


SIZE, SIZE_BEND, VALUE, VALUE_BEND = range(4)
KINDS = ("size", "bend of the size", "value on an axis", "bend of an axis")
BEND = 2.0  # so that a bend goes from -1 to 1, as a value does
FAR = 3.0  # standard deviations: the ends of the bend of the size
TINY = 1e-12


@lru_cache(maxsize=1)  # of a million variants they take a second
def terms_of(problem: Problem) -> Terms:
    """Those of all places of a problem that may be evaluated, in their order."""
    return Terms.of(problem, axes_of(problem.space), problem.open)


def _along(axis: Axis) -> list[Singles]:
    """Of each of its values how far along it is, from 0 to 1, by its logarithm; or which of them it is."""
    if not axis.is_number:
        return list(np.eye(len(axis.values), dtype=np.float32) / np.sqrt(2, dtype=np.float32))
    values = np.array(axis.values, dtype=float)
    if values.min() >= 0:
        values = np.log(values) if values.min() > 0 else np.log1p(values)
    return [((values - values[0]) / (values[-1] - values[0])).astype(np.float32)]


def _stacked(columns: Sequence[NDArray[np.floating]], rows: int) -> Singles:
    if not columns:
        return np.zeros((rows, 0), np.float32)
    return np.stack(columns, axis=1, dtype=np.float32)
