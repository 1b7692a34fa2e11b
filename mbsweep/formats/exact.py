"""What an int8 ONNX file gives where its integers are calculated exactly: what a runtime is held to.

The file says what is rounded to which integers; an operator between two roundings is a sum of products of
integers, one multiplication by a float32 and one rounding, half to even. That is what integer kernels do, and
done in the same order it gives their very integers. In another order (in floats throughout, as ONNX Runtime
does with its graph optimisations off) an integer comes out one step away here and there. Through 28 layers of
random weights that has been seen to move a logit by up to 3.7 % of the largest: as much as clipped sums do.

Sums and products of two tensors, hard sigmoids and hard swishes are calculated in floats between two
roundings, each runtime in its own order. What stands here is ONNX Runtime's on x86, with fused multiply-adds;
and that of OpenVINO, which fuses a sum into a convolution and does not round what that gives. Elsewhere one
number in ten thousand may go the other way, and move a logit by 6 %. So the guard is loose where a network
has such operators: `Exact.tolerance`. Convolutions that clip their sums are found by `int8_probe`, whatever
the network.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mbsweep.formats.onnx_graph import INPUT, OUTPUT

Floats = NDArray[np.float32]
Array = NDArray[Any]  # integers, held in floats that have each of them exactly

# A runtime's output may differ by so much of the largest logit. Right ones have been seen to differ by 0.
TOLERANCE = 0.02
# The same of networks with operators that runtimes do not round alike: right ones have been seen to differ by
# 0.06.
LOOSE_TOLERANCE = 0.15
NOT_ALIKE = {"Add", "Mul", "HardSigmoid", "HardSwish"}
EXACT_IN_FLOAT32 = 2**24  # float32 has every integer up to here


class _Numbers(NamedTuple):
    """real = scale x integer; one scale, or one for each channel. Without a scale they are real numbers.

    zero: the zero point of the file, which is taken off the integers.
    """

    integers: Array
    scale: Floats | None
    zero: float = 0

    @property
    def real(self) -> Floats:
        """The numbers that they stand for, as DequantizeLinear gives them."""
        if self.scale is None:
            return self.integers.astype(np.float32)
        return self.integers.astype(np.float32) * _per_channel(self.scale, self.integers.ndim)


class _Sum(NamedTuple):
    """Of two tensors, the scales of whose integers are kept apart until it is rounded."""

    one: _Numbers
    other: _Numbers

    @property
    def real(self) -> Floats:
        """The numbers that they stand for."""
        return self.one.real + self.other.real


Factor = Callable[[Floats, Floats], Floats]  # see `LoadsOnnx.factor`


class Exact(NamedTuple):
    """What a file gives.

    image: with its values moved to the file's nearest steps. How a runtime rounds a value between two steps
        makes no difference then.
    logits: the file's for it. tolerance: by how much of the largest a runtime's may differ from them.
    """

    image: Floats
    logits: Floats
    tolerance: float


def calculate(model: bytes, image: Floats, factor: Factor, fuses_sums: bool = False) -> Exact:
    """What a file from `quantization` gives for an image.

    fuses_sums: whether the runtime adds what a convolution gives, where nothing else reads that, as it is:
        cut off where the rounding would cut it off, but not rounded.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(model).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    last_reader = {name: place for place, node in enumerate(graph.node) for name in node.input}
    unrounded = _unrounded(graph) if fuses_sums else {}
    known: dict[str, Any] = {INPUT: _Numbers(image, None)}
    on_steps = image
    with threadpool_limits(1, user_api="blas"):  # several threads that wait for each other take longer
        for place, node in enumerate(graph.node):
            inputs = [known[name] if name in known else constants[name] for name in node.input]
            attributes = {it.name: onnx.helper.get_attribute_value(it) for it in node.attribute}
            if node.op_type == "DequantizeLinear" and node.output[0] in unrounded:
                found = _cut_off(known[unrounded[node.output[0]]], *inputs[1:])
            else:
                found = _OPERATORS[node.op_type](factor, *inputs, **attributes)
            known[node.output[0]] = found
            if node.op_type == "QuantizeLinear" and node.input[0] == INPUT:
                on_steps = found.real
            for name in node.input:
                if last_reader[name] == place and name not in unrounded.values():
                    known.pop(name, None)
    is_alike = not any(node.op_type in NOT_ALIKE for node in graph.node)
    tolerance = TOLERANCE if is_alike else LOOSE_TOLERANCE
    return Exact(on_steps, known[OUTPUT].real, tolerance)


