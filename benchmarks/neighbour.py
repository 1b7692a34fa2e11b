"""Training beside another process: seconds of an epoch, alone and while something else keeps one core busy.

One network with one thread, and with threads that share its work and wait for each other at every layer; a
supernet, whose networks are side by side, each on a thread of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.settings import Recipe, SupernetAccuracy
from mbsweep.accuracy.training import worker
from mbsweep.accuracy.training.loop import Job
from mbsweep.accuracy.training.worker import TrainingWorker
from mbsweep.base.cores import usable_cores
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

NET = Variant(width=0.25, resolution=48, num_classes=10)
SPACE = [
    Variant(width=width, resolution=resolution, depth=depth, num_classes=10)
    for width, resolution, depth in product((0.25, 0.35, 0.5), (32, 40, 48, 64), (1, 5))
]
RECIPE = Recipe(batch=64, learning_rate=0.8)  # of thousands of images: the steps are what is timed
EPOCHS = 3  # the first of which is not counted
BUSY = [sys.executable, "-c", "while True: pass"]
DATASET = open_dataset(Digits(name="digits", train=512, validation=100, test=100), [32, 40, 48, 64])

Begin = Callable[[TrainingWorker, Path], None]
Way = tuple[Begin, int, dict[str, str]]  # what is trained, threads, environment of the process


def _one_network(process: TrainingWorker, folder: Path) -> None:
    process.begin(Job(NET, RECIPE, seed=0), DATASET, folder / "checkpoint", folder / "weights")


def _supernet(process: TrainingWorker, folder: Path) -> None:
    config = SupernetAccuracy(source="supernet", recipe=RECIPE).complete(DATASET.sizes["train"])
    process.begin_supernet(config, Space.of(SPACE), DATASET, folder / "checkpoint")


def _epoch_s(begin: Begin, threads: int) -> float:
    """Median over the epochs."""
    process = TrainingWorker(threads, "cpu")
    try:
        with tempfile.TemporaryDirectory() as folder:
            begin(process, Path(folder))
            process.answer()
            seconds: list[float] = []
            for _ in range(EPOCHS):
                process.epoch()
                seconds.append(process.answer()["seconds"])
    finally:
        process.close()
    return statistics.median(seconds[1:])


def compare(ways: dict[str, Way]) -> None:
    """Print the seconds, and how many times as long it takes beside the busy core."""
    usual = dict(worker.ENVIRONMENT)
    alone_s: dict[str, float] = {}
    for is_beside in (False, True):
        busy = subprocess.Popen(BUSY) if is_beside else None
        try:
            for name, (begin, threads, changed) in ways.items():
                worker.ENVIRONMENT.update(usual | changed)
                seconds = _epoch_s(begin, threads)
                before = alone_s.setdefault(name, seconds)
                words = f"beside a busy core, {seconds / before:.1f} times as long" if is_beside else "alone"
                print(f"{name}: {seconds:.2f} s {words}", flush=True)
        finally:
            if busy is not None:
                busy.kill()


def main() -> None:
    """One network, then a supernet."""
    cores = usable_cores()
    compare(
        {
            f"{NET.id}, one thread": (_one_network, 1, {}),
            f"{NET.id}, {cores} threads": (
                _one_network,
                cores,
                {"GOMP_SPINCOUNT": "300000"},
            ),  # as libgomp does
            f"{NET.id}, {cores} threads that wait briefly": (_one_network, cores, {}),
            f"{NET.id}, {cores} threads that wait passively": (_one_network, cores, {"GOMP_SPINCOUNT": "0"}),
        }
    )
    compare(
        {
            f"supernet of {len(SPACE)}, one thread": (_supernet, 1, {}),
            f"supernet of {len(SPACE)}, {cores} networks side by side": (_supernet, cores, {}),
        }
    )


if __name__ == "__main__":
    main()
