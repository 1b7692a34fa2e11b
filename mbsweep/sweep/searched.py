"""What a search asks of a space, as far as it is known before any work. Loads no torch."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.source import Opened
from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import shown
from mbsweep.latency.predicting import fingerprint
from mbsweep.profiler.config import LatencyConfig
from mbsweep.search.budgets import Budgets, Columns, nearest
from mbsweep.search.settings import LATENCY, Amount, SearchSettings
from mbsweep.space.counting import UNKNOWN
from mbsweep.space.space import Space
from mbsweep.statistics.summary import NS_PER_MS
from mbsweep.storage.database import UnreadableError
from mbsweep.storage.store import Store
from mbsweep.sweep.sweep import Sweep

Floats = NDArray[np.float64]

_SAME = ("backend", "precision", "mode", "batch", "threads", "device", "memory_format", "cpus")


def whole_configs(sweep: Sweep) -> dict[str, LatencyConfig]:
    """Predicted configuration -> the one that measures the same whole, where a search confirms anything."""
    if sweep.search is None or not sweep.search.confirm:
        return {}
    return {
        config.id: LatencyConfig.model_validate({name: getattr(config, name) for name in _SAME})
        for config in sweep.latency
        if config.kind == "predicted"
    }


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
    check_budgets(sweep, search, space, known_columns(sweep, search, space, None))


def _is_counted(amount: Amount) -> bool:
    """Whether shapes alone tell it."""
    return amount.is_cost and amount.name != LATENCY


def _counted(space: Space, amount: Amount) -> Floats:
    """(variants,): a cost that shapes alone tell; NaN where it is unknown."""
    values = getattr(space, amount.name)
    return np.where(values == UNKNOWN, np.nan, values.astype(np.float64))


def known_columns(sweep: Sweep, search: SearchSettings, space: Space, store: Store | None) -> Columns:
    """The costs of a search that are known already, in their units: latencies as far as a run has them."""
    found = {}
    for amount in (*search.costs, *search.bounds):
        if _is_counted(amount):
            found[amount] = _counted(space, amount)
        elif amount.is_cost and store is not None:
            config = sweep.latency_of(amount)
            kept_ns = store.search_costs(config.id, fingerprint(config, space))
            if kept_ns is not None:
                found[amount] = kept_ns.reshape(3, -1)[0] / NS_PER_MS
    return found


def check_budgets(sweep: Sweep, search: SearchSettings, space: Space, columns: Columns) -> None:
    """MbsweepError where no variant keeps all budgets that are known, with how near the nearest comes."""
    for amount, values in columns.items():
        if np.isnan(values).all():
            raise sweep.problem(("search",), f"asks for {amount.words}, which is known of no variant")
    found = Budgets.of(search, columns, len(space))
    if found.kept.any():
        return
    miss = nearest(search.bounds, columns)
    ends = ""
    if miss is not None:
        pct = f"{miss.pct:.3g}" if miss.pct < 100 else f"{miss.pct:,.0f}"
        ends = (
            f"; the nearest, {space.variant(miss.place).id}, misses by {pct} %: its "
            f"{miss.amount.words} is {miss.value:,.10g}"
        )
    alone = ", ".join(f"{words}: {count:,}" for words, count in found.fit.items())
    raise sweep.problem(("search", "budgets"), f"leave none of the {len(space):,} variants ({alone}){ends}")


def check_same_search(store: Store, sweep: Sweep, space: Space, opened: Opened | None) -> None:
    """MbsweepError where a run has a search, and the sweep has none or another.

    opened: the sweep's accuracy source.
    """
    about = store.search()
    if about is None:
        return
    if sweep.search is None or opened is None:
        raise sweep.problem(
            (), f"has no `search`, and {store.folder} is the run of one: choose another --out"
        )
    now = began(sweep, sweep.search, space, opened)
    for name in {**about["began"], **now}:
        then, given = about["began"].get(name), now.get(name)
        if then == given:
            continue
        keys = {"space": ("space",), "accuracy": ("accuracy",)}.get(name, ("search", name))
        was = f"was {then!r} when" if keys[0] == "search" else "has changed since"
        raise sweep.problem(
            ("latency",) if name.startswith("latency ") else keys,
            f"{was} the search in {store.folder} began, with {about['space']['variants']:,} variants: choose "
            "another --out to search anew, or say it as it was to go on",
        )
    for row in store.evaluations():
        if not 0 <= row.place < len(space) or space.variant(row.place).id != row.variant:
            raise UnreadableError(
                f"{store.folder}: evaluation {row.number + 1} of its search, {shown(row.variant)}, is no "
                "longer where it was in the space; the file is damaged; restore it, or choose another --out"
            )


def began(sweep: Sweep, settings: SearchSettings, space: Space, opened: Opened) -> dict[str, Any]:
    """All that decides what is chosen: what differs from it is another search."""
    latency = {f"latency {config.id}": fingerprint(config, space) for config in sweep.latency}
    ids = hashlib.sha256(" ".join(space.ids()).encode()).hexdigest()
    return settings.choosing | latency | {"space": ids, "accuracy": opened.name}


def start_places(sweep: Sweep, search: SearchSettings, space: Space) -> int | list[int]:
    """How many variants a search begins with; or where those stand in the space that it is given.

    MbsweepError where one of these is no network, or not in the space.
    """
    if isinstance(search.start, int):
        return search.start
    places: list[int] = []
    usual = space.variant(0)
    for number, said in enumerate(search.start):
        try:
            variant = search.starting(said, usual)
        except MbsweepError as error:
            raise sweep.problem(("search", "start", number), f"is no network: {error}") from None
        place = space.place_of(variant)
        if place is None:
            raise sweep.problem(
                ("search", "start", number), f"is {variant.id}, which the space does not have"
            )
        places.append(place)
    return places
