"""The `space` and `variants` of a sweep file: axes over the fields of families, and single networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mbsweep.base.rules import did_you_mean
from mbsweep.space.families import FAMILIES, family_of
from mbsweep.space.families.family import Family
from mbsweep.space.fields import Field
from mbsweep.space.grid import Axis, Each, Grid, grids_of
from mbsweep.space.variant import USUAL, Variant
from mbsweep.sweep.explain import PlaceError

MAX_AXIS_VALUES = 100_000


@dataclass(frozen=True)
class Axes:
    """Values of the fields of some families; their product is the space, depth, resolution and width fastest.

    said: name -> axis, of what the file says.
    """

    families: tuple[str, ...]
    said: Mapping[str, Axis]

    @classmethod
    def parse(cls, given: Any) -> Axes:
        """From a mapping of a sweep file. Raises PlaceError."""
        families = _families(given)
        said = {}
        for key, value in given.items():
            if key == "family":
                continue
            field = _field(families, key, value)
            try:
                said[key] = _each(value, field) or _expand_axis(value, field)
            except PlaceError as error:
                raise error.within(key) from None
            except ValueError as error:
                raise PlaceError((key,), value, str(error)) from None
        axes = cls(tuple(family.name for family in families), said)
        for family in families:
            _check_settles(family, axes.of(family.name), given)
        return axes

    def of(self, family: str) -> dict[str, Axis]:
        """The axes of a family: those of its stages come first, the others in its order."""
        keys = family_of(family).keys
        named = (name for name in dict.fromkeys([*keys, *self.said]) if name in self.said)
        order = sorted(named, key=lambda name: not keys[name].stages)
        return {name: self.said[name] for name in order}

    @property
    def size(self) -> int:
        """How many variants the product has."""
        return sum(map(self._size_of, self.families))

    @property
    def code_size(self) -> int:
        """How many of them are code."""
        return sum(self._size_of(name) for name in self.families if family_of(name).is_code)

    def _size_of(self, family: str) -> int:
        return math.prod(_length(family_of(family), *axis) for axis in self.of(family).items())

    def grids(self) -> Iterator[Grid]:
        """Its grids."""
        for family in self.families:
            yield from grids_of(family, self.of(family))

    def classes(self) -> tuple[int, ...] | None:
        """What it says of `num_classes`, if it does."""
        axis = self.said.get("num_classes")
        assert not isinstance(axis, Each)  # noqa: S101
        return axis

    def with_classes(self, count: int) -> Axes:
        """The same with that many classes."""
        return replace(self, said={**self.said, "num_classes": (count,)})


@dataclass(frozen=True)
class Point:
    """One explicit variant; what is left out is as usual."""

    variant: Variant
    said: Mapping[str, Any]

    @classmethod
    def parse(cls, given: Any) -> Point:
        """From a mapping of a sweep file. Raises PlaceError."""
        if isinstance(given, dict) and isinstance(given.get("family", USUAL), list):
            raise PlaceError(("family",), given["family"], f"expected one of {', '.join(FAMILIES)}")
        (family,) = _families(given)
        said = {}
        for key, value in given.items():
            if key == "family":
                continue
            field = _field([family], key, value)
            try:
                said[key] = field.rule(value)
            except ValueError as error:
                raise PlaceError((key,), value, str(error)) from None
        try:
            values = family.settled(said)
        except ValueError as error:
            raise PlaceError((), given, f"gives no network: {error}", is_whole=True) from None
        return cls(Variant.of_values(family, values), said)

    @property
    def families(self) -> tuple[str, ...]:
        """That of the variant."""
        return (self.variant.family,)

    def classes(self) -> tuple[int, ...] | None:
        """What it says of `num_classes`, if it does."""
        return (self.said["num_classes"],) if "num_classes" in self.said else None

    def with_classes(self, count: int) -> Point:
        """The same with that many classes."""
        return Point(self.variant.but(num_classes=count), {**self.said, "num_classes": count})


def _families(given: Any) -> list[Family]:
    """Those that a mapping names."""
    if not isinstance(given, dict):
        allowed = ", ".join(("family", *FAMILIES[USUAL].keys))
        raise PlaceError((), given, f"expected a mapping with keys out of {allowed}")
    said = given.get("family", USUAL)
    names = said if isinstance(said, list) else [said]
    if not names:
        raise PlaceError(("family",), said, "expected at least one value")
    found: list[Family] = []
    for place, name in enumerate(names):
        keys: tuple[str | int, ...] = ("family", place) if isinstance(said, list) else ("family",)
        try:
            family = family_of(name)
        except ValueError as error:
            raise PlaceError(keys, name, str(error)) from None
        if family in found:
            raise PlaceError(keys, name, "expected each value once, and it stands there already")
        found.append(family)
    return found


def _field(families: list[Family], key: str, value: Any) -> Field:
    families = sorted(families, key=lambda family: family.is_code)  # code takes what the others take
    for family in families:
        if key not in family.keys:
            allowed = ("family", *family.keys)
            of = "" if len(families) == 1 and family.name == USUAL else f" of {family.name}"
            hint = did_you_mean(key, allowed)
            message = f"is an unknown key{of}; allowed here: {', '.join(allowed)}{hint}"
            raise PlaceError((key,), value, message, is_whole=True)
    first, *others = (family.keys[key] for family in families)
    for other, family in zip(others, families[1:], strict=True):
        if other.stages != first.stages:
            message = f"has {first.stages} values in {families[0].name} and {other.stages} in {family.name}: "
            raise PlaceError((key,), value, message + "give each family a mapping of its own", is_whole=True)
    return first


def _check_settles(family: Family, axes: Mapping[str, Axis], given: Any) -> None:
    """PlaceError where what is said contradicts itself, in any combination."""
    try:
        next(grids_of(family.name, axes))
    except ValueError as error:
        raise PlaceError((), given, f"gives no network: {error}", is_whole=True) from None


def _length(family: Family, name: str, axis: Axis) -> int:
    return len(axis.values) ** family.keys[name].stages if isinstance(axis, Each) else len(axis)


def _each(value: Any, field: Field) -> Each | None:
    """`{each: [3, 5]}`: every combination over the stages."""
    if not isinstance(value, dict) or "each" not in value:
        return None
    if set(value) != {"each"}:
        raise ValueError("expected `each` alone, such as {each: [3, 5, 7]}")
    if not field.stages or field.item is None:
        raise ValueError("expected values, and no `each`: it has one for all stages")
    try:
        found = _expand_axis(value["each"], Field(field.item, None, ""))
    except PlaceError as error:
        raise error.within("each") from None
    return Each(found)


def _expand_axis(value: Any, field: Field) -> tuple[Any, ...]:
    """An axis as its values: from a single value, a list, or a range with both ends included."""
    of_lists = field.stages > 0
    is_single = False
    if isinstance(value, dict):
        items = _expand_range(value)
    elif isinstance(value, list) and not (of_lists and value and not any(isinstance(v, list) for v in value)):
        items = value
    else:
        items, is_single = [value], True
    if not items:
        raise ValueError("expected at least one value")
    if len(items) > MAX_AXIS_VALUES:
        raise ValueError(f"expected at most {MAX_AXIS_VALUES} values")
    parsed: dict[Any, None] = {}
    for place, item in enumerate(items):
        try:
            allowed = field.rule(item)
        except ValueError as error:
            if is_single:
                raise
            raise PlaceError((place,), item, str(error)) from None
        if allowed in parsed:
            raise PlaceError((place,), item, "expected each value once, and it stands there already")
        parsed[allowed] = None
    return tuple(parsed)


def _expand_range(value: dict[str, Any]) -> list[float]:
    if set(value) != {"from", "to", "step"}:
        raise ValueError(
            "expected a range with the keys from, to and step, such as {from: 0.25, to: 1.0, step: 0.05}"
        )
    start, stop, step = (value[key] for key in ("from", "to", "step"))
    for end in (start, stop, step):
        if isinstance(end, bool) or not isinstance(end, int | float) or not abs(end) < 1e9:
            raise ValueError("expected numbers for from, to and step")
    if step <= 0 or stop < start or (stop - start) / step >= MAX_AXIS_VALUES:
        raise ValueError(f"expected step above 0, to not below from, and at most {MAX_AXIS_VALUES} values")
    count = math.floor((stop - start) / step + 1e-9) + 1
    if isinstance(start, int) and isinstance(step, int):
        return [start + i * step for i in range(count)]
    # Floating-point sums drift: 0.25 + 14 x 0.05 is not 0.95 to the last bit. 12 digits give what is meant
    return [round(start + i * step, 12) for i in range(count)]
