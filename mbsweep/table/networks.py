"""A run's variants as a table: their fields, each a column, and their counts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from mbsweep.space.families import family_of
from mbsweep.space.families.family import Family
from mbsweep.space.fields import Field
from mbsweep.storage.database import explained
from mbsweep.storage.store import Store
from mbsweep.storage.variant_tables import COUNTS, NAMES
from mbsweep.table.columns import KNOWN_FIELDS, NUMBERS, stage_column


def networks(store: Store) -> pd.DataFrame:
    """The variants: id as `variant`, family, fields, counts, position. What a family lacks is NaN or None.

    Fields that earlier versions did not have are there where any is not as usual. Lists are JSON; where they
    differ, each of their values has a column, too.
    """
    rows = pd.DataFrame(store.variants(), columns=NAMES).rename(columns={"id": "variant"})
    rows[list(COUNTS)] = rows[list(COUNTS)].apply(pd.to_numeric)  # also where none is known
    texts = rows.pop("fields")
    found: dict[str, pd.Series[Any]] = {}
    with explained(store.folder, reading=True):
        for name, group in texts.groupby(rows["family"], sort=False):
            family = family_of(name)
            columns = _of_code if family.is_code else partial(_columns, family)
            for field, values in columns(group.tolist()).items():
                if len(group) == len(rows):
                    found[field] = pd.Series(values, dtype=object)
                    continue
                known = found.setdefault(field, pd.Series(None, index=rows.index, dtype=object))
                known[group.index] = values
    for field, column in found.items():
        if field in NUMBERS:
            found[field] = column.astype(float) if column.isna().any() else column.infer_objects()
    if notes := store.count_notes():
        found["counts_note"] = rows["variant"].map(notes.get).astype(object)
    return pd.concat([rows, pd.DataFrame(found, index=rows.index)], axis=1)


def _columns(family: Family, texts: Sequence[str]) -> dict[str, list[Any]]:
    """Of networks of a family each field's values, as a table has them. texts: their fields as JSON."""
    said = _said(texts)
    columns: dict[str, list[Any]] = {}
    for name, field in family.fields.items():
        values = said.get(name)
        if field.is_added and values is None:
            continue
        columns[name] = _completed(name, field, values, columns, len(texts))
        if field.stages:
            columns |= _of_stages(name, field, columns[name])
    return columns


def _of_code(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Of networks of the user's own the arguments as JSON, and each that is called and looks like a field."""
    said = [json.loads(text) for text in texts]
    arguments = [json.dumps({name: one[name] for name in one if name != "resolution"}) for one in said]
    columns: dict[str, list[Any]] = {"arguments": arguments}
    for name in dict.fromkeys(name for one in said for name in one):
        values = [one[name] if name in one and _is_like_field(name, one[name]) else None for one in said]
        if any(value is not None for value in values):
            columns[name] = values
    return columns


def _is_like_field(name: str, value: Any) -> bool:
    """Whether a field of a single value has this name, and values of this sort."""
    field = KNOWN_FIELDS.get(name)
    if field is None or field.stages:
        return False
    if isinstance(field.default, str | bool) or isinstance(value, bool):
        return type(value) is type(field.default)
    return isinstance(value, int if isinstance(field.default, int) else int | float)


def _said(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Field -> its value in each text, None where it is not there; lists as JSON.

    Millions of texts have few different parts: each is read once, and a text is but taken apart.
    """
    end = _common_end(texts)
    split = [text[1 : len(text) - len(end)].split(', "') for text in texts]
    parts: dict[str, tuple[str, Any]] = {}
    if len(set(map(len, split))) == 1:
        shared = dict(_read(part) for part in end.removesuffix("}").split(', "')[1:])
        columns = {name: [value] * len(texts) for name, value in shared.items()}
        for column in zip(*split, strict=True):
            distinct = set(column)
            parts |= {part: _read(part) for part in distinct - parts.keys()}
            names = {parts[part][0] for part in distinct}
            if len(names) > 1:
                break
            value_of = {part: parts[part][1] for part in distinct}
            columns[names.pop()] = [value_of[part] for part in column]
        else:
            return columns
    read = [dict(_read(part) for part in text[1:-1].split(', "')) for text in texts]
    every = dict.fromkeys(name for one in read for name in one)
    return {name: [one.get(name) for one in read] for name in every}


def _common_end(texts: Sequence[str]) -> str:
    """The parts that all texts end with, from the comma before them."""
    ends = [text[::-1] for text in texts]
    shared = os.path.commonprefix([min(ends), max(ends)])[::-1]  # noqa: RUF071  (of characters)
    place = shared.find(', "')
    return shared[place:] if place >= 0 else "}"


def _read(part: str) -> tuple[str, Any]:
    """`width": 0.5` -> its name and value; a list stays JSON."""
    name, _, text = part.removeprefix('"').partition('": ')
    return name, text if text.startswith("[") else json.loads(text)


def _completed(
    name: str, field: Field, values: Sequence[Any] | None, before: Mapping[str, list[Any]], count: int
) -> list[Any]:
    """With the usual value where none is said."""
    if values is not None and None not in values:
        return list(values)
    given = [None] * count if values is None else values
    follows = field.follows[0] if field.follows else None
    usual = _usual(field, before[follows] if follows else [None])
    others: Iterable[Any] = before[follows] if follows else [None] * count
    return [usual[other] if value is None else value for value, other in zip(given, others, strict=True)]


def _usual(field: Field, others: Iterable[Any]) -> dict[Any, Any]:
    """Value of the field that it follows, if it does -> what is usual then."""
    found = {}
    for other in set(others):
        value = field.usual({field.follows[0]: other}) if field.follows else field.default
        found[other] = json.dumps(value) if field.stages else value
    return found


def _of_stages(name: str, field: Field, texts: Sequence[str]) -> dict[str, list[Any]]:
    """A column for each stage in which the networks differ."""
    values = {text: json.loads(text) for text in set(texts)}
    found = {}
    for stage in range(field.stages):
        at = {text: value[stage] for text, value in values.items()}
        if len(set(at.values())) > 1:
            found[stage_column(name, stage + 1)] = [at[text] for text in texts]
    return found
