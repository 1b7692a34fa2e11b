"""Architecture -> Counts, in closed form; and the same over a whole space as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.families import architecture
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
        params=int(net.params),
        macs=int(net.macs),
        weight_bytes=BYTES_PER_FP32 * int(net.params),
        peak_activation_bytes=BYTES_PER_FP32 * int(net.peak),
    )


def count_macs(variants: Sequence[Variant]) -> NDArray[np.int64]:
    """Mult-adds of each of many variants."""
    alike: dict[Body, list[int]] = {}
    for place, variant in enumerate(variants):
        alike.setdefault(_body(variant), []).append(place)
    macs = np.empty(len(variants), dtype=np.int64)
    for body, places in alike.items():
        of_body = [variants[place] for place in places]
        columns = ([getattr(one, name) for one in of_body] for name in ("width", "resolution", "depth"))
        macs[places] = architecture(Fields(*body, *map(np.array, columns))).macs
    return macs


# family, block, stage_channels, num_classes, divisor, stem_stride
Body = tuple[str, str, tuple[int, ...], int, int, int]


class Fields(NamedTuple):
    """Fields of Variant, of one body; arrays where many networks are meant."""

    family: str
    block: str
    stage_channels: tuple[int, ...]
    num_classes: int
    divisor: int
    stem_stride: int
    width: Any
    resolution: Any
    depth: Any


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

    Each field lies on an axis of its own. What depends on the width alone is an array of as many numbers as
    there are widths until it meets something that depends on the resolution: numpy adds no more than it must.
    """
    axes = np.array(widths, float), np.array(resolutions, np.int64), np.array(depths, np.int64)
    width, resolution, depth = np.ix_(*axes)
    net = architecture(Fields(*body, width, resolution, depth))
    named = {"width": width, "resolution": resolution, "depth": depth, "params": net.params, "macs": net.macs}
    named |= {"weight_bytes": BYTES_PER_FP32 * net.params, "peak_activation_bytes": BYTES_PER_FP32 * net.peak}
    shape = tuple(map(len, axes))
    return {name: np.broadcast_to(values, shape).ravel() for name, values in named.items()}
