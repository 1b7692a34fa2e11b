"""How much the front would gain: in closed form, since only accuracy is uncertain and each cost is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when they are used: together they take a second

from mbsweep.search.problem import Floats
from mbsweep.statistics.pareto import front_of_rows
from mbsweep.statistics.terraces import Terraces, terraces

CHUNK = 1_000_000  # numbers at a time
LEAST_SD = 1e-9


@dataclass(frozen=True, eq=False)
class Front:
    """Some evaluated points, and up to which costs and from which accuracy on more of them is a gain.

    costs: (points, 1 or 2), the less the better. largest: those costs. floor_pct: that accuracy.
    """

    costs: Floats
    pct: Floats
    largest: Floats
    floor_pct: float
    terraces: Terraces

    @classmethod
    def of(cls, costs: Floats, pct: Floats, largest: Floats, floor_pct: float) -> Front:
        """From points of which others may be beaten."""
        best = front_of_rows(costs, pct)
        costs, pct = costs[best], pct[best]
        found = terraces(costs, pct, largest)
        return cls(costs, pct, largest, floor_pct, found._replace(value=np.maximum(found.value, floor_pct)))

    def and_then(self, costs: Floats, pct: Floats) -> Front:
        """With more points."""
        return self.of(np.vstack([self.costs, costs]), np.append(self.pct, pct), self.largest, self.floor_pct)

    def heights(self, costs: Floats) -> Floats:
        """The best accuracy so far at the costs of each point or less; the floor, where there is none."""
        first = np.unique(self.costs[:, 0])
        second = np.unique(self.costs[:, -1])
        table = np.full((len(first) + 1, len(second) + 1), self.floor_pct)
        at = np.searchsorted(first, self.costs[:, 0]) + 1, np.searchsorted(second, self.costs[:, -1]) + 1
        np.maximum.at(table, at, self.pct)
        table = np.maximum.accumulate(np.maximum.accumulate(table, axis=0), axis=1)
        left, right = (
            np.searchsorted(first, costs[:, 0], "right"),
            np.searchsorted(second, costs[:, -1], "right"),
        )
        found: Floats = table[left, right]
        return found

    def gains(self, costs: Floats, pct: Floats) -> Floats:
        """Of each point the hypervolume that it would add alone, in costs times percent."""
        return self._summed(costs, lambda part, values: np.maximum(pct[part, None] - values, 0))

    def expected_gains(self, costs: Floats, pct: Floats, deviations: Floats) -> Floats:
        """The same on average, where its accuracy is normally distributed around pct."""
        deviations = np.maximum(deviations, LEAST_SD)

        def expected(part: slice, values: Floats) -> Floats:
            off = (pct[part, None] - values) / deviations[part, None]
            density = np.exp(-0.5 * off**2) / np.sqrt(2 * np.pi)
            found: Floats = deviations[part, None] * (off * scipy.special.ndtr(off) + density)
            return found

        return self._summed(costs, expected)

    def _summed(self, costs: Floats, height: Callable[[slice, Floats], Floats]) -> Floats:
        """Of each point the sum over the terraces: the area that is as costly or more, times a height."""
        low, high, values = self.terraces
        found = np.empty(len(costs))
        chunk = 1 + CHUNK // len(values)
        for start in range(0, len(costs), chunk):
            part = slice(start, start + chunk)
            area = np.ones(())
            for column in range(costs.shape[1]):
                sides = high[:, column] - np.maximum(low[:, column], costs[part, column, None])
                area = area * np.maximum(sides, 0)
            found[part] = (area * height(part, values)).sum(axis=1)
        return found
