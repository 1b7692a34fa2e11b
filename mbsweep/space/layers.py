"""Layers: the arithmetic on shapes.

Every number may be an int, or an array with one element for each point of a grid: numpy adds and multiplies
both alike, so that one description of a network counts it, and a space of a million of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

EPSILON = 1e-5  # what nn.BatchNorm2d adds to a variance
Dim = Any  # int, or an NDArray[np.int64] of one network for each element
Pair = tuple[Dim, Dim]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: a convolution or linear layer with its normalisation and activation, a pooling, a junction.

    Layers of the same shapes are equal, whatever their names. Maps are square: a size is height and width in
    pixels, or 1 where there is no map any more.
    """

    name: str = field(compare=False)  # within its block; in `Architecture.layers`, within the network
    kind: str  # a key of KINDS
    in_channels: Dim
    out_channels: Dim
    in_size: Dim
    out_size: Dim
    kernel: Pair = (1, 1)  # height and width
    stride: int = 1
    padding: Pair = (0, 0)  # above and below, on the left and on the right; see `pads`
    groups: Dim = 1
    norm: bool = False  # whether batch normalisation follows
    bias: bool = False
    activation: str = ""  # what follows last: a key of ACTIVATIONS
    ceil: bool = False  # of a pooling: whether a window may reach over the edge
    reads: tuple[int, ...] = (-1,)  # offsets back within the block; before its first layer stands its input
    same: bool = False  # padded as TensorFlow's "SAME": no more than the windows reach, less of it before
    epsilon: float = field(default=EPSILON, compare=False)  # that batch normalisation adds to a variance
    where: Any = True  # in which networks of a grid it is there: it ends its block, and keeps the shape

    def named(self, name: str) -> Layer:
        """The same under another name."""
        return replace(self, name=name)

    @property
    def child(self) -> str:
        """What it is called among the modules of its network: `block3_dw`."""
        return self.name.replace(".", "_")

    @property
    def is_flat(self) -> bool:
        """Whether what it gives has channels only, no height and width."""
        return self.kind in ("avg_pool", "fc")

    @property
    def is_conv(self) -> bool:
        """Whether it is a convolution, of whatever kind."""
        return self.kind in CONVOLUTIONS

    @property
    def pads(self) -> tuple[Dim, Dim, Dim, Dim]:
        """Pixels of padding at the top, on the left, at the bottom, on the right.

        Of "SAME" the windows' reach beyond the map is halved, what is left over comes behind: at stride 2 a
        kernel of 3 pads an even map by 0 and 1, an odd one by 1 and 1.
        """
        if not self.same:
            return (*self.padding, *self.padding)
        reach = (self.out_size - 1) * self.stride - self.in_size
        down, across = (np.maximum(reach + kernel, 0) for kernel in self.kernel)
        return down // 2, across // 2, down - down // 2, across - across // 2

    @property
    def weights(self) -> Dim:
        """Scalars in the kernel or matrix, without bias and batch normalisation."""
        if self.is_conv:
            return self.kernel[0] * self.kernel[1] * (self.in_channels // self.groups) * self.out_channels
        return self.in_channels * self.in_size**2 * self.out_channels if self.kind == "fc" else 0

    @property
    def params(self) -> Dim:
        """Trainable scalars: the weights, scale and shift of batch normalisation, the bias."""
        return self.weights + self.out_channels * (2 * self.norm + self.bias)

    @property
    def macs(self) -> Dim:
        """Multiply-adds for one image (equations 2 and 4 of arXiv:1704.04861): weights x output positions."""
        return self.weights * self.out_size**2

    @property
    def in_scalars(self) -> Dim:
        """Scalars in what it reads first, for one image."""
        return self.in_channels * self.in_size**2

    @property
    def out_scalars(self) -> Dim:
        """Scalars in what it gives, for one image."""
        return self.out_channels * self.out_size**2

    @property
    def bytes_int8(self) -> Dim:
        """Bytes of the weights at int8: one each; of each output channel four for the bias, four for a scale.

        Batch normalisation is folded into them.
        """
        return self.weights + (8 * self.out_channels if self.is_conv or self.kind == "fc" else 0)


# kind -> what it is called; convolutions are called by their kernel, too
KINDS = {
    "conv": "Conv",
    "conv_dw": "Conv DW",
    "conv_pw": "Conv",
    "fc": "Fully Connected",
    "max_pool": "Max Pool",
    "avg_pool": "Avg Pool",  # of the whole map, which it leaves
    "squeeze": "Squeeze",  # the same, but that a map of one pixel is left
    "scale": "Scale",  # the first that it reads, times the second, one number for each channel
    "add": "Add",
    "concat": "Concat",  # of channels
}
CONVOLUTIONS = ("conv", "conv_dw", "conv_pw")
V1_KINDS = ("conv", "conv_dw", "conv_pw", "avg_pool", "fc")
ACTIVATIONS = ("", "relu", "relu6", "hard_swish", "hard_sigmoid")


def kind_name(layer: Layer) -> str:
    """As Tables 1 and 2 of arXiv:1704.04861 call it: `Conv DW 3x3`, `Avg Pool`."""
    if not layer.is_conv:
        return KINDS[layer.kind]
    grouped = " grouped" if layer.kind == "conv" and layer.groups > 1 else ""
    return f"{KINDS[layer.kind]} {layer.kernel[0]}x{layer.kernel[1]}{grouped}"


def conv(
    name: str,
    channels: Pair,
    size: Dim,
    kernel: Dim | Pair = 1,
    stride: int = 1,
    *,
    padding: Dim | Pair | None = None,
    groups: Dim = 1,
    norm: bool = True,
    activation: str = "relu",
    reads: tuple[int, ...] = (-1,),
) -> Layer:
    """A convolution, with batch normalisation or else a bias, and an activation.

    channels: in and out. padding: unless it is said, half the kernel: a stride of 2 turns n pixels into
    ceil(n / 2).
    """
    high, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    if padding is None:
        padding = high // 2, wide // 2
    down, across = padding if isinstance(padding, tuple) else (padding, padding)
    is_pointwise = isinstance(high, int) and isinstance(wide, int) and high == wide == stride == 1
    kind = "conv_pw" if is_pointwise else "conv"
    shape = *channels, size, (size + 2 * down - high) // stride + 1
    more = groups, norm, not norm, activation
    return Layer(name, kind, *shape, (high, wide), stride, (down, across), *more, reads=reads)


def depthwise(
    name: str, channels: Dim, size: Dim, kernel: Dim = 3, stride: int = 1, activation: str = "relu"
) -> Layer:
    """One kernel for each channel, with batch normalisation."""
    every = conv(name, (channels, channels), size, kernel, stride, groups=channels, activation=activation)
    return replace(every, kind="conv_dw")


def max_pool(
    name: str,
    channels: Dim,
    size: Dim,
    kernel: int,
    stride: int,
    padding: int = 0,
    *,
    ceil: bool = False,
    reads: tuple[int, ...] = (-1,),
) -> Layer:
    """The largest of each window. ceil: a last window that begins within the map may reach over its edge."""
    room = size + 2 * padding - kernel
    out_size = (room + stride - 1) // stride + 1 if ceil else room // stride + 1
    if ceil:  # as PyTorch: no window begins in the padding behind the map
        out_size = out_size - ((out_size - 1) * stride >= size + padding)
    square, edge = (kernel, kernel), (padding, padding)
    shape = channels, channels, size, out_size
    return Layer(name, "max_pool", *shape, square, stride, edge, ceil=ceil, reads=reads)


def avg_pool(name: str, channels: Dim, size: Dim) -> Layer:
    """The mean of the whole map of each channel; of the map, nothing is left."""
    return Layer(name, "avg_pool", channels, channels, size, 1, (size, size))


def squeeze(name: str, channels: Dim, size: Dim) -> Layer:
    """The same, but that a map of one pixel is left, which a convolution can read."""
    return Layer(name, "squeeze", channels, channels, size, 1, (size, size))


def linear(name: str, channels: Pair, size: Dim = 1, activation: str = "") -> Layer:
    """A matrix, with a bias, that takes every scalar of a map of some size."""
    return Layer(name, "fc", *channels, size, 1, bias=True, activation=activation)


def add(name: str, channels: Dim, size: Dim, back: int, activation: str = "", where: Any = True) -> Layer:
    """The sum of what is before it, and of what is so far back."""
    there = bool(where) if np.ndim(where) == 0 else where
    shape = channels, channels, size, size
    return Layer(name, "add", *shape, activation=activation, reads=(back, -1), where=there)


def concat(name: str, channels: Dim, size: Dim, reads: tuple[int, ...], in_channels: Dim) -> Layer:
    """The channels of several maps of one size. in_channels: of the first."""
    return Layer(name, "concat", in_channels, channels, size, size, reads=reads)


def squeeze_excite(
    channels: Dim, squeezed: Dim, size: Dim, gate: str = "hard_sigmoid", activation: str = ""
) -> Iterator[Layer]:
    """A gate for each channel of the map before it, from the means of all (Hu et al., arXiv:1709.01507).

    activation: what follows the gate.
    """
    yield squeeze("squeeze", channels, size)
    yield conv("fc1", (channels, squeezed), 1, norm=False)
    yield conv("fc2", (squeezed, channels), 1, norm=False, activation=gate)
    yield Layer("scale", "scale", channels, channels, size, size, activation=activation, reads=(-4, -1))


def equal(a: Dim, b: Dim) -> Any:
    """Whether two numbers are equal; in which networks of a grid they are."""
    return np.equal(a, b)


def at_least_1(channels: Dim) -> Dim:
    """Channels, never none."""
    return np.maximum(channels, 1) if isinstance(channels, np.ndarray) else max(channels, 1)
