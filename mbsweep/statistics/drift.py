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
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mbsweep.base.files import keep, read_kept
from mbsweep.statistics.summary import LOW, MIN_VISITS

Key = tuple[int, int]  # session and round of a visit
Size = tuple[int, int]  # parameters and mult-adds of a network, or of a part of one

WINDOW = 20  # rounds: what the machine was like is told by the last so many
_NEAR = 0.05  # a squared distance below which yardsticks count nearly alike
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

        Without a reference it is the machine's calm state in these very visits: the lower fifth of levels.
        """
        names = sorted(name for name in fastest_ns if fastest_ns[name])
        keys = sorted({key for name in names for key in fastest_ns[name]})
        self._place = {key: place for place, key in enumerate(keys)}
        self._log_sizes = np.log([sizes[name] for name in names]).reshape(-1, 2)
        levels_ns = [_levels(fastest_ns[name], keys) for name in names]
        self.calm_ns = {n: float(np.nanquantile(ns, LOW)) for n, ns in zip(names, levels_ns, strict=True)}
        reference = self.calm_ns | dict(reference_ns or {})
        # (yardsticks, visits): NaN in sessions in which a yardstick was not visited
        self._log_levels = np.array(
            [np.log(ns / reference[name]) for name, ns in zip(names, levels_ns, strict=True)]
        )

    def at(self, size: Size, keys: Sequence[Key]) -> NDArray[np.float64]:
        """(visits,): the drift at some visits for a network of a size; 1 where no yardstick was visited."""
        if not self._place:
            return np.ones(len(keys))
        known = np.array(list(self._place))
        places = [self._place.get(key, _nearest(known, key)) for key in keys]
        told = _told(self._log_sizes, self._log_levels[:, places], np.log(np.maximum(size, 1)))
        factors: NDArray[np.float64] = np.exp(told)
        return factors

    def error(self, size: Size) -> float:
        """What dividing the drift out leaves uncertain, for a network of a size: the sd of its logarithm.

        Each yardstick's drift, told from the others, is off by something: a network is taken to be off as the
        yardsticks near it are, in the mean of the squares. 0 where there are not two to tell it.
        """
        if len(self._log_sizes) < 2:
            return 0.0
        off_sq = np.zeros(len(self._log_sizes))
        for place, own in enumerate(self._log_sizes):
            others = np.arange(len(self._log_sizes)) != place
            off = self._log_levels[place] - _told(self._log_sizes[others], self._log_levels[others], own)
            off_sq[place] = np.median(off[np.isfinite(off)]) ** 2 if np.isfinite(off).any() else 0
        return math.sqrt(float(_weights(self._log_sizes, np.log(np.maximum(size, 1))) @ off_sq))

    @property
    def overall(self) -> NDArray[np.float64]:
        """(visits,): the yardsticks' mean drift at each visit, in the order of time."""
        return np.exp(np.nanmean(self._log_levels, axis=0)) if self._place else np.ones(0)

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


def _weights(log_sizes: NDArray[np.float64], log_size: NDArray[np.float64]) -> NDArray[np.float64]:
    """(yardsticks,): Shepard's weights, which sum to 1."""
    distance_sq = ((log_sizes - log_size) ** 2).sum(axis=1)
    weights: NDArray[np.float64] = 1 / (distance_sq + _NEAR) ** 2
    weights /= weights.sum()
    return weights


