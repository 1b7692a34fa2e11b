"""Architecture -> Counts, in closed form; and the same over a whole space as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.architecture import architecture
from mbsweep.space.blocks import Layer
from mbsweep.space.variant import Variant, body_suffix

BYTES_PER_FP32 = 4


@dataclass(frozen=True, slots=True)
class Counts:
    """Size of one network. Does not depend on batch size or device."""

    params: int  # trainable scalars, BN scale and shift included
    macs: int  # multiply-adds of conv and linear layers for one image
    weight_bytes: int  # the parameters at fp32
    peak_activation_bytes: (
        int  # fp32, one image: the largest input + output of any layer, BN and ReLU in place
    )


def count(variant: Variant) -> Counts:
    """Parameters, mult-adds and memory of one variant, from the shapes of its layers."""
    net = architecture(variant)
    return Counts(
        params=net.params,
        macs=net.macs,
        weight_bytes=BYTES_PER_FP32 * net.params,
        peak_activation_bytes=BYTES_PER_FP32 * max(layer.activations for layer in net.layers),
    )


def count_macs(variants: Sequence[Variant]) -> NDArray[np.int64]:
    """Mult-adds of each of many variants: quick where they share widths and resolutions."""
    alike: dict[tuple[Body, int], list[int]] = {}
    for place, variant in enumerate(variants):
        alike.setdefault((_body(variant), variant.depth), []).append(place)
    macs = np.empty(len(variants), dtype=np.int64)
    for (body, depth), places in alike.items():
        widths, wide = np.unique([variants[place].width for place in places], return_inverse=True)
        sizes, sized = np.unique([variants[place].resolution for place in places], return_inverse=True)
        at = {
            counted: _pair_macs(body, counted, widths.tolist(), sizes.tolist(), (wide, sized))
            for counted in _counted_depths([depth])
        }
        macs[places] = at[depth] if depth in at else at[2] + (depth - 2) * (at[3] - at[2])
    return macs


# family, block, stage_channels, num_classes, divisor, stem_stride
Body = tuple[str, str, tuple[int, ...], int, int, int]
Grid = tuple[Body, Sequence[float], Sequence[int], Sequence[int]]  # a body, widths, resolutions, depths


@dataclass(frozen=True)
class SpaceCounts:
    """The variants of a space and their counts: one array per field, one element per variant.

    Shapes are (variants,). `body` indexes `bodies`, the distinct fixed parts of the networks.
    """

    bodies: tuple[Body, ...]
    body: NDArray[np.int64]
    width: NDArray[np.float64]
    resolution: NDArray[np.int64]
    depth: NDArray[np.int64]
    params: NDArray[np.int64]
    macs: NDArray[np.int64]
    weight_bytes: NDArray[np.int64]
    peak_activation_bytes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.width)

    def variant(self, index: int) -> Variant:
        """The variant at a place in the arrays."""
        family, block, stage_channels, num_classes, divisor, stem_stride = self.bodies[self.body[index]]
        return Variant(
            family=family,
            width=float(self.width[index]),
            resolution=int(self.resolution[index]),
            depth=int(self.depth[index]),
            block=block,
            stage_channels=stage_channels,
            num_classes=num_classes,
            divisor=divisor,
            stem_stride=stem_stride,
        )

    def variants(self) -> list[Variant]:
        """Every variant, in order. Slow beyond some ten thousand: use the arrays there."""
        return [self.variant(index) for index in range(len(self))]

    def ids(self) -> Iterator[str]:
        """Every variant's id, in order, without making the variants."""
        suffixes = [(body[0], body_suffix(*body[1:])) for body in self.bodies]
        columns = (self.body, self.width, self.resolution, self.depth)
        for body, width, resolution, depth in zip(*(column.tolist() for column in columns), strict=True):
            family, suffix = suffixes[body]
            yield f"{family}_w{width!r}_r{resolution}_d{depth}{suffix}"

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> SpaceCounts:
        """The variants that a mask or a list of places picks."""
        arrays = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return replace(self, **arrays)


_ARRAYS = tuple(field.name for field in fields(SpaceCounts) if field.name != "bodies")


def count_all(listed: Iterable[Variant], grids: Iterable[Grid]) -> SpaceCounts:
    """Variants listed one by one, then grids; one that stands in both is kept where it came first."""
    points = [(_body(v), [v.width], [v.resolution], [v.depth]) for v in listed]
    bodies: dict[Body, int] = {}
    parts: list[dict[str, NDArray[np.generic]]] = []
    for body, widths, resolutions, depths in [*points, *grids]:
        part = _count_grid(body, widths, resolutions, depths)
        part["body"] = np.full(part["macs"].shape, bodies.setdefault(body, len(bodies)))
        parts.append(part)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in _ARRAYS}
    whole = SpaceCounts(tuple(bodies), **arrays)
    # Within one grid all variants differ; only several parts can repeat one another.
    return whole.select(_first_of_each(whole)) if len(parts) > 1 else whole


