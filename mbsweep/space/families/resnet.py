"""ResNet: He et al., "Deep residual learning for image recognition", arXiv:1512.03385."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block, residual
from mbsweep.space.channels import make_divisible
from mbsweep.space.families.family import Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, WIDTH
from mbsweep.space.layers import Dim, Layer, Pair, add, avg_pool, conv, linear, max_pool

_CHANNELS = (64, 128, 256, 512)  # Table 1: of each stage, inside its blocks
_STRIDES = (1, 2, 2, 2)


def _basic(channels: Pair, narrow: Dim, stride: int, size: Dim) -> tuple[Layer, ...]:
    """Figure 5, left: two 3x3."""
    first = conv("conv1", (channels[0], narrow), size, 3, stride)
    return first, conv("conv2", (narrow, channels[1]), first.out_size, 3, activation="")


def _bottleneck(channels: Pair, narrow: Dim, stride: int, size: Dim) -> tuple[Layer, ...]:
    """Figure 5, right: 1x1, 3x3, 1x1. The stride is the 3x3's, as in all weights that are around."""
    first = conv("reduce", (channels[0], narrow), size)
    second = conv("conv", (narrow, narrow), size, 3, stride)
    return first, second, conv("expand", (narrow, channels[1]), second.out_size, activation="")


def _projected(layers: tuple[Layer, ...], stride: int) -> Block:
    """With the input added, by a 1x1 that gives it their shape (section 3.3, option B)."""
    first, last = layers[0], layers[-1]
    channels, back = (first.in_channels, last.out_channels), (-1 - len(layers),)
    shortcut = conv("shortcut", channels, first.in_size, stride=stride, activation="", reads=back)
    return Block((*layers, shortcut, add("add", channels[1], last.out_size, -2, "relu")))


def _of(
    layers: Callable[[Pair, Dim, int, Dim], tuple[Layer, ...]], expansion: int, blocks: tuple[int, ...]
) -> Callable[[Any], Architecture]:
    """The build function. expansion: how many times wider the blocks' output is. blocks: of each stage."""

    def build(fields: Any) -> Architecture:
        channels = make_divisible(_CHANNELS[0] * fields.width)
        stem = conv("conv", (IMAGE_CHANNELS, channels), fields.resolution, 7, 2)
        pool = max_pool("pool", channels, stem.out_size, 3, 2, 1)
        stages, size = [Stage("stem", Block((stem, pool)))], pool.out_size
        for base, stride, number in zip(_CHANNELS, _STRIDES, blocks, strict=True):
            narrow = make_divisible(base * fields.width)
            wide = expansion * narrow
            is_same = stride == 1 and expansion == 1  # then the input has the shape of the output
            inside = layers((channels, wide), narrow, stride, size)
            first = residual(inside, 1, "relu") if is_same else _projected(inside, stride)
            channels, size = wide, first.out_size
            rest = residual(layers((wide, wide), narrow, 1, size), 1, "relu")
            stages.append(Stage("block", first, rest, number - 1))
        head = avg_pool("pool", channels, size), linear("classifier", (channels, fields.num_classes))
        return Architecture((*stages, Stage("", Block(head))))

    return build


_FIELDS = {"width": WIDTH, "resolution": RESOLUTION, "num_classes": NUM_CLASSES}
RESNET18 = Family(
    "resnet18", _FIELDS, _of(_basic, 1, (2, 2, 2, 2)), "He et al., arXiv:1512.03385, Table 1, 18-layer"
)
RESNET50 = Family(
    "resnet50", _FIELDS, _of(_bottleneck, 4, (3, 4, 6, 3)), "He et al., arXiv:1512.03385, Table 1, 50-layer"
)
