"""A run's variants as a table: their fields, each a column, and their counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.space.families import family_of
from mbsweep.space.families.family import Family
from mbsweep.space.fields import Field
from mbsweep.storage.coded import Coded, Objects, Places, objects
from mbsweep.storage.database import explained
from mbsweep.storage.store import Store
from mbsweep.storage.variant_columns import VariantColumns
from mbsweep.table.columns import KNOWN_FIELDS, NUMBERS, stage_column


def networks(store: Store) -> pd.DataFrame:
    """The variants: id as `variant`, family, fields, counts, position. What a family lacks is NaN or None.

    Fields that earlier versions did not have are there where any is not as usual. Lists are JSON; where they
    differ, each of their values has a column, too.
    """
    kept = store.variant_columns()
    columns: dict[str, Any] = {"variant": kept.ids, **kept.numbers}
    columns["family"] = pd.Series(kept.families.values, dtype="str").array.take(kept.families.at)
    with explained(store.folder, reading=True):
        columns |= _of_fields(kept)
    table = pd.DataFrame(columns)
    if notes := store.count_notes():
        table["counts_note"] = table["variant"].map(notes.get).astype(object)
    return table


def _of_fields(kept: VariantColumns) -> dict[str, pd.Series[Any]]:
    """Field -> its column."""
    several: dict[str, Objects] = {}
    for number, name in enumerate(kept.families.values):
        family, places = family_of(name), np.flatnonzero(kept.families.at == number)
        if family.is_code:
            columns = _of_code([kept.texts[place] for place in places.tolist()])
        else:
            columns = _columns(family, kept.said(places), len(places))
        if len(kept.families.values) == 1:
            return {field: _taken(_typed(field, objects(of.values)), of.at) for field, of in columns.items()}
        for field, coded in columns.items():
            several.setdefault(field, objects([None] * len(kept.ids)))[places] = coded.column()
    return {field: _typed(field, values) for field, values in several.items()}


def _taken(values: pd.Series[Any], at: Places) -> pd.Series[Any]:
    return pd.Series(values.to_numpy()[at], dtype=values.dtype)


def _typed(field: str, values: Objects) -> pd.Series[Any]:
    """Numbers as such, NaN where one is unknown."""
    column = pd.Series(values, dtype=object)
    if field not in NUMBERS:
        return column
    return column.astype(float) if column.isna().any() else column.infer_objects()


def _columns(family: Family, said: Mapping[str, Coded], count: int) -> dict[str, Coded]:
    """Of so many networks of a family each field's values, as a table has them. said: as they are kept."""
    none = Coded([None], np.zeros(count, dtype=np.intp))
    columns: dict[str, Coded] = {}
    for name, field in family.fields.items():
        if field.is_added and name not in said:
            continue
        columns[name] = _completed(field, said.get(name, none), columns)
        if field.stages:
            columns |= _of_stages(name, field, columns[name])
    return columns


def _of_code(texts: Sequence[str]) -> dict[str, Coded]:
    """Of networks of the user's own the arguments as JSON, and each that is called and looks like a field."""
    said = [json.loads(text) for text in texts]
    arguments = [json.dumps({name: one[name] for name in one if name != "resolution"}) for one in said]
    columns = {"arguments": Coded.of(arguments)}
    for name in dict.fromkeys(name for one in said for name in one):
        values = [one[name] if name in one and _is_like_field(name, one[name]) else None for one in said]
        if any(value is not None for value in values):
            columns[name] = Coded(values, np.arange(len(values)))
    return columns


def _is_like_field(name: str, value: Any) -> bool:
    """Whether a field of a single value has this name, and values of this sort."""
    field = KNOWN_FIELDS.get(name)
    if field is None or field.stages:
        return False
    if isinstance(field.default, str | bool) or isinstance(value, bool):
        return type(value) is type(field.default)
    return isinstance(value, int if isinstance(field.default, int) else int | float)


def _completed(field: Field, coded: Coded, before: Mapping[str, Coded]) -> Coded:
    """With the usual value where none is said."""
    if None not in coded.values:
        return coded
    values = coded.column()
    missing = pd.isna(values)
    others = before[field.follows[0]].column()[missing] if field.follows else [None] * missing.sum()
    usual = _usual(field, others)
    values[missing] = [usual[other] for other in others]
    return Coded.of(values)


def _usual(field: Field, others: Iterable[Any]) -> dict[Any, Any]:
    """Value of the field that it follows, if it does -> what is usual then."""
    found = {}
    for other in set(others):
        value = field.usual({field.follows[0]: other}) if field.follows else field.default
        found[other] = json.dumps(value) if field.stages else value
    return found


def _of_stages(name: str, field: Field, texts: Coded) -> dict[str, Coded]:
    """A column for each stage in which the networks differ."""
    stages = zip(*map(json.loads, texts.values), strict=True)
    return {
        stage_column(name, stage): Coded(values, texts.at)
        for stage, values in enumerate(stages, start=1)
        if len(set(values)) > 1
    }
