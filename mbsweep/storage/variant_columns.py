"""The variants of a run column by column: of a large one they are kept so, too, for rows take seconds."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.counting import Counts
from mbsweep.space.families import family_of
from mbsweep.storage.coded import Coded, Places, Said

LEAST = 50_000  # variants of a run that has them by columns, too
_NUMBERS = ("position", *Counts.__slots__)
_FIELD = "field "  # stands before a field's name
_AT_ONCE = 5_000  # rows

# values: the different ones, JSON, NULL where each row has its own. packed: of each row the place of its
# value, or its number, little-endian 64-bit; or all ids, a line each
_SCHEMA = "CREATE TABLE variant_columns (name TEXT PRIMARY KEY, choices TEXT, packed BLOB NOT NULL)"


@dataclass(frozen=True)
class VariantColumns:
    """The variants of a run. numbers: position and counts, NaN where one is unknown."""

    ids: Sequence[str]
    families: Coded
    numbers: dict[str, NDArray[Any]]
    fields: dict[str, Coded]  # None where one is not said; lists as JSON
    texts: Sequence[str] = ()  # of those that are code the fields as JSON, else empty; none where none are

    def said(self, places: Places) -> dict[str, Coded]:
        """The fields that any of the variants at some places says."""
        if len(places) == len(self.ids):
            return self.fields
        some = {name: coded.among(places) for name, coded in self.fields.items()}
        return {name: coded for name, coded in some.items() if set(coded.values) != {None}}

    def in_order(self) -> VariantColumns:
        """By position; those without one are last."""
        position = self.numbers["position"]
        if (np.diff(position) > 0).all():
            return self
        order = np.argsort(position, kind="stable")  # NaN is last
        return VariantColumns(
            [self.ids[place] for place in order.tolist()],
            self.families.take(order),
            {name: values[order] for name, values in self.numbers.items()},
            {name: coded.take(order) for name, coded in self.fields.items()},
            [self.texts[place] for place in order.tolist()] if self.texts else (),
        )


class Gathered:
    """Rows of variants, gathered column by column while they are read, or written."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._ids: list[str] = []
        self._families: list[str] = []
        self._said = Said()
        self._texts: list[str] = []
        self._numbers: dict[str, list[NDArray[Any]]] = {name: [np.zeros(0, np.int64)] for name in _NUMBERS}

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Some more."""
        columns = dict(zip(self._names, zip(*rows, strict=True), strict=True))
        families: Sequence[str] = columns["family"]
        texts: Sequence[str] = columns["fields"]
        if code := {name for name in set(families) if family_of(name).is_code}:
            self._texts += [""] * (len(self._ids) - len(self._texts))
            both = list(zip(families, texts, strict=True))
            self._texts += [text if name in code else "" for name, text in both]
            texts = ["" if name in code else text for name, text in both]
        self._said.add(texts)
        self._ids.extend(columns["id"])
        self._families.extend(families)
        for name, parts in self._numbers.items():
            parts.append(np.array(columns[name]))

    def passing(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """The same rows, as they come."""
        left = iter(rows)
        while some := list(islice(left, _AT_ONCE)):
            self.add(some)
            yield from some

    def columns(self) -> VariantColumns:
        """All of them."""
        numbers = {name: _joined(parts) for name, parts in self._numbers.items()}
        texts = self._texts + [""] * (len(self._ids) - len(self._texts)) if self._texts else ()
        return VariantColumns(self._ids, Coded.of(self._families), numbers, self._said.fields(), texts)


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    whole = np.concatenate(parts)
    return whole.astype(float) if whole.dtype == object else whole  # None becomes NaN


def forget(sql: sqlite3.Connection) -> None:
    """Within a transaction in which variants change: what is kept of them is no longer so."""
    sql.execute("DROP TABLE IF EXISTS variant_columns")


def keep(sql: sqlite3.Connection, columns: VariantColumns) -> None:
    """Within the transaction in which they are entered: keep all variants of a run, if they are many.

    Nothing is kept of networks that are code, whose fields may be anything, and where a number is unknown.
    """
    is_whole = all(values.dtype.kind == "i" for values in columns.numbers.values())
    if len(columns.ids) < LEAST or columns.texts or not is_whole:
        return
    rows = [("id", None, "\n".join(columns.ids).encode()), ("family", *_packed(columns.families))]
    rows += [(name, None, values.astype("<i8").tobytes()) for name, values in columns.numbers.items()]
    rows += [(_FIELD + name, *_packed(coded)) for name, coded in columns.fields.items()]
    sql.execute(_SCHEMA)
    packed = ((name, choices, zlib.compress(values, 1)) for name, choices, values in rows)
    sql.executemany("INSERT INTO variant_columns VALUES (?, ?, ?)", packed)


def _packed(coded: Coded) -> tuple[str, bytes]:
    return json.dumps(coded.values), coded.at.astype("<i8").tobytes()


def kept(sql: sqlite3.Connection) -> VariantColumns | None:
    """What is kept; None where nothing is, or it cannot be read: the rows are there in any case."""
    if not sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'variant_columns'").fetchone():
        return None
    try:
        rows = sql.execute("SELECT name, choices, packed FROM variant_columns").fetchall()
        found = {name: (choices, zlib.decompress(packed)) for name, choices, packed in rows}
        ids = found.pop("id")[1].decode().split("\n")
        numbers = {name: np.frombuffer(found.pop(name)[1], dtype="<i8") for name in _NUMBERS}
        coded = {
            name.removeprefix(_FIELD): _unpacked(choices, packed) for name, (choices, packed) in found.items()
        }
        families = coded.pop("family")
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error):
        return None
    lengths = {len(ids), *map(len, numbers.values()), *(len(one.at) for one in (families, *coded.values()))}
    return VariantColumns(ids, families, numbers, coded) if len(lengths) == 1 else None


def _unpacked(choices: str, packed: bytes) -> Coded:
    """ValueError or TypeError where a row has a value that is not among them, or one that no field has."""
    values, at = json.loads(choices), np.frombuffer(packed, dtype="<i8")
    if not isinstance(values, list) or (len(at) and not 0 <= at.min() <= at.max() < len(values)):
        raise ValueError
    hash(tuple(values))  # TypeError: lists and objects are kept as texts
    return Coded(values, at)
