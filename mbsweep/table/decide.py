"""Which variants fit a budget, and which just miss it: a table's rows in, places in it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import Rule, choice, number, shown
from mbsweep.table.columns import COLUMNS, EXACT

COSTS = ("latency_ms", *EXACT)  # what a budget can limit
# What a choice can maximize; the last two give the largest network that fits.
GOALS = (*(name for name, column in COLUMNS.items() if column.better == "higher"), "macs", "params")
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
    maximize: str = "top1_pct"  # out of GOALS

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            checked("a limited column", name, choice(COSTS))
            checked(f"--max-{name.replace('_', '-')}", limit, _LIMIT)
        if self.min_top1_pct is not None:
            checked("--min-top1", self.min_top1_pct, _FLOOR)
        checked("--maximize", self.maximize, choice(GOALS))

    @property
    def needed(self) -> list[str]:
        """The columns that have to be known of a row, each once."""
        floor = [] if self.min_top1_pct is None else ["top1_pct"]
        return list(dict.fromkeys([self.maximize, *self.limits, *floor]))

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
    nearest: int | None  # where nothing fits: what misses by the least share of any limit, or of the floor
    beyond: int  # rows of which all is known, and which do not fit
    unknown: int  # rows of which a needed number is unknown
    failed: int  # how many of these have an error


def decide(rows: pd.DataFrame, budget: Budget) -> Decision:
    """Rank what fits a budget among rows that can be compared: those of one panel of `panels`.

    A row fits where every needed number is known, none is above its limit and top-1 is not below the floor.
    The best has the highest value of what is to be maximized; of equal ones the lowest latency, an unknown
    one last; then the fewest mult-adds, the fewest parameters, the first place. A row just misses that would
    fit if every limit were 10 % wider, the floor as it is, and whose value is above the best's.
    """
    numbers = {name: _floats(rows, name) for name in (*budget.needed, "latency_ms", "macs", "params")}
    value, floor = numbers[budget.maximize], budget.min_top1_pct
    known = rows[budget.needed].notna().all(axis=1).to_numpy(dtype=bool)
    enough = known if floor is None else known & (numbers["top1_pct"] >= floor)
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
    candidates = ranked[known[ranked]]
    is_lost = len(candidates) > 0 and not len(fitting)
    errors = rows["error"].notna().to_numpy()
    return Decision(
        fitting=tuple(fitting.tolist()),
        missed=tuple(ranked[near[ranked]].tolist()),
        nearest=int(candidates[worst[candidates].argmin()]) if is_lost else None,
        beyond=int((known & ~fits).sum()),
        unknown=int((~known).sum()),
        failed=int((~known & errors).sum()),
    )


def _floats(rows: pd.DataFrame, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rows[name].to_numpy(dtype=float, na_value=math.nan)
