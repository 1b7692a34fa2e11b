"""What is timed: a network, or a part of one. Plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.block import Block
from mbsweep.space.counting import NOT_COUNTED, Counts
from mbsweep.space.families import architecture
from mbsweep.space.families.factory import check_code
from mbsweep.space.layers import Layer
from mbsweep.space.variant import Variant


@dataclass(frozen=True)
class Subject:
    """A network, or a part of one.

    name: how it is called in the visits: a variant's id, or a block's key.
    layers: named, as `Architecture.layers` are; the first reads the input. None are of code.
    variant: set where they are a whole network whose counts are still to be confirmed, or it is code.
    is_yardstick: timed only to tell how the machine's speed drifts: for `visit_ms`, however many calls the
        configuration asks of its variants.
    """

    name: str
    layers: tuple[Layer, ...]
    variant: Variant | None = None
    is_yardstick: bool = False
    counted: tuple[int, int] = (0, 0)  # parameters and multiply-adds of code; what is not known is 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one input."""
        if self.code is not None:
            return IMAGE_CHANNELS, self.code.resolution, self.code.resolution
        first = self.layers[0]
        return first.in_channels, first.in_size, first.in_size

    @classmethod
    def of(cls, variant: Variant, is_checked: bool = True, counts: Counts = NOT_COUNTED) -> Self:
        """A whole network; unless `is_checked`, its counts are still to be confirmed. counts: of code.

        Raises MbsweepError where it is code that may not be run.
        """
        if variant.is_code:
            check_code(variant.family)
            return cls(variant.id, (), variant, counted=(max(counts.params, 0), max(counts.macs, 0)))
        return cls(variant.id, architecture(variant).layers, None if is_checked else variant)

    @property
    def code(self) -> Variant | None:
        """The network, where it is code."""
        return self.variant if self.variant is not None and self.variant.is_code else None

    @classmethod
    def of_block(cls, block: Block) -> Self:
        """A block alone. Its layers are named by kind and place: within a network they need no name."""
        named = (layer.named(f"{layer.kind}{place}") for place, layer in enumerate(block.layers))
        return cls(block.key, tuple(named))

    @property
    def size(self) -> tuple[int, int]:
        """Parameters, and multiply-adds for one image."""
        if self.code is not None:
            return self.counted
        return sum(layer.params for layer in self.layers), sum(layer.macs for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        layers = [asdict(layer) for layer in self.layers]
        variant = self.variant and self.variant.as_dict()
        told = {"name": self.name, "layers": layers, "variant": variant, "is_yardstick": self.is_yardstick}
        return told | {"counted": self.counted}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From what `as_dict` gave."""
        layers = tuple(Layer(**_as_tuples(layer)) for layer in given["layers"])
        variant = given["variant"] and Variant(**given["variant"])
        return cls(given["name"], layers, variant, given["is_yardstick"], tuple(given["counted"]))


def _as_tuples(told: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
