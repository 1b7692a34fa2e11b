"""Networks are trained and tested by processes of this machine. Loads no torch."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator

from mbsweep.accuracy.training.pool import Pool, Team, Worker
from mbsweep.accuracy.training.worker import TrainingWorker
from mbsweep.base.cores import threads_each
from mbsweep.base.progress import Progress


class LocalPool(Pool):
    """Processes of this machine: one per GPU, else one per core."""

    def __init__(self, jobs: int | None = None) -> None:
        self.jobs = jobs

    def trainers(self, trainings: int, progress: Progress) -> Team:
        """Processes that share its cores."""
        from mbsweep.accuracy.training.devices import share_out  # loads torch

        jobs, devices = share_out(self.jobs, trainings)
        return LocalTeam(jobs, threads_each(jobs), devices)

    def testers(self, progress: Progress) -> Team:
        """One process, which uses the cores."""
        return LocalTeam(1, threads_each(), ["cpu"])

    def at_once(self) -> int:
        """As many as there are processes."""
        from mbsweep.accuracy.training.devices import share_out  # loads torch

        return share_out(self.jobs, sys.maxsize)[0]


class LocalTeam(Team):
    """Processes, which start when there is work. devices: shared out among them, `cpu` or `cuda:0`, ..."""

    def __init__(self, size: int, threads: int, devices: list[str]) -> None:
        self._size, self._threads, self._devices = size, threads, devices
        self._seats: list[TrainingWorker | None] = [None] * size  # each has a device
        self._resting: list[TrainingWorker] = []

    @property
    def size(self) -> int:
        """As many as there may be."""
        return self._size

    def hire(self, waiting: int) -> Iterator[Worker]:
        """Those that rest, then new ones."""
        for _ in range(waiting):
            if self._resting:
                yield self._resting.pop(0)
            elif None in self._seats:
                seat = self._seats.index(None)
                worker = TrainingWorker(self._threads, self._devices[seat % len(self._devices)])
                self._seats[seat] = worker
                yield worker
            else:
                return

    def rest(self, worker: Worker) -> None:
        """Its process stays."""
        self._resting.append(_own(worker))

    def dismiss(self, worker: Worker) -> None:
        """Close what is left of its process."""
        gone = _own(worker)
        self._seats[self._seats.index(gone)] = None
        gone.close()

    def answered(self, limit_s: float) -> list[Worker]:
        """By their pipes."""
        busy = [worker for worker in self._seats if worker is not None and worker not in self._resting]
        return list(select.select(busy, [], [], limit_s)[0])

    def close(self) -> None:
        """End their processes."""
        for worker in filter(None, self._seats):
            worker.close()
        self._seats, self._resting = [None] * self._size, []


def _own(worker: Worker) -> TrainingWorker:
    assert isinstance(worker, TrainingWorker)  # noqa: S101  (hired here)
    return worker
