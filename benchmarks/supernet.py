"""The supernet of sweeps/digits_supernet.yaml against all its 24 variants trained alone, mean of two seeds.

Takes over an hour on two cores. `python -m benchmarks.supernet FOLDER` keeps both runs there, and goes on
with them when it is started again.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from mbsweep import Run, load_sweep, parse_sweep, run
from mbsweep.profiler.device import usable_cores
from mbsweep.progress import RichProgress
from mbsweep.space.accuracy import SupernetAccuracy
from mbsweep.space.counting import count_space
from mbsweep.supernets import trust

SWEEP = Path(__file__).parents[1] / "sweeps/digits_supernet.yaml"
ALONE = """\
space: {width: [0.5, 0.35, 0.25], resolution: [64, 48, 40, 32], depth: [5, 1], num_classes: 10}
accuracy: {source: trained, dataset: {name: digits}, recipe: {epochs: 24}, seeds: [0, 1]}
"""


def main() -> None:
    """Train both, and print how they agree and what the supernet cost."""
    with tempfile.TemporaryDirectory() as temporary, RichProgress() as progress:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        begun = time.monotonic()
        supernet = run(load_sweep(SWEEP), folder / "supernet", progress=progress, jobs=usable_cores())
        done = time.monotonic()
        alone = run(
            parse_sweep(ALONE, "alone.yaml"), folder / "alone", progress=progress, jobs=usable_cores()
        )
        print(f"{SWEEP.name} took {done - begun:.0f} s, all alone {time.monotonic() - done:.0f} s")
        compare(supernet, alone)


def compare(supernet: Run, alone: Run) -> None:
    """Print how the accuracies of two runs agree."""
    sweep = load_sweep(SWEEP)
    config = sweep.accuracy
    assert isinstance(config, SupernetAccuracy)  # noqa: S101
    macs = count_space(sweep).macs
    step = macs.max() + macs.min() + config.middle * macs.mean()
    cost = config.recipe.epochs * step / (config.alone.recipe.epochs * macs.max())
    shared, single = _top1_pct(supernet), _top1_pct(alone)
    for variant in single:
        print(f"{variant}: supernet {shared[variant]:.1f} %, alone {single[variant]:.1f} %")
    print(f"cost {cost:.1f} times that of the largest variant (at most 5), in mult-adds")
    print(trust(shared, single, config.min_tau)["summary"])


def _top1_pct(of: Run) -> dict[str, float]:
    table = of.table().drop_duplicates("variant")
    return dict(zip(table["variant"], table["top1_pct"], strict=True))


if __name__ == "__main__":
    main()
