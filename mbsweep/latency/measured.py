"""One measured configuration: every network of a space that can be built is visited until it is known."""

from __future__ import annotations

from contextlib import closing

from mbsweep.base.progress import Progress
from mbsweep.latency.measuring import Measurement, begin, set_aside
from mbsweep.profiler.bench import Bench
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.device import kept_weights
from mbsweep.profiler.subject import Subject
from mbsweep.space.counting import Found
from mbsweep.space.space import Space
from mbsweep.storage.store import Store


def measure(
    store: Store, config: LatencyConfig, space: Space, progress: Progress, noisy_only: bool | None
) -> None:
    """Measure what one configuration still lacks.

    noisy_only: and measure again what is noisy, or all of it; None: nothing.
    """
    checked = store.checked()
    subjects = []
    for variant in space.variants():
        found = space.found.get(variant, Found())
        if not found.failure:
            subjects.append(Subject.of(variant, variant.id in checked, found.counts))
    if noisy_only is not None:
        set_aside(store, config, subjects, noisy_only, progress)
    measurement = Measurement(store, config, subjects, progress)
    if not measurement.pending():
        return
    weights = kept_weights(store.sessions(), config.backend)
    with closing(Bench(config, measurement.failed, weights, progress.say)) as bench:
        begun = begin(store, config, bench, progress)
        if begun is not None:
            measurement.run(bench, *begun)