def _told(
    log_sizes: NDArray[np.float64], log_levels: NDArray[np.float64], log_size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(visits,): what the yardsticks that were visited say of a size; NaN where none was."""
    is_known = np.isfinite(log_levels)
    weights = _weights(log_sizes, log_size)[:, None] * is_known
    with np.errstate(invalid="ignore"):
        told: NDArray[np.float64] = (weights * np.nan_to_num(log_levels)).sum(axis=0) / weights.sum(axis=0)
    return told


def _levels(fastest: Mapping[Key, float], keys: Sequence[Key]) -> NDArray[np.float64]:
    """(keys,): what a yardstick took of late, session by session; NaN in sessions without it.

    By the statistic of headlines, over the last WINDOW visits up to each; the first MIN_VISITS have those of
    all of them. Later visits change nothing, so that what is settled stays so.
    """
    found = np.full(len(keys), np.nan)
    sessions = np.array([session for session, _ in keys])
    rounds = np.array([number for _, number in keys])
    for session in np.unique(sessions):
        own = sorted(number for in_session, number in fastest if in_session == session)
        if not own:
            continue
        values = np.array([fastest[int(session), number] for number in own], dtype=float)
        levels = [
            np.quantile(values[: max(end, MIN_VISITS)], LOW) for end in range(1, min(len(own) + 1, WINDOW))
        ]
        if len(own) >= WINDOW:
            levels.extend(np.quantile(sliding_window_view(values, WINDOW), LOW, axis=1))
        mine = np.flatnonzero(sessions == session)
        last = np.searchsorted(own, rounds[mine], side="right") - 1
        found[mine] = np.array(levels)[np.maximum(last, 0)]
    return found


def _nearest(known: NDArray[np.int64], key: Key) -> int:
    """The visit of a session that is nearest: a round that was interrupted may lack its yardsticks."""
    return int((np.abs(known - key) @ [1_000_000, 1]).argmin())


class Calibration(NamedTuple):
    """The speed at which a run's headlines are told."""

    reference_ns: dict[str, float]  # of each yardstick
    remark: str = ""  # what a reader of the numbers must know; empty where they are at the usual speed
    advice: str = ""  # what else there is to say to who runs it


def calibrated(path: Path) -> dict[str, float]:
    """Yardstick -> its reference latency in ns, as a device's file has them; empty where it is none."""
    try:
        kept = {str(name): float(ns) for name, ns in json.loads(read_kept(path) or b"{}").items()}
    except (ValueError, AttributeError, TypeError):
        return {}
    return kept if all(0 < ns < math.inf for ns in kept.values()) else {}


def calibrate(path: Path, calm_ns: Mapping[str, float], is_enough: bool) -> Calibration:
    """The reference latencies of a device's yardsticks, and a word where they do not hold any more.

    path: where they are kept: those of every yardstick that a run of this device has had. A run that has
    measured enough (`is_enough`) adds its new ones.
    calm_ns: what this run found.

    Headlines of one device are told at one reference speed, so that runs of different days, and sweeps with
    different yardsticks, can be compared: a new yardstick is entered at the speed that the known ones tell. A
    machine that is in another state (by STATE_CHANGED) is not brought back to the old one: a slower one is
    told as it is, a faster one gives a new reference.
    """
    kept, calm = calibrated(path), dict(calm_ns)
    known = kept.keys() & calm.keys()
    if not known:  # also where every yardstick failed
        return Calibration(calm, advice=_keep(path, kept | calm) if calm and is_enough else "")
    slower = math.exp(np.mean([math.log(calm[name] / kept[name]) for name in sorted(known)]))
    if slower > STATE_CHANGED:
        remark = f"the machine was {slower - 1:.0%} slower than when its yardsticks were calibrated"
        return Calibration(calm, f"{remark}: latencies are those of then", f"if it stays so, delete {path}")
    if slower < 1 / STATE_CHANGED and is_enough:
        remark = f"the machine was {1 / slower - 1:.0%} faster than when its yardsticks were calibrated"
        return Calibration(calm, f"{remark}, which were calibrated anew", _keep(path, calm))
    reference = {name: kept.get(name, ns / slower) for name, ns in calm.items()}
    is_new = is_enough and reference.keys() > known
    return Calibration(reference, advice=_keep(path, kept | reference) if is_new else "")


def _keep(path: Path, calm_ns: Mapping[str, float]) -> str:
    fault = keep(path, json.dumps(calm_ns, indent=1).encode())
    return f"the calibration of the yardsticks cannot be kept: {fault}" if fault else ""
