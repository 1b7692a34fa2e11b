"""Pareto fronts: arrays in, arrays out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
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
    mask = np.zeros(len(costs), dtype=bool)
    mask[known] = each_front(costs[known], values[known])
    return mask


def each_front(costs: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The same of many sets of points at once, those along the last axis; all numbers are known."""
    order = np.lexsort((-values, costs), axis=-1)  # by cost, the best value of each cost first
    sorted_costs = np.take_along_axis(costs, order, -1)
    sorted_values = np.take_along_axis(values, order, -1)
    starts = np.ones(order.shape, dtype=bool)  # the first point of each cost
    starts[..., 1:] = sorted_costs[..., 1:] != sorted_costs[..., :-1]
    first = np.maximum.accumulate(np.where(starts, np.arange(order.shape[-1]), 0), axis=-1)
    best_so_far = np.maximum.accumulate(sorted_values, axis=-1)
    cheaper_best = np.take_along_axis(best_so_far, np.maximum(first - 1, 0), -1)
    is_better = (first == 0) | (sorted_values > cheaper_best)
    on_front = is_better & (sorted_values == np.take_along_axis(sorted_values, first, -1))
    mask = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(mask, order, on_front, -1)
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


def front_of_rows(costs: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mask of the points that no other beats, where each has one cost or two. costs: (points, 1 or 2).

    Ties and NaN as in `front`. O(n log n).
    """
    if costs.shape[1] == 1:
        return front(costs[:, 0], values)
    mask = np.zeros(len(costs), dtype=bool)
    known = np.flatnonzero(~(np.isnan(costs).any(axis=1) | np.isnan(values)))
    points, which = np.unique(np.column_stack([costs[known], -values[known]]), axis=0, return_inverse=True)
    # In this order what beats a point stands before it; all that is left to compare are two of the three.
    stairs = _Stairs()
    is_best = [stairs.add(cost, loss) for _, cost, loss in points.tolist()]
    mask[known] = np.array(is_best, dtype=bool)[which.reshape(-1)]
    return mask


class _Stairs:
    """Points of a plane, none of which beats another: lower is better on both axes."""

    def __init__(self) -> None:
        self.across: list[float] = []  # rising
        self.down: list[float] = []  # falling

    def add(self, across: float, down: float) -> bool:
        """Whether no point so far is as good on both axes; then it stands among them."""
        at = bisect_right(self.across, across)
        if at and self.down[at - 1] <= down:
            return False
        first = bisect_left(self.across, across)
        last = first
        while last < len(self.down) and self.down[last] >= down:
            last += 1
        self.across[first:last], self.down[first:last] = [across], [down]
        return True


def pareto_front(frame: pd.DataFrame, *, cost: str, value: str) -> pd.Series[bool]:
    """Mask of the rows of a table on the front of two of its columns; see `front`.

    Raises KeyError for a column that the table lacks.
    """
    import pandas as pd

    return pd.Series(front(frame[cost], frame[value]), index=frame.index, name="on_front")
