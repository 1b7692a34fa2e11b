"""How likely a variant fits a budget, and how likely it is the best that does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.statistics.summary import RESAMPLES
from mbsweep.table.decide import LATENCY, TOP1, Budget
from mbsweep.table.draws import Accuracies, Floats, Latencies, Resample, together

Places = NDArray[np.intp]

SAFE_PCT = 97.5  # what fits with so much fits safely


@dataclass(frozen=True)
class Odds:
    """Of each row of a panel, in percent. NaN: a number that is needed is unknown, or has no interval."""

    fits_pct: Floats  # that it is within every limit, and not below the floor
    best_pct: Floats  # that it is the best of all that are


def odds(rows: pd.DataFrame, budget: Budget, resample: Resample) -> Odds:
    """The chances of what was asked, of rows that can be compared: those of one panel of `panels`.

    Latencies and accuracies are independent of each other, and as uncertain as their intervals say: a
        measured latency as its visits drawn anew. Sizes are exact, and so are accuracies that have no
        interval, as all published ones. Whether a latency without an interval is within a limit nobody knows,
        and next to it no other is known to be the best.
    """
    unknown = np.full(len(rows), np.nan)
    fits, best = unknown.copy(), unknown.copy()
    needs_latency = LATENCY in budget.needed
    has_all = rows[budget.needed].notna().all(axis=1)
    if needs_latency:
        is_open = has_all & rows[["latency_low_ms", "latency_high_ms"]].isna().any(axis=1)
        if LATENCY in budget.limits:
            has_all &= ~is_open
    known = np.flatnonzero(has_all)
    if not len(known):
        return Odds(fits, best)
    field = _Field(rows.iloc[known], budget, resample)
    fits[known] = 100 * field.fits
    if not (needs_latency and bool(is_open.any())):
        best[known] = 100 * field.best()
    return Odds(fits, best)


class _Field:
    """Rows of which all is known that a budget needs."""

    def __init__(self, rows: pd.DataFrame, budget: Budget, resample: Resample) -> None:
        self._rows, self._budget = rows, budget
        self._latency = Latencies(rows, resample) if LATENCY in budget.needed else None
        self._top1 = Accuracies(rows) if TOP1 in budget.needed else None
        # Who is first at a tie, as `decide` has it.
        latency = rows[LATENCY].to_numpy(float, na_value=np.inf)
        self._rank = np.empty(len(rows))
        self._rank[np.lexsort((rows["params"], rows["macs"], latency))] = np.arange(len(rows))
        self.fits = np.ones(len(rows))
        for name, limit in budget.limits.items():
            if name == LATENCY and self._latency:
                self.fits *= self._latency.below(limit)
            else:
                self.fits *= rows[name].to_numpy(float) <= limit
        if self._top1 and budget.min_top1_pct is not None:
            self.fits *= self._top1.above(budget.min_top1_pct)

    def best(self) -> Floats:
        """How likely each row fits, and none that fits is better: 0 to 1."""
        least, most = self._values()
        sure = self.fits == 1
        enough = least[sure].max() if sure.any() else -np.inf
        # Whatever else is drawn, one that surely fits is better than all others.
        places = np.flatnonzero((self.fits > 0) & (most >= enough))
        value = most[places]
        if (least[places] == value).all() and len(np.unique(value)) == len(places):
            order = places[np.argsort(-value)]
            wins = np.zeros(len(self._rows))
            wins[order] = self.fits[order] * np.cumprod(np.append(1, 1 - self.fits[order]))[:-1]
            return wins
        return self._by_draws(places, value)

    def _by_draws(self, places: Places, value: Floats) -> Floats:
        """The same of the rows at some places. value: what each is worth, where that is exact."""
        exact = np.ones(len(places), dtype=bool)
        for name, limit in self._budget.limits.items():
            if name != LATENCY:
                exact &= self._rows[name].to_numpy(float)[places] <= limit
        for drawn in (self._latency, self._top1):
            if drawn:
                drawn.keep(places)
        wins = np.zeros(len(self._rows))
        for numbers in together(len(places)):
            shape = (len(numbers), len(places))
            latency = self._latency.draws(numbers) if self._latency else np.zeros(shape)
            tie = latency if self._latency else np.broadcast_to(self._rank[places], shape)
            top1 = self._top1.draws(numbers) if self._top1 else np.zeros(shape)
            fits = exact & (latency <= self._budget.limits.get(LATENCY, np.inf))
            if self._budget.min_top1_pct is not None:
                fits &= top1 >= self._budget.min_top1_pct
            found = {LATENCY: -latency, TOP1: top1}.get(self._budget.goal, np.broadcast_to(value, shape))
            most = np.max(found, axis=1, keepdims=True, where=fits, initial=-np.inf)
            first = np.where(fits & (found == most), tie, np.inf).argmin(axis=1)
            np.add.at(wins, places[first[fits.any(axis=1)]], 1)
        return wins / RESAMPLES

    def _values(self) -> tuple[Floats, Floats]:
        """What each row may be worth, the least and the most: more is better."""
        goal, sign = self._budget.goal, self._budget.sign
        if goal == LATENCY and self._latency:
            return -self._latency.most, -self._latency.least
        if goal == TOP1 and self._top1:
            return self._top1.least, self._top1.most
        value = sign * self._rows[goal].to_numpy(float)
        return value, value
