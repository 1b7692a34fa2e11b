"""What a search is about: a space, the costs of all its variants, which of them may be evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.space import Space
from mbsweep.statistics.pareto import front_of_rows
from mbsweep.statistics.terraces import hypervolume_of_rows

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

BEYOND = 0.1  # how far the reference point lies beyond the worst, as a share of the range


class Evaluation(NamedTuple):
    """What came of a choice."""

    batch: int  # choices of one batch were made together
    place: int  # in the space
    value_pct: float  # the accuracy that the search sees; NaN: it failed


@dataclass(frozen=True, eq=False)
class Problem:
    """A place is an index into the space.

    costs: (variants, 1 or 2), lower is better; NaN is unknown, and never evaluated. names: of their columns.
    feasible: (variants,), whether all budgets hold that are known beforehand.
    least_pct: the budget on accuracy, which only an evaluation tells; -inf without.
    """

    space: Space
    costs: Floats
    names: tuple[str, ...]
    feasible: NDArray[np.bool_]
    least_pct: float = -np.inf

    @cached_property
    def is_open(self) -> NDArray[np.bool_]:
        """(variants,), whether each may be evaluated."""
        found: NDArray[np.bool_] = self.feasible & ~np.isnan(self.costs).any(axis=1)
        return found

    @cached_property
    def open(self) -> Places:
        """The places that may be evaluated, in order."""
        return np.flatnonzero(self.is_open)

    @cached_property
    def range(self) -> tuple[Floats, Floats]:
        """Of each cost the least and the largest of the places that may be evaluated."""
        if not len(self.open):
            return np.zeros(self.costs.shape[1]), np.ones(self.costs.shape[1])
        costs = self.costs[self.open]
        return costs.min(axis=0), costs.max(axis=0)

    @cached_property
    def lowest_pct(self) -> float:
        """The bottom of the scale of accuracy: its budget, or 0."""
        return max(self.least_pct, 0.0)

    @cached_property
    def reference(self) -> tuple[Floats, float]:
        """The costs and the accuracy up to which hypervolume counts: fixed before the search begins.

        A tenth of the range beyond the largest cost of what may be evaluated and the lowest accuracy.
        """
        low, high = self.range
        width = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
        height = 100 - self.lowest_pct or 1.0  # where all of 100 % is asked for
        return high + BEYOND * width, self.lowest_pct - BEYOND * height

    @property
    def box(self) -> float:
        """The whole volume from the least costs and 100 % up to the reference: what a share is a share of."""
        costs, pct = self.reference
        return float(np.prod(costs - self.range[0]) * (100 - pct))

    def seen(self, history: Sequence[Evaluation]) -> tuple[Places, Floats]:
        """The places and the accuracies of the evaluations that did not fail."""
        done = [one for one in history if not np.isnan(one.value_pct)]
        return np.array([one.place for one in done], np.int64), np.array([one.value_pct for one in done])

    def admitted(self, history: Sequence[Evaluation]) -> tuple[Places, Floats]:
        """Those of them that keep the budget on accuracy."""
        places, pct = self.seen(history)
        return places[pct >= self.least_pct], pct[pct >= self.least_pct]


def front_of(problem: Problem, history: Sequence[Evaluation]) -> Places:
    """The evaluated places that no other one beats, by cost. Those below `least_pct` do not count."""
    places, pct = problem.admitted(history)
    best = places[front_of_rows(problem.costs[places], pct)]
    return best[np.lexsort(problem.costs[best].T[::-1])]


def hypervolumes(problem: Problem, history: Sequence[Evaluation]) -> Floats:
    """(evaluations,): after each, the share of the box that is dominated, from 0 to 1; see `Problem.box`."""
    found = [0.0]
    # Of the front so far: a search asks for all of them after each batch, and most evaluations are beaten.
    costs, pct = problem.costs[:0], np.zeros(0)
    for one in history:
        own = problem.costs[one.place]
        is_beaten = ((costs <= own).all(axis=1) & (pct >= one.value_pct)).any()
        if one.value_pct >= problem.least_pct and not is_beaten:
            costs, pct = np.vstack([costs, own]), np.append(pct, one.value_pct)
            best = front_of_rows(costs, pct)
            costs, pct = costs[best], pct[best]
            found.append(hypervolume_of_rows(costs, pct, problem.reference) / problem.box)
        else:
            found.append(found[-1])
    return np.array(found[1:])
