"""GoogLeNet: Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842."""

from __future__ import annotations

from typing import Any

from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.channels import make_divisible
from mbsweep.space.families.family import Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, WIDTH
from mbsweep.space.layers import Dim, avg_pool, concat, conv, linear, max_pool

# Table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj; and the kernel of the pooling of stride 2
# that follows, if any
_MODULES = (
    ((64, 96, 128, 16, 32, 32), 0),
    ((128, 128, 192, 32, 96, 64), 3),
    ((192, 96, 208, 16, 48, 64), 0),
    ((160, 112, 224, 24, 64, 64), 0),
    ((128, 128, 256, 24, 64, 64), 0),
    ((112, 144, 288, 32, 64, 64), 0),
    ((256, 160, 320, 32, 128, 128), 2),
    ((256, 160, 320, 32, 128, 128), 0),
    ((384, 192, 384, 48, 128, 128), 0),
)


def inception(channels: Dim, wide: tuple[Dim, ...], size: Dim, pool: int = 0) -> Block:
    """Figure 2b: four ways through the map, and their channels together.

    wide: as in the table. pool: kernel of the pooling that follows. Where the paper has a 5x5, there is a
    3x3, as in the weights that are around (TF-Slim's and torchvision's).
    """
    ones, small, threes, tiny, fives, pooled = wide
    ways = (
        conv("ones", (channels, ones), size),
        conv("reduce3", (channels, small), size, reads=(-2,)),
        conv("conv3", (small, threes), size, 3),
        conv("reduce5", (channels, tiny), size, reads=(-4,)),
        conv("conv5", (tiny, fives), size, 3),
        max_pool("pool", channels, size, 3, 1, 1, reads=(-6,)),
        conv("project", (channels, pooled), size),
    )
    together = concat("concat", ones + threes + fives + pooled, size, (-7, -5, -3, -1), ones)
    after = (max_pool("after", together.out_channels, size, pool, 2, ceil=True),) if pool else ()
    return Block((*ways, together, *after))


def _build(fields: Any) -> Architecture:
    """Table 1 with batch normalisation, and without the two classifiers that helped to train it."""

    def wide(channels: int) -> Any:
        return make_divisible(channels * fields.width)

    first = conv("conv", (IMAGE_CHANNELS, wide(64)), fields.resolution, 7, 2)
    pool = max_pool("pool", wide(64), first.out_size, 3, 2, ceil=True)
    reduce = conv("reduce", (wide(64), wide(64)), pool.out_size)
    second = conv("conv", (wide(64), wide(192)), pool.out_size, 3)
    after = max_pool("pool", wide(192), pool.out_size, 3, 2, ceil=True)
    stages = [Stage("stem", Block((first, pool))), Stage("stem", Block((reduce, second, after)))]
    channels, size = after.out_channels, after.out_size
    for module, kernel in _MODULES:
        block = inception(channels, tuple(wide(one) for one in module), size, kernel)
        channels, size = block.out_channels, block.out_size
        stages.append(Stage("block", block))
    head = avg_pool("pool", channels, size), linear("classifier", (channels, fields.num_classes))
    return Architecture((*stages, Stage("", Block(head))))


GOOGLENET = Family(
    "googlenet",
    {"width": WIDTH, "resolution": RESOLUTION, "num_classes": NUM_CLASSES},
    _build,
    "Szegedy et al., Going deeper with convolutions, arXiv:1409.4842, Table 1",
    least_resolution=15,
)
