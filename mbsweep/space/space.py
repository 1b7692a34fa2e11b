"""A space of variants, counted: grids of families, and which of their points are meant; as arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.base.errors import MbsweepError
from mbsweep.space.counting import BYTES_PER_FP32, NOT_COUNTED, UNKNOWN, Counts, Found
from mbsweep.space.families import FAMILIES, family_of
from mbsweep.space.fields import Field
from mbsweep.space.grid import Columns, Grid, Places, whole
from mbsweep.space.variant import Variant, id_part

NUMBERS = Counts.__slots__


@dataclass(frozen=True, eq=False)
class Space:
    """The variants of a space and their counts: one array per number, one element per variant.

    grid, at: in which of the grids each variant stands, and where there. Shapes are (variants,).
    Counts that are not known are UNKNOWN. found: of networks that are code, what running it has told.
    """

    grids: tuple[Grid, ...]
    grid: NDArray[np.int32]
    at: Places
    params: Places
    macs: Places
    weight_bytes: Places
    peak_activation_bytes: Places
    weight_bytes_int8: Places
    peak_activation_bytes_int8: Places
    found: Mapping[Variant, Found]

    @classmethod
    def of(cls, variants: Iterable[Variant], grids: Iterable[Grid] = ()) -> Space:
        """Variants listed one by one, then grids; one that stands in both is kept where it came first."""
        given = list(variants)
        alike: dict[tuple[Any, ...], list[int]] = {}
        for place, variant in enumerate(given):
            alike.setdefault(_structure(variant), []).append(place)
        parts = [Grid.listed([given[place] for place in places]) for places in alike.values()]
        counted = [_counted(number, part) for number, part in enumerate(parts)]
        order = np.argsort([place for places in alike.values() for place in places]).astype(np.int64)
        columns = {name: values[order] for name, values in _joined(counted).items()}
        several = list(grids)
        columns = _joined([columns, *(_counted(len(parts) + n, grid) for n, grid in enumerate(several))])
        whole = cls((*parts, *several), **columns, found={})
        # Within one grid all variants differ; only several can repeat one another.
        return whole.select(whole._first_of_each()) if len(whole.grids) > 1 or given else whole

    @classmethod
    def of_grids(cls, grids: Iterable[Grid]) -> Space:
        """All variants of some grids, of which none stands in two."""
        parts = tuple(grids)
        return cls(parts, **_joined([_counted(number, grid) for number, grid in enumerate(parts)]), found={})

    def __len__(self) -> int:
        return len(self.at)

    def known(self, name: str) -> Places:
        """The counts of one sort, as far as they are known."""
        values: Places = getattr(self, name)
        known: Places = values[values != UNKNOWN]
        return known

    def code(self) -> list[Variant]:
        """The variants that are code."""
        if not any(grid.family.is_code for grid in self.grids):
            return []
        places = (at for grid, at in self.parts() if grid.family.is_code)
        return [self.variant(int(place)) for at in places for place in at]

    def with_found(self, found: Mapping[Variant, Found]) -> Space:
        """The same with what has been found out of those that are code."""
        counts = {name: getattr(self, name).copy() for name in NUMBERS}
        for grid, places in self.parts():
            if grid.family.is_code and (variant := grid.variant(0)) in found:
                for name in NUMBERS:
                    counts[name][places] = getattr(found[variant].counts, name)
        return replace(self, **counts, found={**self.found, **found})

    def select(self, chosen: NDArray[np.bool_] | Places) -> Space:
        """The variants that a mask or a list of places picks."""
        arrays = {name: getattr(self, name)[chosen] for name in ("grid", "at", *NUMBERS)}
        return replace(self, **arrays)

    def variant(self, place: int) -> Variant:
        """The variant at a place in the arrays."""
        found: Variant = self.grids[self.grid[place]].variant(int(self.at[place]))
        return found

    def variants(self) -> list[Variant]:
        """Every variant, in order. Slow beyond some ten thousand: use the arrays there."""
        return [self.variant(place) for place in range(len(self))]

    def place_of(self, variant: Variant) -> int | None:
        """Where a variant stands; None where it is none of them."""
        for grid, places in self.parts():
            found = np.isin(self.at[places], grid.at_of(variant))
            if found.any():
                return int(places[found.argmax()])
        return None

    def parts(self) -> Iterator[tuple[Grid, Places]]:
        """Each grid with the places of its variants."""
        if len(self.grids) == 1:
            yield self.grids[0], np.arange(len(self))
            return
        order = np.argsort(self.grid, kind="stable")
        ends = np.searchsorted(self.grid[order], np.arange(len(self.grids) + 1))
        for number, grid in enumerate(self.grids):
            if ends[number] < ends[number + 1]:
                yield grid, order[ends[number] : ends[number + 1]]

    def spread(self, of_grid: Callable[[Grid], Any], missing: Any = math.nan) -> Columns:
        """Of every variant what `of_grid` gives its grid, an array that broadcasts to its shape; None:
        missing.
        """
        found = []
        for grid, places in self.parts():
            value = of_grid(grid)
            found.append((places, grid.spread(missing if value is None else value, self.at[places])))
        if len(found) == 1:
            return np.array(found[0][1])
        kinds = {values.dtype.kind for _, values in found}
        is_number = bool(kinds) and kinds <= set("biuf")
        numbers = np.result_type(*(values for _, values in found)) if is_number else object
        whole = np.empty(len(self), dtype=numbers)
        for places, values in found:
            whole[places] = values
        return whole

    def column(self, name: str) -> Columns:
        """A field of every variant; NaN where its family lacks it. Of one with stages, tuples of values."""

        def of_grid(grid: Grid) -> Any:
            value = grid.values.get(name)
            if grid.family.is_code and name != "resolution":
                return None  # an argument that is called so may be anything
            if not isinstance(value, tuple):
                return value
            shape = np.broadcast_shapes(*(np.shape(one) for one in value))
            found = np.empty(math.prod(shape), dtype=object)
            columns = (np.broadcast_to(np.asarray(one), shape).ravel().tolist() for one in value)
            found[:] = [whole(grid.family.fields[name], row) for row in zip(*columns, strict=True)]
            return found.reshape(shape)

        return self.spread(of_grid)

    def ids(self) -> Iterator[str]:
        """Every variant's id, in order, without making the variants."""

        def part(name: str, field: Field, value: Any, usual: Any) -> str:
            return id_part(field, value) if field.is_always or value != usual else ""

        def of_grid(grid: Grid) -> Any:
            if grid.family.is_code:  # one network
                return np.array(grid.variant(0).id, dtype=object)
            return grid.family.name + grid.texts(part)

        yield from self.spread(of_grid).tolist()

    def fields(self) -> Iterator[str]:
        """Every variant's fields as JSON, in order: `as_dict` without the family."""

        def part(name: str, field: Field, value: Any, usual: Any) -> str:
            return "" if field.is_added and value == usual else f', "{name}": {json.dumps(value)}'

        for text in self.spread(lambda grid: grid.texts(part)).tolist():
            yield f"{{{text[2:]}}}"

    def having(self, key: tuple[Any, ...], but: Collection[str]) -> Places:
        """The places of the variants whose `Family.key`, but for some fields, is this one; in order."""
        found = [np.zeros(0, np.int64)]
        for grid, places in self.parts():
            of_grid = grid.family.key(grid.values, but)
            if of_grid[0] != key[0]:
                continue
            at, alike = self.at[places], np.ones(len(places), dtype=bool)
            for value, wanted in zip(of_grid[1:], key[1:], strict=True):
                several = zip(value, wanted, strict=True) if isinstance(value, tuple) else [(value, wanted)]
                for one, other in several:
                    alike &= grid.spread(np.asarray(one) == other, at)
            found.append(places[alike])
        return np.sort(np.concatenate(found))

    def _first_of_each(self) -> Places:
        families = list({**FAMILIES, **dict.fromkeys(grid.family.name for grid in self.grids)})
        keys: list[Columns] = [self.spread(lambda grid: families.index(grid.family.name))]
        for name in dict.fromkeys(name for grid in self.grids for name in grid.values):
            stages = [grid.family.fields[name].stages for grid in self.grids if name in grid.values]
            keys += [self._codes(name, stage) for stage in (range(max(stages)) if max(stages) else [None])]
        order = np.lexsort(keys[::-1])  # stable: the first place comes first
        repeat = np.zeros(len(self), dtype=bool)
        repeat[order[1:]] = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
        return np.flatnonzero(~repeat)

    def _codes(self, name: str, stage: int | None) -> Columns:
        """A number for each value of a field, or of a stage of it: equal where the values are."""
        known: dict[Any, int] = {}

        def of_grid(grid: Grid) -> Any:
            value = grid.values.get(name)
            if stage is not None and value is not None and grid.family.fields[name].stages:
                value = value[stage] if stage < len(value) else None
            if not isinstance(value, np.ndarray):
                return known.setdefault(value, len(known))
            numbers, which = np.unique(value, return_inverse=True)
            codes = np.array([known.setdefault(one, len(known)) for one in numbers.tolist()])
            return codes[which.reshape(value.shape)]

        return self.spread(of_grid)


