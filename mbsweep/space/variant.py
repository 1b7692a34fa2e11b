"""Variant: one point of the design space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import shown
from mbsweep.space.families import family_of
from mbsweep.space.families.family import Family
from mbsweep.space.fields import Field

USUAL = "mobilenet_v1"  # the family where none is said


class Variant:
    """One network of the space: a family, and the values of its fields. Hashable, comparable by value,
    checked.

    `Variant(width=0.75)`, `Variant("mobilenet_v2", expansion=4)`; what is left out is as usual in the family.
    Its fields are its attributes.

    Raises MbsweepError for a value that is not allowed, and for a field that the family lacks.
    """

    __slots__ = ("_hash", "_values", "family")
    family: str

    def __init__(self, family: str = USUAL, **fields: Any) -> None:
        try:
            found = family_of(family)
        except ValueError as error:
            raise MbsweepError(f"Variant: family is {shown(family)}; {error}") from None
        self._make(found, _checked(found, fields))

    def _make(self, family: Family, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "family", family.name)
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_hash", hash((family.name, *values.values())))

    @classmethod
    def of_values(cls, family: Family, values: Mapping[str, Any]) -> Variant:
        """From values of all fields that are known to be right."""
        made = cls.__new__(cls)
        made._make(family, values)
        return made

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Variant:
        """The variant of a row of a table, in which a list of values is JSON and what it lacks is empty."""
        family = family_of(row["family"])
        said = {}
        for name, field in family.fields.items():
            value = row.get(name)
            if value is None or value != value:  # NaN
                continue
            if field.stages and isinstance(value, str):
                value = json.loads(value)
            said[name] = int(value) if type(field.default) is int and value == int(value) else value
        return cls(family.name, **said)

    @property
    def values(self) -> Mapping[str, Any]:
        """Field -> value, in the family's order."""
        return dict(self._values)

    def but(self, **changes: Any) -> Variant:
        """The same network with other values in some fields."""
        family = family_of(self.family)
        return Variant.of_values(family, _checked(family, changes, self._values))

    def as_dict(self) -> dict[str, Any]:
        """Family and fields, for JSON: what is on the disk, and in messages; `Variant(**found)` reads it.

        Fields that earlier versions did not have stand there only where they are not as usual.
        """
        fields = family_of(self.family).fields
        kept = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self._values.items()
            if not (fields[name].is_added and value == fields[name].usual(self._values))
        }
        return {"family": self.family, **kept}

    @property
    def id(self) -> str:
        """Readable name, stable over versions, safe in a path: `mobilenet_v1_w0.75_r192_d5`."""
        family = family_of(self.family)
        if family.is_code:
            return family.id(self._values)
        return self.family + "".join(
            id_part(field, value)
            for name, field in family.fields.items()
            for value in [self._values[name]]
            if field.is_always or value != field.usual(self._values)
        )

    @property
    def words(self) -> list[str]:
        """As commands take it: the family, and FIELD=VALUE of what is not as usual."""
        fields = family_of(self.family).fields
        said = {
            name: value for name, value in self._values.items() if value != fields[name].usual(self._values)
        }
        return [self.family, *(f"{name}={_word(value)}" for name, value in said.items())]

    @property
    def is_code(self) -> bool:
        """Whether it is made by code that is not mbsweep's: then its layers are not known."""
        return family_of(self.family).is_code

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "_values")[name]
        except KeyError:
            raise AttributeError(f"{self.family} has no field {name!r}") from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Variant does not change; `variant.but({name}=...)` gives another")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Variant does not change")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Variant):
            return NotImplemented
        return self._hash == other._hash and self.family == other.family and self._values == other._values

    def __hash__(self) -> int:
        return int(self._hash)

    def __repr__(self) -> str:
        fields = family_of(self.family).fields
        said = [
            f"{name}={value!r}"
            for name, value in self._values.items()
            if value != fields[name].usual(self._values)
        ]
        return f"Variant({', '.join([repr(self.family), *said])})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.family, self._values)


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_word, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _again(family: str, values: Mapping[str, Any]) -> Variant:
    return Variant.of_values(family_of(family), values)


def _checked(
    family: Family, said: Mapping[str, Any], base: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    parsed = {}
    for name, value in said.items():
        try:
            field = family.field(name)
        except ValueError as error:
            raise MbsweepError(f"Variant: {name} {error}") from None
        try:
            parsed[name] = field.rule(value)
        except ValueError as error:
            raise MbsweepError(f"Variant: {name} is {shown(value)}; {error}") from None
    try:
        values = family.settled(parsed, base)
    except ValueError as error:
        raise MbsweepError(f"Variant: {error}") from None
    return values


def id_part(field: Field, value: Any) -> str:
    """What an id says of a field: `_w0.75`, `_standard`, `_c64-128`."""
    if isinstance(value, tuple):
        return f"_{field.tag}{'-'.join(f'{one!r}' for one in value)}"
    if isinstance(value, bool):
        return f"_{field.tag}" if value else f"_no-{field.tag}"
    return f"_{field.tag}{value if isinstance(value, str) else repr(value)}"
