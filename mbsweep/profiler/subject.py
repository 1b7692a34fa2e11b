"""What is timed: a network, or a part of one. Plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from mbsweep.space.block import Block
from mbsweep.space.families import architecture
from mbsweep.space.layers import Layer
from mbsweep.space.variant import Variant


@dataclass(frozen=True)
class Subject:
    """A network, or a part of one.

    name: how it is called in the visits: a variant's id, or a block's key.
    layers: named, as `Architecture.layers` are; the first reads the input.
    variant: set where they are a whole network whose counts are still to be confirmed.
    is_yardstick: timed only to tell how the machine's speed drifts: for `visit_ms`, however many calls the
        configuration asks of its variants.
    """

    name: str
    layers: tuple[Layer, ...]
    variant: Variant | None = None
    is_yardstick: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one input."""
        first = self.layers[0]
        return first.in_channels, first.in_size, first.in_size

    @classmethod
    def of(cls, variant: Variant, is_checked: bool = True) -> Self:
        """A whole network; unless `is_checked`, its counts are still to be confirmed."""
        return cls(variant.id, architecture(variant).layers, None if is_checked else variant)

    @classmethod
    def of_block(cls, block: Block) -> Self:
        """A block alone. Its layers are named by kind and place: within a network they need no name."""
        named = (layer.named(f"{layer.kind}{place}") for place, layer in enumerate(block.layers))
        return cls(block.key, tuple(named))

    @property
    def size(self) -> tuple[int, int]:
        """Parameters, and multiply-adds for one image."""
        return sum(layer.params for layer in self.layers), sum(layer.macs for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        layers = [asdict(layer) for layer in self.layers]
        variant = self.variant and self.variant.as_dict()
        return {"name": self.name, "layers": layers, "variant": variant, "is_yardstick": self.is_yardstick}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From what `as_dict` gave."""
        layers = tuple(Layer(**_as_tuples(layer)) for layer in given["layers"])
        variant = given["variant"] and Variant(**given["variant"])
        return cls(given["name"], layers, variant, given["is_yardstick"])


def _as_tuples(told: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
