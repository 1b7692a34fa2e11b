"""Searches of runs, to be written or read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.printing import Table, say
from mbsweep.commands._asked_rows import asked, joined, print_all
from mbsweep.table import search_words
from mbsweep.table.columns import INTERVALS
from mbsweep.table.decide import TOP1
from mbsweep.table.panels import interval, plain_number, title
from mbsweep.table.results import Run
from mbsweep.table.search import Search

MOST_SHOWN = 5  # of a front, where a run ends
MOST_NAME = 24  # characters: longer names leave no place for numbers


def rows(runs: Sequence[Run], on_front: bool, columns: str | None, sort: str | None) -> pd.DataFrame:
    """The evaluations of runs below one another; the columns, and in the order, that were asked for.

    on_front: those on the front alone. MbsweepError where a run searches nothing, or has no such column.
    """
    tables = []
    for run in runs:
        found = run.search()
        if found is None:
            raise MbsweepError(f"{run.path} has no search; its sweep needs a `search`")
        tables.append((found.front if on_front else found.rows).assign(run=run.name))
    return asked(joined(tables), columns, sort)


def print_rows(runs: Sequence[Run], table: pd.DataFrame, is_short: bool) -> None:
    """Print them. is_short: what most questions are about, and below each its network and why."""
    if not is_short:
        print_all(table)
        return
    for number, run in enumerate(runs):
        search = run.search()
        assert search is not None  # noqa: S101  (`rows` has looked)
        if number:
            say()
        if len(runs) > 1:
            say(run.name, "bold")
        some = table[table["run"] == run.name]
        _evaluations(search, some).print() if len(some) else say("nothing is on the front yet")


def _evaluations(search: Search, some: pd.DataFrame) -> Table:
    """Each in numbers, and below them its network, why it was chosen and why it failed."""
    titles = [
        "no.",
        "batch",
        *map(title, search.costs),
        "expected %",
        "95 %",
        "seen %",
        "tested %",
        "volume %",
    ]
    printed = Table(titles, left=())
    for _, row in some.iterrows():
        numbers = ["predicted_pct", "seen_pct", TOP1, "hypervolume_pct"]
        expected, *seen = ("" if pd.isna(row[name]) else f"{row[name]:.2f}" for name in numbers)
        costs = [plain_number(row[name]) for name in search.costs]
        ends = _ends(row, "predicted_low_pct", "predicted_high_pct")
        style = "green" if row["on_front"] else ""
        printed.add(f"{row['evaluation']}", f"{row['batch']}", *costs, expected, ends, *seen, style=style)
        told = [search.names[row["variant"]], row["why"], search_words.kept(row["reason"])]
        printed.add_words(f"  {'; '.join(filter(None, told))}")
    return printed


def _ends(row: pd.Series[Any], low: str, high: str) -> str:
    return "" if pd.isna(row[low]) or pd.isna(row[high]) else f"{row[low]:.1f} to {row[high]:.1f}"


def print_search(search: Search) -> None:
    """Print what a search has found, in few lines."""
    say(f"\nsearch, {search_words.standing(search)}", "bold")
    for sentence in (search_words.nothing_yet(search), search_words.space(search)):
        say(sentence) if sentence else None
    say(search_words.hypervolume(search))
    if len(front := search.front):
        places = np.unique(np.linspace(0, len(front) - 1, MOST_SHOWN).round().astype(int))
        _front(search, front.iloc[places]).print()
        if more := len(front) - len(places):
            say(f"  and {more} more between these")
    for sentence in search_words.confirmed(search):
        say(sentence)


def _front(search: Search, best: pd.DataFrame) -> Table:
    """Networks by their short names, or by the numbers of their evaluations where these are long."""
    named = [search.names[variant] for variant in best["variant"]]
    is_named = max(map(len, named)) <= MOST_NAME
    shown = [
        name for name in (*search.costs, TOP1) if name in INTERVALS and best[INTERVALS[name][0]].notna().any()
    ]
    titles = ["network" if is_named else "no."]
    for name in search.costs:
        titles += [title(name), *(["95 %"] if name in shown else [])]
    printed = Table([*titles, "seen %", "tested %", *(["95 %"] if TOP1 in shown else [])])
    for name, (_, row) in zip(named, best.iterrows(), strict=True):
        cells = [name if is_named else f"{row['evaluation']}"]
        for cost in search.costs:
            cells += [plain_number(row[cost]), *([interval(row, cost)] if cost in shown else [])]
        cells += [f"{row['seen_pct']:.2f}", "unknown" if pd.isna(row[TOP1]) else f"{row[TOP1]:.2f}"]
        printed.add(*cells, *([interval(row, TOP1)] if TOP1 in shown else []))
    return printed
