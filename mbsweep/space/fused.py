"""The fused blocks of networks: what a runtime runs as a unit, and what can be built and timed alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.architecture import IMAGE_CHANNELS, architecture
from mbsweep.space.blocks import Layer
from mbsweep.space.counting import SpaceCounts
from mbsweep.space.variant import Variant

Number = TypeVar("Number", np.float64, np.int64)

# What a block is to a predictor: blocks of one kind and stride follow one law.
BLOCK_KINDS = ("stem", "separable", "standard", "head")


@dataclass(frozen=True, slots=True)
class FusedBlock:
    """Layers that follow one another and run as a unit: the stem, one block of the body, or the head.

    Equal where the layers have the same shapes: the layers' names say only their kind and place.
    """

    layers: tuple[Layer, ...]

    @property
    def kind(self) -> str:
        """One of BLOCK_KINDS."""
        return _kind(self.layers[0].kind, self.layers[0].in_channels)

    @property
    def key(self) -> str:
        """All that its cost depends on, as text that is stable over versions: for a cache.

        Kind, kernel, stride, channels and sizes of each layer: `conv_dw:3:1:32-32:112-112+conv_pw:...`.
        """
        return "+".join(
            f"{layer.kind}:{layer.kernel}:{layer.stride}:{layer.in_channels}-{layer.out_channels}"
            f":{layer.in_size}-{layer.out_size}"
            for layer in self.layers
        )

    @property
    def macs(self) -> int:
        """Multiply-adds for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def params(self) -> int:
        """Trainable scalars."""
        return sum(layer.params for layer in self.layers)

    @property
    def in_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what it is given."""
        first = self.layers[0]
        return first.in_channels, first.in_size, first.in_size

    @property
    def in_scalars(self) -> int:
        """Scalars that it reads, for one image."""
        return self.layers[0].in_channels * self.layers[0].in_size ** 2

    @property
    def out_scalars(self) -> int:
        """Scalars that it writes, for one image."""
        return self.layers[-1].out_channels * self.layers[-1].out_size ** 2


def _kind(first_layer: str, in_channels: int) -> str:
    """The kind of a block, from its first layer."""
    if first_layer == "avg_pool":
        return "head"
    if first_layer == "conv_dw":
        return "separable"
    return "stem" if in_channels == IMAGE_CHANNELS else "standard"


def blocks_of(variant: Variant) -> tuple[FusedBlock, ...]:
    """The blocks of one network, in order."""
    groups = groupby(architecture(variant).layers, _owner)
    return tuple(
        FusedBlock(tuple(replace(layer, name=f"{layer.kind}{place}") for place, layer in enumerate(layers)))
        for _, layers in groups
    )


def _owner(layer: Layer) -> str:
    return "head" if layer.kind in ("avg_pool", "fc") else layer.name.partition(".")[0]


@dataclass(frozen=True)
class SpaceBlocks:
    """The distinct blocks of a space, and how each of its variants is made of them.

    Shapes are (blocks,) for what is known of each distinct block, (variants, places) for the networks.
    """

    space: SpaceCounts
    found_in: NDArray[np.int64]  # a variant that has the block
    found_at: NDArray[np.int64]  # its place among that variant's blocks
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

    def block(self, index: int) -> FusedBlock:
        """A distinct block, ready to be built."""
        variant = self.space.variant(int(self.found_in[index]))
        return blocks_of(replace(variant, depth=_listed_depth(variant.depth)))[int(self.found_at[index])]

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

    A block's channels depend on the width and its sizes on the resolution alone, and from depth 2 on one
    more block always adds the same layers (see FAMILIES). So networks are listed once by width and once by
    resolution, at depths 0, 1 and 3; any greater depth is depth 3 with one block more or less often.
    """
    listed = np.where(space.depth < 2, space.depth, _DEEP)
    halves = _Halves({}, {})
    parts = []
    for body in np.unique(space.body):
        for depth in np.unique(listed[space.body == body]):
            chosen = np.flatnonzero((space.body == body) & (listed == depth))
            parts.append((chosen, *_places(space.select(chosen), int(depth), halves)))
    places = max(wide.shape[1] for _, wide, _, _ in parts)
    code = np.full((len(space), places), -1, dtype=np.int64)  # a block: the numbers of its two halves
    times = np.zeros((len(space), places), dtype=np.int32)
    for chosen, wide, sized, repeats in parts:
        here = slice(wide.shape[1])
        code[chosen, here] = np.where(repeats > 0, wide * len(halves.sizes) + sized, -1)
        times[chosen, here] = repeats
    distinct, first, which = np.unique(code, return_index=True, return_inverse=True)
    which = which.reshape(code.shape)
    if distinct[0] == -1:
        distinct, first, which = distinct[1:], first[1:], np.maximum(which - 1, 0)
    found_in, found_at = np.divmod(first, places)
    shapes = halves.shapes(*np.divmod(distinct, len(halves.sizes)))
    return SpaceBlocks(space, found_in, found_at, **shapes, which=which.astype(np.int32), times=times)


