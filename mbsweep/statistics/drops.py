"""What a file loses against the network that it was made from, on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second
from numpy.typing import NDArray

from mbsweep.statistics.summary import CONFIDENCE_PCT, NORMAL_95

Pairs = Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]  # of each seed: before, after; (images,) each


class Drop(NamedTuple):
    """How much top-1 accuracy fell, in percentage points; negative: it rose."""

    mean_pct: float
    low_pct: float  # 95 % interval
    high_pct: float


class DropNoise(NamedTuple):
    """How much drops differ from seed to seed, over all networks of one kind."""

    variance: float  # of a seed's drop, as a share of the images
    freedom: int  # 0: no network has two seeds


def drop_noise(networks: Mapping[str, Pairs]) -> DropNoise:
    """The noise of the seeds, pooled over networks that have two or more."""
    several = [[_drop(*pair) for pair in pairs] for pairs in networks.values() if len(pairs) > 1]
    freedom = sum(len(drops) - 1 for drops in several)
    squares = sum(float(np.var(drops)) * len(drops) for drops in several)
    return DropNoise(squares / freedom if freedom else float("nan"), freedom)


def paired_drop(pairs: Pairs, noise: DropNoise) -> Drop:
    """Mean drop over a network's seeds, and its 95 % interval.

    Two errors are added in quadrature. Which images happen to be in the test part: before and after were told
    the same images, so that only those count which one of the two got right; half an image is added to each
    of the four ways that it can go (Agresti and Min, Statistics in Medicine 24, 2005), as that no image
    changed sides among a few proves little. And which seeds happened to be drawn, by Student's t; with one
    seed of each network that is not known, and the interval is of this very network.
    """
    differ = np.mean([before.astype(float) - after for before, after in pairs], axis=0)
    images = len(differ) + 2
    total = float(differ.sum())
    of_images = (float((differ**2).sum()) + 1 - total**2 / images) / images**2
    of_seeds = 0.0
    if noise.freedom:
        quantile = float(scipy.special.stdtrit(noise.freedom, 0.5 + CONFIDENCE_PCT / 200))
        of_seeds = quantile * np.sqrt(noise.variance / len(pairs))
    half = float(np.hypot(NORMAL_95 * np.sqrt(of_images), of_seeds))
    mean = total / len(differ)
    return Drop(100 * mean, 100 * (mean - half), 100 * (mean + half))


def _drop(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    return float(before.mean() - after.mean())
