"""The blocks that a body may be made of: a function each, and a line in BLOCKS."""

from __future__ import annotations

from mbsweep.space.block import Block, residual
from mbsweep.space.layers import Dim, Pair, at_least_1, concat, conv, depthwise, squeeze_excite


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


# name -> ((in, out) channels, stride, input size, kernel) -> the block
BLOCKS = {
    "separable": separable,
    "standard": standard,
    "factorized": factorized,
    "fire": fire,
    "bottleneck": bottleneck,
    "inverted_residual": inverted_residual,
}
