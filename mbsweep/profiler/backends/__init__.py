"""The runtimes in which latency is measured. Importing this loads none of them."""

from typing import TYPE_CHECKING, ClassVar, Protocol

from mbsweep.profiler.backends.onnx_runtime import OnnxRuntime
from mbsweep.profiler.backends.torch_eager import TorchEager

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from mbsweep.profiler.timing import Call
    from mbsweep.space.sweep import LatencyConfig


class Backend(Protocol):
    """One runtime. Imports it only in `prepare`."""

    precisions: ClassVar[tuple[str, ...]]

    def prepare(self, module: "nn.Module", image: "NDArray[np.float32]", config: "LatencyConfig") -> "Call":
        """A call that runs the network once on `image` (batch, 3, height, width) and returns the logits.

        The module is in eval mode. The call must use `config.threads` threads. Denormals are flushed in
        the calling thread; threads that the runtime keeps must flush them, too.
        """


BACKENDS: dict[str, Backend] = {
    "torch": TorchEager(),
    "onnxruntime": OnnxRuntime(),
}
