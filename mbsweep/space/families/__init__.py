"""The families of networks: a file each, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mbsweep.space.architecture import Architecture
from mbsweep.space.families.mobilenet_v1 import mobilenet_v1

# name -> a network from its fields; or those of a grid, where width, resolution and depth are arrays
FAMILIES: dict[str, Callable[[Any], Architecture]] = {
    "mobilenet_v1": mobilenet_v1,
}


def architecture(fields: Any) -> Architecture:
    """The network of a Variant; or those of a grid, given the same fields with arrays for some."""
    return FAMILIES[fields.family](fields)
