"""How far the trainings of a source are, told as they go on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mbsweep.accuracy.training.by_node import by_node
from mbsweep.accuracy.training.pool import Worker
from mbsweep.accuracy.training.queue import Training, TrainingQueue
from mbsweep.accuracy.training.worker import TOLD_EVERY_S
from mbsweep.base.pace import Pace
from mbsweep.base.progress import Progress
from mbsweep.storage.training_tables import EpochRow

# Trainings that are left. It takes a millisecond to look at so many: of more it is not told after each epoch.
MANY = 100


class Telling:
    """Tells it after each epoch, and every TOLD_EVERY_S; of many trainings then only.

    active: what workers are about. expected_s: as of `Pace`. epochs: those that were done before.
    """

    def __init__(
        self,
        progress: Progress,
        queue: TrainingQueue,
        active: Mapping[Worker, Training],
        expected_s: Mapping[str, float],
        epochs: Iterable[EpochRow],
    ) -> None:
        self._progress, self._queue, self._active = progress, queue, active
        self._pace = Pace(expected_s)
        for row in epochs:
            self._pace.note(row.variant, row.seconds)
        self._has_new, self._told_at, self._noted = False, 0.0, ("", "")

    def begin(self, task: str) -> None:
        """The trainings begin."""
        self._progress.begin(task, self._pace.standing(self._queue.waiting()).total)

    def note(self, row: EpochRow) -> None:
        """An epoch is done."""
        self._pace.note(row.variant, row.seconds)
        self._has_new = True

    def tell_if_due(self) -> None:
        """Where there is something new, or it is time."""
        has_new = self._has_new and len(self._queue) + len(self._active) <= MANY
        if has_new or time.monotonic() - self._told_at >= TOLD_EVERY_S:
            self.tell()

    def tell(self) -> None:
        """With what is done of the epochs that are on their way."""
        left = self._queue.waiting()
        for worker, training in self._active.items():
            left.append((training.key[0], max(0.0, self._queue.epochs_left(training) - worker.share())))
        self._pace.jobs = self._queue.jobs
        found = self._pace.standing(left)
        self._progress.reach(replace(found, left_s=min(found.left_s, self._queue.seconds_allowed())))
        where = by_node(worker.node for worker in self._active)
        if where and where != self._noted:
            self._progress.note(*where)
            self._noted = where
        self._has_new, self._told_at = False, time.monotonic()
