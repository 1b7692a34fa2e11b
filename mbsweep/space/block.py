"""A block: a small graph of layers, which runs as a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mbsweep.space.layers import V1_KINDS, Dim, Layer, add, equal


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
        "same": (layer.same, False),
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
