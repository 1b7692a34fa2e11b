"""VGG: Simonyan and Zisserman, "Very deep convolutional networks", arXiv:1409.1556."""

from __future__ import annotations

from typing import Any

from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.channels import make_divisible
from mbsweep.space.families.alexnet import HIDDEN_CHANNELS, hidden_layers
from mbsweep.space.families.family import Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, WIDTH
from mbsweep.space.layers import conv, max_pool

# Table 1, configuration D: channels and 3x3 convolutions of each stage
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def _build(fields: Any) -> Architecture:
    """Thirteen convolutions and three linear layers; the first of these takes the whole map."""
    channels, size = IMAGE_CHANNELS, fields.resolution
    stages = []
    for base, convolutions in _STAGES:
        wide = make_divisible(base * fields.width)
        for number in range(1, convolutions + 1):
            layer = conv("conv", (channels, wide), size, 3, norm=False)
            pool = (max_pool("pool", wide, size, 2, 2),) if number == convolutions else ()
            stages.append(Stage("block", Block((layer, *pool))))
            channels = wide
        size = stages[-1].first.out_size
    hidden = make_divisible(HIDDEN_CHANNELS * fields.width)
    return Architecture((*stages, *hidden_layers(channels, size, hidden, fields.num_classes)))


VGG16 = Family(
    "vgg16",
    {"width": WIDTH, "resolution": RESOLUTION, "num_classes": NUM_CLASSES},
    _build,
    "Simonyan and Zisserman, arXiv:1409.1556, Table 1, D",
    least_resolution=32,
)
