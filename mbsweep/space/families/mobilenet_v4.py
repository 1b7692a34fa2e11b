"""MobileNet v4: Qin et al., "MobileNetV4: Universal Models for the Mobile Ecosystem", arXiv:2404.10518."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block, residual
from mbsweep.space.channels import make_divisible
from mbsweep.space.conventions import CONVENTIONS, as_said
from mbsweep.space.families.family import Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, WIDTH
from mbsweep.space.layers import Dim, Layer, Pair, conv, depthwise, linear, squeeze

STEM_CHANNELS, LAST_CHANNELS, HIDDEN_CHANNELS = 32, 960, 1280


class _Fused(NamedTuple):
    """A full 3x3 convolution of stride 2, then a 1x1."""

    wide: float  # channels in between at width 1; or, of a linear one, how many times those of the input
    channels: int  # that it gives, at width 1
    is_linear: bool = False  # whether nothing follows the 1x1

    def block(self, channels: Dim, width: Dim, size: Dim) -> Block:
        """At some width, of a map of some size."""
        wide = make_divisible(self.wide * (channels if self.is_linear else width))
        first = conv("expand", (channels, wide), size, 3, 2)
        out_channels = make_divisible(self.channels * width)
        activation = "" if self.is_linear else "relu"
        return Block((first, conv("project", (wide, out_channels), first.out_size, activation=activation)))


class _Universal(NamedTuple):
    """The universal inverted bottleneck (section 3.2): two 1x1, depthwise layers before or between them."""

    before: int  # kernel of the depthwise layer before the first 1x1; 0: there is none
    between: int  # of that between them
    expansion: int
    channels: int
    stride: int = 1
    times: int = 1

    def block(self, channels: Pair, stride: int, size: Dim) -> Block:
        """From and to some channels, of a map of some size."""
        layers: list[Layer] = []
        if self.before:
            layers.append(
                depthwise("start", channels[0], size, self.before, 1 if self.between else stride, "")
            )
            size = layers[-1].out_size
        wide = make_divisible(channels[0] * self.expansion)
        layers.append(conv("expand", (channels[0], wide), size))
        if self.between:
            layers.append(depthwise("dw", wide, size, self.between, stride))
            size = layers[-1].out_size
        layers.append(conv("project", (wide, channels[1]), size, activation=""))
        return residual(tuple(layers), stride)


# Tables 11 and 12
_SMALL = (
    _Fused(32, 32),
    _Fused(96, 64),
    _Universal(5, 5, 3, 96, 2),
    _Universal(0, 3, 2, 96, times=4),
    _Universal(3, 0, 4, 96),
    _Universal(3, 3, 6, 128, 2),
    _Universal(5, 5, 4, 128),
    _Universal(0, 5, 4, 128),
    _Universal(0, 5, 3, 128),
    _Universal(0, 3, 4, 128, times=2),
)
_MEDIUM = (
    _Fused(4, 48, is_linear=True),
    _Universal(3, 5, 4, 80, 2),
    _Universal(3, 3, 2, 80),
    _Universal(3, 5, 6, 160, 2),
    _Universal(3, 3, 4, 160, times=2),
    _Universal(3, 5, 4, 160),
    _Universal(3, 3, 4, 160),
    _Universal(3, 0, 4, 160),
    _Universal(0, 0, 2, 160),
    _Universal(3, 0, 4, 160),
    _Universal(5, 5, 6, 256, 2),
    _Universal(5, 5, 4, 256),
    _Universal(3, 5, 4, 256, times=2),
    _Universal(0, 0, 4, 256),
    _Universal(3, 0, 4, 256),
    _Universal(3, 5, 2, 256),
    _Universal(5, 5, 4, 256),
    _Universal(0, 0, 4, 256, times=2),
    _Universal(5, 0, 2, 256),
)


def _of(rows: Sequence[_Fused | _Universal]) -> Callable[[Any], Architecture]:
    """The build function of a table.

    At other widths as in timm, where such networks were trained: the first layer is never narrower than at
    width 1, the layer after pooling as wide at every width.
    """

    def build(fields: Any) -> Architecture:
        channels = make_divisible(STEM_CHANNELS * np.maximum(1.0, fields.width))
        stem = conv("", (IMAGE_CHANNELS, channels), fields.resolution, 3, 2)
        stages, size = [Stage("stem", Block((stem,)))], stem.out_size
        for row in rows:
            if isinstance(row, _Fused):
                stage = Stage("block", row.block(channels, fields.width, size))
            else:
                out_channels = make_divisible(row.channels * fields.width)
                first = row.block((channels, out_channels), row.stride, size)
                rest = row.block((out_channels, out_channels), 1, first.out_size) if row.times > 1 else None
                stage = Stage("block", first, rest, row.times - 1)
            channels, size = stage.first.out_channels, stage.first.out_size
            stages.append(stage)
        wide = make_divisible(LAST_CHANNELS * fields.width)
        head = (
            squeeze("pool", wide, size),
            conv("hidden", (wide, HIDDEN_CHANNELS), 1),
            linear("classifier", (HIDDEN_CHANNELS, fields.num_classes)),
        )
        last = Stage("last", Block((conv("", (channels, wide), size),)))
        return Architecture((*stages, last, Stage("", Block(head))))

    return build


_FIELDS = {"width": WIDTH, "resolution": RESOLUTION, "num_classes": NUM_CLASSES, **CONVENTIONS}
MOBILENET_V4_CONV_SMALL = Family(
    "mobilenet_v4_conv_small",
    _FIELDS,
    as_said(_of(_SMALL)),
    "Qin et al., MobileNetV4, arXiv:2404.10518, MNv4-Conv-S",
)
MOBILENET_V4_CONV_MEDIUM = Family(
    "mobilenet_v4_conv_medium",
    _FIELDS,
    as_said(_of(_MEDIUM)),
    "Qin et al., MobileNetV4, arXiv:2404.10518, MNv4-Conv-M",
)
