"""MobileNet v1: Howard et al., "MobileNets", arXiv:1704.04861."""

from __future__ import annotations

from typing import Any

import numpy as np

from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.blocks import BLOCKS, Block, Dim, Layer, conv


def make_divisible(channels: Any, divisor: int = 8) -> Dim:
    """Nearest multiple of `divisor`, but never less than 90 % of `channels`, which may be an array.

    The rounding of MobileNetV2's reference code. At the paper's four widths it changes nothing; 32
    channels at alpha = 0.35 give 11.2 -> 16, not 8. A divisor of 1 rounds to the nearest whole number,
    whatever that is in percent.
    """
    if not isinstance(channels, np.ndarray):  # a tenth of the time
        one = max(divisor, int(channels + divisor / 2) // divisor * divisor)
        return one + divisor if divisor > 1 and one < 0.9 * channels else one
    rounded = np.maximum(divisor, (channels + divisor / 2).astype(np.int64) // divisor * divisor)
    return np.where((divisor > 1) & (rounded < 0.9 * channels), rounded + divisor, rounded)


STEM_CHANNELS = 32
# Table 1, body after the stem: of each stage the stride of its first block, and how many follow at stride 1.
# The paper prints stride 2 for the last depthwise layer, too; its sizes (7x7 in, 7x7 out) and its mult-adds
# hold only with stride 1.
DEPTH = -1
_BODY = (
    # s  more         input at 224 px, output channels
    (1, 0),  #        112 x 112 x 32, 64
    (2, 1),  #        112 x 112 x 64, 128
    (2, 1),  #        56 x 56 x 128, 256
    (2, DEPTH),  #    28 x 28 x 256, 512
    (2, 1),  #        14 x 14 x 512, 1024
)


def mobilenet_v1(fields: Any) -> Architecture:
    """Table 1 of arXiv:1704.04861 at any width, resolution, depth, block and stage widths.

    fields: a Variant; or the same with arrays for width, resolution and depth.
    """
    block = BLOCKS[fields.block]
    channels = make_divisible(STEM_CHANNELS * fields.width, fields.divisor)
    stem = conv("", "conv", 3, fields.stem_stride, (IMAGE_CHANNELS, channels), fields.resolution)
    stages, size = [Stage("stem", Block((stem,)))], stem.out_size
    for (stride, more), wide in zip(_BODY, fields.stage_channels, strict=True):
        out_channels = make_divisible(wide * fields.width, fields.divisor)
        first = block((channels, out_channels), stride, size)
        channels, size = out_channels, first.out_size
        rest = block((channels, channels), 1, size) if more else None
        stages.append(Stage("block", first, rest, fields.depth if more == DEPTH else more))
    pool = Layer("pool", "avg_pool", size, 1, channels, channels, size, 1)
    classifier = Layer("classifier", "fc", 1, 1, channels, fields.num_classes, 1, 1)
    return Architecture((*stages, Stage("", Block((pool, classifier)))))
