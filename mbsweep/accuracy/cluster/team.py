"""Seats of a cluster as the workers of a part of a run. Loads neither Ray nor torch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbsweep.accuracy.cluster.link import Link, OpenSeat
from mbsweep.accuracy.training.pool import DeviceAndVersions, LostError, Team, Worker
from mbsweep.accuracy.training.worker import job_as_dict
from mbsweep.accuracy.weights.files import CONFIG, look_at
from mbsweep.base.child import AnswerError, CrashError
from mbsweep.base.progress import Progress
from mbsweep.space.variant import Variant

if TYPE_CHECKING:
    from mbsweep.accuracy.datasets import Dataset
    from mbsweep.accuracy.training.loop import Job


class RayWorker(Worker):
    """A seat, for as long as it works for a team."""

    def __init__(self, link: Link, seat: OpenSeat) -> None:
        self._link, self.seat = link, seat
        self.node, self.threads = seat.node, seat.threads

    def device(self) -> DeviceAndVersions:
        """That of the node."""
        return self.seat.device

    def begin(self, job: Job, dataset: Dataset, checkpoint: Path, weights: Path) -> None:
        """See Worker; the files are this machine's."""
        told = job_as_dict(job) | {"dataset": dataset.as_dict()}
        told |= {"checkpoint": str(checkpoint), "weights": str(weights)}
        if job.recipe.start:
            path = job.recipe.start.path_of(job.variant)
            file = look_at(path).file
            config = file.parent / CONFIG
            files = [str(one) for one in (file, config) if one == file or config.is_file()]
            told["start"] = {"files": files, "is_folder": path.is_dir()}
        self._link.ask(self.seat, "begin", told)

    def epoch(self) -> None:
        """See Worker."""
        self._link.ask(self.seat, "epoch", {})

    def finish(self) -> None:
        """See Worker."""
        self._link.ask(self.seat, "finish", {})

    def open_supernet(self, dataset: Dataset, checkpoint: Path) -> None:
        """See Worker."""
        told = {"dataset": dataset.as_dict(), "checkpoint": str(checkpoint)}
        self._link.ask(self.seat, "open_supernet", told)

    def measure(self, variant: Variant) -> None:
        """See Worker."""
        self._link.ask(self.seat, "measure", variant.as_dict())

    def answer(self) -> Any:
        """See Worker."""
        while not self.seat.answers:
            self._link.check()
            self._link.hear(1.0)
        found = self.seat.answers.popleft()
        if "error" in found:
            raise AnswerError(*found["error"])
        if "crash" in found:
            raise CrashError(found["crash"])
        if "lost" in found:
            raise LostError(found["lost"])
        return found["value"]

    def share(self) -> float:
        """See Worker; of a second ago, or of some with many seats."""
        return self.seat.share


class RayTeam(Team):
    """Seats that are taken when there is work. limit: how many at most."""

    def __init__(self, link: Link, limit: int, progress: Progress) -> None:
        self._link, self._limit = link, limit
        self._busy: list[RayWorker] = []
        self._resting: list[RayWorker] = []  # whose seats others may have taken since
        self._news = 0
        self._waiting = 0  # what there was no seat for
        link.say = progress.say

    @property
    def size(self) -> int:
        """As many as the cluster has room for."""
        return min(self._limit, self._link.slots)

    def hire(self, waiting: int) -> Iterator[Worker]:
        """Seats that have nothing to do; those that this team had before, first."""
        link = self._link
        link.hear(0)
        link.check()
        self._news, self._waiting = link.news, min(waiting, self._limit - len(self._busy))
        self._want()
        while self._waiting and link.free:
            self._resting = [worker for worker in self._resting if worker.seat in link.free]
            worker = self._resting.pop(0) if self._resting else RayWorker(link, link.free[0])
            link.free.remove(worker.seat)
            self._busy.append(worker)
            self._waiting -= 1
            yield worker

    def rest(self, worker: Worker) -> None:
        """Its seat is free, also for another team."""
        own = self._own(worker)
        if not own.seat.answers:  # it has not ended since
            self._link.free.append(own.seat)
            self._resting.append(own)
        self._want()

    def dismiss(self, worker: Worker) -> None:
        """Its seat is not used again."""
        self._link.end(self._own(worker).seat)

    def answered(self, limit_s: float) -> list[Worker]:
        """By what the bridge has told."""
        until = time.monotonic() + limit_s
        while True:
            self._link.hear(0)
            found: list[Worker] = [worker for worker in self._busy if worker.seat.answers]
            left_s = until - time.monotonic()
            if found or self._link.news != self._news or left_s <= 0:
                return found
            self._link.check()
            self._link.hear(left_s)

    def close(self) -> None:
        """Those that are about something are ended; the others may be needed by the next part of the run."""
        for worker in self._busy:
            self._link.end(worker.seat)
        self._busy, self._resting, self._waiting = [], [], 0
        self._want()

    def _want(self) -> None:
        self._link.want(self, len(self._busy) + self._waiting)

    def _own(self, worker: Worker) -> RayWorker:
        assert isinstance(worker, RayWorker)  # noqa: S101  (hired here)
        self._busy.remove(worker)
        return worker
