"""MobileNet v3: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mbsweep.base.rules import flag
from mbsweep.space.architecture import IMAGE_CHANNELS, Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.blocks import expanded
from mbsweep.space.channels import make_divisible
from mbsweep.space.conventions import CONVENTIONS, as_said
from mbsweep.space.families.family import Family
from mbsweep.space.fields import DIVISOR, NUM_CLASSES, RESOLUTION, WIDTH, Field
from mbsweep.space.layers import avg_pool, conv, linear

STEM_CHANNELS = 16
SQUEEZE = 4  # a gate has a quarter of the channels that it gates
RELU, SWISH = "relu", "hard_swish"


class _Row(NamedTuple):
    """A block of Table 1 or 2."""

    kernel: int
    expansion: float  # of the input's channels, after they were rounded
    channels: int  # that it gives, at width 1
    is_gated: bool
    activation: str
    stride: int


_LARGE = (
    _Row(3, 1, 16, False, RELU, 1),
    _Row(3, 64 / 16, 24, False, RELU, 2),
    _Row(3, 72 / 24, 24, False, RELU, 1),
    _Row(5, 72 / 24, 40, True, RELU, 2),
    _Row(5, 120 / 40, 40, True, RELU, 1),
    _Row(5, 120 / 40, 40, True, RELU, 1),
    _Row(3, 240 / 40, 80, False, SWISH, 2),
    _Row(3, 200 / 80, 80, False, SWISH, 1),
    _Row(3, 184 / 80, 80, False, SWISH, 1),
    _Row(3, 184 / 80, 80, False, SWISH, 1),
    _Row(3, 480 / 80, 112, True, SWISH, 1),
    _Row(3, 672 / 112, 112, True, SWISH, 1),
    _Row(5, 672 / 112, 160, True, SWISH, 2),
    _Row(5, 960 / 160, 160, True, SWISH, 1),
    _Row(5, 960 / 160, 160, True, SWISH, 1),
)
_SMALL = (
    _Row(3, 1, 16, True, RELU, 2),
    _Row(3, 72 / 16, 24, False, RELU, 2),
    _Row(3, 88 / 24, 24, False, RELU, 1),
    _Row(5, 96 / 24, 40, True, SWISH, 2),
    _Row(5, 240 / 40, 40, True, SWISH, 1),
    _Row(5, 240 / 40, 40, True, SWISH, 1),
    _Row(5, 120 / 40, 48, True, SWISH, 1),
    _Row(5, 144 / 48, 48, True, SWISH, 1),
    _Row(5, 288 / 48, 96, True, SWISH, 2),
    _Row(5, 576 / 96, 96, True, SWISH, 1),
    _Row(5, 576 / 96, 96, True, SWISH, 1),
)


def _of(rows: Sequence[_Row], last_channels: int, hidden: int) -> Callable[[Any], Architecture]:
    """The build function of a table.

    last_channels: of the last convolution. hidden: of the layer after pooling, at every width, as in the
    reference code for ImageNet; there, too, the channels within a block follow from those of its input.
    Minimalistic networks have neither gates nor hard-swish nor 5x5 kernels.
    """

    def build(fields: Any) -> Architecture:
        plain, swish = fields.minimalistic, RELU if fields.minimalistic else SWISH

        def rounded(channels: Any) -> Any:
            return make_divisible(channels, fields.divisor)

        channels = rounded(STEM_CHANNELS * fields.width)
        stem = conv("", (IMAGE_CHANNELS, channels), fields.resolution, 3, 2, activation=swish)
        stages, size = [Stage("stem", Block((stem,)))], stem.out_size
        for row in rows:
            out_channels = rounded(row.channels * fields.width)
            wide = rounded(channels * row.expansion) if row.expansion > 1 else None
            squeezed = rounded((channels if wide is None else wide) / SQUEEZE)
            block = expanded(
                (channels, out_channels),
                wide,
                row.stride,
                size,
                3 if plain else row.kernel,
                activation=RELU if plain else row.activation,
                squeezed=squeezed if row.is_gated and not plain else None,
            )
            stages.append(Stage("block", block))
            channels, size = out_channels, block.out_size
        wide = rounded(last_channels * fields.width)
        last = conv("", (channels, wide), size, activation=swish)
        head = (
            avg_pool("pool", wide, size),
            linear("hidden", (wide, hidden), activation=swish),
            linear("classifier", (hidden, fields.num_classes)),
        )
        return Architecture((*stages, Stage("last", Block((last,))), Stage("", Block(head))))

    return build


_FIELDS = {
    "width": WIDTH,
    "resolution": RESOLUTION,
    "minimalistic": Field(
        flag(),
        False,
        "Minimalistic",
        "Without gates, hard-swish and 5x5 kernels.",
        tag="minimalistic",
        is_structural=True,
    ),
    "num_classes": NUM_CLASSES,
    "divisor": DIVISOR,
    **CONVENTIONS,
}
MOBILENET_V3_LARGE = Family(
    "mobilenet_v3_large",
    _FIELDS,
    as_said(_of(_LARGE, 960, 1280)),
    "Howard et al., Searching for MobileNetV3, arXiv:1905.02244, Table 1",
)
MOBILENET_V3_SMALL = Family(
    "mobilenet_v3_small",
    _FIELDS,
    as_said(_of(_SMALL, 576, 1024)),
    "Howard et al., Searching for MobileNetV3, arXiv:1905.02244, Table 2",
)
