"""The operators of an int8 ONNX file on exact integers, each in the order of ONNX Runtime: see `exact`."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Array = NDArray[Any]  # integers, held in floats that have each of them exactly

EXACT_IN_FLOAT32 = 2**24  # float32 has every integer up to here


class Numbers(NamedTuple):
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

    one: Numbers
    other: Numbers

    @property
    def real(self) -> Floats:
        """The numbers that they stand for."""
        return self.one.real + self.other.real


Factor = Callable[[Floats, Floats], Floats]  # see `LoadsOnnx.factor`


def cut_off(given: Numbers, step: Floats, zero_point: Array) -> Numbers:
    """Cut off where a rounding to integers would cut it off, but not rounded."""
    ends, zero = np.iinfo(zero_point.dtype), np.float32(zero_point)
    return Numbers(given.real.clip((ends.min - zero) * step, (ends.max - zero) * step), None)


def _quantize(factor: Factor, numbers: Numbers | _Sum, step: Floats, zero_point: Array) -> Numbers:
    ends, zero = np.iinfo(zero_point.dtype), np.float32(zero_point)
    if isinstance(numbers, _Sum):
        is_of_integers = all(held.scale is not None for held in numbers)
        steps = _steps(factor, numbers, step, zero) if is_of_integers else numbers.real / step
    elif numbers.scale is None:
        steps = numbers.integers.astype(np.float32) / step
    else:
        factors = _per_channel(factor(numbers.scale, step), numbers.integers.ndim)
        steps = numbers.integers.astype(np.float32) * factors
    return Numbers(np.rint(steps).clip(ends.min - zero, ends.max - zero), step, float(zero))


def _steps(factor: Factor, numbers: _Sum, step: Floats, zero: np.float32) -> Floats:
    """A sum in steps, in the order of ONNX Runtime: zero points in one constant, two fused multiply-adds."""
    factors = [factor(held.scale, step).astype(np.float64) for held in numbers if held.scale is not None]
    zeros = [np.float32(held.zero) for held in numbers]
    last = factors[1].astype(np.float32) * zeros[1]
    sums = zero - (factors[0] * zeros[0] + last).astype(np.float32)  # a fused one, too
    for held, one in zip(reversed(numbers), reversed(factors), strict=True):
        sums = sums.astype(np.float32) + (held.integers + held.zero) * one
    return np.rint(sums.astype(np.float32)) - zero  # half to even counts from the zero point


def _dequantize(_: Factor, held: Numbers | Array, scale: Floats, zero_point: Array, axis: int = 0) -> Numbers:
    if isinstance(held, Numbers):  # its zero point is taken off already
        return held
    kind: Any = np.float32 if held.itemsize == 1 else np.float64  # has each of the integers
    zero = zero_point.astype(kind).reshape(-1, *[1] * (held.ndim - 1))
    return Numbers(held.astype(kind) - zero, scale)


def _conv(_: Factor, held: Numbers, weight: Numbers, bias: Numbers, **said: Any) -> Numbers:
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
    return Numbers(sums + bias.integers[:, None, None], _product(held, weight))


def _gemm(_: Factor, held: Numbers, weight: Numbers, bias: Numbers, **said: Any) -> Numbers:
    sums = held.integers.astype(np.float64) @ weight.integers.T + bias.integers
    return Numbers(sums, _product(held, weight))


def _relu(_: Factor, held: Numbers | _Sum) -> Numbers | _Sum:
    """A rounding to integers that begin at 0 follows, which does the same."""
    return held if isinstance(held, _Sum) else Numbers(held.integers.clip(0), held.scale)


def _clip(_: Factor, held: Numbers | _Sum, low: Array, high: Array) -> Numbers | _Sum:
    """A rounding follows, whose largest number is not above the top."""
    return _relu(_, held)


def _average(_: Factor, held: Numbers) -> Numbers:
    assert held.scale is not None  # noqa: S101
    count = np.float32(held.integers.shape[2] * held.integers.shape[3])
    return Numbers(held.integers.sum(axis=(2, 3), keepdims=True), held.scale / count)


def _largest(_: Factor, held: Numbers, **said: Any) -> Numbers:
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
    return Numbers(reduce(np.maximum, seen), held.scale, held.zero)


def _flatten(_: Factor, held: Numbers, **said: Any) -> Numbers:
    return Numbers(held.integers.reshape(len(held.integers), -1), held.scale, held.zero)


def _add(_: Factor, one: Numbers, other: Numbers) -> _Sum:
    return _Sum(one, other)


def _mul(_: Factor, one: Numbers, other: Numbers) -> Numbers:
    return Numbers(one.integers * other.integers, _product(one, other))


def _concat(_: Factor, *several: Numbers, axis: int) -> Numbers:
    return Numbers(np.concatenate([held.real for held in several], axis), None)


def _hard_sigmoid(_: Factor, held: Numbers, alpha: float, beta: float) -> Numbers:
    return Numbers((held.real * np.float32(alpha) + np.float32(beta)).clip(0, 1), None)


def _hard_swish(_: Factor, held: Numbers) -> Numbers:
    return Numbers(held.real * (held.real * np.float32(1 / 6) + np.float32(0.5)).clip(0, 1), None)


def _product(held: Numbers, other: Numbers) -> Floats:
    assert held.scale is not None  # noqa: S101
    assert other.scale is not None  # noqa: S101
    return held.scale * other.scale


def _per_channel(scale: Floats, dimensions: int) -> Floats:
    return np.reshape(scale, (-1, *[1] * (dimensions - 2)))


def _exact_in(weights: Array, integers: Array) -> type[np.floating[Any]]:
    """The smaller float that has every sum of products exactly."""
    largest = np.abs(weights).reshape(len(weights), -1).sum(axis=1).max() * np.abs(integers).max()
    return np.float32 if largest < EXACT_IN_FLOAT32 else np.float64


OPERATORS: dict[str, Callable[..., Any]] = {
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
