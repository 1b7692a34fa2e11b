"""What a search method is: a pure function from what was evaluated to what is looked at next."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsweep.search.problem import Evaluation, Places, Problem

NAN = math.nan


class Choice(NamedTuple):
    """A place to evaluate.

    why: in words. predicted_pct, low_pct, high_pct: the accuracy that the method expects, with a 95 %
    interval. gain: what it expects the hypervolume to grow by, as a share of the box. NaN: unknown.
    """

    place: int
    why: str
    predicted_pct: float = NAN
    low_pct: float = NAN
    high_pct: float = NAN
    gain: float = NAN


class Method(ABC):
    """Chooses places of a problem.

    start: the places that it begins with, or how many; then the method chooses those, too. Those that are not
    open are left out.
    """

    def __init__(self, problem: Problem, seed: int, start: int | Sequence[int]) -> None:
        self.problem, self.seed = problem, seed
        given = [] if isinstance(start, int) else list(dict.fromkeys(start))
        self.given = [place for place in given if problem.is_open[place]]
        self.start_count = start if isinstance(start, int) else len(self.given)

    def next(self, history: Sequence[Evaluation], count: int) -> list[Choice]:
        """At most `count` places, none of them evaluated before; none at all where nothing is left.

        Depends on the problem, the seed and the history with its batches alone, so that a search goes on
        after an end as it would have without.
        """
        known = {one.place for one in history}
        given = [place for place in self.given if place not in known]
        if given:
            return [Choice(place, "given to begin with") for place in given[:count]]
        return self._next(history, count)

    @abstractmethod
    def _next(self, history: Sequence[Evaluation], count: int) -> list[Choice]:
        """The same, once what was given is evaluated."""

    def left(self, history: Sequence[Evaluation]) -> Places:
        """The places that may still be evaluated, in order."""
        is_left = self.problem.is_open.copy()
        is_left[[one.place for one in history]] = False
        return np.flatnonzero(is_left)

    def random(self, history: Sequence[Evaluation]) -> np.random.Generator:
        """Chance of its own for each batch."""
        return np.random.default_rng([self.seed, len(history)])
