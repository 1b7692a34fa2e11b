"""Whether networks are the same, layer by layer, whatever their fields say."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsweep.space.architecture import Architecture, Stage
from mbsweep.space.block import Block
from mbsweep.space.grid import Grid, Places
from mbsweep.space.layers import Layer

Mask = Any  # a bool, or an NDArray[np.bool_] with one for each network of a grid

# Not where padding lies, as not what is added to a variance: published tables do not tell the conventions of
# the library that their networks were trained in, and no shape depends on them.
_COMPARED = [field.name for field in fields(Layer) if field.compare and field.name not in ("where", "same")]


def same_as(net: Architecture, grid: Grid, at: Places) -> NDArray[np.bool_]:
    """Which networks at some points of a grid are that network, in all but names. Shape (points,)."""

    def of_points(value: Any) -> Any:
        return grid.spread(value, at) if isinstance(value, np.ndarray) else value

    values = {
        name: tuple(map(of_points, value)) if isinstance(value, tuple) else of_points(value)
        for name, value in grid.values.items()
    }
    found = _same(grid.family.network(values), net)
    return np.array(np.broadcast_to(found, at.shape))


def _same(several: Architecture, one: Architecture) -> Mask:
    if len(several.stages) != len(one.stages):
        return False
    pairs = zip(several.stages, one.stages, strict=True)
    return np.logical_and.reduce(np.broadcast_arrays(*(_same_stage(*pair) for pair in pairs)))


def _same_stage(several: Stage, one: Stage) -> Mask:
    found = _same_block(several.first, one.first) & np.equal(several.more, one.more)
    if one.more == 0:
        return found
    if several.rest is None or one.rest is None:
        return False
    return found & _same_block(several.rest, one.rest)


def _same_block(several: Block, one: Block) -> Mask:
    """Of a grid the junction at the end of a block may be there in some networks only, as in `residual`."""
    *inner, last = several.layers
    found = _same_layers(several.layers, one.layers) & last.where
    if last.where is True:
        return found
    inner[-1] = replace(inner[-1], activation=last.activation or inner[-1].activation)
    return found | (_same_layers(inner, one.layers) & np.logical_not(last.where))


def _same_layers(several: list[Layer] | tuple[Layer, ...], one: tuple[Layer, ...]) -> Mask:
    if len(several) != len(one):
        return np.False_
    found: Mask = np.True_
    for mine, other in zip(several, one, strict=True):
        for name in _COMPARED:
            found = found & _equal(getattr(mine, name), getattr(other, name))
    return found


def _equal(mine: Any, other: Any) -> Mask:
    if isinstance(mine, tuple):
        if len(mine) != len(other):
            return np.False_
        return np.logical_and.reduce(np.broadcast_arrays(*map(np.equal, mine, other)))
    if isinstance(mine, str):
        return np.bool_(mine.replace("relu6", "relu") == other.replace("relu6", "relu"))
    return np.equal(mine, other)
