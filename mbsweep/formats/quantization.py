"""A network as an int8 ONNX file: post-training static quantisation, in the form all runtimes read (QDQ).

QuantizeLinear and DequantizeLinear around each operator say in which integers its tensors are held; runtimes
fuse the three into one integer operator where they have one, and else calculate in floats between two
roundings. Weights: symmetric, one scale per output channel. Activations: uint8, one scale per tensor, from
the smallest and largest value that the network gives for some images. Behind a ReLU the zero point is 0, so
that the rounding does the ReLU's work. What only moves numbers about keeps their scale. Logits leave as
floats.

Weights are held in one of three ways, `WEIGHTS`, for a runtime may get the plain one wrong. On an x86 CPU
without VNNI the kernels of ONNX Runtime and OpenVINO add up two products of uint8 and int8 at a time in 16
bits and cut off what does not fit: 2 x 255 x 127 is twice the largest that does. A 1x1 convolution of 64
channels is off by 4 % of its largest output then, a linear layer by up to 44 %. `int8_probe` finds out which
of the three are right where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.formats.onnx_graph import INPUT, SIX, Graph
from mbsweep.formats.operations import Operation

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

    def where_right(self, for_others: str) -> str:
        """On which processors a file of them is calculated right; for_others: what to do for the others."""
        if self.zero_point or 2 * 255 * self.top < 2**15:
            return f"{self.name}, which every processor calculates right"
        return f"{self.name}, which x86 without VNNI calculates wrong: for such, {for_others}"


INT8 = Weights("8-bit weights", 127, 0, np.int8)
UINT8 = Weights("unsigned 8-bit weights", 127, 128, np.uint8)
INT7 = Weights("7-bit weights", 63, 0, np.int8)  # 2 x 255 x 63 fits into 16 bits
WEIGHTS = {weights.name: weights for weights in (INT8, UINT8, INT7)}  # the best first


def held(content: bytes) -> Weights:
    """How the weights of an int8 ONNX file of ours are held."""
    from onnx import ModelProto, numpy_helper

    graph = ModelProto.FromString(content).graph
    kept = [numpy_helper.to_array(one) for one in graph.initializer if one.name.endswith(".weight.quantized")]
    if any(array.dtype == np.uint8 for array in kept):
        return UINT8
    return INT7 if all(np.abs(array.astype(int)).max() <= INT7.top for array in kept) else INT8


def written(
    found: Sequence[Operation], ranges: NDArray[np.float64], shape: tuple[int, ...], weights: Weights
) -> bytes:
    """Operators as an int8 ONNX file.

    ranges: smallest and largest values, of the image and of what each operator gives. Shape (2, 1 +
        operators).
    """
    graph = _Quantized(weights)
    scales = [_scale(*ranges[:, 0])]
    tensors = [graph.quantize(INPUT, scales[0])]
    for operation, ends in zip(found, ranges[:, 1:].T, strict=True):
        scale = scales[operation.reads[0]]
        inputs = [tensors[number] for number in operation.reads]
        inputs += graph.weights(operation, scale)
        tensor = graph.node(operation.kind, inputs, operation.name, **operation.attributes)
        if operation.clip:
            tensor = graph.clipped(tensor, operation.clip_name, operation.clip)
        if not operation.is_copy:
            scale = _within(_scale(*ends), SIX) if operation.clip == "relu6" else _scale(*ends)
        # An integer Gemm can give floats; a convolution becomes an integer one only between integers.
        if operation is not found[-1] or operation.kind != "Gemm":
            tensor = graph.quantize(tensor, scale)
        scales.append(scale)
        tensors.append(tensor)
    return graph.file(shape)


class _Quantized(Graph):
    """A graph whose tensors are rounded to integers."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self._held = weights

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


def _scale(low: float, high: float) -> Scale:
    scale = np.float32((high - low) / 255 or 1)
    return Scale(scale, np.uint8(np.rint(-low / scale)))


def _within(scale: Scale, top: float) -> Scale:
    """A scale whose largest number is not above what is cut off: then the rounding cuts it off."""
    step = scale.scale
    while step * np.float32(255) > top:
        step = np.nextafter(step, np.float32(0))
    return Scale(step, scale.zero_point)
