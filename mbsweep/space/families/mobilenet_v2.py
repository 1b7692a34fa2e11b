"""MobileNet v2: Sandler et al., "Inverted Residuals and Linear Bottlenecks", arXiv:1801.04381."""

from __future__ import annotations

from typing import Any

import numpy as np

from mbsweep.base.rules import integer
from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.blocks import expanded
from mbsweep.space.channels import make_divisible
from mbsweep.space.conventions import CONVENTIONS, as_said
from mbsweep.space.families.family import Family
from mbsweep.space.families.stage_widths import stage_channels, stage_widths
from mbsweep.space.fields import DIVISOR, KERNEL, NUM_CLASSES, RESOLUTION, WIDTH, Field, stage_depths
from mbsweep.space.layers import avg_pool, conv, linear

STEM_CHANNELS, LAST_CHANNELS = 32, 1280
# Table 2: of each stage its channels, how many blocks it has, and the stride of the first.
_CHANNELS = (16, 24, 32, 64, 96, 160, 320)
_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)


def _build(fields: Any) -> Architecture:
    """Table 2 of arXiv:1801.04381 at any width, resolution, expansion, channels, depth and kernel.

    As in the reference code, the first stage does not expand, and the last convolution is never narrower than
    at width 1.
    """

    def block(channels: tuple[Any, Any], stride: int, expansion: int) -> Block:
        wide = channels[0] * expansion if expansion > 1 else None
        return expanded(channels, wide, stride, size, fields.kernel)

    channels = make_divisible(STEM_CHANNELS * fields.width, fields.divisor)
    stem = conv("", (IMAGE_CHANNELS, channels), fields.resolution, 3, 2, activation="relu6")
    stages, size = [Stage("stem", Block((stem,)))], stem.out_size
    expansion = 1
    for base, blocks, stride in zip(fields.stage_channels, fields.stage_depths, _STRIDES, strict=True):
        out_channels = make_divisible(base * fields.width, fields.divisor)
        first = block((channels, out_channels), stride, expansion)
        channels, size = out_channels, first.out_size
        stages.append(Stage("block", first, block((channels, channels), 1, expansion), blocks - 1))
        expansion = fields.expansion
    wide = make_divisible(LAST_CHANNELS * np.maximum(1.0, fields.width), fields.divisor)
    last = conv("", (channels, wide), size, activation="relu6")
    head = avg_pool("pool", wide, size), linear("classifier", (wide, fields.num_classes))
    return Architecture((*stages, Stage("last", Block((last,))), Stage("", Block(head))))


MOBILENET_V2 = Family(
    "mobilenet_v2",
    {
        "width": WIDTH,
        "resolution": RESOLUTION,
        "expansion": Field(
            integer(1, 16, 6),
            6,
            "Expansion",
            "How many times wider a block is inside; 1 leaves out its first layer.",
            tag="e",
            is_structural=True,
        ),
        "stage_depths": stage_depths(*_BLOCKS),
        "kernel": KERNEL,
        "num_classes": NUM_CLASSES,
        "divisor": DIVISOR,
        **CONVENTIONS,
        "stage_channels": stage_channels(_CHANNELS).but(is_added=True),
    },
    as_said(_build),
    "Sandler et al., MobileNetV2, arXiv:1801.04381, Table 2",
    is_elastic=True,
    aliases={"stage_widths": stage_widths(_CHANNELS)},
)
