"""Numbers of a table's rows drawn anew, each from what its interval leaves open."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mbsweep.statistics.summary import NORMAL_95, RESAMPLES
from mbsweep.table.columns import INTERVALS

_AT_ONCE = 20_000  # numbers that are drawn together: what stays in a processor's cache
_FARTHEST = 2  # half-widths of its interval that a number may be drawn away from itself

# (configuration, variant) -> (RESAMPLES,): what a measured headline might have been, in ms
Resample = Callable[[str, str], NDArray[np.float64]]
Floats = NDArray[np.float64]
_KEY = ["config", "variant"]


def together(rows: int) -> Iterator[range]:
    """Numbers of draws, RESAMPLES in all, as many at once as are quick to look at. rows: that are drawn."""
    count = max(1, _AT_ONCE // max(1, rows))
    for begin in range(0, RESAMPLES, count):
        yield range(begin, min(begin + count, RESAMPLES))


def cdf(z: Floats) -> Floats:
    """Of the standard normal distribution."""
    return np.array([0.5 * (1 + math.erf(one / math.sqrt(2))) for one in z.tolist()])


class Exact:
    """Mult-adds as the cost: always the same."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.least = self.most = rows["macs"].to_numpy(float)

    def keep(self, places: NDArray[np.intp]) -> None:
        """Go on with some of the rows alone."""
        self.least = self.most = self.most[places]

    def draws(self, numbers: range) -> Floats:
        """(numbers, rows): of each row its cost."""
        return np.broadcast_to(self.most, (len(numbers), len(self.most)))


class Latencies:
    """Latencies as the cost, drawn anew for the rows that are kept."""

    def __init__(self, rows: pd.DataFrame, resample: Resample) -> None:
        self._rows, self._resample, self._chance = rows, resample, np.random.default_rng(0)
        self._headline = rows["latency_ms"].to_numpy(float)
        self._down = np.log(self._headline / rows["latency_low_ms"].to_numpy(float))
        self._up = np.log(rows["latency_high_ms"].to_numpy(float) / self._headline)
        self.least = self._headline * np.exp(-_FARTHEST * self._down)
        self.most = self._headline * np.exp(_FARTHEST * self._up)

    def keep(self, places: NDArray[np.intp]) -> None:
        """Go on with some of the rows alone; only their visits are looked at."""
        for name in ("_headline", "_down", "_up", "least", "most"):
            setattr(self, name, getattr(self, name)[places])
        rows = self._rows.iloc[places]
        self._measured = np.flatnonzero(rows["latency_kind"] == "measured")
        keys = rows.iloc[self._measured][_KEY].itertuples(index=False)
        samples = [self._chance.permutation(self._resample(*key)) for key in keys]
        self._samples = np.array(samples).T  # (RESAMPLES, rows that are measured)

    def below(self, limit_ms: float) -> Floats:
        """Of each row the probability that its latency is at most so much, 0 to 1; before any `keep`."""
        found = (self._headline <= limit_ms).astype(float)
        open_ = np.flatnonzero((self.least <= limit_ms) & (limit_ms < self.most))
        step = np.log(limit_ms / self._headline[open_])
        width = np.where(step < 0, self._down[open_], self._up[open_])
        found[open_] = cdf(step / width * NORMAL_95)
        measured = open_[(self._rows["latency_kind"].iloc[open_] == "measured").to_numpy()]
        for place, key in zip(measured, self._rows.iloc[measured][_KEY].itertuples(index=False), strict=True):
            found[place] = float((self._resample(*key) <= limit_ms).mean())
        return found

    def draws(self, numbers: range) -> Floats:
        """(numbers, rows): of each row a latency in ms. numbers: of the draws, below RESAMPLES."""
        drawn = self._headline * np.exp(_normal(self._chance, self._down, self._up, len(numbers)))
        if len(self._measured):
            drawn[:, self._measured] = self._samples[numbers.start : numbers.stop]
        return np.asarray(np.clip(drawn, self.least, self.most))


class Accuracies:
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
        """Go on with some of the rows alone."""
        for name in ("_value", "_middle", "_down", "_up", "_is_exact", "least", "most"):
            setattr(self, name, getattr(self, name)[places])

    def above(self, floor_pct: float) -> Floats:
        """Of each row the probability that its accuracy is at least so much, 0 to 1."""
        found = (self._value >= floor_pct).astype(float)
        open_ = np.flatnonzero((self.least < floor_pct) & (floor_pct <= self.most) & ~self._is_exact)
        step = self._middle[open_] - _angle(np.full(len(open_), floor_pct))
        width = np.where(step > 0, self._down[open_], self._up[open_])
        with np.errstate(divide="ignore", invalid="ignore"):  # one end may be the value itself
            found[open_] = cdf(np.nan_to_num(step / width * NORMAL_95))
        return found

    def draws(self, numbers: range) -> Floats:
        """(numbers, rows): of each row an accuracy in percent."""
        steps = _normal(self._chance, self._down, self._up, len(numbers))
        return np.asarray(np.clip(self._at(steps), self.least, self.most))

    def _at(self, step: Floats) -> Floats:
        """Percent, so far from the middle; what is exact is not rounded, for its ties to stay."""
        angles = np.clip(self._middle + step, 0, np.pi / 2)
        return np.where(self._is_exact, self._value, 100 * np.sin(angles) ** 2)


def _angle(pct: Floats) -> Floats:
    return np.asarray(np.arcsin(np.sqrt(np.clip(pct, 0, 100) / 100)))


def _normal(chance: np.random.Generator, down: Floats, up: Floats, draws: int) -> Floats:
    """(draws, rows): steps whose 95 % are from `down` below to `up` above."""
    z = chance.standard_normal((draws, len(down)))
    return np.asarray(z * np.where(z < 0, down, up) / NORMAL_95)
