"""A second process that fills the cache of prepared files from the other end, where preparing is slow."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from mbsweep.base.child import AnswerError
from mbsweep.profiler.config import LatencyConfig
from mbsweep.profiler.subject import Subject
from mbsweep.profiler.worker import Worker


class Ahead:
    """Prepares networks, the last first, until its context ends. What fails here is told where it counts.

    Nothing is timed meanwhile, so there is a core to spare. Only the files that the backend keeps are of use.
    """

    def __init__(self, config: LatencyConfig, subjects: Sequence[Subject], weights: str = "") -> None:
        self._stopped = threading.Event()
        self._worker = Worker(config, weights)
        self._thread = threading.Thread(target=self._prepare, args=(list(reversed(subjects)),))
        self._thread.start()

    def _prepare(self, subjects: list[Subject]) -> None:
        for subject in subjects:
            if self._stopped.is_set():
                return
            with suppress(AnswerError):
                self._worker.prepare(subject)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._worker.kill()
        self._thread.join()
        self._worker.close()
