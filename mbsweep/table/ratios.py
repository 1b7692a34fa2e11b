"""Latencies of one configuration against those of another: their ratios, and how alike they rank."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray

HEADLINE = ["latency_ms", "latency_low_ms", "latency_high_ms"]
# What a ratio says of the one latency over the other.
SLOWER, FASTER, NOT_SETTLED, UNKNOWN = "slower", "faster", "not settled", "interval unknown"


@dataclass(frozen=True)
class Ratio:
    """A variant's latency in one configuration over that in another, with its 95 % interval. NaN: unknown."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Whether the latencies differ beyond their intervals."""
        if math.isnan(self.low):
            return UNKNOWN
        return SLOWER if self.low > 1 else FASTER if self.high < 1 else NOT_SETTLED


def ratio(first: pd.Series[float], second: pd.Series[float]) -> Ratio:
    """Second over first, of two rows of a table."""
    (found,) = ratios(*(pd.DataFrame([row.to_dict()]) for row in (first, second))).itertuples(index=False)
    return Ratio(*found)


def ratios(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Second over first, row by row: `value`, and `low` and `high`, the ends of its 95 % interval.

    The logarithms of the two headlines are taken as independent and normal, with the spread that their
    intervals show; so the logarithm of the ratio is normal, too. The page's script has a twin, `ratioOf`.
    """
    values, lows, highs = (
        [rows[name].to_numpy(float, na_value=math.nan) for rows in (first, second)] for name in HEADLINE
    )
    value = values[1] / values[0]
    spread = np.hypot(*(np.log(high / low) / 2 for low, high in zip(lows, highs, strict=True)))
    found = {"value": value, "low": value * np.exp(-spread), "high": value * np.exp(spread)}
    return pd.DataFrame(found, index=first.index)


def rank_agreement(first: pd.Series[float], second: pd.Series[float]) -> tuple[float, int]:
    """Kendall's tau-b of two series over the variants that both know, and how many those are. NaN below 2."""
    both = pd.concat([first, second], axis=1, join="inner").dropna()
    return _tau(both.iloc[:, 0].to_numpy(), both.iloc[:, 1].to_numpy()), len(both)


def _tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(scipy.stats.kendalltau(first, second).statistic) if len(first) > 1 else math.nan


@dataclass(frozen=True)
class Comparison:
    """How the latencies of one configuration, B, are to those of another, A, variant by variant of both."""

    ratios: pd.DataFrame  # as `ratios` has them, by variant: B over A
    tau: float  # how alike the two rank the variants, see `rank_agreement`
    turned: int  # how many pairs of variants B has the other way round

    @cached_property
    def differing(self) -> int:
        """How many differ beyond their intervals."""
        low, high = (self.ratios[end].to_numpy() for end in ("low", "high"))
        return int(((low > 1) | (high < 1)).sum())

    @property
    def differing_words(self) -> str:
        """`13 of 16`, of those whose interval is known."""
        return f"{self.differing:,} of {self._known:,}" if self._known else "unknown"

    @cached_property
    def _known(self) -> int:
        return int((~np.isnan(self.ratios["low"].to_numpy())).sum())

    @property
    def median_words(self) -> str:
        """`1.90 times as slow (1.70 to 2.20)`: B in the median, and from which variant to which."""
        return " ".join(self._median)

    @property
    def tau_words(self) -> str:
        """To three digits."""
        return "unknown" if math.isnan(self.tau) else f"{self.tau:.3f}"

    @property
    def words(self) -> str:
        """All of it in a line, of which B is the subject."""
        if self.ratios.empty:
            return "with no network in common"
        times, span = self._median
        count = len(self.ratios)
        said = [f"{times} in the median of {count:,} network{'s' if count > 1 else ''} {span}"]
        without = count - self._known
        if not self._known:
            said.append("whether they differ is unknown: no interval is")
        else:
            missing = f", {without:,} ha{'ve' if without > 1 else 's'} no interval" if without else ""
            said.append(f"{self.differing_words} differ beyond their intervals{missing}")
        if not math.isnan(self.tau):
            said.append(self._order_words)
        return "; ".join([*said, f"Kendall's tau {self.tau_words}"])

    @property
    def _order_words(self) -> str:
        count = len(self.ratios)
        if self.turned:
            return f"{self.turned:,} of {count * (count - 1) // 2:,} pairs in another order"
        return "the same order" if self.tau > 1 - 1e-9 else "the same order but for ties"

    def turned_round(self) -> Comparison:
        """A against B."""
        back = 1 / self.ratios.rename(columns={"low": "high", "high": "low"})
        return Comparison(back[self.ratios.columns], self.tau, self.turned)

    @cached_property
    def _median(self) -> tuple[str, str]:
        values = self.ratios["value"].to_numpy()
        # Between two middle ones on the scale of ratios: A against B has to say the same as B against A.
        middle, ends = float(np.exp(np.median(np.log(values)))), (float(values.min()), float(values.max()))
        word = "fast" if middle < 1 else "slow"
        if middle < 1:
            middle, ends = 1 / middle, (1 / ends[1], 1 / ends[0])
        times = "as fast" if _times(middle) == _times(1) else f"{_times(middle)} times as {word}"
        return times, f"({_times(ends[0])} to {_times(ends[1])})"


def _times(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def compared(first: pd.DataFrame, second: pd.DataFrame) -> Comparison:
    """The second, B, against the first, A: rows of two configurations by variant, whose latency is known."""
    common = first.index.intersection(second.index, sort=False)
    a, b = first.loc[common, HEADLINE], second.loc[common, HEADLINE]
    of_a, of_b = (rows["latency_ms"].to_numpy(float) for rows in (a, b))
    tau = _tau(of_a, of_b)
    return Comparison(ratios(a, b), tau, _turned(of_a, of_b, tau))


def _turned(first: NDArray[np.float64], second: NDArray[np.float64], tau: float) -> int:
    """How many pairs the two rank one against the other, from their tau-b and their ties.

    tau-b is (alike - turned) / sqrt((pairs - tied in one) (pairs - tied in the other)).
    """
    if math.isnan(tau):
        return 0
    pairs = _pairs(np.array([len(first)]))
    in_first, in_second, in_both = (
        _pairs(np.unique(values, axis=0, return_counts=True)[1])
        for values in (first, second, np.column_stack([first, second]))
    )
    ranked = pairs - in_first - in_second + in_both
    difference = tau * math.sqrt((pairs - in_first) * (pairs - in_second))
    return round((ranked - difference) / 2)


def _pairs(counts: NDArray[np.int64]) -> int:
    return int((counts * (counts - 1) // 2).sum())
