"""A run of made-up trainings on simulated nodes, with the real queue and store; and what it has kept."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.simulated_nodes import (
    TEST_IMAGES,
    SimulatedPool,
    SimulatedTeam,
    SimulatedWorker,
    Tally,
)
from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.datasets.dataset import LABELS
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.trained import TrainedSource
from mbsweep.accuracy.training.outcomes import Outcomes
from mbsweep.accuracy.training.telling import Telling
from mbsweep.accuracy.training.trainings import Trainings
from mbsweep.base.progress import Silent
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.folder import FILE_NAME
from mbsweep.storage.store import Store

SEEDS = (0, 1)
EPOCH_S = 60.0
MOST_BYTES = 2e9  # of memory, for the driver
PARTS: dict[str, list[tuple[type, str]]] = {  # of its time, by what is called
    "SQLite": [(Store, "add_epoch"), (Store, "add_training"), (Store, "set_accuracies")],
    "waiting for the disk": [(Store, "_commit")],
    "accuracies": [(Outcomes, name) for name in ("accuracies", "accuracy", "add")],
    "telling how far it is": [(Telling, "tell")],
    "the simulation itself": [
        (SimulatedTeam, "answered"),
        *((SimulatedWorker, name) for name in ("begin", "epoch", "finish")),
    ],
}
OTHER = "queue and the rest"


@dataclass
class Simulated:
    """What a simulation found. wall_s: of the driver, in parts_s by what it did."""

    folder: Path
    trainings: int
    epochs: int
    nodes: int
    speed: float
    tally: Tally
    wall_s: float
    parts_s: dict[str, float]
    commits: int
    peak_bytes: int  # of memory

    @property
    def rows(self) -> int:
        """Of the store: epochs and trainings."""
        return self.trainings * (self.epochs + 1)

    def words(self) -> Iterator[str]:
        """Lines for people."""
        tally, hours = self.tally, self.tally.now_s / 3600
        waited = tally.waited_s / (tally.worked_s + tally.in_vain_s + tally.waited_s)
        asked = self.nodes * tally.epochs / (tally.worked_s + tally.in_vain_s)
        again_pct = 100 * tally.in_vain_s / tally.worked_s
        yield (
            f"{self.nodes:,} nodes, {hours:.1f} h of theirs: {tally.lost_nodes} were lost, and with them "
            f"{tally.in_vain} epochs that were begun again, {again_pct:.2g} % of the work"
        )
        disk_s = self.parts_s["waiting for the disk"]
        yield (
            f"the writer: {self.rows / (self.parts_s['SQLite'] + disk_s):,.0f} rows per second; the nodes "
            f"ask for {asked:.1f}; {1e3 * disk_s / self.commits:.1f} ms until rows are on the disk, "
            f"{self.rows / self.commits:.1f} of them at once"
        )
        yield (
            f"the driver: {self.rows / self.wall_s:,.0f} rows per second in {self.wall_s:.0f} s; nodes "
            f"{self.speed:g} times as fast as these waited for it {100 * waited:.1f} % of their time"
        )
        most = sorted(self.parts_s.items(), key=lambda part: -part[1])
        parts = ", ".join(f"{part} {100 * seconds / self.wall_s:.0f} %" for part, seconds in most)
        yield f"of the driver's time: {parts}"
        yield f"its memory: {self.peak_bytes / 1e9:.2f} GB at most (wanted: below {MOST_BYTES / 1e9:g})"

    def faults(self) -> list[str]:
        """What was not done, or is not in the run, exactly once, as SQLite itself says it; in words."""
        variants = set(some_space(self.trainings // len(SEEDS)).ids())
        expected = {(variant, seed) for variant in variants for seed in SEEDS}
        with closing(sqlite3.connect(self.folder / "run" / FILE_NAME)) as sql:
            ended = Counter(sql.execute("SELECT variant, seed FROM trainings WHERE state = 'done'"))
            counted = Counter(sql.execute("SELECT variant, seed, epoch FROM epochs"))
            known = dict(sql.execute("SELECT variant, seeds FROM accuracies WHERE top1_pct IS NOT NULL"))
        every = {(*training, epoch) for training in expected for epoch in range(1, self.epochs + 1)}
        wrong: dict[str, set[Any]] = {
            "trainings are not done": expected - set(ended),
            "epochs are lost": every - set(counted),
            "epochs nobody asked for": set(counted) - every,
            "trainings are kept twice": {training for training, times in ended.items() if times > 1},
            "epochs are kept twice": {epoch for epoch, times in counted.items() if times > 1},
            "accuracies are not of all seeds": {
                variant for variant in variants if known.get(variant) != ", ".join(map(str, SEEDS))
            },
        }
        found = [f"{len(of):,} {what}, such as {min(map(str, of))}" for what, of in wrong.items() if of]
        if self.tally.epochs != len(every):
            found.append(f"{self.tally.epochs:,} epochs came back, of {len(every):,}")
        return found


def simulate(
    folder: Path, trainings: int, nodes: int, epochs: int, lost_pct_per_hour: float, speed: float
) -> Simulated:
    """Let made-up trainings run on made-up nodes, into a run in `folder`."""
    space = some_space(trainings // len(SEEDS))
    macs = dict(zip(space.ids(), space.macs.tolist(), strict=True))
    pool = SimulatedPool(nodes, EPOCH_S, lost_pct_per_hour, macs, speed)
    config = TrainedSource(source="trained", recipe=Recipe(epochs=epochs), seeds=SEEDS)
    dataset = made_up(folder / "images")
    watch = Stopwatch()
    with watch.watching(), Store.write(folder / "run") as store, watch.of(OTHER):
        Trainings(store, config, dataset, space, pool, Silent()).run()
    peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall_s = sum(watch.parts_s.values())
    commits = watch.calls["waiting for the disk"]
    asked = (folder, trainings, epochs, nodes, speed)
    return Simulated(*asked, pool.tally, wall_s, watch.parts_s, commits, peak_bytes)


def some_space(count: int) -> Space:
    """So many networks of MobileNet v1."""
    widths = [round(0.1 + 0.01 * place, 2) for place in range(100)]
    resolutions = range(32, 32 + 8 * -(-count // len(widths)), 8)
    variants = [Variant(width=w, resolution=r, num_classes=10) for r in resolutions for w in widths]
    return Space.of(variants[:count])


def made_up(folder: Path) -> Dataset:
    """A data set that has labels only."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"train": 8000, "validation": 1000, "test": TEST_IMAGES}
    (np.arange(sum(sizes.values())) % 10).astype("<i8").tofile(folder / LABELS)
    return Dataset("made-up-00000000", folder, tuple("0123456789"), sizes, (), {}, {})


class Stopwatch:
    """How long each part took, without what it called of the others."""

    def __init__(self) -> None:
        self.parts_s: dict[str, float] = dict.fromkeys((*PARTS, OTHER), 0.0)
        self.calls: Counter[str] = Counter()
        self._inner_s = [0.0]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch PARTS."""
        with ExitStack() as stack:
            for part, methods in PARTS.items():
                for owner, name in methods:
                    stack.enter_context(patch.object(owner, name, self._timed(getattr(owner, name), part)))
            yield

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """What happens within is of a part."""
        start = time.perf_counter()
        self._inner_s.append(0.0)
        try:
            yield
        finally:
            took_s = time.perf_counter() - start
            self.parts_s[part] += took_s - self._inner_s.pop()
            self._inner_s[-1] += took_s
            self.calls[part] += 1

    def _timed(self, method: Callable[..., Any], part: str) -> Callable[..., Any]:
        @wraps(method)
        def timed(*given: Any, **named: Any) -> Any:
            with self.of(part):
                return method(*given, **named)

        return timed
