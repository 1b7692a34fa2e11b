"""What a search asks of a space, as far as it is known before any work. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mbsweep.base.errors import MbsweepError
from mbsweep.search.budgets import nearest, within
from mbsweep.search.settings import LATENCY, Amount, SearchSettings
from mbsweep.space.counting import UNKNOWN
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.sweep.sweep import Sweep

Floats = NDArray[np.float64]


def check_search(sweep: Sweep, search: SearchSettings, space: Space) -> None:
    """MbsweepError where what a search asks for cannot be had of a space."""
    assert sweep.accuracy  # noqa: S101  (a sweep that searches has one)
    if code := space.code():
        raise sweep.problem(
            ("search",),
            f"learns from fields, and {code[0].family} is code: leave `search` out to evaluate all",
        )
    with sweep.blamed():
        sweep.accuracy.check_search(space)
    if search.evaluations > len(space):
        raise sweep.problem(
            ("search", "evaluations"),
            f"is {search.evaluations:,}; the space has {len(space):,} variants: say so many at most, or "
            "leave `search` out to evaluate all",
        )
    start_places(sweep, search, space)
    counts = {amount: counted(space, amount) for amount in search.bounds if is_counted(amount)}
    if counts:
        check_budgets(sweep, search, space, counts)


def is_counted(amount: Amount) -> bool:
    """Whether shapes alone tell it."""
    return amount.is_cost and amount.name != LATENCY


def counted(space: Space, amount: Amount) -> Floats:
    """(variants,): a cost that shapes alone tell; NaN where it is unknown."""
    values = getattr(space, amount.name)
    return np.where(values == UNKNOWN, np.nan, values.astype(np.float64))


def check_budgets(
    sweep: Sweep, search: SearchSettings, space: Space, columns: Mapping[Amount, Floats]
) -> None:
    """MbsweepError, with how near the nearest comes, where no variant keeps all of some budgets."""
    kept = within(search.bounds, columns)
    if np.logical_and.reduce(list(kept.values())).any():
        return
    miss = nearest(search.bounds, columns)
    if miss is None:
        raise sweep.problem(("search", "budgets"), "are about costs that are known of no variant")
    alone = "; ".join(
        f"{amount.words} {search.bounds[amount].words}: {mask.sum():,}" for amount, mask in kept.items()
    )
    raise sweep.problem(
        ("search", "budgets"),
        f"leave none of the {len(space):,} variants ({alone}); the nearest, {space.variant(miss.place).id}, "
        f"misses by {miss.pct:.3g} %: its {miss.amount.words} is {miss.value:,.6g}",
    )


def start_places(sweep: Sweep, search: SearchSettings, space: Space) -> int | list[int]:
    """How many variants a search begins with; or where those stand in the space that it is given.

    MbsweepError where one of these is no network, or not in the space.
    """
    if isinstance(search.start, int):
        return search.start
    try:
        variants = list(search.starts(space.variant(0)))
    except MbsweepError as error:
        raise sweep.problem(("search", "start"), f"has what is no network: {error}") from None
    places = places_of(space, variants)
    for number, (variant, place) in enumerate(zip(variants, places, strict=True)):
        if place < 0:
            raise sweep.problem(
                ("search", "start", number), f"is {variant.id}, which the space does not have"
            )
    return places


def places_of(space: Space, variants: Iterable[Variant]) -> list[int]:
    """Where variants stand in a space; -1 where it does not have one."""
    wanted = [variant.id for variant in variants]
    known = dict.fromkeys(wanted, -1)
    for place, id_ in enumerate(space.ids()):
        if id_ in known:
            known[id_] = place
    return [known[id_] for id_ in wanted]
