"""Optuna's samplers as search methods, on the axes of the space. Costs are known: that is all that is added.

What a sampler suggests is evaluated only where it is in the space, keeps the budgets, and is new. Everything
else it is told at once, at no evaluation, as a violated constraint or the result that is known.
"""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from mbsweep.base.errors import MbsweepError
from mbsweep.search.axes import axes_of
from mbsweep.search.method import Choice, Method
from mbsweep.search.problem import Evaluation, Places, Problem

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

CONSTRAINT = "budgets"


class Sampled(Method):
    """Suggestions of a sampler of Optuna. The study is in memory: it is made again from the history."""

    name: ClassVar[str]
    # Suggestions in a row; then what is nearest to the last one is evaluated.
    most_refused: ClassVar[int] = 20

    def __init__(self, problem: Problem, seed: int, start: int | Sequence[int]) -> None:
        super().__init__(problem, seed, start)
        if importlib.util.find_spec("optuna") is None:
            raise MbsweepError(
                f"{self.name} needs Optuna, which is not installed; run: pip install 'mbsweep[train]'"
            )
        self._axes = axes_of(problem.space)
        # A number for each combination of values. It may overflow: then it is a hash.
        self._factors = np.random.default_rng(0).integers(
            1, 2**63, len(self._axes), dtype=np.uint64
        ) | np.uint64(1)
        numbers = np.zeros(len(problem.space), np.uint64)
        for axis, factor in zip(self._axes, self._factors, strict=True):
            numbers += axis.codes.astype(np.uint64) * factor
        self._order = np.argsort(numbers)
        self._numbers = numbers[self._order]
        self._begin()

    @abstractmethod
    def sampler(self) -> BaseSampler:
        """A new one, of the seed."""

    def _begin(self) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        directions: list[Literal["maximize", "minimize"]] = ["maximize"]
        directions += ["minimize"] * len(self.problem.names)
        self._study = optuna.create_study(directions=directions, sampler=self.sampler())
        self._told: list[Evaluation] = []
        self._asked: list[tuple[int, Trial]] = []  # of the batch that is being evaluated

    def _next(self, history: Sequence[Evaluation], count: int) -> list[Choice]:
        with threadpool_limits(1):  # the matrices are small: threads wait for each other far longer
            self._follow(history)
            self._ask(count)
        return [Choice(place, f"suggested by {self.name}") for place, _ in self._asked]

    def _follow(self, history: Sequence[Evaluation]) -> None:
        """Tell the study what has come out since; ask again what it was asked, where another object did."""
        if list(history[: len(self._told)]) != self._told:
            self._begin()
        while len(self._told) < len(history):
            first = history[len(self._told)]
            batch = [one for one in history[len(self._told) :] if one.batch == first.batch]
            if [place for place, _ in self._asked] != [one.place for one in batch]:
                self._asked = []
                if first.place not in self.given:
                    self._ask(len(batch))
            trials = dict(self._asked)
            self._asked = []
            for one in batch:
                self._tell(trials.get(one.place) or self._trial_of(one.place), one)
            self._told += batch

    def _ask(self, count: int) -> None:
        """Fill the batch with places that are open, new, and not in it already."""
        self._asked = []
        known = {one.place: one for one in self._told}
        remaining = len(self.left(self._told))
        refusals = 0
        while len(self._asked) < min(count, remaining):
            trial = self._study.ask()
            codes = self._suggested(trial)
            place = self._place_of(codes)
            is_asked = place in dict(self._asked)
            if place is not None and not is_asked and place not in known and self.is_allowed(place):
                self._asked.append((place, trial))
                refusals = 0
                continue
            refusals += 1
            if place in known:
                self._tell(trial, known[place])
            elif is_asked:
                self._study.tell(trial, state=_failed())
            else:
                self._refuse(trial, place)
            if refusals == self.most_refused:
                place = self._nearest(codes)
                self._asked.append((place, self._trial_of(place)))
                refusals = 0

    def is_allowed(self, place: int) -> bool:
        """Whether a place of the space may be evaluated."""
        return bool(self.problem.is_open[place])

    def _suggested(self, trial: Trial) -> list[int]:
        """Of each axis which value; of one without numbers there is no between."""
        found = []
        for axis in self._axes:
            last = len(axis.values) - 1
            if axis.is_number:
                found.append(trial.suggest_int(axis.label, 0, last))
            else:
                found.append(trial.suggest_categorical(axis.label, list(range(last + 1))))
        return found

    def _place_of(self, codes: Sequence[int]) -> int | None:
        """The place of a combination of values; None where the space has none."""
        number = (np.array(codes, np.uint64) * self._factors).sum(dtype=np.uint64)
        at = int(np.searchsorted(self._numbers, number))
        return int(self._order[at]) if at < len(self._numbers) and self._numbers[at] == number else None

    def _nearest(self, codes: Sequence[int]) -> int:
        """Of the places left the one that is fewest steps away; by chance among several."""
        left = self.left([*self._told, *(Evaluation(-1, place, 0.0) for place, _ in self._asked)])
        steps = sum(
            (
                np.abs(axis.codes[left].astype(np.int64) - code)
                for axis, code in zip(self._axes, codes, strict=True)
            ),
            np.zeros(len(left), np.int64),
        )
        nearest: Places = left[steps == steps.min()]
        return int(np.random.default_rng([self.seed, len(self._told)]).choice(nearest))

    def _trial_of(self, place: int) -> Trial:
        """A trial of a place that was not suggested."""
        self._study.enqueue_trial({axis.label: int(axis.codes[place]) for axis in self._axes})
        trial = self._study.ask()
        self._suggested(trial)
        return trial

    def _tell(self, trial: Trial, one: Evaluation) -> None:
        if np.isnan(one.value_pct):
            self._study.tell(trial, state=_failed())
            return
        is_over = not self.problem.is_open[one.place] or one.value_pct < self.problem.least_pct
        trial.set_constraint(CONSTRAINT, 1.0 if is_over else -1.0)
        self._study.tell(trial, [float(one.value_pct), *self.problem.costs[one.place].tolist()])

    def _refuse(self, trial: Trial, place: int | None) -> None:
        """Told as beyond the budgets; its accuracy, which nobody knows, as nothing."""
        worst = self.problem.range[1]
        costs = worst if place is None else self.problem.costs[place]
        trial.set_constraint(CONSTRAINT, 1.0)
        self._study.tell(trial, [0.0, *np.where(np.isnan(costs), worst, costs).tolist()])


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL


class Nsga2(Sampled):
    """NSGA-II (Deb et al., 2002), in generations of Optuna's 50."""

    name = "NSGA-II"

    def sampler(self) -> BaseSampler:
        """With Optuna's own settings."""
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(seed=self.seed)


class Tpe(Sampled):
    """Tree-structured Parzen estimators for several objectives (Ozaki et al., 2022)."""

    name = "TPE"

    def sampler(self) -> BaseSampler:
        """With Optuna's own settings, but for how many it begins with."""
        from optuna.samplers import TPESampler

        return TPESampler(seed=self.seed, n_startup_trials=max(self.start_count, 1))


class Gp(Sampled):
    """A Gaussian process and the logarithm of the expected hypervolume improvement."""

    name = "Optuna's GP"
    most_refused = 3  # each takes as long as any other

    def sampler(self) -> BaseSampler:
        """With Optuna's own settings, but for how many it begins with."""
        from optuna.samplers import GPSampler

        return GPSampler(seed=self.seed, n_startup_trials=max(self.start_count, 1))
