"""MobileNet v1: Howard et al., "MobileNets", arXiv:1704.04861."""

from __future__ import annotations

from typing import Any

from mbsweep.base.rules import choice, integer
from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.channels import make_divisible
from mbsweep.space.conventions import CONVENTIONS, as_said
from mbsweep.space.families.family import Family
from mbsweep.space.families.stage_widths import stage_channels, stage_widths
from mbsweep.space.fields import (
    ACTIVATION,
    DIVISOR,
    NUM_CLASSES,
    RESOLUTION,
    STEM_STRIDE,
    WIDTH,
    Field,
    kernels,
    stage_depths,
)
from mbsweep.space.layers import avg_pool, conv, linear

STEM_CHANNELS = 32
# Table 1, body after the stem: of each stage its channels, how many blocks it has, and the stride of the
# first. The paper prints stride 2 for the last depthwise layer, too; its sizes (7x7 in, 7x7 out) and its
# mult-adds hold only with stride 1.
_CHANNELS = (64, 128, 256, 512, 1024)
_BLOCKS = (1, 2, 2, 6, 2)
_STRIDES = (1, 2, 2, 2, 2)
REPEATED = 3  # the stage of which `depth` says how often its block is repeated


def _build(fields: Any) -> Architecture:
    """Table 1 of arXiv:1704.04861 at any width, resolution, depth, block, channels, kernels."""
    block = BLOCKS[fields.block]
    channels = make_divisible(STEM_CHANNELS * fields.width, fields.divisor)
    stem = conv("", (IMAGE_CHANNELS, channels), fields.resolution, 3, fields.stem_stride)
    stages, size = [Stage("stem", Block((stem,)))], stem.out_size
    of_stages = zip(fields.stage_channels, fields.stage_depths, fields.kernels, _STRIDES, strict=True)
    for wide, blocks, kernel, stride in of_stages:
        out_channels = make_divisible(wide * fields.width, fields.divisor)
        first = block((channels, out_channels), stride, size, kernel)
        channels, size = out_channels, first.out_size
        stages.append(Stage("block", first, block((channels, channels), 1, size, kernel), blocks - 1))
    head = avg_pool("pool", channels, size), linear("classifier", (channels, fields.num_classes))
    return Architecture((*stages, Stage("", Block(head))))


MOBILENET_V1 = Family(
    "mobilenet_v1",
    {
        "width": WIDTH,
        "resolution": RESOLUTION,
        "depth": Field(
            integer(0, 10_000, 5),
            5,
            "Depth",
            "How often the 14x14, 512-channel block is repeated.",
            "blocks",
            "d",
            is_always=True,
            elastic="prefix",
        ),
        "block": Field(choice(BLOCKS), "separable", "Block", f"{', '.join(BLOCKS)}.", is_structural=True),
        "stage_channels": stage_channels(_CHANNELS),
        "num_classes": NUM_CLASSES,
        "divisor": DIVISOR,
        "stem_stride": STEM_STRIDE,
        "stage_depths": stage_depths(*_BLOCKS).but(follows=("depth", REPEATED, 1), is_added=True),
        "kernels": kernels(5).but(is_added=True),
        **CONVENTIONS,
        "activation": ACTIVATION,
    },
    as_said(_build),
    "Table 1 of arXiv:1704.04861",
    is_elastic=True,
    aliases={"stage_widths": stage_widths(_CHANNELS)},
)
