"""Which variants are within budgets that are known beforehand, and how near the nearest comes: no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.search.settings import Amount, Bound, SearchSettings

Columns = Mapping[Amount, NDArray[np.float64]]  # of each variant; NaN: unknown


def within(bounds: Mapping[Amount, Bound], columns: Columns) -> dict[Amount, NDArray[np.bool_]]:
    """Of each budget that there is a column for: (variants,), which of them keep it. Unknown keeps none."""
    return {
        amount: (columns[amount] >= bound.min) & (columns[amount] <= bound.max)
        for amount, bound in bounds.items()
        if amount in columns
    }


@dataclass(frozen=True)
class Budgets:
    """Those of a search on a space, as far as they are known."""

    kept: NDArray[np.bool_]  # (variants,): which keep all that are known
    counts: dict[str, int]  # each, as a sweep file says what it is about -> how many variants keep it
    fit: dict[str, int]  # the same by the budget in words
    unknown: list[str]  # those of costs that are not known yet, in words

    @classmethod
    def of(cls, settings: SearchSettings, columns: Columns, count: int) -> Budgets:
        """From the columns that are known, of so many variants."""
        masks = within(settings.bounds, columns)
        said = {amount: f"{amount.words} {bound.words}" for amount, bound in settings.bounds.items()}
        kept = np.logical_and.reduce([np.ones(count, dtype=bool), *masks.values()])
        counts = {amount.words: int(mask.sum()) for amount, mask in masks.items()}
        fit = {said[amount]: counts[amount.words] for amount in masks}
        unknown = [said[amount] for amount in said if amount.is_cost and amount not in masks]
        return cls(kept, counts, fit, unknown)


class Miss(NamedTuple):
    """A variant that misses its budgets by as little as any."""

    place: int
    amount: Amount  # the budget that it misses by most
    value: float
    pct: float  # how far, in percent of the budget


def nearest(bounds: Mapping[Amount, Bound], columns: Columns) -> Miss | None:
    """The variant whose largest miss, in percent of the budget, is the least; None where all is unknown."""
    amounts = [amount for amount in bounds if amount in columns]
    misses = np.stack([_over(bounds[amount], columns[amount]) for amount in amounts])
    worst = misses.max(axis=0)  # NaN where any is unknown
    if np.isnan(worst).all():
        return None
    place = int(np.nanargmin(worst))
    of_one = int(misses[:, place].argmax())
    amount = amounts[of_one]
    return Miss(place, amount, float(columns[amount][place]), 100 * float(misses[of_one, place]))


def _over(bound: Bound, values: NDArray[np.float64]) -> Any:
    """How far beyond it is, as a share of it; 0 within."""
    with np.errstate(over="ignore"):
        above = values / bound.max - 1
    below = 1 - values / bound.min if bound.min else np.zeros_like(values)
    return np.maximum(np.maximum(above, below), 0.0)
