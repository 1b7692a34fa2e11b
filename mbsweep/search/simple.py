"""Search methods that learn nothing: what others are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mbsweep.search.method import Choice, Method
from mbsweep.search.problem import Evaluation


class Random(Method):
    """Any of those left, each as likely."""

    def _next(self, history: Sequence[Evaluation], count: int) -> list[Choice]:
        left = self.left(history)
        chosen = self.random(history).choice(left, min(count, len(left)), replace=False)
        return [Choice(int(place), "at random") for place in chosen]


class Exhaustive(Method):
    """All, by their first cost, the cheapest first; by the second where that is the same."""

    def _next(self, history: Sequence[Evaluation], count: int) -> list[Choice]:
        left = self.left(history)
        order = np.lexsort(self.problem.costs[left].T[::-1])
        return [Choice(int(place), "the cheapest of those left") for place in left[order[:count]]]