def _structure(variant: Variant) -> tuple[Any, ...]:
    fields = family_of(variant.family).fields
    kept = ((name, value) for name, value in variant.values.items() if fields[name].is_structural)
    return variant.family, *kept


def _counted(number: int, grid: Grid) -> dict[str, Columns]:
    counts = NOT_COUNTED
    if not grid.family.is_code:
        _check_fits(grid)
        counts = Counts.of(grid.architecture)
    size = grid.size
    found = {name: np.broadcast_to(getattr(counts, name), grid.shape).ravel() for name in NUMBERS}
    return {"grid": np.full(size, number, np.int32), "at": np.arange(size), **found}


def _check_fits(grid: Grid) -> None:
    """MbsweepError where a network may have more mult-adds than 64 bits hold. Python's own numbers tell."""

    def most(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(most, value))
        return value.max().item() if isinstance(value, np.ndarray) else value

    largest = grid.family.network({name: most(value) for name, value in grid.values.items()})
    if max(largest.macs, BYTES_PER_FP32 * largest.params) >= 2**63:
        raise MbsweepError(
            f"networks of {grid.family.name} as large as these have more than 9.2e18 mult-adds or bytes: "
            "lower the depths, widths or resolutions"
        )


def _joined(parts: Sequence[Mapping[str, Columns]]) -> dict[str, Columns]:
    none = {"grid": np.zeros(0, np.int32)} | {name: np.zeros(0, np.int64) for name in ("at", *NUMBERS)}
    return {name: np.concatenate([none[name], *(part[name] for part in parts)]) for name in none}


def count_macs(variants: Sequence[Variant]) -> NDArray[np.int64]:
    """Mult-adds of each of many variants."""
    places = {variant: place for place, variant in enumerate(dict.fromkeys(variants))}
    return Space.of(list(places)).macs[[places[variant] for variant in variants]]
