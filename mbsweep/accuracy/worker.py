"""Training in a process of its own: what crashes it, or fills the memory, costs one epoch of one network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mbsweep.child import Child, command_of, serve
from mbsweep.space.accuracy import Recipe
from mbsweep.space.variant import Variant

if TYPE_CHECKING:
    from mbsweep.accuracy.datasets import Dataset
    from mbsweep.accuracy.training import Epoch, Job

COMMAND = command_of(__name__)


class TrainingWorker(Child):
    """Trains one network after another. What is asked for is told; the answers are fetched."""

    def __init__(self, threads: int, device: str) -> None:
        super().__init__(COMMAND, "the training")
        self._threads, self._device = threads, device

    def begin(self, job: Job, dataset: Dataset, checkpoint: Path, weights: Path) -> None:
        """A network, which is not trained yet. Answer: None."""
        told = {"threads": self._threads, "device": self._device, "seed": job.seed, "attempt": job.attempt}
        told |= {"variant": asdict(job.variant), "recipe": job.recipe.settings}
        told |= {"dataset": dataset.as_dict(), "checkpoint": str(checkpoint), "weights": str(weights)}
        self.tell("begin", told)

    def epoch(self) -> None:
        """Train for one more epoch. Answer: its fields; None where there is none left."""
        self.tell("epoch")

    def finish(self) -> None:
        """Test the best epoch's weights and write them to their file. Answer: top5_pct, images, correct."""
        self.tell("finish")


class _Answers:
    """What the other process does."""

    job: Job
    dataset: Dataset
    epochs: Iterator[Epoch]

    def __call__(self, method: str, argument: Any) -> Any:
        return getattr(self, method)(*([argument] if argument else []))

    def begin(self, told: dict[str, Any]) -> None:
        from mbsweep.accuracy.datasets import Dataset
        from mbsweep.accuracy.training import Job, train, use_threads

        use_threads(told["threads"])
        variant = Variant(**told["variant"])
        self.job = Job(variant, Recipe.model_validate(told["recipe"]), told["seed"], told["attempt"])
        self.dataset = Dataset.from_dict(told["dataset"])
        self.device, self.weights = told["device"], Path(told["weights"])
        self.checkpoint = Path(told["checkpoint"])
        self.epochs = train(self.job, self.dataset, self.checkpoint, self.device)

    def epoch(self) -> dict[str, Any] | None:
        found = next(self.epochs, None)
        return None if found is None else asdict(found)

    def finish(self) -> dict[str, Any]:
        from mbsweep.accuracy.training import finish

        found = finish(self.checkpoint, self.weights, self.dataset, self.device)
        top5_pct = None if math.isnan(found.top5_pct) else found.top5_pct
        correct = np.packbits(found.correct).tobytes().hex()
        return {"top5_pct": top5_pct, "images": len(found.correct), "correct": correct}


if __name__ == "__main__":
    serve(_Answers())
