"""Layers, and the blocks that bodies are made of: the only arithmetic on shapes in mbsweep.

Every number may be an int, or an array with one element for each point of a grid: numpy adds and multiplies
both alike, so that one description of a network counts it, and a space of a million of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

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
    padding: Pair = (0, 0)  # above and below, on the left and on the right
    groups: Dim = 1
    norm: bool = False  # whether batch normalisation follows
    bias: bool = False
    activation: str = ""  # what follows last: a key of ACTIVATIONS
    ceil: bool = False  # of a pooling: whether a window may reach over the edge
    reads: tuple[int, ...] = (-1,)  # offsets back within the block; before its first layer stands its input
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


@dataclass(frozen=True, slots=True)
class Block:
    """A small graph of layers with one input and one output: what a runtime fuses, and what is timed alone.

    Its layers stand in running order.
    """

    layers: tuple[Layer, ...]

    @property
    def key(self) -> str:
        """All that its cost depends on, as text that is stable over versions: for a cache.

        Kind, kernel, stride, channels and sizes of each layer: `conv_dw:3:1:32-32:112-112+conv_pw:...`; and
        what else is not as in MobileNet v1.
        """
        return "+".join(_key(layer) for layer in self.layers)

    @property
    def macs(self) -> Dim:
        """Multiply-adds for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def params(self) -> Dim:
        """Trainable scalars."""
        return sum(layer.params for layer in self.layers)

    @property
    def bytes_int8(self) -> Dim:
        """Bytes of the weights at int8."""
        return sum(layer.bytes_int8 for layer in self.layers)

    @property
    def peak(self) -> Dim:
        """Scalars alive at once, at most: what a layer reads and gives, and what a later one still reads.

        In running order; batch normalisation and activation work in place, junctions do not.
        """
        last = self.layers[-1]
        if last.where is True:
            return _peak(self.layers)
        return np.where(last.where, _peak(self.layers), _peak(self.layers[:-1]))

    @property
    def in_shape(self) -> tuple[Dim, Dim, Dim]:
        """Channels, height and width of what it is given."""
        first = self.layers[0]
        return first.in_channels, first.in_size, first.in_size

    @property
    def out_channels(self) -> Dim:
        """Channels of what it gives."""
        return self.layers[-1].out_channels

    @property
    def out_size(self) -> Dim:
        """Height and width of what it gives."""
        return self.layers[-1].out_size

    @property
    def in_scalars(self) -> Dim:
        """Scalars that it reads, for one image."""
        return self.layers[0].in_scalars

    @property
    def out_scalars(self) -> Dim:
        """Scalars that it writes, for one image."""
        return self.layers[-1].out_scalars


