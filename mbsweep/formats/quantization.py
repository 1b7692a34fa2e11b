"""A network as an int8 ONNX file: post-training static quantisation, in the form all runtimes read (QDQ).

QuantizeLinear and DequantizeLinear around each operator say in which integers its tensors are held; runtimes
fuse the three into one integer operator. Weights: symmetric, one scale per output channel. Activations:
uint8, one scale per tensor, from the smallest and largest value that the eager network gives for some images.
Behind a ReLU the zero point is 0, so that the rounding does the ReLU's work. Logits leave as floats.

Weights are held in one of three ways, `WEIGHTS`, for a runtime may get the plain one wrong. On an x86 CPU
without VNNI the kernels of ONNX Runtime and OpenVINO add up two products of uint8 and int8 at a time in 16
bits and cut off what does not fit: 2 x 255 x 127 is twice the largest that does. A 1x1 convolution of 64
channels is off by 4 % of its largest output then, a linear layer by up to 44 %. `int8_probe` finds out which
of the three are right where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mbsweep.base.cache import cached, content_key
from mbsweep.formats.onnx_graph import INPUT, Operation, operations, serialized

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray
    from torch import Tensor, nn

# At 224 pixels, with 1 image or 16, the logits are off by 2 to 3 % of the largest; by 4 to 10 % with ranges
# that leave out the rarest 0.1 % of the values, as tools offer. Small images show rare values less often: it
# takes more of them.
CALIBRATION_BATCHES = 4
BATCH_VALUES = 3 * 128 * 128  # as many images as have so many values together, at least one

RECIPE = "int8 qdq 2"  # part of the cache's key: to be changed with anything that changes the file


class Scale(NamedTuple):
    """real = scale x (integer - zero_point), with integers from 0 to 255."""

    scale: np.float32
    zero_point: np.uint8


class Weights(NamedTuple):
    """A way to hold weights: integers from -top to top, to which the zero point is added.

    name: as it is kept and told.
    """

    name: str
    top: int
    zero_point: int
    kind: type[np.int8 | np.uint8]

    @property
    def words(self) -> str:
        """`-127 to 127`."""
        return f"{self.zero_point - self.top} to {self.zero_point + self.top}"


INT8 = Weights("8-bit weights", 127, 0, np.int8)
UINT8 = Weights("unsigned 8-bit weights", 127, 128, np.uint8)
INT7 = Weights("7-bit weights", 63, 0, np.int8)  # 2 x 255 x 63 fits into 16 bits
WEIGHTS = {weights.name: weights for weights in (INT8, UINT8, INT7)}  # the best first


def int8_file(module: nn.Module, image: NDArray[np.float32], weights: Weights) -> bytes:
    """A network as an int8 ONNX file, from the cache if it was made before."""
    key = content_key(module, image, RECIPE, weights.name, f"{CALIBRATION_BATCHES} x {BATCH_VALUES}")
    return cached(key, "onnx", lambda: write(module, image, weights))


def write(module: nn.Module, image: NDArray[np.float32], weights: Weights = INT8) -> bytes:
    """A network in eval mode, or a part of one, as an int8 ONNX file for inputs of the image's shape.

    Raises NotImplementedError for modules that no MobileNet has.
    """
    found = operations(module)
    return written(found, _calibrate(found, image), image.shape, weights)


def written(found: list[Operation], scales: list[Scale], shape: tuple[int, ...], weights: Weights) -> bytes:
    """Operators as an int8 ONNX file; scales: of the image, and of what each operator gives."""
    graph = _Graph(weights)
    scale, *behind = scales
    tensor = graph.quantize(INPUT, scale)
    for operation, scale_behind in zip(found, behind, strict=True):
        inputs = [tensor, *graph.weights(operation, scale)]
        tensor = graph.node(operation.kind, inputs, operation.name, **operation.attributes)
        if operation.relu:
            tensor = graph.node("Relu", [tensor], operation.relu)
        scale = scale_behind
        # An integer Gemm can give floats; a convolution becomes an integer one only between integers.
        if operation is not found[-1] or operation.kind != "Gemm":
            tensor = graph.quantize(tensor, scale)
    return serialized(graph.nodes, graph.initializers, shape)


class _Graph:
    """Nodes and constants of an ONNX graph. A node's name is that of its output."""

    def __init__(self, weights: Weights) -> None:
        self._held = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def quantize(self, tensor: str, scale: Scale) -> str:
        """The tensor, rounded to 8 bits and taken back to floats."""
        numbers = [
            self.constant(f"{tensor}.{part}", np.array(scale[i])) for i, part in enumerate(scale._fields)
        ]
        rounded = self.node("QuantizeLinear", [tensor, *numbers], f"{tensor}.quantized")
        return self.node("DequantizeLinear", [rounded, *numbers], f"{tensor}.dequantized")

    def weights(self, operation: Operation, scale: Scale) -> list[str]:
        """Weights and bias of an operation whose input has this scale; nothing for one without."""
        if not operation.weight.size:
            return []
        rows = operation.weight.reshape(len(operation.weight), -1)
        steps = np.abs(rows).max(axis=1) / self._held.top
        # The bias counts in steps x scale, in 32 bits: a channel of nearly no weight needs wider ones.
        steps = np.maximum(steps, np.abs(operation.bias) / (scale.scale * 2.0**30))
        steps = np.where(steps > 0, steps, 1).astype(np.float32)
        weight = np.rint(rows / steps[:, None]).reshape(operation.weight.shape) + self._held.zero_point
        bias = np.rint(operation.bias / (steps * scale.scale)).astype(np.int32)
        return [
            self._weight(
                f"{operation.name}.weight", weight.astype(self._held.kind), steps, self._held.zero_point
            ),
            self._weight(f"{operation.name}.bias", bias, steps * scale.scale, 0),
        ]

    def _weight(
        self, name: str, integers: NDArray[np.generic], steps: NDArray[np.float32], zero_point: int
    ) -> str:
        inputs = [
            self.constant(f"{name}.quantized", integers),
            self.constant(f"{name}.scale", steps),
            self.constant(f"{name}.zero_point", np.full(len(steps), zero_point, integers.dtype)),
        ]
        return self.node("DequantizeLinear", inputs, name, axis=0)


