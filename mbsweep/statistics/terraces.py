"""What a front dominates where each point has one cost or two: the plane of the costs, cut into terraces."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.statistics.pareto import front_of_rows

Floats = NDArray[np.float64]


class Terraces(NamedTuple):
    """Rectangles of the plane of the costs; together they are the plane up to the largest costs allowed.

    low, high: (rectangles, costs). value: (rectangles,), the best that can be had at any costs within, -inf
    where nothing can.
    """

    low: Floats
    high: Floats
    value: Floats


def terraces(costs: Floats, values: Floats, largest: Floats) -> Terraces:
    """Those of some points: lower costs and higher values are better.

    costs: (points, 1 or 2). Points beyond the largest costs, or with NaN, add nothing. There are at most two
    rectangles for each point of the front, and two more.
    """
    dimensions = costs.shape[1]
    kept = np.flatnonzero((costs < largest).all(axis=1))
    kept = kept[front_of_rows(costs[kept], values[kept])]
    kept = kept[np.argsort(-values[kept], kind="stable")]
    # One cost is two, of which the second is 0 and allowed up to 1.
    points = [(*row, 0.0)[:2] for row in costs[kept].tolist()]
    points.append((-np.inf, -np.inf if dimensions == 2 else 0.0))
    top = float(largest[1]) if dimensions == 2 else 1.0
    # What better points dominate lies above a stair: from edges[i] to edges[i + 1] it is floors[i] high.
    edges, floors = [-np.inf, float(largest[0])], [top]
    found: list[tuple[float, float, float, float, float]] = []
    for (left, bottom), value in zip(points, [*values[kept].tolist(), -np.inf], strict=True):
        first = last = bisect_right(edges, left) - 1
        while last < len(floors) and floors[last] > bottom:
            found.append((max(edges[last], left), bottom, edges[last + 1], floors[last], value))
            last += 1
        if last > first:
            stays = first + (edges[first] < left)
            edges[stays:last], floors[stays:last] = [left], [bottom]
    table = np.array(found).reshape(-1, 5)
    return Terraces(table[:, :dimensions], table[:, 2 : 2 + dimensions], table[:, 4])


def hypervolume_of_rows(costs: Floats, values: Floats, reference: tuple[Floats, float]) -> float:
    """Volume that the points dominate, up to the largest costs and the smallest value allowed.

    The unit is that of the costs times that of the value. Points beyond the reference, or with NaN, add
    nothing.
    """
    largest, smallest = reference
    low, high, value = terraces(costs, values, largest)
    is_had = value > smallest
    return float(np.prod((high - low)[is_had], axis=1) @ (value[is_had] - smallest))
