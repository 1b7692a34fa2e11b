"""What a family of networks is: its fields, and the network that they describe."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from mbsweep.base.rules import did_you_mean
from mbsweep.space.architecture import Architecture
from mbsweep.space.fields import Field


@dataclass(frozen=True)
class Alias:
    """Another way to say a field.

    of: that field. convert: from a value as it is said to the field's, which may be of arrays.
    """

    of: str
    field: Field
    convert: Callable[[Any], Any]


@dataclass(frozen=True)
class Family:
    """A family of networks.

    fields: name -> what its networks may differ in; the order is that of ids and tables.
    build: the network of some values, given as attributes; of a grid of them, where those of fields that are
        not structural are arrays. It uses arithmetic, `make_divisible` and numpy's functions on them, and
        decides by structural ones only.
    cite: where the family was published.
    aliases: other ways to say a field.
    least_resolution: below it, a map vanishes.
    is_elastic: whether networks of it can share weights, as their fields say.
    is_code: whether its networks are made by code that is not mbsweep's: then it has no layers, its fields
        are all that an argument may be called, and its counts are found out by running the code.
    """

    name: str
    fields: Mapping[str, Field]
    build: Callable[[Any], Architecture]
    cite: str
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    least_resolution: int = 1
    is_elastic: bool = False
    is_code: bool = False

    @property
    def defaults(self) -> dict[str, Any]:
        """Every field as usual."""
        return {name: one.default for name, one in self.fields.items()}

    @property
    def keys(self) -> Mapping[str, Field]:
        """All that may be said of its networks: the fields, and other ways to say them."""
        return {**self.fields, **{name: alias.field for name, alias in self.aliases.items()}}

    def field(self, name: str) -> Field:
        """What a name may be. Raises ValueError, with those that there are, where it has no such field."""
        if name not in self.keys:
            hint = did_you_mean(name, self.keys)
            raise ValueError(f"is no field of {self.name}, which has {', '.join(self.keys)}{hint}")
        return self.keys[name]

    def settled(self, said: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The values of all fields, in their order.

        said: some of them, as their rules have returned them; of a grid, arrays. base: of the others; without
            it they are as usual. Raises ValueError where what is said contradicts itself.
        """
        values = {**self.defaults, **(base or {})}
        plain = {name: value for name, value in said.items() if name in self.fields}
        for name, alias in self.aliases.items():
            if name in said:
                if alias.of in said:
                    raise ValueError(f"{name} and {alias.of} say the same: give one of them")
                plain[alias.of] = alias.convert(said[name])
        values |= plain
        for name, one in self.fields.items():
            if one.follows is None:
                continue
            other, stage, more = one.follows
            if name not in plain:
                values[name] = one.following(values[name], values)
                continue
            if other in plain and not np.all(plain[other] + more == plain[name][stage]):
                raise ValueError(f"{other} and {name}[{stage}] say the same: give one of them")
            values[other] = plain[name][stage] - more
        least = self.least_resolution
        if "resolution" in plain and np.min(plain["resolution"]) < least:
            few = np.min(plain["resolution"])
            raise ValueError(
                f"resolution {few} is too small for {self.name}: below {least} px a map vanishes"
            )
        return {name: values[name] for name in self.fields}

    def key(self, values: Mapping[str, Any], but: Collection[str] = ()) -> tuple[Any, ...]:
        """What tells networks apart that may differ in some fields."""
        kept: list[Any] = [self.name]
        for name, one in self.fields.items():
            if name in but:
                continue
            value = values[name]
            if one.follows is not None and one.follows[0] in but:
                value = (*value[: one.follows[1]], *value[one.follows[1] + 1 :])
            kept.append(value)
        return tuple(kept)

    def id(self, values: Mapping[str, Any]) -> str:
        """The id of a network that is code; of others see `Variant.id`."""
        raise NotImplementedError

    def network(self, values: Mapping[str, Any]) -> Architecture:
        """That of some values; those of a grid, where they are arrays.

        Raises TypeError where the build function takes an array for one number.
        """
        try:
            return self.build(SimpleNamespace(**values))
        except ValueError as error:
            if "truth value of an array" not in str(error):
                raise
            varied = [name for name, value in values.items() if _is_array(value)]
            raise TypeError(
                f"{self.name}: its build function decides something by one of {', '.join(varied)}; a field "
                "that decides which layers there are has to be structural"
            ) from error


def _is_array(value: Any) -> bool:
    return any(isinstance(one, np.ndarray) for one in (value if isinstance(value, tuple) else (value,)))
