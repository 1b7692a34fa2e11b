"""How likely a variant is on the Pareto front, given what the intervals of its numbers leave open."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.statistics.pareto import each_front
from mbsweep.statistics.summary import RESAMPLES
from mbsweep.table.columns import COMPARABLE
from mbsweep.table.draws import Accuracies, Exact, Floats, Latencies, Resample, together


def front_chances(table: pd.DataFrame, resample: Resample) -> pd.Series[float]:
    """Per row, the share of resamples in which it is on the front of top-1 against latency, in percent.

    All numbers are drawn anew, each independently: a measured latency from its visits, a predicted one and an
    accuracy from its interval; an accuracy whose interval is unknown stays. Rows are compared as the column
    `on_front` compares them. NaN where a row's latency or accuracy is unknown, and for all rows that stand
    beside one whose latency has no interval. Where no row has a latency, the cost is exact: mult-adds.
    """
    chances = pd.Series(np.nan, index=table.index)
    is_timed = bool(table["latency_ms"].notna().any())
    known = table["top1_pct"].notna() & (table["latency_ms"].notna() | (not is_timed))
    for _, rows in table[known].groupby(COMPARABLE, dropna=False):
        if not is_timed and rows["top1_low_pct"].isna().all():
            chances[rows.index] = 100.0 * rows["on_front"]
        elif not is_timed or rows[["latency_low_ms", "latency_high_ms"]].notna().all(axis=None):
            chances[rows.index] = _chances(rows, Latencies(rows, resample) if is_timed else Exact(rows))
    return chances


def _chances(rows: pd.DataFrame, cost: Latencies | Exact) -> Floats:
    value = Accuracies(rows)
    # Whoever is beaten for certain is never on the front, and takes nobody's place on it.
    places = np.flatnonzero(~_is_beaten(cost.least, cost.most, value.least, value.most))
    places = places[np.argsort(cost.most[places], kind="stable")]  # draws do not follow the table's order
    cost.keep(places)
    value.keep(places)
    found = np.zeros(len(rows))
    for numbers in together(len(places)):
        found[places] += each_front(cost.draws(numbers), value.draws(numbers)).sum(axis=0)
    return 100 * found / RESAMPLES


def _is_beaten(least_cost: Floats, most_cost: Floats, least: Floats, most: Floats) -> NDArray[np.bool_]:
    """Mask of the points that another surely beats.

    One whose most cost is below their least, and whose least value is no less than their most.
    """
    order = np.argsort(-least, kind="stable")
    cheapest = np.minimum.accumulate(most_cost[order])
    as_good = np.searchsorted(-least[order], -most, side="right")  # so many are surely as good as each
    return np.asarray((as_good > 0) & (cheapest[as_good - 1] < least_cost))
