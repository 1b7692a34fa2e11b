"""The distinct blocks of a whole space, and how its networks are made of them: arrays, for prediction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.architecture import IMAGE_CHANNELS
from mbsweep.space.blocks import KINDS, Block, Dim
from mbsweep.space.counting import Fields, SpaceCounts
from mbsweep.space.families import architecture
from mbsweep.space.variant import Variant

Number = TypeVar("Number", np.float64, np.int64)

# What a block is to a predictor: blocks of one kind and stride follow one law.
BLOCK_KINDS = ("stem", "separable", "standard", "head")


def kind_of(block: Block) -> str:
    """One of BLOCK_KINDS."""
    return BLOCK_KINDS[int(_kind(block))]


def _kind(block: Block) -> Dim:
    """Its place there, of each network of a grid: what reads as many channels as an image has is a stem."""
    first = block.layers[0]
    if first.kind == "avg_pool":
        return BLOCK_KINDS.index("head")
    if first.kind == "conv_dw":
        return BLOCK_KINDS.index("separable")
    is_stem = np.equal(first.in_channels, IMAGE_CHANNELS)
    return np.where(is_stem, BLOCK_KINDS.index("stem"), BLOCK_KINDS.index("standard"))


def blocks_of(variant: Variant) -> tuple[Block, ...]:
    """The blocks of one network, in order."""
    return tuple(block for _, _, block in architecture(variant).blocks())


@dataclass(frozen=True)
class SpaceBlocks:
    """The distinct blocks of a space, and how each of its variants is made of them.

    Shapes are (blocks,) for what is known of each distinct block, (variants, places) for the networks.
    """

    space: SpaceCounts
    found_in: NDArray[np.int64]  # a variant that has the block
    found_at: NDArray[np.int64]  # its place there: twice its stage, and one more where it is the rest
    kind: NDArray[np.int64]  # a place in BLOCK_KINDS
    stride: NDArray[np.int64]
    in_channels: NDArray[np.int64]
    out_channels: NDArray[np.int64]
    in_size: NDArray[np.int64]
    out_size: NDArray[np.int64]
    macs: NDArray[np.int64]
    params: NDArray[np.int64]
    which: NDArray[np.int32]  # which block stands at each place of a network
    times: NDArray[np.int32]  # how often; 0 where a network has fewer places

    def __len__(self) -> int:
        return len(self.kind)

    def block(self, index: int) -> Block:
        """A distinct block, ready to be built."""
        stages = architecture(self.space.variant(int(self.found_in[index]))).stages
        stage, is_rest = divmod(int(self.found_at[index]), 2)
        block = stages[stage].rest if is_rest else stages[stage].first
        assert block is not None  # noqa: S101
        return block

    @property
    def shapes(self) -> NDArray[np.int64]:
        """(blocks, 6): kind, stride, in_channels, out_channels, in_size, out_size."""
        columns = self.kind, self.stride, self.in_channels, self.out_channels, self.in_size, self.out_size
        return np.stack(columns, axis=1)

    @property
    def in_scalars(self) -> NDArray[np.int64]:
        """Scalars that each block reads, for one image."""
        return self.in_channels * self.in_size**2

    @property
    def out_scalars(self) -> NDArray[np.int64]:
        """Scalars that each block writes, for one image."""
        return self.out_channels * self.out_size**2

    def total(self, values: NDArray[Number]) -> NDArray[Number]:
        """(variants,): the sum over each network's blocks of a value given for each distinct block."""
        sums = np.zeros(len(self.which), dtype=values.dtype)
        for place in range(self.which.shape[1]):
            sums += self.times[:, place] * values[self.which[:, place]]
        return sums


def space_blocks(space: SpaceCounts) -> SpaceBlocks:
    """The blocks of every variant of a space, without making the variants.

    The depth decides how often a block stands in a network, and nothing of the block itself: networks are
    taken apart once for each body, width and resolution.
    """
    parts = [part for body in np.unique(space.body) for part in _parts(space, int(body))]
    wide = max(part.numbers.shape[1] for part in parts)
    numbers = np.concatenate([np.pad(p.numbers, ((0, 0), (0, wide - p.numbers.shape[1]))) for p in parts])
    _, first, distinct = np.unique(numbers, axis=0, return_index=True, return_inverse=True)
    ends = np.cumsum([len(part.numbers) for part in parts])
    which = np.zeros((len(space), 1 + max(part.place for part in parts)), dtype=np.int32)
    times = np.zeros_like(which)
    for part, of_part in zip(parts, np.split(distinct.reshape(-1), ends[:-1]), strict=True):
        which[part.variants, part.place] = of_part[part.which]
        times[part.variants, part.place] = part.times
    known = np.concatenate([part.known for part in parts])[first]
    return SpaceBlocks(space, **dict(zip(_KNOWN, known.T, strict=True)), which=which, times=times)


class _Part(NamedTuple):
    """The blocks that stand at one place of the networks of one body."""

    place: int  # twice the stage, and one more for its rest
    variants: NDArray[np.int64]  # that have a block there
    times: NDArray[np.int64]  # how often each has it
    which: NDArray[np.int64]  # which of those below
    numbers: NDArray[np.int64]  # (blocks, all that a block depends on), each once
    known: NDArray[np.int64]  # (blocks, _KNOWN)


_KNOWN = (
    *("found_in", "found_at", "kind", "stride"),
    *("in_channels", "out_channels", "in_size", "out_size", "macs", "params"),
)
_KINDS = list(KINDS)


def _parts(space: SpaceCounts, body: int) -> Iterator[_Part]:
    variants = np.flatnonzero(space.body == body)
    sized = np.stack([space.width[variants], space.resolution[variants]], axis=1)
    pairs, pair_of = np.unique(sized, axis=0, return_inverse=True)
    pair_of = pair_of.reshape(-1)
    width, resolution = pairs[:, 0], pairs[:, 1].astype(np.int64)
    net = architecture(Fields(*space.bodies[body], width, resolution, space.depth[variants]))
    for stage, blocks in enumerate(net.stages):
        for place, block, often in ((2 * stage, blocks.first, 1), (2 * stage + 1, blocks.rest, blocks.more)):
            times = np.broadcast_to(often, len(variants))
            if block is None or not times.any():
                continue
            having = np.flatnonzero(times)
            used, one_of, used_by = np.unique(pair_of[having], return_index=True, return_inverse=True)
            numbers, first, which = _distinct(_numbers(block, len(pairs))[used])
            found_in, at = variants[having[one_of[first]]], used[first]
            stride = math.prod(layer.stride for layer in block.layers)
            shape = block.in_shape[0], block.out_channels, block.in_shape[1], block.out_size
            told = place, _kind(block), stride, *shape, block.macs, block.params
            known = [np.broadcast_to(value, len(pairs))[at] for value in told]
            columns = np.stack([found_in, *known], axis=1)
            yield _Part(place, variants[having], times[having], which[used_by], numbers, columns)


def _numbers(block: Block, count: int) -> NDArray[np.int64]:
    """(count, numbers): all that a block of a grid depends on, seven for each of its layers."""
    found = np.zeros((count, 7 * len(block.layers)), dtype=np.int64)
    for place, layer in enumerate(block.layers):
        shape = layer.in_channels, layer.out_channels, layer.in_size, layer.out_size
        for column, value in enumerate((_KINDS.index(layer.kind) + 1, layer.kernel, layer.stride, *shape)):
            found[:, 7 * place + column] = value
    return found


def _distinct(
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
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
