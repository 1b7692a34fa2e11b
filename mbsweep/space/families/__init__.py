"""The families of networks: a file each, and a line here."""

from __future__ import annotations

from typing import Any

from mbsweep.base.rules import did_you_mean
from mbsweep.space.architecture import Architecture
from mbsweep.space.families.alexnet import ALEXNET
from mbsweep.space.families.factory import PREFIX, factory
from mbsweep.space.families.family import Family
from mbsweep.space.families.googlenet import GOOGLENET
from mbsweep.space.families.mobilenet_v1 import MOBILENET_V1
from mbsweep.space.families.mobilenet_v2 import MOBILENET_V2
from mbsweep.space.families.mobilenet_v3 import MOBILENET_V3_LARGE, MOBILENET_V3_SMALL
from mbsweep.space.families.mobilenet_v4 import MOBILENET_V4_CONV_MEDIUM, MOBILENET_V4_CONV_SMALL
from mbsweep.space.families.resnet import RESNET18, RESNET50
from mbsweep.space.families.squeezenet import SQUEEZENET, SQUEEZENET_1_1
from mbsweep.space.families.vgg import VGG16

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        MOBILENET_V1,
        MOBILENET_V2,
        MOBILENET_V3_LARGE,
        MOBILENET_V3_SMALL,
        MOBILENET_V4_CONV_SMALL,
        MOBILENET_V4_CONV_MEDIUM,
        ALEXNET,
        VGG16,
        GOOGLENET,
        SQUEEZENET,
        SQUEEZENET_1_1,
        RESNET18,
        RESNET50,
    )
}


def family_of(name: object) -> Family:
    """The family of a name; of `python:package.module:factory`, the networks that this function makes.

    Raises ValueError, with what there is, where there is none.
    """
    if isinstance(name, str) and name.startswith(PREFIX):
        return factory(name)
    if not isinstance(name, str) or name not in FAMILIES:
        hint = did_you_mean(name, FAMILIES) if isinstance(name, str) else ""
        raise ValueError(f"expected one of {', '.join(FAMILIES)}{hint}")
    return FAMILIES[name]


def architecture(variant: Any) -> Architecture:
    """The network of a Variant of a family that has layers."""
    return family_of(variant.family).build(variant)
