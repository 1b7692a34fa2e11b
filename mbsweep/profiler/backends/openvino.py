"""OpenVINO, CPU plugin."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

from mbsweep.profiler.backends.onnx_file import LoadsOnnx

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from mbsweep.profiler.config import LatencyConfig
    from mbsweep.profiler.deployed import Classify

WARMUP_CALLS = 5  # of layer_times


class OpenVino(LoadsOnnx):
    """The network as an ONNX file, with all of the runtime's graph optimisations; one stream, one request.

    bf16: the fp32 file, with the runtime told to calculate in bfloat16. int8: the file
    of ONNX Runtime, but that each runtime has the weights that it gets right on this processor.
    """

    name = "openvino"
    fuses_sums = True
    packages: ClassVar[tuple[str, ...]] = ("openvino", "onnx")
    install: ClassVar[str] = "'mbsweep[openvino]'"
    options: ClassVar[dict[str, tuple[str, ...]]] = {"precision": ("fp32", "bf16", "int8")}

    def lacks(self, config: LatencyConfig) -> str:
        """bf16, on a CPU without: OpenVINO would take fp32, or imitate it in four times the time."""
        if config.precision != "bf16":
            return ""
        known = _imported().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return "" if "BF16" in known else "this CPU cannot calculate in bf16"

    def load(
        self, model: bytes, image: NDArray[np.float32], config: LatencyConfig
    ) -> Callable[[], NDArray[np.float32]]:
        """A synchronous call of an InferRequest; input and output lie in memory that the runtime knows."""
        request = _request(model, image, config)
        output = request.get_output_tensor().data

        def call() -> NDArray[np.float32]:
            request.infer()
            return output  # type: ignore[no-any-return]  # a view of the runtime's memory

        return call

    def opened(self, content: bytes, config: LatencyConfig) -> Classify:
        """One InferRequest; each image is copied into its memory."""
        compiled = _compiled(content, config)
        request = compiled.create_infer_request()
        return lambda image: request.infer({0: image})[compiled.output(0)].copy()

    def factor(self, scale: NDArray[np.float32], step: NDArray[np.float32]) -> NDArray[np.float32]:
        """Its order of the two operations: another gives another last bit, and other integers."""
        import numpy as np

        return scale * np.reciprocal(step)

    def layer_times(
        self, module: nn.Module, image: NDArray[np.float32], config: LatencyConfig, calls: int
    ) -> dict[str, list[int]]:
        """From the runtime's own counters, as one mean over all the calls: it keeps only sums.

        It counts whole microseconds, rounded down, for each node. What the runtime adds between the
        layers is called "(reorder)", where it changes the memory layout, and "(quantize)".
        """
        model = self.file(module, image, config.precision)
        request = _request(model, image, config, PERF_COUNT=True)
        layer_of = self.layer_of(module)
        for _ in range(WARMUP_CALLS):
            request.infer()
        before = _means_us(request)
        for _ in range(calls):
            request.infer()
        layers: dict[str, float] = defaultdict(float)
        for (node, kind), mean_us in _means_us(request).items():
            total_us = (WARMUP_CALLS + calls) * mean_us - WARMUP_CALLS * before[node, kind]
            layers[layer_of(node, kind)] += 1000 * total_us / calls
        # Nodes that were fused into others, or removed, are counted, too: with 0.
        return {
            layer: [max(0, round(mean_ns))]
            for layer, mean_ns in layers.items()
            if mean_ns > 0 or not layer.startswith("(")
        }


def _imported() -> Any:
    # OpenVINO's import would send a report to its makers; it does not where this package cannot be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: cannot be imported
    import openvino

    return openvino


def _request(model: bytes, image: NDArray[np.float32], config: LatencyConfig, **more: object) -> Any:
    """A request with its input and output in place, of a model that is compiled as the configuration says."""
    openvino = _imported()
    compiled = _compiled(model, config, **more)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(image))  # a copy
    request.set_output_tensor(openvino.Tensor(openvino.Type.f32, compiled.output(0).shape))
    return request


def _compiled(model: bytes, config: LatencyConfig, **more: object) -> Any:
    openvino = _imported()
    core = openvino.Core()
    wanted = {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": config.threads,
        # The default is bf16 wherever the CPU has it.
        "INFERENCE_PRECISION_HINT": openvino.Type.bf16 if config.precision == "bf16" else openvino.Type.f32,
        "ENABLE_CPU_PINNING": False,  # where the process runs is not OpenVINO's to say
        "CPU_DENORMALS_OPTIMIZATION": True,
    }
    compiled = core.compile_model(
        core.read_model(model), "CPU", {"PERFORMANCE_HINT": "LATENCY", **wanted, **more}
    )
    for name, value in wanted.items():
        if (given := compiled.get_property(name)) != value:
            raise RuntimeError(f"OpenVINO was told {name} = {value} and took {given}")
    return compiled


def _means_us(request: Any) -> dict[tuple[str, str], float]:
    """Node and its kind -> its mean time in all calls until now."""
    return {
        (node.node_name, node.node_type): node.real_time.total_seconds() * 1e6
        for node in request.profiling_info
    }
