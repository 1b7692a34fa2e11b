"""Compressed networks of runs, to be written or read."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import Table
from mbsweep.commands._asked_rows import asked, joined, print_all
from mbsweep.table.names import Names
from mbsweep.table.panels import interval
from mbsweep.table.results import Run


def rows(runs: Sequence[Run], layers: bool, columns: str | None, sort: str | None) -> pd.DataFrame:
    """The steps of runs below one another, or the layers; the columns, and in the order, that were asked for.

    MbsweepError where a run has none, or no such column.
    """
    tables = []
    for run in runs:
        found = run.compressed_layers() if layers else run.compressed()
        if found.empty:
            raise MbsweepError(f"{run.path} has no compressed networks; its sweep needs a `compress`")
        tables.append(found)
    return asked(joined(tables), columns, sort)


def print_rows(table: pd.DataFrame, is_short: bool) -> None:
    """Print them. is_short: what most questions are about, the variants by their short names."""
    if not is_short:
        print_all(table)
        return
    titles = ["network", "step", "bytes", "times smaller", "top-1 %", "95 %", "drop", "95 % of the drop"]
    printed, short = Table(titles, left=(0, 1)), Names(table)
    for _, row in table.iterrows():
        if isinstance(row["reason"], str):
            printed.add(short.of(row), row["scheme"], *[""] * (len(titles) - 2))
            printed.add_words(f"  {row['reason']}")
            continue
        drop = [row[name] for name in ("top1_drop_pct", "top1_drop_low_pct", "top1_drop_high_pct")]
        told = ["", ""] if pd.isna(drop[0]) else [f"{drop[0]:.2f}", f"{drop[1]:.2f} to {drop[2]:.2f}"]
        size = [f"{row['bytes']:,.0f}", f"{row['ratio']:.1f}"]
        printed.add(
            short.of(row), row["scheme"], *size, f"{row['top1_pct']:.2f}", interval(row, "top1_pct"), *told
        )
    printed.print()
