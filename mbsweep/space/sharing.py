"""Spaces whose networks share weights: the largest of them, what tells two spaces apart, a space for JSON.

Of any size: nothing is listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mbsweep.base.errors import MbsweepError
from mbsweep.space.families import FAMILIES, architecture, family_of
from mbsweep.space.grid import Grid, whole
from mbsweep.space.layers import CONVOLUTIONS
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

LISTED = 10_000  # variants that are named one by one, at most


def largest_of(space: Space) -> Variant:
    """The network whose weights all of them share as a supernet: the greatest in every elastic field.

    Raises MbsweepError where they differ in more than these.
    """
    have = ", ".join(name for name, one in FAMILIES.items() if one.is_elastic)
    for grid in space.grids:
        if not grid.family.is_elastic:
            raise MbsweepError(f"{grid.family.name} has no supernet; those that have: {have}")
    family = space.grids[0].family
    elastic = [name for name, field in family.fields.items() if field.elastic]
    first = space.variant(0)
    has_body = np.zeros(len(space), dtype=bool)
    has_body[space.having(family_of(first.family).key(first.values, elastic), elastic)] = True
    if not has_body.all():
        ids = sorted([first.id, space.variant(int(has_body.argmin())).id])
        raise MbsweepError(
            f"a supernet's variants may differ in {', '.join(elastic)} only; {' and '.join(ids)} "
            "differ in more"
        )
    kinds = {layer.kind for layer in architecture(first).layers} - {*CONVOLUTIONS, "avg_pool", "fc", "add"}
    if kinds:
        raise MbsweepError(f"layers of {first.id} cannot be shared: {', '.join(sorted(kinds))}")
    greatest: dict[str, Any] = {}
    for name in elastic:
        stages = range(family.fields[name].stages)
        most = [_greatest(space, name, stage) for stage in stages] or [_greatest(space, name)]
        greatest[name] = whole(family.fields[name], tuple(most)) if stages else most[0]
    return first.but(**greatest)


def _greatest(space: Space, name: str, stage: int | None = None) -> Any:
    """The greatest value of a field, or of a stage of it."""
    most = []
    for grid, places in space.parts():
        value = grid.values[name] if stage is None else grid.values[name][stage]
        if len(places) < grid.size and np.ndim(value):
            chosen = np.zeros(grid.size, dtype=bool)
            chosen[space.at[places]] = True
            others = tuple(axis for axis, length in enumerate(value.shape) if length == 1)
            value = value[chosen.reshape(grid.shape).any(axis=others, keepdims=True)]
        most.append(np.max(value).item())
    return max(most)


def digest(space: Space) -> str:
    """What tells a space from another: a hash of its variants' ids; of more than LISTED, of their fields'
    values and their counts. In whatever order they stand.
    """
    if len(space) <= LISTED:
        return hashlib.sha256(" ".join(sorted(space.ids())).encode()).hexdigest()
    said = sorted(json.dumps(_axes(grid), sort_keys=True) for grid, _ in space.parts())
    found = hashlib.sha256(json.dumps(said).encode())
    found.update(np.sort(space.macs).astype("<i8").tobytes() + np.sort(space.params).astype("<i8").tobytes())
    return found.hexdigest()


def _axes(grid: Grid) -> dict[str, Any]:
    """Field -> its values, of each stage, in the order of their size."""

    def values(value: Any) -> Any:
        if isinstance(value, tuple):
            return [values(one) for one in value]
        return np.unique(value).tolist()

    return {"family": grid.family.name, **{name: values(value) for name, value in grid.values.items()}}


def space_as_dict(space: Space) -> dict[str, Any]:
    """A space for JSON: its grids, and which of their points are meant."""
    grids = []
    for grid, places in space.parts():
        said: dict[str, Any] = {"family": grid.family.name, "shape": list(grid.shape)}
        said["values"] = {name: _told(value) for name, value in grid.values.items()}
        if len(places) < grid.size:
            chosen = np.zeros(grid.size, dtype=bool)
            chosen[space.at[places]] = True
            said["chosen"] = np.packbits(chosen).tobytes().hex()
        grids.append(said)
    return {"grids": grids}


def _told(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_told(one) for one in value]
    return {"shape": list(value.shape), "values": value.ravel().tolist()} if _is_array(value) else value


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def space_of(told: Mapping[str, Any]) -> Space:
    """The space of `space_as_dict`, its variants in the order of its grids."""
    grids, chosen = [], []
    for said in told["grids"]:
        values = {name: _read(value) for name, value in said["values"].items()}
        grids.append(Grid(family_of(said["family"]), values, tuple(said["shape"])))
        bits = np.frombuffer(bytes.fromhex(said.get("chosen", "")), np.uint8)
        size = grids[-1].size
        chosen.append(np.unpackbits(bits, count=size).astype(bool) if len(bits) else np.ones(size, bool))
    return Space.of_grids(grids).select(np.flatnonzero(np.concatenate(chosen)))


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_read, value))
    return np.array(value["values"]).reshape(value["shape"]) if isinstance(value, dict) else value
