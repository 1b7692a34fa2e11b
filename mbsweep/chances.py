"""How likely a variant is on the Pareto front, given what its latency's interval leaves open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.columns import COMPARABLE
from mbsweep.pareto import front
from mbsweep.summary import NORMAL_95, RESAMPLES

_FARTHEST = 2  # half-widths of its interval that a latency may be drawn away from the headline

# (configuration, variant) -> (RESAMPLES,): what a measured headline might have been, in ms
Resample = Callable[[str, str], NDArray[np.float64]]


def front_chances(table: pd.DataFrame, resample: Resample) -> pd.Series[float]:
    """Per row, the share of resamples in which it is on the front of top-1 against latency, in percent.

    Latencies are drawn anew, each independently: a measured one from its visits, a predicted one from its
    interval; accuracies stay. Rows are compared as the column `on_front` compares them. NaN where a row's
    latency or accuracy is unknown, and for all rows that stand beside one whose interval is unknown. Where no
    row has a latency, the cost is mult-adds, which are exact.
    """
    chances = pd.Series(np.nan, index=table.index)
    if not table["latency_ms"].notna().any():
        known = table["top1_pct"].notna()
        chances[known] = 100.0 * table.loc[known, "on_front"]
        return chances
    known = table["latency_ms"].notna() & table["top1_pct"].notna()
    for _, rows in table[known].groupby(COMPARABLE, dropna=False):
        if rows[["latency_low_ms", "latency_high_ms"]].notna().all(axis=None):
            chances[rows.index] = _chances(rows, resample)
    return chances


def _chances(rows: pd.DataFrame, resample: Resample) -> NDArray[np.float64]:
    headline, value = rows["latency_ms"].to_numpy(float), rows["top1_pct"].to_numpy(float)
    down = np.log(headline / rows["latency_low_ms"].to_numpy(float))
    up = np.log(rows["latency_high_ms"].to_numpy(float) / headline)
    least, most = headline * np.exp(-_FARTHEST * down), headline * np.exp(_FARTHEST * up)
    # Whoever is beaten for certain is never on the front, and takes nobody's place on it.
    places = np.flatnonzero(~_is_beaten(least, most, value))
    chance = np.random.default_rng(0)
    drawn = np.empty((RESAMPLES, len(places)))
    for column, place in enumerate(places):
        row = rows.iloc[place]
        if row["latency_kind"] == "measured":
            latencies = chance.permutation(resample(row["config"], row["variant"]))
        else:
            z = chance.standard_normal(RESAMPLES)
            latencies = headline[place] * np.exp(z * np.where(z < 0, down[place], up[place]) / NORMAL_95)
        drawn[:, column] = np.clip(latencies, least[place], most[place])
    found = np.zeros(len(rows))
    for latencies in drawn:
        found[places] += front(latencies, value[places])
    return 100 * found / RESAMPLES


def _is_beaten(
    least: NDArray[np.float64], most: NDArray[np.float64], value: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Mask of the points whose least cost is above the most of one that is at least as good."""
    order = np.lexsort((most, -value))
    cheapest = np.minimum.accumulate(most[order])
    # Points of the same value stand together: each sees the cheapest up to the last of them.
    last = np.searchsorted(-value[order], -value[order], side="right") - 1
    beaten = np.zeros(len(value), dtype=bool)
    beaten[order] = cheapest[last] < least[order]
    return beaten
