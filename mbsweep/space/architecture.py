"""Variant -> Architecture: every rounding decision, and the papers' tables of layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbsweep.space.blocks import BLOCKS, Layer, conv

if TYPE_CHECKING:  # Variant checks its family against FAMILIES below, so it imports this module
    from mbsweep.space.variant import Variant

IMAGE_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Architecture:
    """The ordered layers of one network, from the image to the logits."""

    layers: tuple[Layer, ...]

    @property
    def params(self) -> int:
        """Trainable scalars."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutional and linear layers for one image."""
        return sum(layer.macs for layer in self.layers)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor`, but never less than 90 % of `channels`.

    The rounding of MobileNetV2's reference code. At the paper's four widths it changes nothing; 32
    channels at alpha = 0.35 give 11.2 -> 16, not 8. A divisor of 1 rounds to the nearest whole number,
    whatever that is in percent.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if divisor > 1 and rounded < 0.9 * channels else rounded


# Table 1 (arXiv:1704.04861), body after the stem. The 14x14 block that the paper repeats five times is
# written once, with REPEATED for its count. The paper prints stride 2 for the last depthwise layer, too;
# its sizes (7x7 in, 7x7 out) and its mult-adds hold only with stride 1.
REPEATED = -1
_V1_STEM_CHANNELS = 32
_V1_BODY = (
    # s  stage  times     input at 224 px
    (1, 0, 1),  #         112 x 112 x 32
    (2, 1, 1),  #         112 x 112 x 64
    (1, 1, 1),  #         56 x 56 x 128
    (2, 2, 1),  #         56 x 56 x 128
    (1, 2, 1),  #         28 x 28 x 256
    (2, 3, 1),  #         28 x 28 x 256
    (1, 3, REPEATED),  #  14 x 14 x 512
    (2, 4, 1),  #         14 x 14 x 512
    (1, 4, 1),  #         7 x 7 x 1024
)


def mobilenet_v1(variant: Variant) -> Architecture:
    """MobileNet v1 (Table 1 of arXiv:1704.04861), at any width, resolution, depth, block and stage widths."""
    block = BLOCKS[variant.block]
    channels = make_divisible(_V1_STEM_CHANNELS * variant.width, variant.divisor)
    layers = [conv("stem", "conv", 3, variant.stem_stride, (IMAGE_CHANNELS, channels), variant.resolution)]
    number = 0
    for stride, stage, times in _V1_BODY:
        out_channels = make_divisible(variant.stage_channels[stage] * variant.width, variant.divisor)
        for _ in range(variant.depth if times == REPEATED else times):
            number += 1
            layers += block(f"block{number}", (channels, out_channels), stride, layers[-1].out_size)
            channels = out_channels
    size = layers[-1].out_size
    layers.append(Layer("pool", "avg_pool", size, 1, channels, channels, size, 1))
    layers.append(Layer("classifier", "fc", 1, 1, channels, variant.num_classes, 1, 1))
    return Architecture(tuple(layers))


def repeated_layers(variant: Variant) -> range:
    """Places of the layers that networks of another depth do not have, or have more of."""
    per_block = len(BLOCKS[variant.block]("", (1, 1), 1, 1))
    before = [times for _, _, times in _V1_BODY].index(REPEATED)
    start = 1 + per_block * sum(times for _, _, times in _V1_BODY[:before])
    return range(start, start + per_block * variant.depth)


# The counting of whole spaces relies on three things: a layer's channels do not depend on the resolution, its
# sizes do not depend on the width, and from depth 2 on one more block always adds the same layers.
FAMILIES: dict[str, Callable[[Variant], Architecture]] = {
    "mobilenet_v1": mobilenet_v1,
}


def architecture(variant: Variant) -> Architecture:
    """The ordered layers of a variant."""
    return FAMILIES[variant.family](variant)