def _first_of_each(space: SpaceCounts) -> NDArray[np.int64]:
    order = np.lexsort((space.depth, space.resolution, space.width, space.body))  # stable: first place first
    repeat = np.zeros(len(space), dtype=bool)
    keys = [getattr(space, name)[order] for name in ("body", "width", "resolution", "depth")]
    repeat[order[1:]] = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    return np.flatnonzero(~repeat)


def _body(variant: Variant) -> Body:
    stem = variant.divisor, variant.stem_stride
    return variant.family, variant.block, variant.stage_channels, variant.num_classes, *stem


def _count_grid(
    body: Body, widths: Sequence[float], resolutions: Sequence[int], depths: Sequence[int]
) -> dict[str, NDArray[np.generic]]:
    """Counts of all width x resolution x depth of one body, the last axis fastest: depth.

    A layer's channels depend on the width and its sizes on the resolution alone (see FAMILIES). So the
    mult-adds of the whole grid are one matrix product: weights by width times positions by resolution.
    """
    counted = {depth: _count_depth(body, widths, resolutions, depth) for depth in _counted_depths(depths)}
    layers = np.empty((3, len(widths), len(resolutions), len(depths)), dtype=np.int64)
    for place, depth in enumerate(depths):
        if depth in counted:
            layers[..., place] = counted[depth]
        else:
            layers[..., place] = counted[2] + (depth - 2) * (counted[3] - counted[2])
            layers[PEAK, ..., place] = counted[3][PEAK]
    grid = np.meshgrid(np.asarray(widths, float), np.asarray(resolutions), np.asarray(depths), indexing="ij")
    named = dict(zip(("width", "resolution", "depth"), grid, strict=True))
    named |= {"params": layers[PARAMS], "macs": layers[MACS], "weight_bytes": BYTES_PER_FP32 * layers[PARAMS]}
    named |= {"peak_activation_bytes": BYTES_PER_FP32 * layers[PEAK]}
    return {name: array.ravel() for name, array in named.items()}


PARAMS, MACS, PEAK = range(3)


def _counted_depths(depths: Sequence[int]) -> set[int]:
    """The depths to count layer by layer; the others follow from depths 2 and 3 (see FAMILIES)."""
    return {depth for depth in depths if depth <= 3} | ({2, 3} if max(depths) > 3 else set())


def _count_depth(
    body: Body, widths: Sequence[float], resolutions: Sequence[int], depth: int
) -> NDArray[np.int64]:
    """(3, widths, resolutions): params, macs and the scalars alive at the peak, at one depth."""
    wide, sized = _layers(body, depth, widths, resolutions)
    in_channels = _table(wide, lambda layer: layer.in_channels)
    out_channels = _table(wide, lambda layer: layer.out_channels)
    in_positions = _table(sized, lambda layer: layer.in_size**2)
    out_positions = _table(sized, lambda layer: layer.out_size**2)
    counts = np.empty((3, len(widths), len(resolutions)), dtype=np.int64)
    counts[PARAMS] = _table(wide, lambda layer: layer.params).sum(axis=1)[:, None]
    counts[MACS] = _table(wide, lambda layer: layer.weights) @ out_positions.T
    counts[PEAK] = _largest_sum(in_channels, in_positions, out_channels, out_positions)
    return counts


def _pair_macs(
    body: Body,
    depth: int,
    widths: Sequence[float],
    resolutions: Sequence[int],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.int64]:
    """(pairs,): the macs at some pairs of places in `widths` and `resolutions`, at one depth."""
    wide, sized = _layers(body, depth, widths, resolutions)
    weights = _table(wide, lambda layer: layer.weights)[pairs[0]]
    positions = _table(sized, lambda layer: layer.out_size**2)[pairs[1]]
    macs: NDArray[np.int64] = (weights * positions).sum(axis=1)
    return macs


Layers = list[tuple[Layer, ...]]


def _layers(
    body: Body, depth: int, widths: Sequence[float], resolutions: Sequence[int]
) -> tuple[Layers, Layers]:
    """The layers at each width, and at each resolution."""
    family, block, stage_channels, num_classes, divisor, stem_stride = body
    fixed = Variant(family, 1.0, 1, depth, block, stage_channels, num_classes, divisor, stem_stride)
    wide = [architecture(replace(fixed, width=width)).layers for width in widths]
    sized = [architecture(replace(fixed, resolution=resolution)).layers for resolution in resolutions]
    return wide, sized


def _table(nets: Layers, number: Callable[[Layer], int]) -> NDArray[np.int64]:
    """(networks, layers): one number of each layer."""
    return np.array([[number(layer) for layer in layers] for layers in nets], dtype=np.int64)


def _largest_sum(
    in_channels: NDArray[np.int64],
    in_positions: NDArray[np.int64],
    out_channels: NDArray[np.int64],
    out_positions: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(widths, resolutions): the largest input + output of any layer, one layer at a time to stay small."""
    peak = np.zeros((len(in_channels), len(in_positions)), dtype=np.int64)
    for layer in range(in_channels.shape[1]):
        alive = np.outer(in_channels[:, layer], in_positions[:, layer])
        alive += np.outer(out_channels[:, layer], out_positions[:, layer])
        np.maximum(peak, alive, out=peak)
    return peak
