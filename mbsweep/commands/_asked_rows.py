"""Rows and columns of a table that stands beside a run's own: those that were asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import Table
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.table.panels import plain_number


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Those of several runs below one another, the run first."""
    table = pd.concat(list(tables), ignore_index=True)
    return table[["run", *(name for name in table.columns if name != "run")]]


def asked(table: pd.DataFrame, columns: str | None, sort: str | None) -> pd.DataFrame:
    """The columns, and in the order, that were asked for. MbsweepError where there is no such column."""
    if sort is not None:
        name = _column(table, "--sort", sort.removeprefix("-"))
        table = table.sort_values(name, ascending=not sort.startswith("-"), na_position="last", kind="stable")
    if columns is None:
        return table
    return table[
        list(dict.fromkeys(_column(table, "--columns", name.strip()) for name in columns.split(",")))
    ]


def _column(table: pd.DataFrame, option: str, name: str) -> str:
    if name not in table:
        known = list(table.columns)
        raise MbsweepError(
            f"{option} has {shown(name)}; expected of {', '.join(known)}{did_you_mean(name, known)}"
        )
    return name


def print_all(table: pd.DataFrame) -> None:
    """Print all of it as it is."""
    words = [place for place, name in enumerate(table.columns) if table[name].dtype == object]
    printed = Table(list(table.columns), left=words)
    for _, row in table.iterrows():
        printed.add(*(_text(str(name), value) for name, value in row.items()))
    printed.print()


def _text(name: str, value: Any) -> str:
    if value is None or pd.isna(value):
        return "" if name == "reason" else "unknown"  # nothing is wrong
    return str(value) if isinstance(value, str) else plain_number(value)
