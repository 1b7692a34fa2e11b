"""AlexNet in one tower: Krizhevsky, "One weird trick for parallelizing ...", arXiv:1404.5997."""

from __future__ import annotations

from typing import Any

from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.channels import make_divisible
from mbsweep.space.families.family import Family
from mbsweep.space.fields import NUM_CLASSES, RESOLUTION, WIDTH
from mbsweep.space.layers import conv, linear, max_pool

# channels, kernel, whether the largest of each 3x3 window follows
_LAYERS = ((192, 5, True), (384, 3, False), (256, 3, False), (256, 3, True))
STEM_CHANNELS, HIDDEN_CHANNELS = 64, 4096


def _build(fields: Any) -> Architecture:
    """Five convolutions and three linear layers; the first of these takes the whole map."""

    def wide(channels: int) -> Any:
        return make_divisible(channels * fields.width)

    channels = wide(STEM_CHANNELS)
    stem = conv("conv", (IMAGE_CHANNELS, channels), fields.resolution, 11, 4, padding=2, norm=False)
    pool = max_pool("pool", channels, stem.out_size, 3, 2)
    stages, size = [Stage("stem", Block((stem, pool)))], pool.out_size
    for base, kernel, is_pooled in _LAYERS:
        layer = conv("conv", (channels, wide(base)), size, kernel, norm=False)
        channels = layer.out_channels
        block = Block((layer, max_pool("pool", channels, size, 3, 2)) if is_pooled else (layer,))
        size = block.out_size
        stages.append(Stage("block", block))
    return Architecture((*stages, *hidden_layers(channels, size, wide(HIDDEN_CHANNELS), fields.num_classes)))


def hidden_layers(channels: Any, size: Any, hidden: Any, num_classes: int) -> tuple[Stage, ...]:
    """Three linear layers, each a block: what they weigh is most of the network."""
    first = linear("", (channels, hidden), size, "relu")
    second = linear("", (hidden, hidden), activation="relu")
    last = linear("classifier", (hidden, num_classes))
    return Stage("fc", Block((first,))), Stage("fc", Block((second,))), Stage("", Block((last,)))


ALEXNET = Family(
    "alexnet",
    {"width": WIDTH, "resolution": RESOLUTION, "num_classes": NUM_CLASSES},
    _build,
    "Krizhevsky, One weird trick for parallelizing convolutional neural networks, arXiv:1404.5997",
    least_resolution=63,
)