def _listed_depth(depth: int) -> int:
    """The depth at which a network's blocks are listed."""
    return depth if depth < 2 else _DEEP


_DEEP = 3


def _places(
    space: SpaceCounts, depth: int, halves: _Halves
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(variants, places): the two halves of the block at each place, and how often it stands there.

    For networks of one body, listed at `depth`.
    """
    widths, width = np.unique(space.width, return_inverse=True)
    resolutions, resolution = np.unique(space.resolution, return_inverse=True)
    fixed = replace(space.variant(0), width=1.0, resolution=1)

    def listed(depth: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        wide = [blocks_of(replace(fixed, width=width, depth=depth)) for width in widths.tolist()]
        sized = [blocks_of(replace(fixed, resolution=size, depth=depth)) for size in resolutions.tolist()]
        return (
            np.array([[halves.of_channels(block) for block in blocks] for blocks in wide]),
            np.array([[halves.of_sizes(block) for block in blocks] for blocks in sized]),
        )

    wide, sized = listed(depth)
    repeats = np.ones((len(space), wide.shape[1]), dtype=np.int64)
    if depth == _DEEP:
        shallower = listed(_DEEP - 1)
        places = shallower[0].shape[1]
        same = [
            (deep[:, :places] == less).all(axis=0)
            for deep, less in zip((wide, sized), shallower, strict=True)
        ]
        # The block that depth 3 has and depth 2 has not: where the two first differ, at any width or size.
        added = int(np.logical_and(*same).argmin())
        repeats[:, added] = space.depth - (_DEEP - 1)
    return wide[width], sized[resolution], repeats


class _Halves(NamedTuple):
    """What of a block the width decides, and what the resolution decides; each half -> its number.

    Per layer: (kind, stride, in_channels, out_channels, weights, params), and (kernel, in_size, out_size).
    """

    channels: dict[tuple[tuple[str, int, int, int, int, int], ...], int]
    sizes: dict[tuple[tuple[int, int, int], ...], int]

    def of_channels(self, block: FusedBlock) -> int:
        half = tuple(
            (layer.kind, layer.stride, layer.in_channels, layer.out_channels, layer.weights, layer.params)
            for layer in block.layers
        )
        return self.channels.setdefault(half, len(self.channels))

    def of_sizes(self, block: FusedBlock) -> int:
        half = tuple((layer.kernel, layer.in_size, layer.out_size) for layer in block.layers)
        return self.sizes.setdefault(half, len(self.sizes))

    def shapes(self, wide: NDArray[np.int64], sized: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """The fields of SpaceBlocks from kind to params, for pairs of halves."""
        layers = max(len(half) for half in self.channels)
        weights = np.zeros((len(self.channels), layers), dtype=np.int64)
        positions = np.zeros((len(self.sizes), layers), dtype=np.int64)
        from_channels, from_sizes = [], []
        for number, half in enumerate(self.channels):
            weights[number, : len(half)] = [layer[4] for layer in half]
            kind = BLOCK_KINDS.index(_kind(half[0][0], half[0][2]))
            stride = math.prod(layer[1] for layer in half)
            from_channels.append((kind, stride, half[0][2], half[-1][3], sum(layer[5] for layer in half)))
        for number, half_sizes in enumerate(self.sizes):
            positions[number, : len(half_sizes)] = [layer[2] ** 2 for layer in half_sizes]
            from_sizes.append((half_sizes[0][1], half_sizes[-1][2]))
        fields = dict(zip(_FROM_CHANNELS, np.array(from_channels)[wide].T, strict=True))
        fields |= dict(zip(_FROM_SIZES, np.array(from_sizes)[sized].T, strict=True))
        return fields | {"macs": (weights[wide] * positions[sized]).sum(axis=1)}


_FROM_CHANNELS = ("kind", "stride", "in_channels", "out_channels", "params")
_FROM_SIZES = ("in_size", "out_size")
