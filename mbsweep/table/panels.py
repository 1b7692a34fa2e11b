"""The rows of a run that can be compared, panel by panel, and the words for what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import say
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.table.columns import COLUMNS, INTERVALS, PANEL
from mbsweep.table.hover import ORIGIN, setting
from mbsweep.table.results import Run

COUNTED = "only counted: no latency"


def where(run: Run, config: str | None) -> str:
    """The run and, if one is named, the configuration: the begin of an error."""
    return f"{run.path}, {config}" if config else str(run.path)


def of_config(run: Run, config: str | None) -> pd.DataFrame:
    """A run's rows of a latency configuration; all, where none is named.

    Raises MbsweepError for a configuration that the run does not have, and for a run without any row.
    """
    table = run.table()
    if table.empty:
        raise MbsweepError(f"{run.path} has no variants")
    if config is None:
        return table
    known = [name for name in table["config"].unique() if isinstance(name, str)]
    if config not in known:
        has = f"it has {', '.join(known)}" if known else "it has none: its variants are only counted"
        hint = did_you_mean(config, known)
        raise MbsweepError(f"{run.path} has no latency configuration {shown(config)}; {has}{hint}")
    return table[table["config"] == config]


def panels(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each run, configuration and device, in the table's order.

    What has no latency has no device either: it stands in every panel of its run and configuration, so that
    what failed can be counted, and sizes can be compared.
    """
    found = []
    for _, rows in table.groupby(["run", "config"], dropna=False, sort=False):
        known = rows[rows["latency_ms"].notna()]
        devices = [group.index for _, group in known.groupby(PANEL, dropna=False, sort=False)]
        if len(devices) < 2:
            found.append(rows)
        else:
            found += [rows.drop(known.index.difference(of_one)) for of_one in devices]
    return found


def heading(rows: pd.DataFrame) -> str:
    """`torch-fp32-b1-t1: torch, fp32, batch 1, 1 thread; measured on` the device, for a panel."""
    known = rows[rows["latency_ms"].notna()]
    first = (rows if known.empty else known).iloc[0]
    if not isinstance(first["config"], str):
        return COUNTED
    origin = _no_latency(rows) if known.empty else f"{ORIGIN[first['latency_kind']]} {first['device']}"
    return f"{first['config']}: {setting(first)}; {origin}"


def _no_latency(rows: pd.DataFrame) -> str:
    """With the reason, where all rows have the same: the configuration was skipped."""
    reasons = rows["error"].unique()
    return f"no latency, {reasons[0]}" if len(reasons) == 1 and isinstance(reasons[0], str) else "no latency"


def print_cautions(said: Sequence[str]) -> None:
    """Print what is to be known of a panel's numbers, below its heading."""
    for words in said:
        say(f"  caution: {words}")


def label(name: str) -> str:
    """A column's label within a sentence."""
    words = COLUMNS[name].label
    return words[0].lower() + words[1:]


def plain_number(value: float, digits: int = 4) -> str:
    """Whole numbers in full, others to so many digits."""
    whole = float(value).is_integer() or abs(value) >= 10**digits
    return f"{value:,.0f}" if whole else f"{value:.{digits}g}"


def with_unit(name: str, value: float, digits: int = 4) -> str:
    """A number of a column and its unit; that of mult-adds and parameters is nothing."""
    return f"{plain_number(value, digits)} {COLUMNS[name].unit}".rstrip()


def interval(row: pd.Series[Any], name: str = "latency_ms") -> str:
    """The 95 % interval of a row's latency in ms, or of its accuracy in percent."""
    low, high = (row[end] for end in INTERVALS[name])
    digits = 4 if name == "latency_ms" else 3
    return "unknown" if pd.isna(low) else f"{plain_number(low, digits)} to {plain_number(high, digits)}"
