"""Networks in runtimes, in a process of its own: what crashes a runtime costs one test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbsweep.accuracy.deploying.runtimes import Runtime, kept_name
from mbsweep.accuracy.settings import Quantization
from mbsweep.accuracy.training.worker import ENVIRONMENT, end_with_parent, outcome_as_dict
from mbsweep.base.child import Child, command_of, serve
from mbsweep.base.errors import MbsweepError
from mbsweep.base.files import write_file
from mbsweep.base.quiet import busy
from mbsweep.profiler.backends import BACKENDS, ChoosesWeights
from mbsweep.profiler.device import is_gpu_lost
from mbsweep.space.families.factory import check_code, code_allowed
from mbsweep.space.variant import Variant

if TYPE_CHECKING:
    from torch import nn

    from mbsweep.accuracy.datasets import Dataset

COMMAND = command_of(__name__)


class WeightsError(Exception):
    """The weights of a network cannot be read."""


class DeployingWorker(Child):
    """Tests one network after another. What is asked for is told; the answers are fetched."""

    def __init__(self) -> None:
        super().__init__(COMMAND, "the test", ENVIRONMENT)

    def test(
        self,
        weights: Path,
        variant: Variant,
        dataset: Dataset,
        runtime: Runtime,
        quantization: Quantization,
        keep: Path | None,
        held: str,
    ) -> None:
        """A trained network in a runtime. Answer: top5_pct, images, correct, file_bytes, file.

        weights: its file, or that of a supernet that has it. keep: where the runtime's file is to be kept.
        The answer's `file` is its name there, as of `kept_name`; empty where none is. file_bytes: None
        where the runtime loads none.
        held: how the run's latencies had int8 weights, see `ChoosesWeights`.
        """
        if variant.is_code:
            check_code(variant.family)
        told = {"weights": str(weights), "variant": variant.as_dict(), "dataset": dataset.as_dict()}
        told |= {"runtime": list(runtime), "quantization": quantization.settings}
        self.tell("test", told | {"keep": None if keep is None else str(keep), "held": held})


class _Answers:
    """What the other process does."""

    _key: tuple[Any, ...] = ()
    _net: nn.Module

    def __call__(self, method: str, argument: Any) -> Any:
        with busy(), code_allowed():  # of a network that is code, or nobody would have told us of it
            return getattr(self, method)(argument)

    def test(self, told: dict[str, Any]) -> dict[str, Any]:
        from mbsweep.accuracy.datasets import Dataset
        from mbsweep.accuracy.deploying.testing import answers, deployed
        from mbsweep.accuracy.training.checkpoint import open_checkpoint
        from mbsweep.accuracy.training.extracting import network_of
        from mbsweep.accuracy.training.loop import use_threads

        use_threads(1)
        variant, dataset = Variant(**told["variant"]), Dataset.from_dict(told["dataset"])
        try:
            state = open_checkpoint(Path(told["weights"]))
            if self._key != (key := (told["weights"], variant.id)):
                self._net = network_of(state, variant, dataset)
                self._key = key
        except MbsweepError as error:
            raise WeightsError(error) from None
        moments = state.about["mean"], state.about["std"]
        runtime, quantization = Runtime(*told["runtime"]), Quantization.model_validate(told["quantization"])
        backend = BACKENDS[runtime.backend]
        if runtime.precision == "int8" and isinstance(backend, ChoosesWeights):
            backend.int8_weights(told["held"])
        found = deployed(self._net, dataset, variant.resolution, moments, runtime, quantization)
        file = ""
        if told["keep"] and found.content:
            keep = Path(told["keep"])
            file = kept_name(keep.name, found.content, found.ending)
            write_file(keep.with_name(file), found.content)
        given = answers(found.classify, dataset.part("test", variant.resolution), moments)
        return outcome_as_dict(given) | {"file_bytes": len(found.content) or None, "file": file}


if __name__ == "__main__":
    end_with_parent()
    serve(_Answers(), is_gpu_lost)
