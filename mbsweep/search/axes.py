"""The axes of a space: what its variants differ in, one number for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.grid import Grid
from mbsweep.space.space import Space


@dataclass(frozen=True, eq=False)
class Axis:
    """A field, or what a field says of one stage, that is not the same in all variants.

    label: `width`, `kernels, stage 3`. field: its name. values: in order; None: of families without it.
    codes: (variants,), of each which of the values it has.
    """

    label: str
    field: str
    values: tuple[Any, ...]
    codes: NDArray[np.signedinteger]

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, so that there is a between."""
        return all(isinstance(one, int | float) and not isinstance(one, bool) for one in self.values)


def axes_of(space: Space) -> list[Axis]:
    """Those of a space, without what another tells already, as a stage's blocks do `depth`."""
    found: list[Axis] = []
    for name, stage in _fields(space):
        codes, values = _column(space, name, stage)
        if len(values) < 2:
            continue
        label = name if stage is None else f"{name}, stage {stage + 1}"
        if not any(len(one.values) == len(values) and _tells(one, codes) for one in found):
            found.append(Axis(label, name, values, codes))
    return found


def _fields(space: Space) -> list[tuple[str, int | None]]:
    """`family`, and all fields of the grids; of those with stages each stage."""
    stages = {
        name: max(grid.family.fields[name].stages for grid in space.grids if name in grid.values)
        for name in dict.fromkeys(name for grid in space.grids for name in grid.values)
    }
    # What has stages first: where a field follows one of them, it is that one's stage that is told.
    order = sorted(stages, key=lambda name: not stages[name])
    several = [(name, stage) for name in order for stage in range(stages[name])]
    return [("family", None), *several, *((name, None) for name in order if not stages[name])]


def _column(space: Space, name: str, stage: int | None) -> tuple[NDArray[np.signedinteger], tuple[Any, ...]]:
    """Of each variant which value it has, and the values: numbers by size, others as they come."""
    known: dict[Any, int] = {}

    def of_grid(grid: Grid) -> Any:
        value = grid.family.name if name == "family" else grid.values.get(name)
        if stage is not None and isinstance(value, tuple):
            value = value[stage] if stage < len(value) else None
        if not isinstance(value, np.ndarray):
            return known.setdefault(value, len(known))
        numbers, which = np.unique(value, return_inverse=True)
        codes = np.array([known.setdefault(one, len(known)) for one in numbers.tolist()])
        return codes[which.reshape(value.shape)]

    codes = space.spread(of_grid)
    used = np.flatnonzero(np.bincount(codes, minlength=len(known)))
    values = list(known)
    order = sorted(used.tolist(), key=lambda code: _rank(values[code], code))
    kind: type[np.signedinteger] = np.int16 if len(order) <= 2**15 else np.int32  # millions of codes
    rank: NDArray[np.signedinteger] = np.zeros(len(known), kind)
    rank[order] = np.arange(len(order))
    return rank[codes], tuple(values[code] for code in order)


def _rank(value: Any, place: int) -> tuple[bool, float]:
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else place


def _tells(a: Axis, codes: NDArray[np.signedinteger]) -> bool:
    """Whether the value on an axis tells that on another, of as many values, too."""
    for some in (slice(0, None, len(codes) // 1000 + 1), slice(None)):  # a few tell most apart
        told = np.zeros(len(a.values), codes.dtype)
        told[a.codes[some]] = codes[some]
        if (told[a.codes[some]] != codes[some]).any():
            return False
    return True
