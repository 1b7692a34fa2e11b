"""ONNX Runtime, CPU execution provider."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from mbsweep.profiler.timing import Call
    from mbsweep.space.sweep import LatencyConfig


class OnnxRuntime:
    """The network exported to ONNX, with all of the runtime's graph optimisations."""

    precisions: ClassVar[tuple[str, ...]] = ("fp32",)

    def prepare(self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig) -> Call:
        """A call of one InferenceSession, with the image and the logits as NumPy arrays."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = config.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        # Between two visits to this network others run: its threads must not spin through their time.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        model = export(module, image)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feed = {"image": image}
        return lambda: session.run(None, feed)[0]


def export(module: nn.Module, image: NDArray[np.float32]) -> bytes:
    """The network as an ONNX file, for inputs of the image's shape.

    By the exporter built on TorchScript: it needs nothing but `onnx`, and 0.1 to 0.4 s a network.
    """
    import torch

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (torch.from_numpy(image),),
            file,  # type: ignore[arg-type]  # it takes an open file, too; its annotation does not say so
            dynamo=False,
            input_names=["image"],
            output_names=["logits"],
        )
    return file.getvalue()
