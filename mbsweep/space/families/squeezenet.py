"""SqueezeNet: Iandola et al., arXiv:1602.07360; and version 1.1 of its authors' repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.blocks import fire_module
from mbsweep.space.channels import make_divisible
from mbsweep.space.families.family import Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, WIDTH
from mbsweep.space.layers import avg_pool, conv, max_pool

# Table 1: channels of each module's squeeze, and of each of its halves
_MODULES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))


def _of(stem_channels: int, kernel: int, pooled: tuple[int, ...]) -> Callable[[Any], Architecture]:
    """The build function of a version. pooled: the modules that a pooling follows, from 1."""

    def build(fields: Any) -> Architecture:
        def wide(channels: int) -> Any:
            return make_divisible(channels * fields.width)

        channels = wide(stem_channels)
        stem = conv("conv", (IMAGE_CHANNELS, channels), fields.resolution, kernel, 2, padding=0, norm=False)
        pool = max_pool("pool", channels, stem.out_size, 3, 2, ceil=True)
        stages, size = [Stage("stem", Block((stem, pool)))], pool.out_size
        for number, (squeezed, half) in enumerate(_MODULES, 1):
            block = fire_module((channels, wide(squeezed), wide(half), wide(half)), 1, size, norm=False)
            channels = block.out_channels
            if number in pooled:
                block = Block((*block.layers, max_pool("pool", channels, size, 3, 2, ceil=True)))
            size = block.out_size
            stages.append(Stage("block", block))
        classifier = conv("classifier", (channels, fields.num_classes), size, norm=False)
        head = Block((classifier, avg_pool("pool", fields.num_classes, size)))
        return Architecture((*stages, Stage("", head)))

    return build


_FIELDS = {"width": WIDTH, "resolution": RESOLUTION, "num_classes": NUM_CLASSES}
SQUEEZENET = Family(
    "squeezenet",
    _FIELDS,
    _of(96, 7, (3, 7)),
    "Iandola et al., SqueezeNet, arXiv:1602.07360, Table 1",
    least_resolution=21,
)
SQUEEZENET_1_1 = Family(
    "squeezenet_1_1",
    _FIELDS,
    _of(64, 3, (2, 4)),
    "Iandola et al., SqueezeNet 1.1, github.com/forresti/SqueezeNet",
    least_resolution=17,
)
