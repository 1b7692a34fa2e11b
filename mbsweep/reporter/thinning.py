"""A table of more rows than a page can hold -> those that it has."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.statistics.pareto import front
from mbsweep.table.decide import COSTS
from mbsweep.table.panels import panels

MAX_ROWS = 20_000  # more would make the page too heavy to open


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """At most MAX_ROWS rows, by chance. Among them is every row on a front of accuracy against any cost, all
    `answers` under limits of one cost, the least and the most of each cost, and, if those are not too many,
    every failure.

    Panels that are no larger than their share of MAX_ROWS are left whole.
    """
    if len(table) <= MAX_ROWS:
        return table
    keep = table["on_front"].copy()
    comparable = panels(table)
    for rows in comparable:
        if len(rows) * len(comparable) <= MAX_ROWS:
            keep[rows.index] = True
            continue
        for cost in COSTS:
            keep[rows.index] |= front(rows[cost], rows["top1_pct"]) | answers(rows, cost)
            known = rows.loc[rows[cost].notna(), cost].astype(float)
            for end in (known.min(), known.max()):
                keep[known.index[known == end][:1]] = True
    if (keep | table["error"].notna()).sum() <= MAX_ROWS:
        keep |= table["error"].notna()
    rest = table[~keep].sample(max(0, MAX_ROWS - int(keep.sum())), random_state=0)
    return pd.concat([table[keep], rest]).sort_index()


def answers(rows: pd.DataFrame, cost: str) -> NDArray[np.bool_]:
    """Which rows are the best, as `decide` ranks them, under some limit of one cost: in accuracy, or, above
    some floor of accuracy, the least in that cost.
    """
    numbers = {name: rows[name].to_numpy(float, na_value=np.nan) for name in {*COSTS, "top1_pct"}}
    behind = [np.nan_to_num(numbers["latency_ms"], nan=np.inf), numbers["macs"], numbers["params"]]
    found = np.zeros(len(rows), dtype=bool)
    for goal, along in ((-numbers["top1_pct"], numbers[cost]), (numbers[cost], -numbers["top1_pct"])):
        rank = np.empty(len(rows), dtype=int)
        rank[np.lexsort((*reversed(behind), goal))] = np.arange(len(rows))
        known = np.flatnonzero(~np.isnan(goal) & ~np.isnan(along))
        order = known[np.lexsort((rank[known], along[known]))]
        best_before = np.minimum.accumulate(np.append(len(rows), rank[order]))[:-1]
        found[order[rank[order] < best_before]] = True
    known = np.flatnonzero(~np.isnan(numbers[cost]))
    if len(known):  # the least of all, whatever is known of its accuracy
        found[known[np.lexsort([column[known] for column in (*reversed(behind), numbers[cost])])[0]]] = True
    return found
