"""Training in a process of its own: what crashes it, or fills the memory, costs one epoch of one network."""

from __future__ import annotations

import ctypes
import math
import select
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mbsweep.accuracy.settings import Recipe, SupernetAccuracy
from mbsweep.accuracy.training.meter import Meter
from mbsweep.accuracy.training.pool import DeviceAndVersions, Worker
from mbsweep.base.child import Child, command_of, serve
from mbsweep.base.cores import threads_each
from mbsweep.base.quiet import busy, each_busy
from mbsweep.profiler.device import is_gpu_lost
from mbsweep.space.families.factory import check_code, code_allowed
from mbsweep.space.sharing import LISTED, space_as_dict, space_of
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

if TYPE_CHECKING:
    from mbsweep.accuracy.datasets import Dataset
    from mbsweep.accuracy.training.checkpoint import Checkpoint
    from mbsweep.accuracy.training.evaluating import Outcome
    from mbsweep.accuracy.training.loop import Epoch, Job

COMMAND = command_of(__name__)
TOLD_EVERY_S = 0.5  # how far an epoch is

ENVIRONMENT = {
    # glibc gives large tensors back to the system as soon as they are freed. A step frees all that it has
    # made, and the next would wait for the same pages again: 5 to 10 % of its time. Other C libraries ignore
    # these.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    # Where there are more cores than processes, threads share a network's work, and those that wait for each
    # other keep their cores busy, for milliseconds. Where other processes want those cores, that makes a step
    # several times as long; waiting so briefly costs nothing where none do.
    "GOMP_SPINCOUNT": "10000",
}


class TrainingWorker(Child, Worker):
    """A process of this machine that trains. device: `cpu` or `cuda:0`, ..."""

    def __init__(self, threads: int, device: str) -> None:
        self._meter = Meter.made()
        super().__init__(COMMAND, "the training", ENVIRONMENT, [self._meter.descriptor])
        self.threads, self._device = threads, device

    def device(self) -> DeviceAndVersions:
        """This machine, or its first GPU."""
        from mbsweep.accuracy.training.devices import training_device  # loads torch

        return training_device([self._device])

    def begin(self, job: Job, dataset: Dataset, checkpoint: Path, weights: Path) -> None:
        """A network, which is not trained yet. Answer: None."""
        self.ask("begin", job_as_dict(job) | _files(dataset, checkpoint) | {"weights": str(weights)})

    def begin_supernet(
        self, config: SupernetAccuracy, space: Space, dataset: Dataset, checkpoint: Path
    ) -> None:
        """Networks that share their weights. Answer: None. Then `epoch`."""
        told: dict[str, Any] = {"config": config.settings}
        if len(space) > LISTED:
            told["space"] = space_as_dict(space)
        else:
            told["variants"] = [variant.as_dict() for variant in space.variants()]
        self.ask("begin_supernet", _files(dataset, checkpoint) | told)

    def open_supernet(self, dataset: Dataset, checkpoint: Path) -> None:
        """A supernet whose training has ended. Answer: None. Then `measure`."""
        self.ask("open_supernet", _files(dataset, checkpoint))

    def ask(self, method: str, told: dict[str, Any]) -> None:
        """Ask for something that is begun: on its device, with its threads."""
        here = {"threads": self.threads, "device": self._device, "meter": self._meter.descriptor}
        self.tell(method, told | here)

    def epoch(self) -> None:
        """Train for one more epoch. Answer: its fields; None where there is none left."""
        self.tell("epoch")

    def answer(self, limit_s: float | None = None) -> Any:
        """See Child.answer."""
        found = super().answer(limit_s)
        self._meter.set(0)
        return found

    def share(self) -> float:
        """How much of the epoch that was asked for is done; 0 once its answer is fetched."""
        return self._meter.get()

    def answer_meanwhile(self, tell: Callable[[float], None]) -> Any:
        """As `answer`; until it is there, tell twice a second how much of the epoch is done."""
        while not select.select([self], [], [], TOLD_EVERY_S)[0]:
            tell(self.share())
        return self.answer()

    def finish(self) -> None:
        """Test the best epoch's weights and write them to their file. Answer: top5_pct, images, correct."""
        self.tell("finish")

    def measure(self, variant: Variant) -> None:
        """Test a network of a supernet. Answer: as of `finish`, and validation_top1_pct."""
        self.tell("measure", variant.as_dict())

    def close(self) -> None:
        """End the process."""
        super().close()
        self._meter.close()