def _key(layer: Layer) -> str:
    high, wide = layer.kernel
    square = f"{high}" if high == wide else f"{high}x{wide}"
    shape = f"{layer.in_channels}-{layer.out_channels}:{layer.in_size}-{layer.out_size}"
    usual = layer.kind in V1_KINDS
    is_folded = layer.is_conv and usual
    unusual = {
        "g": (layer.groups, layer.in_channels if layer.kind == "conv_dw" else 1),
        "p": (layer.padding, (high // 2, wide // 2) if is_folded else (0, 0)),
        "norm": (layer.norm, is_folded),
        "bias": (layer.bias, layer.kind == "fc"),
        "act": (layer.activation, "relu" if is_folded else ""),
        "ceil": (layer.ceil, False),
        "reads": (layer.reads, (-1,)),
    }
    said = "".join(
        f":{name}={value}".replace(" ", "") for name, (value, as_v1) in unusual.items() if value != as_v1
    )
    return f"{layer.kind}:{square}:{layer.stride}:{shape}{said}"


def _peak(layers: Sequence[Layer]) -> Dim:
    tensors = [layers[0].in_scalars, *(layer.out_scalars for layer in layers)]
    until = [0] * len(tensors)  # the last layer that reads each
    for place, layer in enumerate(layers):
        for back in layer.reads:
            until[place + 1 + back] = place
    peak: Dim = 0
    for place in range(len(layers)):
        alive = sum(tensors[at] for at in range(place + 1) if until[at] >= place) + tensors[place + 1]
        peak = np.maximum(peak, alive)
    return peak


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


def separable(channels: Pair, stride: int, size: Dim, kernel: Dim = 3) -> Block:
    """Depthwise separable convolution (section 3.1 of arXiv:1704.04861): per channel, then across them."""
    first = depthwise("dw", channels[0], size, kernel, stride)
    return Block((first, conv("pw", channels, first.out_size)))


def standard(channels: Pair, stride: int, size: Dim, kernel: Dim = 3) -> Block:
    """One full convolution in place of a separable pair: the "Conv MobileNet" of Table 4."""
    return Block((conv("conv", channels, size, kernel, stride),))


def factorized(channels: Pair, stride: int, size: Dim, kernel: Dim = 3) -> Block:
    """N x 1, then 1 x N (Szegedy et al., arXiv:1512.00567, section 3.2); the stride is the first's."""
    first = conv("column", channels, size, (kernel, 1), stride)
    # The unpadded side of a column is one pixel wide: sizes agree for every stride.
    return Block((first, conv("row", (channels[1], channels[1]), first.out_size, (1, kernel))))


SQUEEZE = 8  # SqueezeNet's squeeze ratio 0.125 (arXiv:1602.07360, section 4)


def fire(channels: Pair, stride: int, size: Dim, kernel: Dim = 3) -> Block:
    """SqueezeNet's module (arXiv:1602.07360, section 3.2), with normalisation as all blocks here.

    A squeeze to an eighth of the output, then half of it by 1x1, half by the kernel; the stride is theirs.
    """
    squeezed = at_least_1(channels[1] // SQUEEZE)
    halves = channels[1] // 2, channels[1] - channels[1] // 2
    return fire_module((channels[0], squeezed, *halves), stride, size, kernel)


def fire_module(
    channels: tuple[Dim, Dim, Dim, Dim], stride: int, size: Dim, kernel: Dim = 3, norm: bool = True
) -> Block:
    """The same of any channels: of the input, squeezed, expanded by 1x1, expanded by the kernel."""
    wide, squeezed, small, large = channels
    first = conv("squeeze", (wide, squeezed), size, norm=norm)
    ones = conv("expand1", (squeezed, small), size, stride=stride, norm=norm)
    others = conv("expand3", (squeezed, large), size, kernel, stride, norm=norm, reads=(-2,))
    return Block((first, ones, others, concat("concat", small + large, ones.out_size, (-2, -1), small)))


NARROW = 4  # ResNet's bottlenecks have a quarter of the channels


def bottleneck(channels: Pair, stride: int, size: Dim, kernel: Dim = 3) -> Block:
    """ResNet's 1x1, 3x3, 1x1 (He et al., arXiv:1512.03385, figure 5), and its input where shapes agree."""
    narrow = at_least_1(channels[1] // NARROW)
    first = conv("reduce", (channels[0], narrow), size)
    second = conv("conv", (narrow, narrow), size, kernel, stride)
    third = conv("expand", (narrow, channels[1]), second.out_size, activation="")
    return residual((first, second, third), stride, activation="relu")


EXPANSION = 6  # MobileNet v2's


def inverted_residual(channels: Pair, stride: int, size: Dim, kernel: Dim = 3) -> Block:
    """MobileNet v2's block (Sandler et al., arXiv:1801.04381, table 1), with v2's expansion of 6."""
    return expanded(channels, EXPANSION * channels[0], stride, size, kernel)


def expanded(
    channels: Pair,
    wide: Dim | None,
    stride: int,
    size: Dim,
    kernel: Dim = 3,
    *,
    activation: str = "relu6",
    squeezed: Dim | None = None,
) -> Block:
    """The same of any expansion: 1x1, depthwise, 1x1, and the input where shapes agree.

    wide: channels in between; None: those of the input, without the first 1x1. squeezed: those of a gate
        before the last 1x1, as in MobileNet v3 (arXiv:1905.02244, figure 4); None: no gate.
    """
    layers = [] if wide is None else [conv("expand", (channels[0], wide), size, activation=activation)]
    wide = channels[0] if wide is None else wide
    layers.append(depthwise("dw", wide, size, kernel, stride, activation))
    size = layers[-1].out_size
    layers += [] if squeezed is None else squeeze_excite(wide, squeezed, size)
    return residual((*layers, conv("project", (wide, channels[1]), size, activation="")), stride)


def residual(layers: tuple[Layer, ...], stride: int, activation: str = "") -> Block:
    """Layers, and their input added to what they give, where that has the same shape.

    activation: what follows last, whether anything is added or not. (Of a grid, it stands at the sum: where
        it stands costs nothing.)
    """
    first, last = layers[0], layers[-1]
    there = equal(first.in_channels, last.out_channels) if stride == 1 else np.False_
    plain = Block((*layers[:-1], replace(last, activation=activation or last.activation)))
    if not np.any(there):
        return plain
    junction = add("add", last.out_channels, last.out_size, -1 - len(layers), activation, where=there)
    return Block((*layers, replace(junction, where=True) if np.all(there) else junction))


def at_least_1(channels: Dim) -> Dim:
    """Channels, never none."""
    return np.maximum(channels, 1) if isinstance(channels, np.ndarray) else max(channels, 1)


# name -> ((in, out) channels, stride, input size, kernel) -> the block
BLOCKS = {
    "separable": separable,
    "standard": standard,
    "factorized": factorized,
    "fire": fire,
    "bottleneck": bottleneck,
    "inverted_residual": inverted_residual,
}
