"""How far the trainings of a source are, weighed by what their epochs cost, and how long the rest takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """Epochs done and in all, those of trainings that were begun anew included; and what that means."""

    done: int
    total: int
    share: float  # of the work
    left_s: float


class Pace:
    """What epochs took so far, in this run and before it was interrupted, and so what others will take.

    expected_s: variant -> seconds of an epoch, before any is known; their ratios are what counts.
    jobs: trainings at once, now.
    """

    def __init__(self, expected_s: Mapping[str, float], jobs: int = 1) -> None:
        self._expected_s, self.jobs = expected_s, jobs
        self._known: dict[str, tuple[int, float]] = {}  # variant -> epochs and what they took
        self._done, self._took_s, self._due_s = 0, 0.0, 0.0  # in all, and what they were expected to take

    def note(self, variant: str, seconds: float) -> None:
        """An epoch is done."""
        epochs, took_s = self._known.get(variant, (0, 0.0))
        self._known[variant] = epochs + 1, took_s + seconds
        self._done += 1
        self._took_s += seconds
        self._due_s += self._expected_s[variant]

    def standing(self, left: Iterable[tuple[str, float]]) -> Standing:
        """How far all is. left: variant and epochs left, of each training that has not come to its end."""
        rest_s, whole_s, whole = [0.0], 0.0, 0
        for variant, epochs in left:
            each_s = self._epoch_s(variant)
            rest_s.append(epochs * each_s)
            whole_s += math.ceil(epochs) * each_s
            whole += math.ceil(epochs)
        all_s = self._took_s + whole_s
        share = 1 - sum(rest_s) / all_s if all_s else 1.0
        return Standing(self._done, self._done + whole, share, max(sum(rest_s) / self.jobs, *rest_s))

    def _epoch_s(self, variant: str) -> float:
        if variant in self._known:
            epochs, took_s = self._known[variant]
            return took_s / epochs
        return self._expected_s[variant] * (self._took_s / self._due_s if self._due_s else 1.0)
