"""The distinct blocks of a whole space, and how its networks are made of them: arrays, for prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.block import Block
from mbsweep.space.families import architecture
from mbsweep.space.grid import Grid, Places, spread
from mbsweep.space.layers import ACTIVATIONS, KINDS, Layer
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

Number = TypeVar("Number", np.float64, np.int64)

# What a block depends on, of each of its layers: first what of it decides its law, then channels and sizes.
_OF_KIND = (
    *("kind", "high", "wide", "stride", "down", "across", "is_ceil"),
    *("is_grouped", "has_norm", "activation", "reads"),
)
# Where the padding of a size lies decides no law, either: it costs nothing.
_OF_SIZE = ("in_channels", "out_channels", "in_size", "out_size", "groups", "same")
NUMBERS = (*_OF_KIND, *_OF_SIZE)
_KINDS = list(KINDS)


def blocks_of(variant: Variant) -> tuple[Block, ...]:
    """The blocks of one network, in order."""
    return tuple(block for _, _, block in architecture(variant).blocks())


@dataclass(frozen=True)
class SpaceBlocks:
    """The distinct blocks of a space, and how each of its variants is made of them.

    Shapes are (blocks,) for what is known of each distinct block, (variants, places) for the networks.
    """

    space: Space
    found_in: Places  # a variant that has the block
    found_at: Places  # its place there: twice its stage, and one more where it is the rest
    numbers: NDArray[np.int64]  # (blocks, layers, NUMBERS); 0 where it has fewer layers
    macs: Places
    params: Places
    which: NDArray[np.int32]  # which block stands at each place of a network
    times: NDArray[np.int32]  # how often; 0 where a network has fewer places

    def __len__(self) -> int:
        return len(self.numbers)

    def block(self, index: int) -> Block:
        """A distinct block, ready to be built."""
        stages = architecture(self.space.variant(int(self.found_in[index]))).stages
        stage, is_rest = divmod(int(self.found_at[index]), 2)
        block = stages[stage].rest if is_rest else stages[stage].first
        assert block is not None  # noqa: S101
        return block

    def of_layers(self, name: str) -> NDArray[np.int64]:
        """(blocks, layers): one of NUMBERS of each layer; 0 where a block has fewer."""
        return self.numbers[:, :, NUMBERS.index(name)]

    @cached_property
    def kind(self) -> Places:
        """Blocks of one kind are alike in all but channels and sizes. What reads an image is of another."""
        whole = self.numbers[:, :, : len(_OF_KIND)].reshape(len(self), -1)
        reads_image = self.of_layers("in_channels")[:, :1] == IMAGE_CHANNELS
        _, _, which = distinct(np.hstack([whole, reads_image]))
        return which

    @cached_property
    def last(self) -> Places:
        """Of each block the place of its last layer."""
        count: Places = (self.of_layers("kind") > 0).sum(axis=1)
        return count - 1

    @property
    def in_scalars(self) -> Places:
        """Scalars that each block reads, for one image."""
        return self.of_layers("in_channels")[:, 0] * self.of_layers("in_size")[:, 0] ** 2

    @property
    def out_scalars(self) -> Places:
        """Scalars that each block writes, for one image."""
        rows = np.arange(len(self))
        return (
            self.of_layers("out_channels")[rows, self.last] * self.of_layers("out_size")[rows, self.last] ** 2
        )

    def total(self, values: NDArray[Number]) -> NDArray[Number]:
        """(variants,): the sum over each network's blocks of a value given for each distinct block."""
        sums = np.zeros(len(self.which), dtype=values.dtype)
        for place in range(self.which.shape[1]):
            sums += self.times[:, place] * values[self.which[:, place]]
        return sums


