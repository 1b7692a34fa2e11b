"""The rows of a run that can be compared, panel by panel, and the words for what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mbsweep.base.printing import say
from mbsweep.table.columns import COLUMNS, INTERVALS, PANEL
from mbsweep.table.hover import ORIGIN, setting

COUNTED = "only counted: no latency"


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


def print_heading(rows: pd.DataFrame, cautions: Sequence[str]) -> None:
    """Print what a panel's rows share, and below it what is to be known of their numbers."""
    say(heading(rows), "bold")
    print_cautions(cautions)


def print_cautions(said: Sequence[str]) -> None:
    """Print what is to be known of a panel's numbers, below its heading."""
    for words in said:
        say(f"  caution: {words}", "yellow")


def label(name: str) -> str:
    """A column's label within a sentence."""
    words = COLUMNS[name].label
    return words[0].lower() + words[1:]


# Of columns that stand side by side: as narrow as can be.
_TITLES = {"latency_ms": "ms", "top1_pct": "top-1 %", "top5_pct": "top-5 %", "params": "params"}
_TITLES |= {"weight_bytes": "weight bytes", "peak_activation_bytes": "peak bytes"}
_TITLES |= {"weight_bytes_int8": "int8 weights", "peak_activation_bytes_int8": "int8 peak"}


def title(name: str) -> str:
    """A column's title in a printed table, with its unit."""
    return _TITLES.get(name) or f"{label(name)} {COLUMNS[name].unit}".rstrip()


def plain_number(value: float, digits: int = 4) -> str:
    """Whole numbers in full, others to so many digits."""
    whole = float(value).is_integer() or abs(value) >= 10**digits
    return f"{value:,.0f}" if whole else f"{value:.{digits}g}"


def with_unit(name: str, value: float, digits: int = 4) -> str:
    """A number of a column and its unit; that of mult-adds and parameters is nothing."""
    return f"{plain_number(value, digits)} {COLUMNS[name].unit}".rstrip()


def panel_facts(rows: pd.DataFrame) -> dict[str, str | None]:
    """What a panel's rows share, for programs: None where it is unknown, or they share none."""
    known = rows[rows["latency_ms"].notna()]
    return {
        "config": _first(rows["config"]),
        "device": _first(known["device"]),
        "latency_kind": _first(known["latency_kind"]),
    }


def _first(words: pd.Series[Any]) -> str | None:
    return words.iloc[0] if len(words) and isinstance(words.iloc[0], str) else None


def as_number(value: Any) -> float | None:
    """A number for JSON; what is unknown is null."""
    return None if pd.isna(value) else float(value)


def interval(row: pd.Series[Any], name: str = "latency_ms") -> str:
    """The 95 % interval of a row's latency in ms, or of its accuracy in percent."""
    low, high = (row[end] for end in INTERVALS[name])
    digits = 4 if name == "latency_ms" else 3
    return "unknown" if pd.isna(low) else f"{plain_number(low, digits)} to {plain_number(high, digits)}"
