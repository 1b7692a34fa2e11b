"""Networks of a search's front measured whole, and trained alone: how far its word was off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mbsweep.accuracy.source import Opened
from mbsweep.accuracy.training.pool import Pool
from mbsweep.base.progress import Progress
from mbsweep.latency.measured import measure
from mbsweep.search.problem import Floats
from mbsweep.space.grid import Places
from mbsweep.space.space import Space
from mbsweep.statistics.summary import NS_PER_MS
from mbsweep.storage.store import Store
from mbsweep.sweep.searched import whole_configs
from mbsweep.sweep.sweep import Sweep


def confirmed(
    store: Store,
    sweep: Sweep,
    chosen: Space,
    opened: Opened,
    said_ns: Mapping[str, Floats],
    pool: Pool,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Measure and train some variants; what was said of each before, and what came of it, for JSON.

    said_ns: configuration -> (3, variants), the latencies that the search had, with their intervals.
    Of top-1: as the search saw it, on the test part, and trained alone, with its interval. None: unknown.
    """
    whole = whole_configs(sweep)
    for config in whole.values():
        measure(store, config, chosen, progress, None)
    variants = chosen.variants()
    alone = {
        variant.id: (accuracy.top1_pct, accuracy.top1_low_pct, accuracy.top1_high_pct)
        for variant, accuracy in zip(variants, opened.alone(variants, store, pool, progress), strict=False)
    }
    summaries, tested = store.summaries(), store.figures(opened.name)
    seen = {row.variant: row.value_pct for row in store.evaluations()}
    found = []
    for place, id_ in enumerate(chosen.ids()):
        latency = {}
        for name, config in whole.items():
            _, summary = summaries.get((config.id, id_), (0, {}))
            measured = [summary.get(key) for key in ("latency_ms", "latency_low_ms", "latency_high_ms")]
            latency[name] = [*(said_ns[name][:, place] / NS_PER_MS).tolist(), *measured]
        top1 = [tested[id_][0] if id_ in tested else np.nan, *alone.get(id_, [np.nan] * 3)]
        found.append({"variant": id_, "latency": latency, "top1": [seen[id_], *map(_known, top1)]})
    return found


def evenly(front: Places, count: int) -> Places:
    """So many of a front's places, its ends among them; all where it has no more."""
    count = min(count, len(front))
    return front[np.linspace(0, len(front) - 1, count).round().astype(int)] if count else front[:0]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