def _calibrate(found: list[Operation], image: NDArray[np.float32]) -> list[Scale]:
    """The scale of the image, and that of each operation's output."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine several, waiting for one another, took 50 times as long
    try:
        with torch.inference_mode():
            low, high = _ranges(found, image)
    finally:
        torch.set_num_threads(threads)
    scales = [_scale(*ends) for ends in zip(low, high, strict=True)]
    for place, operation in enumerate(found):
        if operation.kind == "Flatten":  # moves integers about
            scales[place + 1] = scales[place]
    return scales


def _ranges(found: list[Operation], image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Smallest and largest values of the image and of each operation's output."""
    import torch

    generator = np.random.default_rng(1)  # not the images on which the output is compared: those have seed 0
    shape = (max(1, BATCH_VALUES // image[0].size), *image.shape[1:])
    # Each range holds 0, which has to be exact: it pads the images.
    ranges = np.zeros((2, len(found) + 1))
    for _ in range(CALIBRATION_BATCHES):
        tensor = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))
        _widen(ranges[:, 0], tensor)
        for place, operation in enumerate(found, start=1):
            for module in operation.modules:
                tensor = module(tensor)
            _widen(ranges[:, place], tensor)
    return ranges


def _widen(ends: NDArray[np.float64], tensor: Tensor) -> None:
    ends[:] = min(ends[0], tensor.min().item()), max(ends[1], tensor.max().item())


def _scale(low: float, high: float) -> Scale:
    scale = np.float32((high - low) / 255 or 1)
    return Scale(scale, np.uint8(np.rint(-low / scale)))
