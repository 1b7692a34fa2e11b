"""Pareto fronts: arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd


def front(cost: ArrayLike, value: ArrayLike) -> NDArray[np.bool_]:
    """Mask of the points that no other point beats: lower cost and higher value are better.

    A point is beaten by one that is as good on both axes and better on one; equal points stay together. A
    point with NaN on either axis is never on the front and beats nothing. O(n log n).
    """
    costs, values = np.asarray(cost, dtype=float), np.asarray(value, dtype=float)
    known = np.flatnonzero(~(np.isnan(costs) | np.isnan(values)))
    order = known[np.lexsort((-values[known], costs[known]))]  # by cost, the best value of each cost first
    sorted_costs, sorted_values = costs[order], values[order]
    starts = np.ones(len(order), dtype=bool)  # the first point of each cost
    starts[1:] = sorted_costs[1:] != sorted_costs[:-1]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    best_so_far = np.maximum.accumulate(sorted_values)
    cheaper_best = np.where(first > 0, best_so_far[first - 1], -np.inf)
    has_cheaper = first > 0
    on_front = (sorted_values == sorted_values[first]) & (~has_cheaper | (sorted_values > cheaper_best))
    mask = np.zeros(len(costs), dtype=bool)
    mask[order[on_front]] = True
    return mask


def hypervolume(cost: ArrayLike, value: ArrayLike, reference: tuple[float, float]) -> float:
    """Area that the points dominate, up to a reference point: the largest cost and smallest value allowed.

    Lower cost and higher value are better; the unit is that of the cost times that of the value. Points
    beyond the reference, or with NaN, add nothing. NaN where the reference is unknown. O(n log n).
    """
    largest, smallest = reference
    if np.isnan([largest, smallest]).any():
        return float("nan")
    points = np.stack([np.asarray(cost, dtype=float), np.asarray(value, dtype=float)], axis=1)
    points = points[(points[:, 0] < largest) & (points[:, 1] > smallest)]
    costs, values = np.unique(points[front(*points.T)], axis=0).T  # a staircase, by cost
    heights = np.diff(values, prepend=smallest)  # what each step adds
    return float(((largest - costs) * heights).sum())


def pareto_front(frame: pd.DataFrame, *, cost: str, value: str) -> pd.Series[bool]:
    """Mask of the rows of a table on the front of two of its columns; see `front`.

    Raises KeyError for a column that the table lacks.
    """
    import pandas as pd

    return pd.Series(front(frame[cost], frame[value]), index=frame.index, name="on_front")
