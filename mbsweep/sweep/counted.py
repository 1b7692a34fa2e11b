"""Sweep -> its variants, counted: after limits, and those that a sample draws."""

from __future__ import annotations

import numpy as np

from mbsweep.base.progress import Progress
from mbsweep.profiler.counting_code import count_code
from mbsweep.space.counting import UNKNOWN
from mbsweep.space.families.factory import check_code, code_allowed
from mbsweep.space.grid import Places
from mbsweep.space.space import Space
from mbsweep.sweep.sweep import Limits, Sweep


def count_space(sweep: Sweep, allow_code: bool = False, progress: Progress | None = None) -> Space:
    """Every variant that a sweep asks for, with its counts, in the sweep's order and without repeats.

    The explicit `variants` come first, then the space; `limits` hold for both, `sample` draws from the space.
    allow_code: whether code of the user's own may be imported and run, in a process of its own, to count the
    networks that it makes. One that gives no network stays, its counts UNKNOWN, whatever the limits.
    progress: told how far that is.

    Raises MbsweepError where the limits leave nothing, where only the images tell `num_classes`, and where
    there is code that may not be run.
    """
    if sweep.lacks_classes:
        raise sweep.problem(
            ("accuracy", "dataset"),
            "says how many classes there are only once it is looked at: say `num_classes` to count without",
        )
    with code_allowed(allow_code):
        for keys, family in sweep.code():
            check_code(family, str(sweep.problem(keys, f"{family}")))
        whole = Space.of(sweep.explicit, (grid for axes in sweep.space for grid in axes.grids()))
        if sweep.limits != Limits():
            whole = _with_code(whole, progress)
        return _with_code(whole.select(_chosen(sweep, whole)), progress)


def _with_code(space: Space, progress: Progress | None) -> Space:
    """With the counts of what is code, unless it has them."""
    left = [variant for variant in space.code() if variant not in space.found]
    return space.with_found(count_code(left, progress)) if left else space


def _chosen(sweep: Sweep, whole: Space) -> Places:
    """Those within the limits, of the space those that are drawn."""
    within = np.ones(len(whole), dtype=bool)
    for name, limit in (("params", sweep.limits.params), ("macs", sweep.limits.macs)):
        if limit is not None:
            values = getattr(whole, name)
            within &= ((values >= limit.min) & (values <= limit.max)) | (values == UNKNOWN)
    if not within.any():
        ends = ", their ".join(_ends(whole, name) for name in ("params", "macs"))
        raise sweep.problem(("limits",), f"leaves none of the {len(whole)} variants; their {ends}")
    kept = np.flatnonzero(within)
    explicit = kept[kept < len(set(sweep.explicit))]
    return np.concatenate([explicit, sweep.draw(kept[len(explicit) :])])


def _ends(space: Space, name: str) -> str:
    known = space.known(name)
    return f"{name} run from {known.min()} to {known.max()}" if len(known) else f"{name} are unknown"
