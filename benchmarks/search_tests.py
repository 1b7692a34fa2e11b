"""Tests of 600 networks of the space of sweeps/search_digits.yaml from its supernet: of these the yardstick
of the search is made. `python -m benchmarks.search_tests FOLDER` writes benchmarks/data/search_tests.csv; it
keeps its run in the folder, and goes on there when it is started again. 20 minutes on one core.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from mbsweep import load_sweep
from mbsweep.accuracy.supernet import SupernetSource
from mbsweep.accuracy.training.processes import LocalPool
from mbsweep.base.progress_bar import RichProgress
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.training_data import look_at

SWEEP = Path(__file__).parents[1] / "sweeps/search_digits.yaml"
FILE = Path(__file__).parent / "data/search_tests.csv"
NETWORKS, SEED = 600, 18
NEAR = 1000  # networks among which one of about so many mult-adds is drawn
FIELDS = ("stage_channels", "stage_depths", "kernels")


def main() -> None:
    """Train the supernet, test the networks, write the file."""
    sweep, images = look_at(load_sweep(SWEEP))
    space = count_space(sweep)
    places = chosen(space)
    variants = [space.variant(place) for place in places]
    assert isinstance(sweep.accuracy, SupernetSource)  # noqa: S101
    config = sweep.accuracy.model_copy(update={"labels_pct": 0})  # as the file was made
    source = config.open(space, print, images)
    with Store.write(Path(sys.argv[1])) as store, closing(source), RichProgress() as progress:
        source.prepare(store, LocalPool(), progress)
        source.evaluate(variants, store, LocalPool(), progress)
        seen_pct = source.seen_pct(variants, store)
        hits = {row.variant: row.hits for row in store.trainings(source.name)}
    test_pct = [100 * hits[variant.id].mean() for variant in variants]
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        names = [f"{name}_{stage}" for name in FIELDS for stage in range(1, 6)]
        rows.writerow(["place", *names, "macs", "params", "validation_top1_pct", "test_top1_pct"])
        for place, variant, *pct in zip(places, variants, seen_pct, test_pct, strict=True):
            fields = [value for name in FIELDS for value in getattr(variant, name)]
            counts = space.macs[place], space.params[place]
            rows.writerow([place, *fields, *counts, *(f"{one:.4f}" for one in pct)])


def chosen(space: Space) -> list[int]:
    """Places in the space: the smallest and the largest network, each of them also with one stage's width,
    depth or kernel as in the other; then by turns one of all at random, and one of those of about as many
    mult-adds as are drawn, evenly on a logarithmic scale.
    """
    chance = np.random.default_rng(SEED)
    found = dict.fromkeys(_corners(space))
    order, scale = np.argsort(space.macs, kind="stable"), np.log(np.sort(space.macs))
    while len(found) < NETWORKS:
        found[int(chance.integers(len(space)))] = None
        near = int(np.searchsorted(scale, chance.uniform(scale[0], scale[-1])))
        near = min(max(near + int(chance.integers(-NEAR // 2, NEAR // 2)), 0), len(space) - 1)
        found[int(order[near])] = None
    return list(found)[:NETWORKS]


def _corners(space: Space) -> Iterator[int]:
    ends = [space.variant(place) for place in (0, len(space) - 1)]
    for own, other in (ends, ends[::-1]):
        yield _place(space, own)
        for name in FIELDS:
            for stage in range(5):
                mixed = list(getattr(own, name))
                mixed[stage] = getattr(other, name)[stage]
                yield _place(space, own.but(**{name: mixed}))


def _place(space: Space, variant: Variant) -> int:
    place = space.place_of(variant)
    assert place is not None  # noqa: S101
    return place


if __name__ == "__main__":
    main()
