"""Layers, and the blocks that bodies are made of: the only arithmetic on shapes in mbsweep.

Every number may be an int, or an array with one element for each point of a grid: numpy adds and multiplies
both alike, so that one description of a network counts it, and a space of a million of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Dim = Any  # int, or an NDArray[np.int64] of one network for each element


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: a convolution with its batch normalisation and ReLU, the pooling, or the classifier.

    Layers of the same shapes are equal, whatever their names. Sizes are the height and width in pixels
    (inputs are square).
    """

    name: str = field(compare=False)  # within its block; in `Architecture.layers`, within the network
    kind: str  # a key of KINDS
    kernel: Dim
    stride: int
    in_channels: Dim
    out_channels: Dim
    in_size: Dim
    out_size: Dim

    def named(self, name: str) -> Layer:
        """The same under another name. (`dataclasses.replace` takes three times as long.)"""
        channels, sizes = (self.in_channels, self.out_channels), (self.in_size, self.out_size)
        return Layer(name, self.kind, self.kernel, self.stride, *channels, *sizes)

    @property
    def weights(self) -> Dim:
        """Scalars in the kernel or matrix, without bias and batch normalisation."""
        if self.kind == "avg_pool":
            return 0
        inputs_per_output = 1 if self.kind == "conv_dw" else self.in_channels
        return self.kernel**2 * inputs_per_output * self.out_channels

    @property
    def is_normalised(self) -> bool:
        """Whether batch normalisation follows: after every convolution."""
        return self.kind not in ("avg_pool", "fc")

    @property
    def params(self) -> Dim:
        """Trainable scalars: the weights, and scale and shift of batch normalisation or the bias."""
        if self.kind == "avg_pool":
            return 0
        return self.weights + self.out_channels * (2 if self.is_normalised else 1)

    @property
    def macs(self) -> Dim:
        """Multiply-adds for one image (equations 2 and 4 of arXiv:1704.04861): weights x output positions."""
        return self.weights * self.out_size**2

    @property
    def activations(self) -> Dim:
        """Scalars alive while this layer runs: its input and its output."""
        return self.in_channels * self.in_size**2 + self.out_channels * self.out_size**2


@dataclass(frozen=True, slots=True)
class Block:
    """Layers that follow one another and run as a unit: what a runtime fuses, and what is timed alone."""

    layers: tuple[Layer, ...]

    @property
    def key(self) -> str:
        """All that its cost depends on, as text that is stable over versions: for a cache.

        Kind, kernel, stride, channels and sizes of each layer: `conv_dw:3:1:32-32:112-112+conv_pw:...`.
        """
        return "+".join(
            f"{layer.kind}:{layer.kernel}:{layer.stride}:{layer.in_channels}-{layer.out_channels}"
            f":{layer.in_size}-{layer.out_size}"
            for layer in self.layers
        )

    @property
    def macs(self) -> Dim:
        """Multiply-adds for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def params(self) -> Dim:
        """Trainable scalars."""
        return sum(layer.params for layer in self.layers)

    @property
    def peak(self) -> Dim:
        """Scalars alive at once, at most: the largest input and output of a layer, BN and ReLU in place."""
        peak = self.layers[0].activations
        for layer in self.layers[1:]:
            peak = np.maximum(peak, layer.activations)
        return peak

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
        return self.layers[0].in_channels * self.layers[0].in_size ** 2

    @property
    def out_scalars(self) -> Dim:
        """Scalars that it writes, for one image."""
        return self.out_channels * self.out_size**2


# kind -> the name that Tables 1 and 2 of the paper give it
KINDS = {
    "conv": "Conv 3x3",
    "conv_dw": "Conv DW 3x3",
    "conv_pw": "Conv 1x1",
    "avg_pool": "Avg Pool",
    "fc": "Fully Connected",
}


def conv(name: str, kind: str, kernel: int, stride: int, channels: tuple[Dim, Dim], size: Dim) -> Layer:
    """A convolution padded by kernel // 2: a stride of 2 turns n pixels into ceil(n / 2)."""
    out_size = (size + 2 * (kernel // 2) - kernel) // stride + 1
    return Layer(name, kind, kernel, stride, *channels, size, out_size)


def separable(channels: tuple[Dim, Dim], stride: int, size: Dim) -> Block:
    """Depthwise separable convolution (section 3.1): 3x3 per channel, then 1x1 across the channels."""
    depthwise = conv("dw", "conv_dw", 3, stride, (channels[0], channels[0]), size)
    return Block((depthwise, conv("pw", "conv_pw", 1, 1, channels, depthwise.out_size)))


def standard(channels: tuple[Dim, Dim], stride: int, size: Dim) -> Block:
    """One full 3x3 convolution in place of a separable pair: the "Conv MobileNet" of Table 4."""
    return Block((conv("conv", "conv", 3, stride, channels, size),))


# name -> ((in, out) channels, stride, input size) -> the block
BLOCKS: dict[str, Callable[[tuple[Dim, Dim], int, Dim], Block]] = {
    "separable": separable,
    "standard": standard,
}
