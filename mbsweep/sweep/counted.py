"""Sweep -> its variants, counted: after limits, and those that a sample draws."""

from __future__ import annotations

import numpy as np

from mbsweep.space.space import Space
from mbsweep.sweep.sweep import Sweep


def count_space(sweep: Sweep) -> Space:
    """Every variant that a sweep asks for, with its counts, in the sweep's order and without repeats.

    The explicit `variants` come first, then the space; `limits` hold for both, `sample` draws from the space.
    Raises MbsweepError where the limits leave nothing, and where only the images tell `num_classes`.
    """
    if sweep.lacks_classes:
        raise sweep.problem(
            ("accuracy", "dataset"),
            "says how many classes there are only once it is looked at: say `num_classes` to count without",
        )
    whole = Space.of(sweep.explicit, (grid for axes in sweep.space for grid in axes.grids()))
    within = np.ones(len(whole), dtype=bool)
    for name, limit in (("params", sweep.limits.params), ("macs", sweep.limits.macs)):
        if limit is not None:
            values = getattr(whole, name)
            within &= (values >= limit.min) & (values <= limit.max)
    if not within.any():
        raise sweep.problem(
            ("limits",),
            f"leaves none of the {len(whole)} variants; their params run from {whole.params.min()} to "
            f"{whole.params.max()}, their macs from {whole.macs.min()} to {whole.macs.max()}",
        )
    kept = np.flatnonzero(within)
    explicit = kept[kept < len(set(sweep.explicit))]
    return whole.select(np.concatenate([explicit, sweep.draw(kept[len(explicit) :])]))
