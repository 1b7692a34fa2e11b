"""Grids: networks of one family and structure, whose fields are arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.architecture import Architecture
from mbsweep.space.families import family_of
from mbsweep.space.families.family import Family
from mbsweep.space.fields import Field
from mbsweep.space.variant import Variant

Places = NDArray[np.int64]
Columns = NDArray[Any]


@dataclass(frozen=True)
class Each:
    """An axis of a field with a value for each stage: every combination of some values over the stages."""

    values: tuple[Any, ...]


Axis = tuple[Any, ...] | Each  # the values of a field


@dataclass(frozen=True, eq=False)
class Grid:
    """Variants of one family and structure.

    values: field -> its value, or an array that broadcasts to `shape`; of a field with stages, a tuple of
        such.
    """

    family: Family
    values: Mapping[str, Any]
    shape: tuple[int, ...]

    @classmethod
    def product(cls, family: Family, structure: Mapping[str, Any], axes: Mapping[str, Axis]) -> Grid:
        """Every combination of some axes, the last axis fastest. structure: one value for each other field.

        Each axis is one of numpy's, and with Each one for every stage: what depends on the width alone is an
        array of as many numbers as there are widths, until it meets something that depends on the resolution.
        """
        lengths: list[int] = []
        for name, axis in axes.items():
            stages = family.keys[name].stages
            lengths += [len(axis.values)] * stages if isinstance(axis, Each) else [len(axis)]
        said: dict[str, Any] = dict(structure)
        at = 0
        for name, axis in axes.items():
            stages = family.keys[name].stages
            if isinstance(axis, Each):
                said[name] = tuple(_along(axis.values, at + stage, len(lengths)) for stage in range(stages))
                at += stages
            elif stages:
                said[name] = tuple(_along(of_stage, at, len(lengths)) for of_stage in zip(*axis, strict=True))
                at += 1
            else:
                said[name] = _along(axis, at, len(lengths))
                at += 1
        return cls(family, family.settled(said), tuple(lengths))

    @classmethod
    def listed(cls, variants: Sequence[Variant]) -> Grid:
        """Some variants of one family and structure, along one axis."""
        family = family_of(variants[0].family)
        columns: dict[str, Any] = {}
        for name in variants[0].values:
            field = family.fields[name]
            values = [getattr(variant, name) for variant in variants]
            if field.is_structural:
                columns[name] = values[0]
            elif field.stages:
                columns[name] = tuple(np.array(of_stage) for of_stage in zip(*values, strict=True))
            else:
                columns[name] = np.array(values)
        return cls(family, columns, (len(variants),))

    @property
    def size(self) -> int:
        """How many variants it has."""
        return math.prod(self.shape)

    @cached_property
    def architecture(self) -> Architecture:
        """Its networks, their numbers as arrays."""
        return self.family.network(self.values)

    def spread(self, value: Any, at: Places) -> Columns:
        """An array that broadcasts to `shape`, at some of the grid's points."""
        return spread(value, self.shape, at)

    def variant(self, at: int) -> Variant:
        """The variant at a point."""
        place = np.unravel_index(at, self.shape)

        def plain(field: Field, value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return value
            one = value[
                tuple(0 if length == 1 else i for i, length in zip(place, value.shape, strict=True))
            ].item()
            default = field.default[0] if field.stages else field.default
            return int(one) if type(default) is int and one == int(one) else one

        fields = self.family.fields
        found = {
            name: tuple(plain(fields[name], one) for one in value)
            if fields[name].stages
            else plain(fields[name], value)
            for name, value in self.values.items()
        }
        return Variant.of_values(self.family, found)

    def at_of(self, variant: Variant) -> Places:
        """The points at which a variant stands: one, or none."""
        if variant.family != self.family.name:
            return np.zeros(0, np.int64)
        alike: Any = True
        for name, value in self.values.items():
            own = variant.values[name]
            stages = zip(value, own, strict=True) if self.family.fields[name].stages else [(value, own)]
            for of_stage, one in stages:
                alike = alike & (of_stage == one)
        return np.flatnonzero(np.broadcast_to(alike, self.shape))

    def texts(self, part: Callable[[str, Field, Any, Any], str]) -> Columns:
        """Of each of its variants, what its fields' parts are together. Shape as `shape`.

        part: (name, field, value, its usual value) -> text. Texts are made once for what is alike.
        """
        whole: Any = ""
        for name in self.values:
            whole = whole + self._texts_of(name, self.family.fields[name], part)
        return np.broadcast_to(np.asarray(whole, dtype=object), self.shape)

    def _texts_of(self, name: str, field: Field, part: Callable[[str, Field, Any, Any], str]) -> Any:
        usual, value = field.usual(self.values), self.values[name]
        several = [*value, *usual] if field.stages else [value, usual]
        if not any(isinstance(one, np.ndarray) for one in several):
            return part(name, field, value, usual)
        shape = np.broadcast_shapes(*(np.shape(one) for one in several))
        columns = [np.broadcast_to(_as_field(field, one), shape).ravel().tolist() for one in several]
        rows = zip(*columns, strict=True)
        if field.stages:
            count = field.stages
            pairs = ((whole(field, row[:count]), whole(field, row[count:])) for row in rows)
        else:
            pairs = ((row[0], row[1]) for row in rows)
        found = np.empty(math.prod(shape), dtype=object)
        found[:] = [part(name, field, *pair) for pair in pairs]
        return found.reshape(shape)


def spread(value: Any, shape: tuple[int, ...], at: Places) -> Columns:
    """An array that broadcasts to a shape, at some places of the whole, counted through."""
    value = np.asarray(value)
    if value.ndim < len(shape):
        value = value.reshape((1,) * (len(shape) - value.ndim) + value.shape)
    if value.size == 1:
        return np.broadcast_to(value.reshape(1), at.shape)
    index: Any = at
    if len(at) == math.prod(shape) and (np.diff(at, prepend=-1) == 1).all():  # all of it: ten times as fast
        return np.broadcast_to(value, shape).ravel()
    if value.shape == shape:
        value = value.reshape(-1)
    else:
        places = zip(np.unravel_index(at, shape), value.shape, strict=True)
        index = tuple(0 if length == 1 else place for place, length in places)
    found: Columns = value[index]
    return found


def _as_field(field: Field, value: Any) -> Columns:
    """An array of the type of the field's values."""
    default = field.default[0] if field.stages else field.default
    found = np.asarray(value)
    return found.astype(float) if type(default) is float else found


def whole(field: Field, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values of the stages; those of a field of whole numbers as such, where they are whole."""
    if type(field.default[0]) is not int:
        return values
    return tuple(int(one) if one == int(one) else one for one in values)


def _along(values: Sequence[Any], axis: int, axes: int) -> Columns:
    return np.array(values).reshape([-1 if place == axis else 1 for place in range(axes)])


def grids_of(family: str, axes: Mapping[str, Axis]) -> Iterator[Grid]:
    """The grids of a family's axes: one for each combination of structural values, the last field fastest."""
    found = family_of(family)
    structural = {name: axis for name, axis in axes.items() if found.keys[name].is_structural}
    others = {name: axis for name, axis in axes.items() if name not in structural}
    for values in product(*structural.values()):  # type: ignore[arg-type]
        yield Grid.product(found, dict(zip(structural, values, strict=True)), others)