def _unrounded(graph: Any) -> dict[str, str]:
    """What each sum reads rounded from a convolution, and nothing else reads -> the convolution's own output.

    Where a sum reads two such, its second.
    """
    makers = {node.output[0]: node for node in graph.node}
    readers = Counter(name for node in graph.node for name in node.input)
    found = {}
    for node in graph.node:
        for name in reversed(node.input) if node.op_type == "Add" else ():
            source = makers[makers[name].input[0]].input[0]  # before the rounding
            if readers[name] == 1 and source in makers and makers[source].op_type == "Conv":
                found[name] = source
                break
    return found


def _cut_off(given: _Numbers, step: Floats, zero_point: Array) -> _Numbers:
    ends, zero = np.iinfo(zero_point.dtype), np.float32(zero_point)
    return _Numbers(given.real.clip((ends.min - zero) * step, (ends.max - zero) * step), None)


def off_by(given: NDArray[np.floating[Any]], expected: NDArray[np.floating[Any]]) -> float:
    """The largest error as a share of the largest value expected; of a few channels, all may be zero."""
    error, largest = float(np.abs(given - expected).max()), float(np.abs(expected).max())
    return error / largest if largest else (math.inf if error else 0.0)


def _quantize(factor: Factor, numbers: _Numbers | _Sum, step: Floats, zero_point: Array) -> _Numbers:
    ends, zero = np.iinfo(zero_point.dtype), np.float32(zero_point)
    if isinstance(numbers, _Sum):
        is_of_integers = all(held.scale is not None for held in numbers)
        steps = _steps(factor, numbers, step, zero) if is_of_integers else numbers.real / step
    elif numbers.scale is None:
        steps = numbers.integers.astype(np.float32) / step
    else:
        factors = _per_channel(factor(numbers.scale, step), numbers.integers.ndim)
        steps = numbers.integers.astype(np.float32) * factors
    return _Numbers(np.rint(steps).clip(ends.min - zero, ends.max - zero), step, float(zero))


def _steps(factor: Factor, numbers: _Sum, step: Floats, zero: np.float32) -> Floats:
    """A sum in steps, in the order of ONNX Runtime: zero points in one constant, two fused multiply-adds."""
    factors = [factor(held.scale, step).astype(np.float64) for held in numbers if held.scale is not None]
    zeros = [np.float32(held.zero) for held in numbers]
    last = factors[1].astype(np.float32) * zeros[1]
    sums = zero - (factors[0] * zeros[0] + last).astype(np.float32)  # a fused one, too
    for held, one in zip(reversed(numbers), reversed(factors), strict=True):
        sums = sums.astype(np.float32) + (held.integers + held.zero) * one
    return np.rint(sums.astype(np.float32)) - zero  # half to even counts from the zero point


def _dequantize(
    _: Factor, held: _Numbers | Array, scale: Floats, zero_point: Array, axis: int = 0
) -> _Numbers:
    if isinstance(held, _Numbers):  # its zero point is taken off already
        return held
    kind: Any = np.float32 if held.itemsize == 1 else np.float64  # has each of the integers
    zero = zero_point.astype(kind).reshape(-1, *[1] * (held.ndim - 1))
    return _Numbers(held.astype(kind) - zero, scale)


