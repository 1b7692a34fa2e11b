"""Latency of every variant of a space, found out once and kept in the run for as long as it is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mbsweep.base.progress import Progress
from mbsweep.latency.measured import measure
from mbsweep.latency.predicting import fingerprint, foretell
from mbsweep.profiler.config import LatencyConfig
from mbsweep.space.space import Space
from mbsweep.statistics.summary import NS_PER_MS
from mbsweep.storage.store import Store

Floats = NDArray[np.float64]


def latencies_ns(
    store: Store, config: LatencyConfig, space: Space, progress: Progress, retry: bool = False
) -> Floats:
    """(3, variants): latency and the ends of its 95 % interval; NaN where it is not known.

    Once known it stays as it is, whatever is measured later. What is predicted enters the run as far as it
    is for variants of the run: see `Store.add_predictions`. retry: what failed is measured again.
    """
    of_what = fingerprint(config, space)
    kept = store.search_costs(config.id, of_what)
    kept_ns = None if kept is None else kept.reshape(3, -1)
    if kept_ns is not None and not (retry and np.isnan(kept_ns).any()):
        return kept_ns
    found = _measured if config.kind == "measured" else _predicted
    latency_ns = found(store, config, space, progress)
    if latency_ns is None:
        return np.full((3, len(space)), np.nan)
    if kept_ns is not None:
        latency_ns = np.where(np.isnan(kept_ns[0]), latency_ns, kept_ns)
    store.set_search_costs(config.id, of_what, latency_ns)
    return latency_ns


def _predicted(store: Store, config: LatencyConfig, space: Space, progress: Progress) -> Floats | None:
    told = foretell(store, config, space, progress)
    if told is None:
        return None
    store.set_predictions(config.id, told.session, told.report, [])
    return np.stack([told.found.ns, told.found.low_ns, told.found.high_ns])


def _measured(store: Store, config: LatencyConfig, space: Space, progress: Progress) -> Floats | None:
    measure(store, config, space, progress, None)
    summaries = store.summaries()
    names = ("latency_ms", "latency_low_ms", "latency_high_ms")
    rows = [summaries.get((config.id, id_), (0, {}))[1] for id_ in space.ids()]
    if not any(rows):
        return None
    return np.array([[row.get(name, np.nan) for row in rows] for name in names]) * NS_PER_MS
