"""How a supernet ranks networks on sets of real images, against two seeds of each trained alone.

Of each set twelve networks of a grid (widths, resolutions, depths), and twelve, evenly by their mult-adds,
of a space of 1,889,568 with a width, depth and kernel for each stage. `python -m benchmarks.supernet_sets
FOLDER [SET ...]` writes the sets there where they are not yet, see `benchmarks.image_sets`, and goes on with
what it has begun. An hour and a half on one core.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.image_sets import write_sets
from mbsweep.accuracy.supernet import SupernetSource
from mbsweep.accuracy.training.processes import LocalPool
from mbsweep.base.progress_bar import RichProgress
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.sweep.training_data import look_at

SETS = ("sprites", "icons")
EPOCHS, NETWORKS = 16, 12
SPACES = {
    "grid": "width: [0.5, 0.25, 0.15], resolution: [32, 24], depth: [5, 1]",
    "stages": (
        "width: 0.25, resolution: 32, stage_widths: {each: [0.5, 1.0, 2.0]}, "
        "stage_depths: {each: [1, 2, 3]}, kernels: {each: [3, 5]}"
    ),
}
SWEEP = """\
space: {{{space}, num_classes: {classes}}}
accuracy:
  source: supernet
  dataset: {{name: imagefolder, path: "{path}"}}
  recipe: {{epochs: {epochs}}}
  alone: {{seeds: [0, 1], recipe: {{epochs: {epochs}}}}}
"""


def main(folder: Path, sets: list[str]) -> None:
    """Print a line for each network, and how the supernet and the two seeds agree."""
    write_sets(folder)
    for name in sets or list(SETS):
        for space in SPACES:
            _compare(folder, name, space)


def _compare(folder: Path, name: str, kind: str) -> None:
    path = (folder / name).resolve()
    classes = sum(one.is_dir() for one in path.iterdir())
    text = SWEEP.format(space=SPACES[kind], classes=classes, path=path, epochs=EPOCHS)
    sweep, images = look_at(parse_sweep(text, f"{name}.yaml"))
    space, config = count_space(sweep), sweep.accuracy
    assert isinstance(config, SupernetSource)  # noqa: S101
    variants = chosen(space)
    opened = config.open(space, print, images)
    with Store.write(folder / f"{name}_{kind}") as store, closing(opened), RichProgress() as progress:
        opened.prepare(store, LocalPool(), progress)
        opened.evaluate(variants, store, LocalPool(), progress)
        alone = opened.alone(variants, store, LocalPool(), progress)
        shared = {row.variant: 100 * row.hits.mean() for row in store.trainings(opened.name)}
        rows = store.trainings(alone[0].source)
        summary = store.supernets()[opened.name]["summary"]
    of = {(row.variant, row.seed): 100 * row.hits.mean() if row.state == "done" else np.nan for row in rows}
    print(f"\n{name}, {kind}: one of {len(space):,} networks, millions of mult-adds, supernet, seeds 0 and 1")
    for variant in variants:
        macs = space.macs[space.place_of(variant)] / 1e6
        print(
            f"{variant.id}, {macs:.1f}, {shared[variant.id]:.1f}, "
            + ", ".join(f"{of[variant.id, seed]:.1f}" for seed in (0, 1))
        )
    print(summary, flush=True)


def chosen(space: Space) -> list[Variant]:
    """All of a small space, in order of mult-adds; of a large one as many, evenly by their rank, in each of
    which the choice among the nearest thousand is drawn.
    """
    order = np.argsort(space.macs, kind="stable")
    if len(space) > NETWORKS:
        chance, near = np.random.default_rng(0), 1000
        ranks = np.linspace(0, len(space) - near, NETWORKS).astype(int) + chance.integers(0, near, NETWORKS)
        order = order[ranks]
    return [space.variant(int(place)) for place in order]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
