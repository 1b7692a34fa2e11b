"""ONNX Runtime, CPU execution provider."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mbsweep.formats.onnx_graph import INPUT
from mbsweep.profiler.backends.onnx_file import LoadsOnnx

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from mbsweep.profiler.config import LatencyConfig
    from mbsweep.profiler.deployed import Classify

WARMUP_CALLS = 5  # of layer_times
# The nodes without a name that it makes of a hard swish: they run right behind what they belong to.
_PARTS = ("(HardSigmoid)", "(Mul)")


class OnnxRuntime(LoadsOnnx):
    """The network as an ONNX file, with all of the runtime's graph optimisations."""

    name = "onnxruntime"
    packages: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    install: ClassVar[str] = "'mbsweep[onnxruntime]'"
    options: ClassVar[dict[str, tuple[str, ...]]] = {"precision": ("fp32", "int8")}

    def load(
        self, model: bytes, image: NDArray[np.float32], config: LatencyConfig
    ) -> Callable[[], NDArray[np.float32]]:
        """A call of one InferenceSession, with the image and the logits as NumPy arrays."""
        session = _session(model, _options(config))
        feed = {INPUT: image}
        return lambda: session.run(None, feed)[0]

    def opened(self, content: bytes, config: LatencyConfig) -> Classify:
        """One InferenceSession; whatever the file calls its input."""
        session = _session(content, _options(config))
        name = session.get_inputs()[0].name
        return lambda image: session.run(None, {name: image})[0]

    def factor(self, scale: NDArray[np.float32], step: NDArray[np.float32]) -> NDArray[np.float32]:
        """Its order of the two operations: another gives another last bit, and other integers."""
        return scale / step

    def layer_times(
        self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig, calls: int
    ) -> dict[str, list[int]]:
        """From the runtime's own profiler, which counts whole microseconds, rounded down, for each node.

        What it adds between the layers is called "(reorder)", for a change of the memory layout, or
        "(quantize)".
        """
        model = self.file(module, image, config.precision)
        with tempfile.TemporaryDirectory() as folder:
            options = _options(config)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = _session(model, options)
            for _ in range(WARMUP_CALLS + calls):
                session.run(None, {INPUT: image})
            events = json.loads(Path(session.end_profiling()).read_text())
        layer_of = self.layer_of(module)
        runs: list[dict[str, int]] = [defaultdict(int)]  # of each call: layer -> nanoseconds
        last = ""  # layer that ran
        for event in events:  # those of a call's nodes stand before that of the call
            if event["name"] == "model_run":
                runs.append(defaultdict(int))
            elif event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
                node = event["name"].removesuffix("_kernel_time")
                layer = layer_of(node, event["args"]["op_name"])
                if layer in _PARTS:
                    layer = last or layer
                elif not layer.startswith("("):
                    last = layer
                runs[-1][layer] += 1000 * event["dur"]
        return {layer: [run[layer] for run in runs[WARMUP_CALLS:-1]] for layer in runs[0]}


def _session(model: bytes, options: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _options(config: LatencyConfig) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # Between two visits to this network others run: its threads must not spin through their time.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Not session.x64quantprecision, a guard against the overflow of which `quantization` speaks: it made int8
    # 2.4 times slower, on a CPU that has VNNI and needs no guard. `int8_probe` finds what needs none.
    return options
