"""The same trainings in two processes of this machine, and on two nodes of one CPU of a Ray cluster on it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.settings import Recipe
from mbsweep.accuracy.trained import TrainedSource
from mbsweep.accuracy.training.pool import Pool, Worker
from mbsweep.accuracy.training.processes import LocalPool
from mbsweep.accuracy.training.queue import Training
from mbsweep.accuracy.training.trainings import Trainings
from mbsweep.base.progress import Silent
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store

NODES, EPOCHS, RESOLUTION, SEEDS = 2, 6, 32, (0, 1)
DIGITS = Digits(name="digits", train=4000, validation=500, test=500)
WIDTHS = (0.25, 0.35, 0.5)
STORE_BYTES = 80_000_000  # of a node's shared memory; the least that Ray takes is 75 MB
WANTED_RATIO, WANTED_S = 1.15, 1.0


@dataclass
class Times:
    """When what was asked of workers and answered, in seconds of one clock; and what came of it."""

    begun_s: float = 0.0  # the first training: its process has loaded what it needs
    ended_s: float = 0.0
    # Of each training but a worker's first: from the answer that ended the one before to its first epoch's
    # end, without the epoch; and whatever else is no epoch.
    between_s: list[float] = field(default_factory=list)
    besides_s: list[float] = field(default_factory=list)
    kept: set[tuple[Any, ...]] = field(default_factory=set)  # in the run, but for what it took

    @property
    def wall_s(self) -> float:
        """After start-up."""
        return self.ended_s - self.begun_s


def compared(rounds: int = 3) -> Iterator[str]:
    """The figures, in words. rounds: of each, in turn, since the machine may be busy with other things."""
    here, there, differing = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            with LocalPool(NODES) as pool:
                here.append(timed(Path(folder) / f"local{number}", pool))
            with cluster() as address, RayPool(address) as pool:
                there.append(timed(Path(folder) / f"nodes{number}", pool))
            differing += here[-1].kept != there[-1].kept
    ratios = [one.wall_s / other.wall_s for one, other in zip(there, here, strict=True)]
    here_s, there_s = (median(one.wall_s for one in of) for of in (here, there))
    yield (
        f"{len(WIDTHS) * len(SEEDS)} trainings of {EPOCHS} epochs, after start-up: {NODES} processes of this "
        f"machine {here_s:.1f} s, {NODES} nodes of one CPU {there_s:.1f} s: {median(ratios):.2f} times that "
        f"({min(ratios):.2f} to {max(ratios):.2f}; wanted: at most {WANTED_RATIO:g})"
    )
    yield (
        "from a training's end to that of the first epoch of the next, without that epoch: "
        + _more([one.between_s for one in here], [one.between_s for one in there])
        + f"; wanted: at most {WANTED_S:g} s more)"
    )
    yield (
        "a whole training, with its test, without its epochs: "
        + _more([one.besides_s for one in here], [one.besides_s for one in there])
        + ")"
    )
    yield f"in {differing} of {rounds} rounds an epoch's figures differed, or which images were right"


def _more(here: Sequence[list[float]], there: Sequence[list[float]]) -> str:
    """By the medians of both."""
    here_s, there_s = (median(chain.from_iterable(of)) for of in (here, there))
    return f"{here_s:.2f} s here, {there_s:.2f} s on a node ({there_s - here_s:+.2f} s"


@contextmanager
def cluster() -> Iterator[str]:
    """Two nodes of one CPU each, and a head that trains nothing; its address."""
    from ray.cluster_utils import Cluster

    options: dict[str, Any] = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    with (
        # Short, because Ray makes sockets in it; its own, so that it is no other run's `auto`.
        tempfile.TemporaryDirectory(prefix="mr-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        patch.dict(os.environ, {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": folder}),
    ):
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **options})
        try:
            for number in range(NODES):
                found.add_node(num_cpus=1, env_vars={"MBSWEEP_CACHE": f"{folder}/cache{number}"}, **options)
            yield found.address
        finally:
            found.shutdown()


def timed(folder: Path, pool: Pool) -> Times:
    """Train all networks into a new run."""
    times = Times()
    ended_s: dict[Worker, float] = {}  # its last training
    asked_s: dict[Worker, float] = {}  # of its training: when that was begun
    ask, step = Trainings._ask, Trainings._step

    def asking(self: Trainings, worker: Worker) -> None:
        if self._active[worker].asked == "begin":
            asked_s[worker] = time.perf_counter()
        ask(self, worker)

    def stepping(self: Trainings, worker: Worker, training: Training) -> bool:
        now_s, what = time.perf_counter(), training.asked
        goes_on = step(self, worker, training)
        times.begun_s = times.begun_s or now_s
        is_first = what == training.asked == "epoch" and len(training.curve) == 1 and not training.job.attempt
        if is_first and worker in ended_s:
            times.between_s.append(now_s - ended_s[worker] - training.curve[0].seconds)
        if not goes_on:  # done, or stalled
            if worker in ended_s:
                epochs_s = sum(row.seconds for row in training.curve)
                times.besides_s.append(now_s - asked_s[worker] - epochs_s)
            ended_s[worker] = times.ended_s = now_s
        return goes_on

    variants = [Variant(width=width, resolution=RESOLUTION, num_classes=10) for width in WIDTHS]
    config = TrainedSource(source="trained", dataset=DIGITS, recipe=Recipe(epochs=EPOCHS), seeds=SEEDS)
    dataset = open_dataset(DIGITS, [RESOLUTION])
    with (
        patch.object(Trainings, "_ask", asking),
        patch.object(Trainings, "_step", stepping),
        Store.write(folder) as store,
    ):
        Trainings(store, config, dataset, Space.of(variants), pool, Silent()).run()
        source = config.complete(dataset.sizes["train"]).name_on(dataset.id)
        times.kept = {row[:-1] for row in store.epochs(source)}
        times.kept |= {(*row.key, row.state, row.correct) for row in store.trainings(source)}
    return times
