"""How a machine's speed drifts, told by yardsticks: networks of several sizes, visited in every round.

One yardstick is not enough. What slows a shared machine (its neighbours in the caches, its clock) slows
networks of different size differently. So a network's drift is a mean of those of the yardsticks, weighted by
1 / distance^4 (Shepard 1968); the distance is that of the logarithms of parameters and mult-adds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.errors import MbsweepError
from mbsweep.export import write_file
from mbsweep.summary import MIN_VISITS

Key = tuple[int, int]  # session and round of a visit
Size = tuple[int, int]  # parameters and mult-adds of a network, or of a part of one

_NEAR = 0.05  # a squared distance below which yardsticks count nearly alike
CALM = 0.1  # of a yardstick's visits, the fastest tenth show the machine undisturbed
# Beyond this the machine is in another state than when its yardsticks were calibrated: no drift any more.
STATE_CHANGED = 1.15
DRIFTED = 1.1  # yardsticks whose slow rounds took so many times their fast ones: the machine changed


class Drift:
    """How much slower than in its reference state a machine was at each visit: 1.1 is 10 % slower."""

    def __init__(
        self,
        fastest_ns: Mapping[str, Mapping[Key, float]],
        sizes: Mapping[str, Size],
        reference_ns: Mapping[str, float] | None = None,
    ) -> None:
        """From yardstick -> visit -> its fastest call, the yardsticks' sizes and reference latencies.

        Without a reference it is the machine's calm state in these very visits.
        """
        names = sorted(name for name in fastest_ns if fastest_ns[name])
        keys = sorted({key for name in names for key in fastest_ns[name]})
        self._place = {key: place for place, key in enumerate(keys)}
        self._log_sizes = np.log([sizes[name] for name in names])
        smooth = [_smooth(fastest_ns[name], keys) for name in names]
        self.calm_ns = {name: float(np.quantile(s, CALM)) for name, s in zip(names, smooth, strict=True)}
        reference = self.calm_ns | dict(reference_ns or {})
        self._log_levels = np.array([np.log(s / reference[n]) for n, s in zip(names, smooth, strict=True)])

    def at(self, size: Size, keys: Sequence[Key]) -> NDArray[np.float64]:
        """(visits,): the drift at some visits for a network of a size; 1 where no yardstick was visited."""
        if not self._place:
            return np.ones(len(keys))
        known = np.array(list(self._place))
        places = [self._place.get(key, _nearest(known, key)) for key in keys]
        weights, _ = _weights(self._log_sizes, np.log(np.maximum(size, 1)))
        factors: NDArray[np.float64] = np.exp(weights @ self._log_levels[:, places])
        return factors

    def error(self, size: Size) -> float:
        """What dividing the drift out leaves uncertain, for a network of a size: the sd of its logarithm.

        Each yardstick's drift, told from the others, is off by something; the mean square of that grows with
        the squared distance to what it is told from. 0 where there are not two yardsticks to tell it.
        """
        if len(self._log_sizes) < 2:
            return 0.0
        per_distance = []
        for place, own in enumerate(self._log_sizes):
            others = np.arange(len(self._log_sizes)) != place
            weights, distance_sq = _weights(self._log_sizes[others], own)
            off = np.median(self._log_levels[place] - weights @ self._log_levels[others])
            per_distance.append(off**2 / distance_sq)
        _, distance_sq = _weights(self._log_sizes, np.log(np.maximum(size, 1)))
        return math.sqrt(float(np.mean(per_distance)) * distance_sq)

    @property
    def overall(self) -> NDArray[np.float64]:
        """(visits,): the yardsticks' mean drift at each visit, in the order of time."""
        return np.exp(self._log_levels.mean(axis=0)) if self._place else np.ones(0)

    @property
    def remark(self) -> str:
        """That the machine's speed changed in the middle, in words; empty where it did not."""
        if len(self.overall) < MIN_VISITS:
            return ""
        fast, slow = np.percentile(self.overall, [10, 90])
        if slow / fast <= DRIFTED:
            return ""
        return (
            f"the machine's speed changed in the middle: its yardsticks took {slow / fast - 1:.0%} longer in "
            "the slow rounds than in the fast ones (divided out)"
        )


def _weights(
    log_sizes: NDArray[np.float64], log_size: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """(yardsticks,): Shepard's weights, which sum to 1; and the mean squared distance under them."""
    distance_sq = ((log_sizes - log_size) ** 2).sum(axis=1)
    weights = 1 / (distance_sq + _NEAR) ** 2
    weights /= weights.sum()
    return weights, float(weights @ distance_sq)


def _smooth(fastest: Mapping[Key, float], keys: Sequence[Key]) -> NDArray[np.float64]:
    """(keys,): the median of each visit and its neighbours, so that one disturbed visit is no drift.

    The first and the last visit have their neighbour's median.
    """
    own = sorted(fastest)
    values = np.array([fastest[key] for key in own], dtype=float)
    windows = np.lib.stride_tricks.sliding_window_view(values, min(3, len(own)))
    middles = np.clip(np.arange(len(own)) - 1, 0, len(windows) - 1)
    medians: NDArray[np.float64] = np.median(windows, axis=1)[middles]
    if len(own) == len(keys):
        return medians
    place = {key: place for place, key in enumerate(keys)}
    between: NDArray[np.float64] = np.interp(np.arange(len(keys)), [place[key] for key in own], medians)
    return between


def _nearest(known: NDArray[np.int64], key: Key) -> int:
    """The visit of a session that is nearest: a round that was interrupted may lack its yardsticks."""
    return int((np.abs(known - key) @ [1_000_000, 1]).argmin())


class Calibration(NamedTuple):
    """The speed at which a run's headlines are told."""

    reference_ns: dict[str, float]  # of each yardstick
    remark: str = ""  # what a reader of the numbers must know; empty where they are at the usual speed
    advice: str = ""  # what else there is to say to who runs it


def calibrate(path: Path, calm_ns: Mapping[str, float], is_enough: bool) -> Calibration:
    """The reference latencies of a device's yardsticks, and a word where they do not hold any more.

    path: where they are kept; made by the first run that has measured enough (`is_enough`).
    calm_ns: what this run found.

    Headlines of one device are told at one reference speed, so that runs of different days can be compared. A
    machine that is in another state (by STATE_CHANGED) is not brought back to the old one: a slower one is
    told as it is, a faster one gives a new reference.
    """
    try:
        kept = {str(name): float(ns) for name, ns in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        kept = {}
    calm = dict(calm_ns)
    if not calm:  # every yardstick failed
        return Calibration({})
    if set(kept) != set(calm) or not all(0 < ns < math.inf for ns in kept.values()):
        return Calibration(calm, advice=_keep(path, calm) if is_enough else "")
    slower = math.exp(np.mean([math.log(calm[name] / kept[name]) for name in calm]))
    if slower > STATE_CHANGED:
        remark = f"the machine was {slower - 1:.0%} slower than when its yardsticks were calibrated"
        return Calibration(calm, f"{remark}: latencies are those of then", f"if it stays so, delete {path}")
    if slower < 1 / STATE_CHANGED and is_enough:
        remark = f"the machine was {1 / slower - 1:.0%} faster than when its yardsticks were calibrated"
        return Calibration(calm, f"{remark}, which were calibrated anew", _keep(path, calm))
    return Calibration(kept)


def _keep(path: Path, calm_ns: Mapping[str, float]) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(calm_ns, indent=1).encode())
    except (OSError, MbsweepError) as error:
        return f"the calibration of the yardsticks cannot be kept: {error}"
    return ""
