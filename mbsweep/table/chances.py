"""How likely a variant is on the Pareto front, given what the intervals of its numbers leave open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.statistics.pareto import front
from mbsweep.statistics.summary import NORMAL_95, RESAMPLES
from mbsweep.table.columns import COMPARABLE, INTERVALS

_FARTHEST = 2  # half-widths of its interval that a number may be drawn away from itself

# (configuration, variant) -> (RESAMPLES,): what a measured headline might have been, in ms
Resample = Callable[[str, str], NDArray[np.float64]]
Floats = NDArray[np.float64]


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
            chances[rows.index] = _chances(rows, _Latencies(rows, resample) if is_timed else _Exact(rows))
    return chances


class _Exact:
    """Mult-adds as the cost: always the same."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.least = self.most = rows["macs"].to_numpy(float)

    def keep(self, places: NDArray[np.intp]) -> None:
        self.most = self.most[places]

    def draw(self, number: int) -> Floats:
        return self.most


class _Latencies:
    """Latencies as the cost, drawn anew for the rows that are kept."""

    def __init__(self, rows: pd.DataFrame, resample: Resample) -> None:
        self._rows, self._resample, self._chance = rows, resample, np.random.default_rng(0)
        self._headline = rows["latency_ms"].to_numpy(float)
        self._down = np.log(self._headline / rows["latency_low_ms"].to_numpy(float))
        self._up = np.log(rows["latency_high_ms"].to_numpy(float) / self._headline)
        self.least = self._headline * np.exp(-_FARTHEST * self._down)
        self.most = self._headline * np.exp(_FARTHEST * self._up)

    def keep(self, places: NDArray[np.intp]) -> None:
        for name in ("_headline", "_down", "_up", "least", "most"):
            setattr(self, name, getattr(self, name)[places])
        rows = self._rows.iloc[places]
        self._measured = np.flatnonzero(rows["latency_kind"] == "measured")
        keys = rows.iloc[self._measured][["config", "variant"]].itertuples(index=False)
        self._samples = [self._chance.permutation(self._resample(*key)) for key in keys]

    def draw(self, number: int) -> Floats:
        drawn = self._headline * np.exp(_normal(self._chance, self._down, self._up))
        drawn[self._measured] = [samples[number] for samples in self._samples]
        return np.asarray(np.clip(drawn, self.least, self.most))


class _Accuracies:
    """Accuracies, drawn anew on the scale of arcsin(sqrt(p)), on which their noise is even."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self._chance = np.random.default_rng(1)
        self._value = rows["top1_pct"].to_numpy(float)
        low, high = (
            np.where(np.isnan(end), self._value, end)
            for end in (rows[name].to_numpy(float) for name in INTERVALS["top1_pct"])
        )
        self._middle = _angle(self._value)
        self._down, self._up = self._middle - _angle(low), _angle(high) - self._middle
        self._is_exact = (self._down == 0) & (self._up == 0)
        self.least = self._at(-_FARTHEST * self._down)
        self.most = self._at(_FARTHEST * self._up)

    def keep(self, places: NDArray[np.intp]) -> None:
        for name in ("_value", "_middle", "_down", "_up", "_is_exact", "least", "most"):
            setattr(self, name, getattr(self, name)[places])

    def draw(self) -> Floats:
        return np.clip(self._at(_normal(self._chance, self._down, self._up)), self.least, self.most)

    def _at(self, step: Floats) -> Floats:
        """Percent, so far from the middle; what is exact is not rounded, for its ties to stay."""
        angles = np.clip(self._middle + step, 0, np.pi / 2)
        return np.where(self._is_exact, self._value, 100 * np.sin(angles) ** 2)


def _angle(pct: Floats) -> Floats:
    return np.asarray(np.arcsin(np.sqrt(np.clip(pct, 0, 100) / 100)))


def _normal(chance: np.random.Generator, down: Floats, up: Floats) -> Floats:
    """Steps whose 95 % are from `down` below to `up` above."""
    z = chance.standard_normal(len(down))
    return np.asarray(z * np.where(z < 0, down, up) / NORMAL_95)


def _chances(rows: pd.DataFrame, cost: _Latencies | _Exact) -> Floats:
    value = _Accuracies(rows)
    # Whoever is beaten for certain is never on the front, and takes nobody's place on it.
    places = np.flatnonzero(~_is_beaten(cost.least, cost.most, value.least, value.most))
    places = places[np.argsort(cost.most[places], kind="stable")]  # nearby ones are looked up together
    cost.keep(places)
    value.keep(places)
    scouts = np.flatnonzero(front(cost.most, value.least))  # few, and most points lie behind them
    found = np.zeros(len(rows))
    for number in range(RESAMPLES):
        costs, values = cost.draw(number), value.draw()
        order = scouts[np.argsort(costs[scouts])]
        best = np.concatenate([[-np.inf], np.maximum.accumulate(values[order])])
        ahead = np.flatnonzero(best[np.searchsorted(costs[order], costs, side="left")] < values)
        found[places[ahead[front(costs[ahead], values[ahead])]]] += 1
    return 100 * found / RESAMPLES


def _is_beaten(least_cost: Floats, most_cost: Floats, least: Floats, most: Floats) -> NDArray[np.bool_]:
    """Mask of the points that another surely beats.

    One whose most cost is below their least, and whose least value is no less than their most.
    """
    order = np.argsort(-least, kind="stable")
    cheapest = np.minimum.accumulate(most_cost[order])
    as_good = np.searchsorted(-least[order], -most, side="right")  # so many are surely as good as each
    return np.asarray((as_good > 0) & (cheapest[as_good - 1] < least_cost))
