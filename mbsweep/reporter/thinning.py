"""A table of more rows than a page can hold -> those that it has."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.statistics.pareto import front
from mbsweep.table.decide import COSTS
from mbsweep.table.panels import panels

Places = NDArray[np.intp]
Floats = NDArray[np.float64]

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
    latency_ms = np.nan_to_num(numbers["latency_ms"], nan=np.inf)

    def ranked(places: Places, goal: Floats) -> Places:
        """The best first."""
        keys = (numbers["params"], numbers["macs"], latency_ms, goal)
        return places[np.lexsort([key[places] for key in keys])]

    found = np.zeros(len(rows), dtype=bool)
    for goal, along in ((-numbers["top1_pct"], numbers[cost]), (numbers[cost], -numbers["top1_pct"])):
        known = np.flatnonzero(~np.isnan(goal) & ~np.isnan(along))
        order = known[np.argsort(along[known], kind="stable")]
        # Few of a million are left of which no other has less of the goal for as little.
        few = np.sort(order[goal[order] <= np.minimum.accumulate(goal[order])])
        order = ranked(few, goal)
        rank = np.argsort(along[order], kind="stable")  # places in `order`
        best_before = np.minimum.accumulate(np.append(len(rank), rank))[:-1]
        found[order[rank[rank < best_before]]] = True
    known = np.flatnonzero(~np.isnan(numbers[cost]))
    if len(known):  # the least of all, whatever is known of its accuracy
        least = known[numbers[cost][known] == numbers[cost][known].min()]
        found[ranked(least, numbers[cost])[0]] = True
    return found
