"""Where int8 activations are cut off: from the values that a network gives for some images.

Three ways, by name in METHODS. "min_max" cuts nothing off. "percentile" leaves out the rarest values, as they
widen the steps of all others. "entropy" weighs the two against each other: of all ranges that in which the
rounded values are distributed most like the values themselves, by the Kullback-Leibler divergence (Migacz,
"8-bit inference with TensorRT", GTC 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

KEPT_PCT = 99.99  # of the values: what "percentile" leaves in
BINS = 4096  # from -2^k to 2^k, in which all values lie
LEVELS = 255  # steps of 8 bits
_TRIED = np.linspace(1, 0.05, 96)  # shares of the whole range

Ends = tuple[float, float]


class Histogram:
    """How often which values were seen, whatever comes: it grows by powers of two, and nothing is lost."""

    def __init__(self) -> None:
        self.low = self.high = 0.0  # 0 is in every range: it pads the images, and has to be exact
        self.counts = np.zeros(BINS, np.int64)
        self.zeros = 0  # of all values, how many are 0, as ReLU leaves every other
        self._power = -20

    @property
    def half(self) -> float:
        """All values lie between -half and half."""
        return float(2.0**self._power)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count values. ValueError where one is not finite."""
        low, high = float(values.min()), float(values.max())
        most = max(-low, high)
        if not math.isfinite(most):
            raise ValueError("a network's activations are not finite")
        self.low, self.high = min(self.low, low), max(self.high, high)
        while most >= self.half:
            self._power += 1
            pairs = self.counts.reshape(-1, 2).sum(1)
            self.counts = np.pad(pairs, BINS // 4)
        self.zeros += int(values.size - np.count_nonzero(values))
        self.counts += np.histogram(values, BINS, (-self.half, self.half))[0]


def min_max(seen: Histogram) -> Ends:
    """All values."""
    return seen.low, seen.high


def percentile(seen: Histogram) -> Ends:
    """All but the rarest, at both ends together."""
    total = seen.counts.sum()
    edges = np.linspace(-seen.half, seen.half, BINS + 1)
    share = (1 - KEPT_PCT / 100) / (2 if seen.low < 0 < seen.high else 1)
    within = np.cumsum(seen.counts) / total
    low = edges[np.searchsorted(within, share, side="right")] if seen.low < 0 else 0.0
    high = edges[np.searchsorted(within, 1 - share) + 1] if seen.high > 0 else 0.0
    return max(seen.low, min(float(low), 0.0)), min(seen.high, max(float(high), 0.0))


def entropy(seen: Histogram) -> Ends:
    """Of the shares of the whole range, the one with the least divergence; of equals the widest."""
    divergences = [_divergence(seen, share * seen.low, share * seen.high) for share in _TRIED]
    share = float(_TRIED[int(np.argmin(divergences))])
    return share * seen.low, share * seen.high


def _divergence(seen: Histogram, low: float, high: float) -> float:
    """Of the values, cut off at some ends and rounded to LEVELS steps, from themselves as they are cut off.

    What is cut off counts at the ends: there the two differ, for rounding knows nothing of it. Zeros do not
    count: rounding keeps them, whatever the range. (With them, ranges were so narrow that half of the images
    were told wrong.)
    """
    counts = seen.counts.copy()
    counts[BINS // 2] -= seen.zeros
    width = 2 * seen.half / BINS
    first = max(0, math.floor((low + seen.half) / width))
    last = min(BINS, max(math.ceil((high + seen.half) / width), first + 1))
    inside = counts[first:last].astype(float)
    cut = inside.copy()
    cut[0] += counts[:first].sum()
    cut[-1] += counts[last:].sum()
    level = np.arange(last - first) * LEVELS // (last - first)
    is_there = inside > 0
    sums = np.bincount(level, inside, LEVELS)
    bins = np.bincount(level[is_there], minlength=LEVELS)
    rounded = np.where(is_there, (sums / np.maximum(bins, 1))[level], 0)
    p, q = cut / max(cut.sum(), 1), rounded / max(rounded.sum(), 1)
    both = (p > 0) & (q > 0)
    # What is in p alone is as unlikely in q as one value is.
    alone = p[(p > 0) & (q <= 0)]
    lost = float((alone * np.log(alone * max(counts.sum(), 1))).sum()) if alone.size else 0.0
    return float((p[both] * np.log(p[both] / q[both])).sum()) + lost


METHODS: dict[str, Callable[[Histogram], Ends]] = {
    "min_max": min_max,
    "percentile": percentile,
    "entropy": entropy,
}
