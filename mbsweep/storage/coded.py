"""Columns of millions of rows that have few different values, and the fields of networks read into such."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Objects = NDArray[np.object_]
Places = NDArray[np.intp]


class Coded(NamedTuple):
    """A column: its values, and which of them each row has."""

    values: Sequence[Any]  # None: unknown
    at: Places

    @classmethod
    def of(cls, column: Iterable[Any]) -> Coded:
        """Of what the rows have, one after another."""
        places: dict[Any, int] = {}
        at = [places.setdefault(value, len(places)) for value in column]
        return cls(list(places), np.array(at, dtype=np.intp))

    def column(self) -> Objects:
        """What each row has."""
        return objects(self.values)[self.at]

    def take(self, places: Places) -> Coded:
        """The rows at some places."""
        return self._replace(at=self.at[places])

    def among(self, places: Places) -> Coded:
        """The same, of those values alone that are there."""
        used, at = np.unique(self.at[places], return_inverse=True)
        return Coded([self.values[place] for place in used.tolist()], at)


def objects(values: Sequence[Any]) -> Objects:
    """Values as an array of one dimension, whatever they are."""
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


class Said:
    """Fields of networks, read from texts, JSON, that are told some at a time.

    Millions of them have few different parts: each is cut behind its first field, and what is then left of
    them is read in the same way, what several have in common but once.
    """

    def __init__(self) -> None:
        self._firsts: dict[str, int] = {}
        self._rests: dict[str, int] = {}
        self._first_at, self._rest_at = array("q"), array("q")

    def add(self, texts: Iterable[str]) -> None:
        """Some more."""
        firsts, rests = self._firsts, self._rests
        for text in texts:
            first, _, rest = text.partition(', "')
            self._first_at.append(firsts.setdefault(first, len(firsts)))
            self._rest_at.append(rests.setdefault(rest, len(rests)))

    def fields(self) -> dict[str, Coded]:
        """Field -> its value in each text, None where it is not there; lists as JSON."""
        first_at, rest_at = (np.array(at, dtype=np.intp) for at in (self._first_at, self._rest_at))
        found: dict[str, Coded] = {}
        if self._rests.keys() - {""}:
            behind = Said()
            behind.add(self._rests)
            found = {name: coded.take(rest_at) for name, coded in behind.fields().items()}
        read = [_read(first) for first in self._firsts]
        for name in dict.fromkeys(name for name, _ in read if name):
            coded = Coded([value if of == name else None for of, value in read], first_at)
            if name in found:  # in some texts it is further behind
                both = zip(coded.column(), found[name].column(), strict=True)
                coded = Coded.of(there if here is None else here for here, there in both)
            found[name] = coded
        return found


def _read(part: str) -> tuple[str, Any]:
    """`{"width": 0.5` -> its name and value; a list stays JSON. Of what names no field the name is empty."""
    name, _, text = part.removeprefix("{").removeprefix('"').removesuffix("}").partition('": ')
    return name, text if text.startswith("[") else json.loads(text or "null")
