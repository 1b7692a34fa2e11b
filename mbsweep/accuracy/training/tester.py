"""The process that tests a supernet's networks. Loads no torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.training.worker import TrainingWorker
from mbsweep.base.child import AnswerError
from mbsweep.base.cores import threads_each
from mbsweep.space.variant import Variant


class Tester:
    """It is started with the first network, and kept from one to the next."""

    def __init__(self) -> None:
        self._worker: TrainingWorker | None = None

    def measure(self, variant: Variant, dataset: Dataset, file: Path) -> dict[str, Any]:
        """How a network of a supernet's file does. Raises AnswerError; after a crash the next is asked of
        another process.
        """
        try:
            if self._worker is None:
                self._worker = TrainingWorker(threads_each(), "cpu")
                self._worker.open_supernet(dataset, file)
                self._worker.answer()
            self._worker.measure(variant)
            found: dict[str, Any] = self._worker.answer()
        except AnswerError:
            self.close()
            raise
        return found

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None