def space_blocks(space: Space) -> SpaceBlocks:
    """The blocks of every variant of a space, without making the variants.

    A block is taken apart once for whatever it depends on: that of a stage early in the network, say, for
    every width and resolution, and not for every depth. numpy's shapes tell.
    """
    parts = [part for grid, places in space.parts() for part in _parts(grid, places, space.at[places])]
    wide = max(part.numbers.shape[1] for part in parts)
    numbers = np.concatenate(
        [np.pad(part.numbers, ((0, 0), (0, wide - part.numbers.shape[1]))) for part in parts]
    )
    rows, first, code = distinct(numbers)
    ends = np.cumsum([len(part.numbers) for part in parts])
    which = np.zeros((len(space), 1 + max(part.place for part in parts)), dtype=np.int32)
    times = np.zeros_like(which)
    for part, of_part in zip(parts, np.split(code, ends[:-1]), strict=True):
        which[part.variants, part.place] = of_part[part.which]
        times[part.variants, part.place] = part.times
    found_in, found_at, macs, params = np.concatenate([part.known for part in parts])[first].T
    layers = rows.reshape(len(rows), -1, len(NUMBERS))
    return SpaceBlocks(space, found_in, found_at, layers, macs, params, which, times)


class _Part(NamedTuple):
    """The blocks that stand at one place of the networks of one grid."""

    place: int  # twice the stage, and one more for its rest
    variants: Places  # that have a block there
    times: Places  # how often each has it
    which: Places  # which of those below
    numbers: NDArray[np.int64]  # (blocks, layers x NUMBERS), each once
    known: NDArray[np.int64]  # (blocks, 4): found_in, found_at, macs, params


def _parts(grid: Grid, variants: Places, at: Places) -> Iterator[_Part]:
    for stage, blocks in enumerate(grid.architecture.stages):
        for place, block, often in ((2 * stage, blocks.first, 1), (2 * stage + 1, blocks.rest, blocks.more)):
            times = grid.spread(often, at)
            if block is None or not times.any():
                continue
            having = np.flatnonzero(times)
            of_layers = _of_block(block)
            shape = np.broadcast_shapes(*(np.shape(one) for numbers in of_layers for one in numbers))
            count = int(np.prod(shape))
            mine = spread(np.arange(count).reshape(shape), grid.shape, at[having])
            used, one_of, used_by = np.unique(mine, return_index=True, return_inverse=True)
            columns = [
                np.broadcast_to(one, shape).reshape(-1)[used] for numbers in of_layers for one in numbers
            ]
            numbers, first, which = distinct(np.stack(columns, axis=1).astype(np.int64))
            found_in, index = variants[having[one_of[first]]], used[first]
            counted = (np.broadcast_to(one, shape).reshape(-1)[index] for one in (block.macs, block.params))
            known = np.stack([found_in, np.full(len(found_in), place), *counted], axis=1)
            yield _Part(place, variants[having], times[having], which[used_by], numbers, known)


def _of_block(block: Block) -> list[list[NDArray[np.int64]]]:
    """NUMBERS of each layer of a block of a grid."""
    found = [_numbers(layer) for layer in block.layers]
    last = block.layers[-1]
    if last.where is not True:  # where there is no sum, what would follow it follows what is before it
        place = NUMBERS.index("activation")
        found[-2][place] = np.where(last.where, found[-2][place], ACTIVATIONS.index(last.activation))
    return found


def _numbers(layer: Layer) -> list[NDArray[np.int64]]:
    """NUMBERS of a layer of a grid, nothing where it is not there."""
    # Over the whole map, the kernel is the size.
    high, wide = (0, 0) if layer.kind in ("avg_pool", "squeeze") else layer.kernel
    reads = sum((-back) * 16**place for place, back in enumerate(layer.reads))
    found = [
        *(_KINDS.index(layer.kind) + 1, high, wide, layer.stride, *layer.padding, layer.ceil),
        *(layer.kind == "conv_dw", layer.norm, ACTIVATIONS.index(layer.activation), reads),
        *(layer.in_channels, layer.out_channels, layer.in_size, layer.out_size, layer.groups),
        layer.same,
    ]
    return [np.asarray(one) * layer.where for one in found]


def distinct(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Places, Places]:
    """Each row once; where it stands first; and which of them each row is.

    As numpy's unique along an axis, which compares whole rows and takes ten times as long.
    """
    code = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        if (column != column[0]).any():
            values, place = np.unique(column, return_inverse=True)
            _, code = np.unique(code * len(values) + place, return_inverse=True)
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return rows[first], first, which