def _conv(_: Factor, held: _Numbers, weight: _Numbers, bias: _Numbers, **said: Any) -> _Numbers:
    """said: ONNX's attributes."""
    (top, left, bottom, right), (down, across) = said["pads"], said["strides"]
    padded = np.pad(held.integers, ((0, 0), (0, 0), (top, bottom), (left, right)))
    images, channels, *size = padded.shape
    groups, (outputs, _, *kernel) = said["group"], weight.integers.shape
    spans = [d * (k - 1) for d, k in zip(said["dilations"], kernel, strict=True)]
    high, wide = ((n - span - 1) // s + 1 for n, span, s in zip(size, spans, said["strides"], strict=True))
    kind = _exact_in(weight.integers, held.integers)
    padded = padded.astype(kind).reshape(images, groups, channels // groups, *size)
    weights = weight.integers.astype(kind).reshape(groups, outputs // groups, -1, *kernel)
    sums = np.zeros((images, groups, outputs // groups, high, wide), kind)
    for row, column in product(*map(range, kernel)):
        y, x = row * said["dilations"][0], column * said["dilations"][1]
        seen = padded[..., y : y + down * (high - 1) + 1 : down, x : x + across * (wide - 1) + 1 : across]
        mine = weights[..., row, column]
        if mine.shape[1:] == (1, 1):  # depthwise
            sums += mine[..., None] * seen
        else:
            sums += (mine @ seen.reshape(*seen.shape[:3], -1)).reshape(sums.shape)
    sums = sums.reshape(images, outputs, high, wide).astype(np.float64)
    return _Numbers(sums + bias.integers[:, None, None], _product(held, weight))


def _gemm(_: Factor, held: _Numbers, weight: _Numbers, bias: _Numbers, **said: Any) -> _Numbers:
    sums = held.integers.astype(np.float64) @ weight.integers.T + bias.integers
    return _Numbers(sums, _product(held, weight))


def _relu(_: Factor, held: _Numbers | _Sum) -> _Numbers | _Sum:
    """A rounding to integers that begin at 0 follows, which does the same."""
    return held if isinstance(held, _Sum) else _Numbers(held.integers.clip(0), held.scale)


def _clip(_: Factor, held: _Numbers | _Sum, low: Array, high: Array) -> _Numbers | _Sum:
    """A rounding follows, whose largest number is not above the top."""
    return _relu(_, held)


def _average(_: Factor, held: _Numbers) -> _Numbers:
    assert held.scale is not None  # noqa: S101
    count = np.float32(held.integers.shape[2] * held.integers.shape[3])
    return _Numbers(held.integers.sum(axis=(2, 3), keepdims=True), held.scale / count)


def _largest(_: Factor, held: _Numbers, **said: Any) -> _Numbers:
    """A pooling. Behind its edge, which with `ceil_mode` the last window may reach over, there is nothing."""
    (top, left, bottom, right), (down, across) = said["pads"], said["strides"]
    (high, wide), round_up = said["kernel_shape"], said["ceil_mode"]
    padded, sizes = held.integers, []
    for size, window, stride, before, behind in (
        (padded.shape[2], high, down, top, bottom),
        (padded.shape[3], wide, across, left, right),
    ):
        room = size + before + behind - window
        count = (-(-room // stride) if round_up else room // stride) + 1
        sizes.append(count - (round_up and (count - 1) * stride >= size + before))
    ends = [
        (before, max(0, (count - 1) * stride + window - size - before))
        for count, stride, window, size, before in zip(
            sizes, (down, across), (high, wide), padded.shape[2:], (top, left), strict=True
        )
    ]
    padded = np.pad(padded, ((0, 0), (0, 0), *ends), constant_values=-np.inf)
    seen = (
        padded[..., y : y + down * (sizes[0] - 1) + 1 : down, x : x + across * (sizes[1] - 1) + 1 : across]
        for y, x in product(range(high), range(wide))
    )
    return _Numbers(reduce(np.maximum, seen), held.scale, held.zero)


def _flatten(_: Factor, held: _Numbers, **said: Any) -> _Numbers:
    return _Numbers(held.integers.reshape(len(held.integers), -1), held.scale, held.zero)


def _add(_: Factor, one: _Numbers, other: _Numbers) -> _Sum:
    return _Sum(one, other)


def _mul(_: Factor, one: _Numbers, other: _Numbers) -> _Numbers:
    return _Numbers(one.integers * other.integers, _product(one, other))


def _concat(_: Factor, *several: _Numbers, axis: int) -> _Numbers:
    return _Numbers(np.concatenate([held.real for held in several], axis), None)


def _hard_sigmoid(_: Factor, held: _Numbers, alpha: float, beta: float) -> _Numbers:
    return _Numbers((held.real * np.float32(alpha) + np.float32(beta)).clip(0, 1), None)


def _hard_swish(_: Factor, held: _Numbers) -> _Numbers:
    return _Numbers(held.real * (held.real * np.float32(1 / 6) + np.float32(0.5)).clip(0, 1), None)


def _product(held: _Numbers, other: _Numbers) -> Floats:
    assert held.scale is not None  # noqa: S101
    assert other.scale is not None  # noqa: S101
    return held.scale * other.scale


def _per_channel(scale: Floats, dimensions: int) -> Floats:
    return np.reshape(scale, (-1, *[1] * (dimensions - 2)))


def _exact_in(weights: Array, integers: Array) -> type[np.floating[Any]]:
    """The smaller float that has every sum of products exactly."""
    largest = np.abs(weights).reshape(len(weights), -1).sum(axis=1).max() * np.abs(integers).max()
    return np.float32 if largest < EXACT_IN_FLOAT32 else np.float64


_OPERATORS: dict[str, Callable[..., Any]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Conv": _conv,
    "Gemm": _gemm,
    "Relu": _relu,
    "Clip": _clip,
    "GlobalAveragePool": _average,
    "MaxPool": _largest,
    "Flatten": _flatten,
    "Add": _add,
    "Mul": _mul,
    "Concat": _concat,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
}