def job_as_dict(job: Job) -> dict[str, Any]:
    """For JSON. MbsweepError where the network is code that may not be run."""
    if job.variant.is_code:
        check_code(job.variant.family)
    fields = {"variant": job.variant.as_dict(), "recipe": job.recipe.settings}
    return fields | {"seed": job.seed, "attempt": job.attempt}


def _files(dataset: Dataset, checkpoint: Path) -> dict[str, Any]:
    return {"dataset": dataset.as_dict(), "checkpoint": str(checkpoint)}


class _Answers:
    """What the other process does."""

    dataset: Dataset
    epochs: Iterator[Epoch]
    state: Checkpoint

    def __call__(self, method: str, argument: Any) -> Any:
        with code_allowed():  # of a network that is code, or nobody would have told us of it
            return getattr(self, method)(*([argument] if argument else []))

    def describe(self, device: str) -> DeviceAndVersions:
        from mbsweep.accuracy.training.devices import training_device

        return training_device([device])

    def begin(self, told: dict[str, Any]) -> None:
        from mbsweep.accuracy.training.loop import Job, train

        recipe = Recipe.model_validate(told["recipe"])
        if recipe.start and "start" in told:
            recipe = recipe.model_copy(update={"start": recipe.start.lying_at(Path(told["start"]))})
        job = Job(Variant(**told["variant"]), recipe, told["seed"], told["attempt"])
        self._set_up(told)
        self.weights = Path(told["weights"])
        epochs = train(job, self.dataset, self.checkpoint, self.device, on_step=self.on_step)
        self.epochs = each_busy(epochs)

    def begin_supernet(self, told: dict[str, Any]) -> None:
        from mbsweep.accuracy.training.supernet import train_supernet

        config = SupernetAccuracy.model_validate(told["config"])
        listed = [Variant(**fields) for fields in told.get("variants", [])]
        space = Space.of(listed) if listed else space_of(told["space"])
        self._set_up(told | {"threads": threads_each()})  # of the networks that are validated, one by one
        asked = self.dataset, self.checkpoint, self.on_step, told["threads"]
        self.epochs = each_busy(train_supernet(config, space, *asked))

    def open_supernet(self, told: dict[str, Any]) -> None:
        from mbsweep.accuracy.training.checkpoint import open_checkpoint

        self._set_up(told)
        self.state = open_checkpoint(self.checkpoint)

    def _set_up(self, told: dict[str, Any]) -> None:
        from mbsweep.accuracy.datasets import Dataset
        from mbsweep.accuracy.training.loop import use_threads

        use_threads(told["threads"])
        self.device, self.on_step = told["device"], Meter(told["meter"]).set
        self.dataset, self.checkpoint = Dataset.from_dict(told["dataset"]), Path(told["checkpoint"])

    def epoch(self) -> dict[str, Any] | None:
        found = next(self.epochs, None)
        return None if found is None else asdict(found)

    def finish(self) -> dict[str, Any]:
        from mbsweep.accuracy.training.loop import finish

        with busy():
            return outcome_as_dict(finish(self.checkpoint, self.weights, self.dataset, self.device))

    def measure(self, fields: dict[str, Any]) -> dict[str, Any]:
        from mbsweep.accuracy.training.extracting import measure

        with busy():
            validation, test = measure(self.state, Variant(**fields), self.dataset)
        return outcome_as_dict(test) | {"validation_top1_pct": validation.top1_pct}


def outcome_as_dict(found: Outcome) -> dict[str, Any]:
    """For JSON."""
    top5_pct = None if math.isnan(found.top5_pct) else found.top5_pct
    correct = np.packbits(found.correct).tobytes().hex()
    return {"top5_pct": top5_pct, "images": len(found.correct), "correct": correct}


def end_with_parent() -> None:
    """Let Linux end this process when the one that started it ends, also amid an epoch.

    Otherwise it would go on to the epoch's end and write its checkpoint beside those of the next run.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    end_with_parent()
    serve(_Answers(), is_gpu_lost)
