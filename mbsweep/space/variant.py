"""Variant: one point of the design space."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from mbsweep.base.errors import MbsweepError
from mbsweep.base.rules import Rule, choice, integer, integers, number, shown
from mbsweep.space.blocks import BLOCKS
from mbsweep.space.families import FAMILIES

# One rule for each field of Variant. The bounds are far outside what is of use; they keep a slip of the pen
# (a resolution of 224000) from filling the machine, and the counts of any variant within 64 bits.
RULES: dict[str, Rule] = {
    "family": choice(FAMILIES),
    "width": number(0, 4, 0.75),
    "resolution": integer(1, 4096, 192),
    "depth": integer(0, 10_000, 5),
    "block": choice(BLOCKS),
    "stage_channels": integers(5, 1, 8192, (64, 128, 256, 512, 1024)),
    "num_classes": integer(1, 1_000_000, 1000),
    "divisor": integer(1, 1024, 8),
    "stem_stride": integer(1, 2, 2),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One network of the space. Hashable, comparable by value, checked when it is made.

    width: the width multiplier alpha, which scales the channels.
    resolution: height and width of the input image in pixels.
    depth: how often the 14x14, 512-channel block is repeated (the paper's 5; 0 is its shallow network).
    block: "separable", or "standard" for full 3x3 convolutions (Table 4 of arXiv:1704.04861).
    stage_channels: output channels of the five stages at width 1.
    num_classes: outputs of the classifier.
    divisor: channel counts are rounded to multiples of it; 1 is the paper's plain rounding.
    stem_stride: stride of the first layer; the paper's 2, or 1 for images that are small already.

    Raises MbsweepError for a value that is not allowed.
    """

    family: str = "mobilenet_v1"
    width: float = 1.0
    resolution: int = 224
    depth: int = 5
    block: str = "separable"
    stage_channels: tuple[int, ...] = (64, 128, 256, 512, 1024)
    num_classes: int = 1000
    divisor: int = 8
    stem_stride: int = 2

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            try:
                object.__setattr__(self, name, rule(getattr(self, name)))
            except ValueError as error:
                raise MbsweepError(f"Variant: {name} is {shown(getattr(self, name))}; {error}") from None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Variant:
        """The variant of a row of a table, or of a run's file, where `stage_channels` is JSON."""
        values = {name: row[name] for name in RULES if name != "stage_channels"}
        return cls(stage_channels=tuple(json.loads(row["stage_channels"])), **values)

    @property
    def id(self) -> str:
        """Readable name, stable over versions, safe in a path: `mobilenet_v1_w0.75_r192_d5`."""
        rest = (self.block, self.stage_channels, self.num_classes, self.divisor, self.stem_stride)
        return f"{self.family}_w{self.width!r}_r{self.resolution}_d{self.depth}{body_suffix(*rest)}"


def largest_of(variants: Sequence[Variant]) -> Variant:
    """The network whose weights all of them share as a supernet: the greatest width, depth and resolution.

    Raises MbsweepError where they differ in more than these.
    """
    bodies = {replace(variant, width=1.0, depth=5, resolution=224) for variant in variants}
    if len(bodies) > 1:
        raise MbsweepError(
            "a supernet's variants may differ in width, depth and resolution only; "
            f"{' and '.join(sorted(body.id for body in bodies)[:2])} differ in more"
        )
    return replace(
        variants[0],
        width=max(variant.width for variant in variants),
        depth=max(variant.depth for variant in variants),
        resolution=max(variant.resolution for variant in variants),
    )


def body_suffix(
    block: str, stage_channels: tuple[int, ...], num_classes: int, divisor: int, stem_stride: int
) -> str:
    """The end of an id: what of the body is not the paper's."""
    suffix = "" if block == _DEFAULTS["block"] else f"_{block}"
    if stage_channels != _DEFAULTS["stage_channels"]:
        suffix += "_c" + "-".join(str(channels) for channels in stage_channels)
    if num_classes != _DEFAULTS["num_classes"]:
        suffix += f"_n{num_classes}"
    if divisor != _DEFAULTS["divisor"]:
        suffix += f"_div{divisor}"
    if stem_stride != _DEFAULTS["stem_stride"]:
        suffix += f"_s{stem_stride}"
    return suffix


_DEFAULTS = {field.name: field.default for field in fields(Variant)}
