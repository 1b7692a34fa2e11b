"""A network in one description: stages of blocks. All that is counted, built and timed follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mbsweep.space.block import Block
from mbsweep.space.layers import Dim, Layer

IMAGE_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks that follow one another: the first, then `rest` so many times more.

    name: that of its blocks, numbered through where several blocks of the network have it; "" where the
        layers' own names are enough.
    """

    name: str
    first: Block
    rest: Block | None = None
    more: Dim = 0


class Place(NamedTuple):
    """Where a layer stands. A network with fewer blocks has some of the places of one with more."""

    stage: int
    block: int  # in its stage
    layer: int  # in its block


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network, from the image to the logits; or those of a grid, where its numbers are arrays."""

    stages: tuple[Stage, ...]

    def total(self, price: Callable[[Block], Dim]) -> Dim:
        """The sum over all blocks of what each costs."""
        return sum(
            price(stage.first) + (0 if stage.rest is None else stage.more * price(stage.rest))
            for stage in self.stages
        )

    @property
    def params(self) -> Dim:
        """Trainable scalars."""
        return self.total(lambda block: block.params)

    @property
    def macs(self) -> Dim:
        """Multiply-adds of convolutional and linear layers for one image."""
        return self.total(lambda block: block.macs)

    @property
    def bytes_int8(self) -> Dim:
        """Bytes of the weights at int8."""
        return self.total(lambda block: block.bytes_int8)

    @property
    def peak(self) -> Dim:
        """Scalars alive at once, at most, for one image."""
        peak = self.stages[0].first.peak
        for stage in self.stages:
            peak = np.maximum(peak, stage.first.peak)
            if stage.rest is not None:
                peak = np.maximum(peak, np.minimum(stage.more, 1) * stage.rest.peak)
        return peak

    def blocks(self) -> Iterator[tuple[str, tuple[int, int], Block]]:
        """The blocks of one network in order: name, stage and number in it, block."""
        blocks = Counter[str]()
        for stage in self.stages:
            blocks[stage.name] += 1 + stage.more
        numbers = Counter[str]()
        for place, stage in enumerate(self.stages):
            for number in range(1 + stage.more):
                block = stage.first if number == 0 or stage.rest is None else stage.rest
                numbers[stage.name] += 1
                name = stage.name if blocks[stage.name] == 1 else f"{stage.name}{numbers[stage.name]}"
                yield name, (place, number), block

    def placed(self) -> dict[Place, Layer]:
        """The layers of one network in order, named within it: `block3.dw`."""
        return {
            Place(*at, number): layer.named(".".join(filter(None, (name, layer.name))))
            for name, at, block in self.blocks()
            for number, layer in enumerate(block.layers)
        }

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of one network in order, named within it."""
        return tuple(self.placed().values())
