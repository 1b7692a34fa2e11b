"""Steps of compression in a process of its own: what crashes it costs one network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mbsweep.accuracy.compression import Scheme, Step
from mbsweep.accuracy.datasets import Dataset
from mbsweep.accuracy.training.meter import Meter
from mbsweep.accuracy.training.worker import ENVIRONMENT, end_with_parent, outcome_as_dict
from mbsweep.base.child import Child, command_of, serve
from mbsweep.base.quiet import busy
from mbsweep.profiler.device import is_gpu_lost

COMMAND = command_of(__name__)


class CompressingWorker(Child):
    """Does one step after another. What is asked for is told; the answers are fetched."""

    def __init__(self, threads: int, device: str) -> None:
        self._meter = Meter.made()
        super().__init__(COMMAND, "the compression", ENVIRONMENT, [self._meter.descriptor])
        self._told = {"threads": threads, "device": device, "meter": self._meter.descriptor}

    def do(self, step: Step, before: Path, after: Path, file: Path, dataset: Dataset) -> None:
        """A step. Answer: file_bytes, layers; and of one that learns top5_pct, images, correct.

        before: the file of the network before it, compressed where the step is "coded". after: where the
        network is kept that it gives. file: where its compressed file is kept.
        """
        told = {"kind": step.kind, "scheme": step.scheme.settings, "dataset": dataset.as_dict()}
        paths = {"before": str(before), "after": str(after), "file": str(file)}
        self.tell("do", self._told | told | paths)

    def share(self) -> float:
        """How much of the step that was asked for is done; 0 once its answer is fetched."""
        return self._meter.get()

    def answer(self, limit_s: float | None = None) -> Any:
        """See Child.answer."""
        found = super().answer(limit_s)
        self._meter.set(0)
        return found

    def close(self) -> None:
        """End the process."""
        super().close()
        self._meter.close()


def _answer(method: str, told: dict[str, Any]) -> dict[str, Any]:
    """What the other process does. method: "do", the only one."""
    with busy():
        return _done(told)


def _done(told: dict[str, Any]) -> dict[str, Any]:
    from mbsweep.accuracy.compressing import steps
    from mbsweep.accuracy.training.loop import use_threads

    use_threads(told["threads"])
    before, after, file = (Path(told[name]) for name in ("before", "after", "file"))
    scheme = Scheme.model_validate(told["scheme"])
    if told["kind"] == "coded":
        return steps.as_dict(steps.code(before, file, scheme))
    dataset, tell = Dataset.from_dict(told["dataset"]), Meter(told["meter"]).set
    done = steps.learn(before, after, file, scheme, dataset, told["device"], tell)
    assert done.outcome is not None  # noqa: S101
    return steps.as_dict(done) | outcome_as_dict(done.outcome)


if __name__ == "__main__":
    end_with_parent()
    serve(_answer, is_gpu_lost)
