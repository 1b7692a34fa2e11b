"""Networks of the user's own: a function of theirs makes them. Plain data: nothing is imported here.

Their code is run in `nets.factories` alone, and only within `code_allowed`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from typing import Any

from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import Rule, listed
from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture
from mbsweep.space.families.family import Alias, Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, Field

PREFIX = "python:"
SHAPE = "python:package.module:factory"
LONGEST, MOST, DEEPEST = 200, 64, 4  # characters of a text, values of a list, lists in lists
_SLUG, _HASH = 80, 10  # characters of an id


def _argument(value: object, depth: int = 0) -> Any:
    if isinstance(value, list | tuple) and len(value) <= MOST and depth < DEEPEST:
        return tuple(_argument(one, depth + 1) for one in value)
    if isinstance(value, str) and len(value) <= LONGEST:
        value.encode()  # half a surrogate pair is no text that could be written anywhere
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    raise ValueError


# What a factory takes: mbsweep passes it on as it is said.
ARGUMENT = Field(
    Rule(f"a number, true, false, a text of up to {LONGEST} characters, or a list of these", _argument),
    None,
    "Argument",
    is_structural=True,
    is_always=True,
)


def _square(value: object) -> tuple[int, ...]:
    channels, high, wide = listed(RESOLUTION.rule, (3, 64, 64))(value)
    if channels != IMAGE_CHANNELS or high != wide:
        raise ValueError
    return channels, high, wide


INPUT = Field(
    Rule("[3, R, R], a square image of three channels, such as [3, 64, 64]", _square),
    (IMAGE_CHANNELS, 224, 224),
    "Input",
    stages=3,
    is_structural=True,
)
# Both are passed on to a factory that has a parameter of this name.
OWN = {
    "resolution": RESOLUTION.but(is_structural=True),
    "num_classes": NUM_CLASSES.but(default=None, is_always=True),
}


class _Open(Mapping[str, Field]):
    """Some fields that are known, and any name that a parameter may have."""

    def __init__(self, known: Mapping[str, Field], listed: Collection[str]) -> None:
        self._known, self._listed = known, listed

    def __getitem__(self, name: str) -> Field:
        if name in self._known:
            return self._known[name]
        if isinstance(name, str) and name.isidentifier() and not iskeyword(name) and len(name) <= LONGEST:
            return ARGUMENT
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


@dataclass(frozen=True)
class Factory(Family):
    """The networks of one function. Its fields are the image's size, and whatever arguments it takes."""

    @property
    def keys(self) -> Mapping[str, Field]:
        """All that may be said of its networks."""
        known = {**OWN, **{name: alias.field for name, alias in self.aliases.items()}}
        return _Open(known, tuple(known))

    def settled(self, said: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The values of what is said, by name. Raises ValueError where it contradicts itself."""
        values = {**self.defaults, **(base or {}), **said}
        if "input" in said:
            if "resolution" in said:
                raise ValueError("input and resolution say the same: give one of them")
            values["resolution"] = values.pop("input")[1]
        return {"resolution": values.pop("resolution"), **dict(sorted(values.items()))}

    def key(self, values: Mapping[str, Any], but: Collection[str] = ()) -> tuple[Any, ...]:
        """What tells networks apart that may differ in some fields."""
        return (self.name, *((name, value) for name, value in values.items() if name not in but))

    def id(self, values: Mapping[str, Any]) -> str:
        """What can be read of a network's name and arguments, and a hash of all of them. Safe in a path."""
        said = "_".join(f"{name}-{_words(value)}" for name, value in values.items() if name != "resolution")
        begin = f"{self.name.removeprefix(PREFIX).replace(':', '.')}_{said}"
        slug = re.sub(r"[^A-Za-z0-9_.+-]+|\.{2,}", "-", begin)[:_SLUG].strip("_-.")
        whole = json.dumps([self.name, values], sort_keys=True)
        return f"{slug}_r{values['resolution']}_{hashlib.sha256(whole.encode()).hexdigest()[:_HASH]}"


def _words(value: Any) -> str:
    return "-".join(map(_words, value)) if isinstance(value, tuple) else str(value)


def _no_layers(fields: Any) -> Architecture:
    raise AssertionError("a network of the user's own has no description by layers")


@lru_cache(maxsize=1000)
def factory(name: str) -> Factory:
    """The family of `python:package.module:factory`. Raises ValueError where that is no such name."""
    module, _, attribute = name.removeprefix(PREFIX).partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))) or (
        len(name) > LONGEST
    ):
        raise ValueError(f"expected {SHAPE}, a function that makes a network")
    return Factory(
        name,
        _Open(OWN, ("resolution",)),
        _no_layers,
        f"{attribute} of the module {module}",
        aliases={"input": Alias("resolution", INPUT, lambda value: value[1])},
        is_code=True,
    )


def target(family: str) -> tuple[str, str]:
    """The module of a factory, and its name there."""
    module, _, attribute = family.removeprefix(PREFIX).partition(":")
    return module, attribute


_allowed = ContextVar("code_allowed", default=False)


@contextmanager
def code_allowed(is_allowed: bool = True) -> Iterator[None]:
    """Within, networks of the user's own may be built in this thread, which runs their factories' code."""
    before = _allowed.set(_allowed.get() or is_allowed)
    try:
        yield
    finally:
        _allowed.reset(before)


def check_code(family: str, where: str = "") -> None:
    """MbsweepError where the code of a factory may not be run here. where: what asks for it."""
    if not _allowed.get():
        module, attribute = target(family)
        raise MbsweepError(
            f"{where or family} would import the Python module {module} and call its {attribute}, which runs "
            "their code; where you trust it, say --allow-code (in Python: allow_code=True)"
        )


def without_layers(what: str, family: str) -> MbsweepError:
    """The refusal of what works by layers."""
    return MbsweepError(f"{what}: {family} is code, and mbsweep does not know its layers")
