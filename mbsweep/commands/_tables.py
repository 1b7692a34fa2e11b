"""Rows of runs to be read: on a terminal, or in Markdown."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import Table, say
from mbsweep.base.rules import did_you_mean, shown
from mbsweep.table.columns import COLUMNS, INNER, NUMBERS
from mbsweep.table.names import Names
from mbsweep.table.panels import heading, interval, panels, plain_number, title

# What most questions are about: eight columns, the variant by its short name.
USUAL = ("variant", "config", "latency_ms", "top1_pct", "macs", "params", "on_front", "front_pct")
_MILLIONS = {"macs": "M MACs", "params": "M params"}  # as these are told there
_FRONT = "on_front"  # told with its probability where that is known
MOST_ROWS = 1000  # on a terminal
_INTERVAL = "latency_ms"  # the column behind which its interval stands


def named(table: pd.DataFrame, said: str | None) -> list[str] | None:
    """The columns that were asked for, as `a,b,c`; None: none was.

    MbsweepError for what is none, and for one that is named twice: a table has each once.
    """
    if said is None:
        return None
    names = [_column(table, "--columns", name.strip()) for name in said.split(",")]
    if twice := [name for name in names if names.count(name) > 1]:
        raise MbsweepError(f"--columns has {twice[0]} twice; name each column once")
    return names


def chosen(table: pd.DataFrame, sort: str | None, on_front: bool) -> pd.DataFrame:
    """The rows that were asked for, in the order that was. What is unknown comes last."""
    rows = table[table["on_front"].astype(bool)] if on_front else table
    if sort is None:
        return rows
    name = _column(table, "--sort", sort.removeprefix("-"))
    return rows.sort_values(name, ascending=not sort.startswith("-"), na_position="last", kind="stable")


def _column(table: pd.DataFrame, option: str, name: str) -> str:
    known = [column for column in table.columns if column not in INNER]
    if name not in known:
        raise MbsweepError(
            f"{option} has {shown(name)}; expected of {', '.join(known)}{did_you_mean(name, known)}"
        )
    return name


def print_rows(table: pd.DataFrame, rows: pd.DataFrame, names: list[str] | None) -> None:
    """Print some rows of a table; without names of columns the usual ones, panel by panel.

    Of very many the first: nobody reads more of them there.
    """
    if rows.empty:
        say("no row is on a front" if len(table) else "there are no variants")
        return
    first = rows.head(MOST_ROWS)
    if names is None:
        _print_panels(table, first)
    else:
        printed = Table(names, left=[place for place, name in enumerate(names) if name not in NUMBERS])
        for _, row in first[names].iterrows():
            printed.add(*(_text(name, row[name]) for name in names))
        printed.print()
    if len(first) < len(rows):
        say(f"the first {len(first):,} of {len(rows):,} rows; -o FILE writes all of them")


def _print_panels(table: pd.DataFrame, rows: pd.DataFrame) -> None:
    short, several = Names(table), table["run"].nunique() > 1
    for number, part in enumerate(panels(rows)):
        if number:
            say()
        say(f"{part['run'].iloc[0]}: {heading(part)}" if several else heading(part), "bold")
        _panel(part, short).print()
        if failed := int(part["error"].notna().sum()):
            say(f"  {failed} of {len(part)} with an error: --columns variant,error")


def _panel(rows: pd.DataFrame, short: Names) -> Table:
    known = [name for name in USUAL[2:-1] if rows[name].notna().any()]
    titles = ["network"]
    for name in known:
        titles += [_title(name), *(["95 %"] if name == _INTERVAL else [])]
    table = Table(titles)
    for _, row in rows.iterrows():
        cells = [short.of(row)]
        for name in known:
            value = (
                _share(row)
                if name == _FRONT
                else _text(name, row[name], scale=1e6 if name in _MILLIONS else 1)
            )
            cells += [value, *([interval(row)] if name == _INTERVAL else [])]
        table.add(*cells, style="green" if row["on_front"] else "")
    return table


def _title(name: str) -> str:
    return "front" if name == _FRONT else _MILLIONS.get(name) or title(name)


def _share(row: pd.Series[Any]) -> str:
    """`96 %`: with what probability a row is on the front; where that is unknown, whether it is now."""
    is_known = pd.notna(row["front_pct"])
    return f"{row['front_pct']:.0f} %" if is_known else _text(_FRONT, row[_FRONT])


def _text(name: str, value: Any, scale: float = 1) -> str:
    """A value as a reader wants it; a number in units of `scale`."""
    if name == "on_front":
        return "yes" if value else "no"
    if value is None or pd.isna(value):
        return "" if name in ("error", "latency_note", "top1_note", "top1_reason") else "unknown"
    if name == "front_pct":
        return f"{value:.1f}"
    return str(value) if isinstance(value, str | bool) or name not in NUMBERS else plain_number(value / scale)


def markdown(table: pd.DataFrame, rows: pd.DataFrame, names: list[str] | None) -> str:
    """Some rows of a table in Markdown; without names of columns the usual ones."""
    asked = list(USUAL) if names is None else names
    short = Names(table)
    titles = [_label(name) for name in asked]
    lines = [titles, ["--:" if name in NUMBERS else "--" for name in asked]]
    for _, row in rows.iterrows():
        cells = [_text(name, row[name]) for name in asked]
        if names is None:
            cells[0] = short.of(row)
        lines.append([cell.replace("|", "\\|").replace("\n", " ") for cell in cells])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _label(name: str) -> str:
    unit = COLUMNS[name].unit
    return f"{COLUMNS[name].label} ({unit})" if unit else COLUMNS[name].label
