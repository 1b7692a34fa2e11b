"""Which variants fit a budget, and which just miss it: a table's rows in, places in it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import Rule, choice, number, shown
from mbsweep.table.columns import EXACT

LATENCY, TOP1 = "latency_ms", "top1_pct"
COSTS = (LATENCY, *EXACT)  # what a budget can limit, and a choice minimize
ACCURACIES = (TOP1, "top5_pct")  # what it can maximize
NEAR = 1.1  # up to 10 % over a limit just misses it


def _positive(value: object) -> float:
    if not (isinstance(value, int | float) and 0 < value < math.inf):
        raise ValueError
    return value


_LIMIT = Rule("a finite number above 0, such as 5 or 2e6", _positive)
_FLOOR = number(0, 100, 60, with_low=True)


@dataclass(frozen=True)
class Budget:
    """What a variant may cost and must be worth. Raises MbsweepError, in the command line's words."""

    limits: Mapping[str, float]  # column out of COSTS -> the most that it may be
    min_top1_pct: float | None = None
    goal: str = TOP1  # the best has most of it, of ACCURACIES, or least, of COSTS

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            checked("a limited column", name, choice(COSTS))
            checked(f"--max-{name.replace('_', '-')}", limit, _LIMIT)
        if self.min_top1_pct is not None:
            checked("--min-top1", self.min_top1_pct, _FLOOR)
        checked("a goal", self.goal, choice((*ACCURACIES, *COSTS)))

    @property
    def needed(self) -> list[str]:
        """The columns that have to be known of a row, each once."""
        floor = [] if self.min_top1_pct is None else [TOP1]
        return list(dict.fromkeys([self.goal, *self.limits, *floor]))

    @property
    def sign(self) -> int:
        """1 where the best has the most of the goal, -1 where it has the least."""
        return 1 if self.goal in ACCURACIES else -1

    def over_pct(self, row: pd.Series[float]) -> dict[str, float]:
        """The limits that a row exceeds -> by how many percent of the limit."""
        values = {name: float(row[name]) for name in self.limits}
        return {
            name: 100 * (value / self.limits[name] - 1)
            for name, value in values.items()
            if value > self.limits[name]
        }


def checked(option: str, value: object, rule: Rule) -> None:
    """Raise MbsweepError where an option's value is not allowed."""
    try:
        rule(value)
    except ValueError as error:
        raise MbsweepError(f"{option} is {shown(value)}; {error}") from None


@dataclass(frozen=True)
class Decision:
    """What a budget makes of comparable rows, each named by its place among them: 0 is the first row.

    Every row is in one of three counts: it fits, it does not, or a needed number is unknown.
    """

    fitting: tuple[int, ...]  # best first
    missed: tuple[int, ...]  # best first: just over a limit, and better than the best that fits
    step: int | None  # of what is better than the best, what is over the limits by the least share
    nearest: int | None  # where nothing fits: what misses by the least share of any limit, or of the floor
    beyond: int  # rows of which all is known, and which do not fit
    unknown: int  # rows of which a needed number is unknown
    failed: int  # how many of these have an error


def decide(rows: pd.DataFrame, budget: Budget) -> Decision:
    """Rank what fits a budget among rows that can be compared: those of one panel of `panels`.

    A row fits where every needed number is known, none is above its limit and top-1 is not below the floor.
    The best has the highest accuracy, or the least of a cost that is the goal; of equal ones the lowest
    latency, an unknown one last; then the fewest mult-adds, the fewest parameters, the first place. A row
    just misses that would fit if every limit were 10 % wider, the floor as it is, and that is better than the
    best.
    """
    numbers = {name: _floats(rows, name) for name in (*budget.needed, "latency_ms", "macs", "params")}
    value, floor = budget.sign * numbers[budget.goal], budget.min_top1_pct
    known = rows[budget.needed].notna().all(axis=1).to_numpy(dtype=bool)
    enough = known if floor is None else known & (numbers["top1_pct"] >= floor)
    step: int | None = None
    fits, near = enough.copy(), enough.copy()
    worst = np.full(len(rows), -math.inf)  # the largest share by which a limit or the floor is missed
    for name, limit in budget.limits.items():
        fits &= numbers[name] <= limit
        near &= numbers[name] <= limit * NEAR
        with np.errstate(over="ignore"):  # of a limit next to 0: infinitely far is right
            worst = np.maximum(worst, numbers[name] / limit - 1)
    if floor:  # nothing is below a floor of 0
        worst = np.maximum(worst, 1 - numbers["top1_pct"] / floor)

    latency_ms = np.where(np.isnan(numbers["latency_ms"]), math.inf, numbers["latency_ms"])
    ranked = np.lexsort((numbers["params"], numbers["macs"], latency_ms, -value))  # stable: then by place
    fitting = ranked[fits[ranked]]
    near &= ~fits
    if len(fitting):
        near &= value > value[fitting[0]]
        better = ranked[(enough & (value > value[fitting[0]]))[ranked]]
        step = int(better[worst[better].argmin()]) if len(better) else None
    candidates = ranked[known[ranked]]
    is_lost = len(candidates) > 0 and not len(fitting)
    errors = rows["error"].notna().to_numpy()
    return Decision(
        fitting=tuple(fitting.tolist()),
        missed=tuple(ranked[near[ranked]].tolist()),
        step=step,
        nearest=int(candidates[worst[candidates].argmin()]) if is_lost else None,
        beyond=int((known & ~fits).sum()),
        unknown=int((~known).sum()),
        failed=int((~known & errors).sum()),
    )


def _floats(rows: pd.DataFrame, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rows[name].to_numpy(dtype=float, na_value=math.nan)
