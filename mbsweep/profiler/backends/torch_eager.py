"""PyTorch, eager, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from mbsweep.profiler.timing import Call
    from mbsweep.space.sweep import LatencyConfig


class TorchEager:
    """The module as it is, in inference mode, contiguous tensors."""

    precisions: ClassVar[tuple[str, ...]] = ("fp32",)

    def prepare(self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> Call:
        """A call of the module itself."""
        import torch

        torch.set_num_threads(
            config.threads
        )  # of the whole process: all variants of a configuration share it
        tensor = torch.from_numpy(image)

        def call() -> Tensor:
            with torch.inference_mode():
                return module(tensor)  # type: ignore[no-any-return]

        return call
