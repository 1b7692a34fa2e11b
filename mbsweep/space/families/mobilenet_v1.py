"""MobileNet v1: Howard et al., "MobileNets", arXiv:1704.04861."""

from __future__ import annotations

from typing import Any

from mbsweep.base.rules import Rule, choice, integer, integers, listed, number
from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.channels import make_divisible
from mbsweep.space.conventions import CONVENTIONS, as_said
from mbsweep.space.families.family import Alias, Family
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


def _channels(widths: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of multipliers of each stage its channels at width 1; whole ones as whole numbers."""
    wide = [base * width for base, width in zip(_CHANNELS, widths, strict=True)]
    return tuple(int(one) if isinstance(one, float) and one.is_integer() else one for one in wide)


_MULTIPLIER = number(0, 8, 0.75)
_WHOLE = integers(5, 1, 8192, _CHANNELS)


def _stage_channels(value: object) -> tuple[Any, ...]:
    """Whole numbers; or what multipliers make of them, before they are rounded."""
    if not isinstance(value, list | tuple):
        raise ValueError
    split = [one for one in value if isinstance(one, float) and not one.is_integer() and 0 < one <= 8192]
    whole = iter(_WHOLE.parse([_CHANNELS[0] if one in split else one for one in value]))
    return tuple(one if one in split else next_ for one, next_ in zip(value, whole, strict=True))


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
        "stage_channels": Field(
            Rule(_WHOLE.expected, _stage_channels),
            _CHANNELS,
            "Stage channels at width 1",
            "Channels of the five stages at width 1.",
            tag="c",
            stages=5,
            item=integer(1, 8192, 64),
            elastic="prefix",
        ),
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
    aliases={
        "stage_widths": Alias(
            "stage_channels",
            Field(
                listed(_MULTIPLIER, (1.0, 1.0, 0.75, 1.0, 1.0)),
                (1.0,) * 5,
                "Width multipliers of the stages",
                "Width multiplier of each stage, beside that of all.",
                stages=5,
                item=_MULTIPLIER,
            ),
            _channels,
        )
    },
)
