"""The networks that tell a machine's drift, chosen so that they span the sizes of what is measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mbsweep.profiler.subject import Subject
from mbsweep.space.counting import count
from mbsweep.space.variant import Variant
from mbsweep.statistics.drift import Size

LEAST, MOST = 4, 8  # yardsticks of a configuration
WORK_FOR_ALL = "yardstick 1-224"
REACH = 1.0  # so far a network may be from a yardstick, in natural logarithms of parameters and mult-adds


@cache
def _rungs() -> dict[str, Variant]:
    """Name -> network, for every one that may be a yardstick: from tens of microseconds to tens of ms.

    Their names are no variants' ids, so that the same networks may be among the variants, too.
    """
    shallow = [
        Variant(width=width, resolution=resolution, depth=0, num_classes=10)
        for width, resolution in product((0.05, 0.1, 0.25), (16, 32, 64, 128))
    ]
    papers = [
        Variant(width=width, resolution=resolution)
        for width, resolution in product((0.25, 0.5, 1.0, 2.0), (32, 64, 128, 224))
    ]
    named = [(v, f"yardstick {v.width:g}-{v.resolution}") for v in (*shallow, *papers)]
    return {f"{name} shallow" if variant.depth == 0 else name: variant for variant, name in named}


@cache
def _log_sizes() -> NDArray[np.float64]:
    """(rungs, 2): logarithms of parameters and mult-adds."""
    counts = [count(variant) for variant in _rungs().values()]
    return np.log([(found.params, found.macs) for found in counts])


def choose(sizes: Iterable[Size], threads: int, having: Collection[str] = ()) -> list[str]:
    """Names of the yardsticks for networks (or parts) of some sizes, from small to large.

    Always the same for the same sizes. One after another, the rung that is nearest to what is farthest from
    those chosen; until all is within REACH, there are LEAST of them, or MOST.
    threads: whether several are all at work is seen where a network has work for all: one such is there.
    having: those of an earlier run that goes on. They stay, so that its calibration keeps its meaning.
    """
    needed = {*having, *([WORK_FOR_ALL] if threads > 1 else [])}
    rungs, names = _log_sizes(), list(_rungs())
    chosen = [names.index(name) for name in names if name in needed]
    points = np.unique(np.log(np.maximum(list(sizes), 1)), axis=0)
    while len(points) and len(chosen) < MOST:
        farthest, distance = len(points) - 1, np.inf  # the first is for the one with most parameters
        if chosen:
            distances = _distances(points, rungs[chosen]).min(axis=1)
            farthest, distance = int(distances.argmax()), float(distances.max())
        to_rungs = _distances(points[farthest : farthest + 1], rungs)[0]
        to_rungs[chosen] = np.inf
        is_nearer = to_rungs.min() < distance
        if len(chosen) >= LEAST and (distance <= REACH or not is_nearer):
            break
        chosen.append(int(to_rungs.argmin()))
    return [names[place] for place in sorted(chosen, key=lambda place: rungs[place, 1])]


def _distances(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(points, others): how far they are apart."""
    found: NDArray[np.float64] = np.sqrt(((points[:, None] - others) ** 2).sum(axis=2))
    return found


def yardstick(name: str) -> Subject:
    """A yardstick by its name, one of those that `choose` gives."""
    return replace(Subject.of(_rungs()[name]), name=name, is_yardstick=True)


def is_yardstick(name: str) -> bool:
    """Whether a name is that of a yardstick of this version."""
    return name in _rungs()
