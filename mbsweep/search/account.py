"""What a search has learnt, in plain numbers: which axes matter, and what front there is to be had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mbsweep.search.axes import Axis, axes_of
from mbsweep.search.exact_costs import ExactCosts
from mbsweep.search.problem import Evaluation, Floats, Places, Problem
from mbsweep.search.surrogate import percent
from mbsweep.search.terms import Terms
from mbsweep.statistics.terraces import hypervolume_of_rows

HOPEFUL = 1000  # variants that may be better than what was evaluated, by the expected gain
DRAWS = 200
STEPS = 60
JITTER = 1e-8


class AxisRow(NamedTuple):
    """What one step on an axis buys, where all else is in the middle of what was evaluated.

    before, after: its values. points: of top-1, as the surrogate has it; low, high: its 95 % interval.
    costs: how much more of each cost it takes.
    """

    axis: str
    before: Any
    after: Any
    points: float
    low: float
    high: float
    costs: tuple[float, ...]


def account(problem: Problem, history: Sequence[Evaluation]) -> list[AxisRow]:
    """Each axis one step up from the middle, or up to it; of what is no number, each other value.

    The largest gain comes first. Empty where nothing has been evaluated.
    """
    places, _ = problem.seen(history)
    if not len(places):
        return []
    axes = axes_of(problem.space)
    middle = _middle(axes, places)
    steps = list(_steps(axes, middle))
    surrogate, _ = ExactCosts(problem, 0, 0).fitted(history)
    rows = []
    for axis, other in steps:
        is_down = axis.is_number and axis.codes[other] < axis.codes[middle]
        pair = np.array([other, middle] if is_down else [middle, other])
        logits, covariance = surrogate.jointly(Terms.of(problem, axes, pair))
        pct = percent(logits)
        slope = np.array([-1.0, 1.0]) * pct * (100 - pct) / 100
        half = surrogate.reach * math.sqrt(max(float(slope @ covariance @ slope), 0.0))
        points = float(pct[1] - pct[0])
        before, after = (_plain(axis.values[code]) for code in axis.codes[pair].tolist())
        costs = tuple((problem.costs[pair[1]] - problem.costs[pair[0]]).tolist())
        rows.append(AxisRow(axis.label, before, after, points, points - half, points + half, costs))
    return sorted(rows, key=lambda row: -row.points)


def _middle(axes: Sequence[Axis], places: Places) -> int:
    """The variant that is nearest to the median of some on each axis."""
    off = np.zeros(len(axes[0].codes) if axes else 1)
    for axis in axes:
        off += np.abs(axis.codes - float(np.median(axis.codes[places]))) / len(axis.values)
    return int(off.argmin())


def _steps(axes: Sequence[Axis], middle: int) -> list[tuple[Axis, int]]:
    """The variants that differ from one on an axis alone, as far as there are any."""
    if not axes:
        return []
    same = np.sum([axis.codes == axis.codes[middle] for axis in axes], axis=0)
    near = np.flatnonzero(same == len(axes) - 1)
    found = []
    for axis in axes:
        codes, mine = axis.codes[near], int(axis.codes[middle])
        if axis.is_number:
            wanted = [mine + 1 if (codes == mine + 1).any() else mine - 1]
        else:
            wanted = [code for code in range(len(axis.values)) if code != mine]
        found += [(axis, int(near[codes == code][0])) for code in wanted if (codes == code).any()]
    return found


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Step(NamedTuple):
    """The highest accuracy that is to be had at a cost or less, in percent, with a 95 % interval."""

    cost: float
    best: float
    low: float
    high: float


@dataclass(frozen=True)
class Outlook:
    """The front that is to be had, as the surrogate has it, beside the one that was found.

    steps: along the first cost. reached: share of its hypervolume that was found, median and 95 % interval.
    """

    steps: list[Step]
    reached: tuple[float, float, float]


def outlook(problem: Problem, history: Sequence[Evaluation]) -> Outlook | None:
    """From some draws of what the accuracies may be. None where none was seen that keeps the budget on it."""
    places, pct = problem.admitted(history)
    if not len(places):
        return None
    search = ExactCosts(problem, 0, 0)
    hopeful, draws = _draws(search, history)
    draws = np.where(draws >= problem.least_pct, draws, np.nan)
    costs = np.vstack([problem.costs[places], problem.costs[hopeful]])
    found = hypervolume_of_rows(problem.costs[places], pct, problem.reference)
    whole = [hypervolume_of_rows(costs, np.append(pct, draw), problem.reference) for draw in draws]
    shares = found / np.array(whole)
    order = np.argsort(costs[:, 0], kind="stable")
    values = np.hstack([np.broadcast_to(pct, (len(draws), len(pct))), draws])[:, order]
    best = np.fmax.accumulate(values, axis=1)
    rising = costs[order, 0]
    at = np.searchsorted(rising, np.linspace(problem.costs[places, 0].min(), rising[-1], STEPS), "right") - 1
    steps = [Step(cost, *_told(best[:, place])) for place, cost in zip(at, rising[at].tolist(), strict=True)]
    steps = [one for one, after in zip(steps, [*steps[1:], None], strict=True) if one != after]
    return Outlook(steps, _told(shares))


def _draws(search: ExactCosts, history: Sequence[Evaluation]) -> tuple[Places, Floats]:
    """Variants that may move the front, and of their accuracies some draws, (DRAWS, variants)."""
    hopeful, surrogate = search.hopeful(history, HOPEFUL)
    logits, covariance = surrogate.jointly(search.terms[hopeful])
    covariance[np.diag_indices(len(logits))] += JITTER * (1 + np.trace(covariance))
    rng = np.random.default_rng(0)
    wide = np.sqrt(surrogate.freedom / rng.chisquare(surrogate.freedom, (DRAWS, 1)))
    drawn = logits + wide * rng.standard_normal((DRAWS, len(logits))) @ np.linalg.cholesky(covariance).T
    return search.problem.open[hopeful], percent(drawn)


def _told(values: Floats) -> tuple[float, float, float]:
    """Median, and the ends of a 95 % interval."""
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975]).tolist()
    return middle, low, high
